//! Records in a JSON document, one by one: what comes before a broken place is read, and a broken record takes no other with it.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// Hands each element of a list to `on_record`, with its offset. The list is the document, or stands in it under these keys, one
/// within the other; a list is taken wherever one is met on this way.
///
/// Errors: why the document ends before its end, and where.
pub(crate) fn for_each_record(
    content: &[u8],
    keys: &[&str],
    on_record: &mut dyn FnMut(usize, &str),
) -> Result<(), (usize, String)> {
    let mut deserializer = serde_json::Deserializer::from_slice(content);
    let on_raw = &mut |raw: &RawValue| {
        let text = raw.get();
        on_record((text.as_ptr() as usize).saturating_sub(content.as_ptr() as usize), text);
    };
    let read = Records { keys, on_raw }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| (offset_of(content, &error), format!("file is no JSON: {error}")))
}

/// Only these members of one record of a list.
pub(crate) fn record_of(record: &str, keys: &[&str]) -> Result<Value, String> {
    let members = members_of(record.as_bytes(), keys)?;
    Ok(Value::Object(members.into_iter().collect()))
}

/// Only these members of a document, each as far as [`Pruned`] reads it; of one that is there twice the last, as all who run programs of such packages read it. A document
/// that is no object has none. Whatever stands in the other members costs next to nothing, however deep it is.
pub(crate) fn members_of(content: &[u8], keys: &[&str]) -> Result<BTreeMap<String, Value>, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(content);
    let is_object = content.trim_ascii_start().first() == Some(&b'{');
    let read = match is_object {
        true => deserializer.deserialize_map(Members { keys }),
        false => IgnoredAny::deserialize(&mut deserializer).map(|_| BTreeMap::new()),
    };
    let read = read.and_then(|members| deserializer.end().map(|()| members));
    read.map_err(|error| format!("file is no JSON: {error}"))
}

struct Members<'k> {
    keys: &'k [&'k str],
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(key) = entries.next_key::<String>()? {
            if self.keys.contains(&key.as_str()) {
                let mut left = VALUES_MAX;
                members.insert(key, entries.next_value_seed(Pruned { left: &mut left, depth: 0 })?);
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

/// Values in one value that are built.
const VALUES_MAX: usize = 1_000;
/// So deep nothing of interest lies.
const DEPTH_MAX: usize = 8;

/// Builds the beginning of a value: what a hostile file has of millions of values costs next to nothing.
struct Pruned<'l> {
    left: &'l mut usize,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Pruned<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > DEPTH_MAX {
            return IgnoredAny::deserialize(deserializer).map(|_| Value::Null);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Pruned<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while *self.left > 0 {
            *self.left -= 1;
            match items.next_element_seed(Pruned { left: &mut *self.left, depth: self.depth + 1 })? {
                Some(item) => list.push(item),
                None => return Ok(list.into()),
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = serde_json::Map::new();
        while *self.left > 0 {
            *self.left -= 1;
            let Some(key) = entries.next_key::<String>()? else { return Ok(members.into()) };
            let value = entries.next_value_seed(Pruned { left: &mut *self.left, depth: self.depth + 1 })?;
            members.insert(key, value);
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(members.into())
    }
}

/// What is taken out of the members of an object or the items of a list, one by one, without building it.
pub(crate) trait TakeMembers {
    /// It is an object.
    fn begin(&mut self) {}

    /// Takes the value of one member out of `members`, or reads over it.
    fn take<'de, A: MapAccess<'de>>(&mut self, _key: String, members: &mut A) -> Result<(), A::Error> {
        members.next_value::<IgnoredAny>().map(|_| ())
    }

    /// Takes the next item out of a list, or reads over it; `false` at its end.
    fn item<'de, A: SeqAccess<'de>>(&mut self, items: &mut A) -> Result<bool, A::Error> {
        Ok(items.next_element::<IgnoredAny>()?.is_some())
    }
}

/// A value out of which is taken what is wanted.
pub(crate) struct Taking<'t, T>(pub(crate) &'t mut T);

impl<'de, T: TakeMembers> DeserializeSeed<'de> for Taking<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: TakeMembers> Visitor<'de> for Taking<'_, T> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        self.0.begin();
        while let Some(key) = members.next_key::<String>()? {
            self.0.take(key, &mut members)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while self.0.item(&mut items)? {}
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// Takes what it wants out of the members of a document.
pub(crate) fn take_members(content: &[u8], taker: &mut impl TakeMembers) -> Result<(), String> {
    let mut deserializer = serde_json::Deserializer::from_slice(content);
    let read = Taking(taker).deserialize(&mut deserializer).and_then(|()| deserializer.end());
    read.map_err(|error| format!("file is no JSON: {error}"))
}

/// Where an error is.
fn offset_of(content: &[u8], error: &serde_json::Error) -> usize {
    let mut lines = content.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.by_ref().take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(content.len())
}

struct Records<'k, 'f> {
    keys: &'k [&'k str],
    on_raw: &'f mut dyn FnMut(&RawValue),
}

impl<'de> DeserializeSeed<'de> for Records<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Records<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of packages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(raw) = list.next_element::<&RawValue>()? {
            (self.on_raw)(raw);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.keys.split_first() {
                Some((first, keys)) if *first == key => {
                    map.next_value_seed(Records { keys, on_raw: &mut *self.on_raw })?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A text under a key.
pub(crate) fn text(value: &Value, key: &str) -> Option<String> {
    value[key].as_str().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// Texts under a key: one, or a list of them.
pub(crate) fn texts(value: &Value, key: &str) -> Vec<String> {
    match &value[key] {
        Value::String(text) => vec![text.clone()],
        Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, keys: &[&str]) -> (Vec<(usize, String)>, Option<usize>) {
        let mut records = Vec::new();
        let end = for_each_record(text.as_bytes(), keys, &mut |offset, text| {
            records.push((offset, text.to_owned()))
        });
        (records, end.err().map(|(offset, _)| offset))
    }

    #[test]
    fn records_are_found_with_their_places() {
        let one = |offset, text: &str| (offset, text.to_owned());
        for (text, keys, expected, broken_at) in [
            (r#"[1, {"a":2}]"#, &["x"][..], vec![one(1, "1"), one(4, r#"{"a":2}"#)], None),
            (r#"{"y":[8],"x":[1]}"#, &["x"], vec![one(14, "1")], None),
            (r#"{"x":{"y":{"z":[8]}},"y":[7]}"#, &["x", "y"], vec![], None),
            (r#"{"x":{"z":1,"y":[8]}}"#, &["x", "y"], vec![one(17, "8")], None),
            ("[1,\n 2,\n{", &[], vec![one(1, "1"), one(5, "2")], Some(9)),
            ("[1] x", &[], vec![one(1, "1")], Some(4)),
            (r#"{"x":5}"#, &["x"], vec![], Some(5)),
            ("5", &[], vec![], Some(0)),
        ] {
            let (records, end) = read(text, keys);
            assert_eq!(records, expected, "{text}");
            assert_eq!(end.is_some(), broken_at.is_some(), "{text}: {end:?}");
        }
        assert!(read(&"[".repeat(100_000), &[]).1.is_some());
    }
}
