//! Values of documents that strangers wrote: what has another type than expected says nothing, instead of failing.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// Elements of one list of a package that are kept: places and licences. No package has more.
const ELEMENTS_MAX: usize = 1000;

/// A text, a number or a flag; everything else says nothing.
#[derive(Default)]
pub(crate) enum Lenient {
    Text(String),
    Number(u64),
    Flag(bool),
    #[default]
    Other,
}

impl Lenient {
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// Words in one text, or a list of them.
#[derive(Default)]
pub(crate) struct Words(pub(crate) Vec<String>);

/// The beginning of a list.
pub(crate) struct Few<T>(pub(crate) Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// What a visitor makes of values that say nothing.
macro_rules! nothing {
    ($value:expr; $($name:ident: $kind:ty),*) => {
        $(
            fn $name<E: de::Error>(self, _: $kind) -> Result<Self::Value, E> {
                Ok($value)
            }
        )*
        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

pub(crate) use nothing;

impl<'de> Deserialize<'de> for Lenient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Lenient;
            nothing!(Lenient::Other; visit_i64: i64, visit_f64: f64);

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("anything")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Lenient, E> {
                Ok(Lenient::Text(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Lenient, E> {
                Ok(Lenient::Number(number))
            }
            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Lenient, E> {
                Ok(Lenient::Flag(flag))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Lenient, A::Error> {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Lenient::Other)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Lenient, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Lenient::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Words;
            nothing!(Words(Vec::new()); visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("words")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words(text.split_whitespace().take(ELEMENTS_MAX).map(str::to_owned).collect()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Words, A::Error> {
                let texts = few::<Lenient, A>(elements)?;
                Ok(Words(texts.iter().filter_map(|text| text.text().map(str::to_owned)).collect()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Words, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Words(Vec::new()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Few<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }
            fn visit_unit<E: de::Error>(self) -> Result<Few<T>, E> {
                Ok(Few(Vec::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, elements: A) -> Result<Few<T>, A::Error> {
                few(elements).map(Few)
            }
        }
        deserializer.deserialize_any(List(PhantomData))
    }
}

fn few<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(mut elements: A) -> Result<Vec<T>, A::Error> {
    let mut kept = Vec::new();
    while kept.len() < ELEMENTS_MAX
        && let Some(element) = elements.next_element()?
    {
        kept.push(element);
    }
    while elements.next_element::<IgnoredAny>()?.is_some() {}
    Ok(kept)
}

/// A list whose elements are taken one by one.
pub(crate) struct Each<T, F> {
    take: F,
    element: PhantomData<T>,
}

impl<T, F: FnMut(T)> Each<T, F> {
    pub(crate) fn new(take: F) -> Self {
        Self { take, element: PhantomData }
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.take)(element);
        }
        Ok(())
    }
}
