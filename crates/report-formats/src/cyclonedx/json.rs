//! Reads CycloneDX in JSON, component by component.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::component::{FORMAT, RawComponent, Reading};
use crate::lenient::{Few, Lenient};
use crate::listing::{Listing, Notes};
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// Errors: no CycloneDX of a known edition, or more packages than wanted.
pub(crate) fn read_json(bytes: &[u8], limits: &SbomLimits) -> Result<Listing, ReadSbomError> {
    let malformed = |error: serde_json::Error| ReadSbomError::malformed(FORMAT, error);
    let mut reading = Reading::new(limits);
    let mut text = serde_json::Deserializer::from_slice(bytes);
    text.deserialize_map(Document { reading: &mut reading }).map_err(malformed)?;
    text.end().map_err(malformed)?;
    reading.finish()
}

struct Document<'a> {
    reading: &'a mut Reading,
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a CycloneDX document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let reading = self.reading;
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "specVersion" => {
                    reading.version = members.next_value::<Lenient>()?.text().map(str::to_owned);
                }
                "metadata" => members.next_value_seed(Metadata { reading })?,
                "components" => members.next_value_seed(Components { reading })?,
                "properties" => members.next_value_seed(Properties { notes: &mut reading.notes })?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Metadata<'a> {
    reading: &'a mut Reading,
}

impl<'de> DeserializeSeed<'de> for Metadata<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Metadata<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the metadata of a CycloneDX document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let reading = self.reading;
        while let Some(key) = members.next_key::<String>()? {
            match key.as_str() {
                "component" => {
                    let subject = members.next_value_seed(Component { reading })?;
                    reading.subject(subject);
                }
                "properties" => members.next_value_seed(Properties { notes: &mut reading.notes })?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Components<'a> {
    reading: &'a mut Reading,
}

impl<'de> DeserializeSeed<'de> for Components<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Components<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of components")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(component) = elements.next_element_seed(Component { reading: self.reading })? {
            self.reading.component(component);
        }
        Ok(())
    }
}

struct Component<'a> {
    reading: &'a mut Reading,
}

impl<'de> DeserializeSeed<'de> for Component<'_> {
    type Value = RawComponent;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawComponent, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Component<'_> {
    type Value = RawComponent;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a component")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<RawComponent, A::Error> {
        let mut component = RawComponent::default();
        while let Some(key) = members.next_key::<String>()? {
            if key == "components" {
                members.next_value_seed(Components { reading: &mut *self.reading })?;
                continue;
            }
            let mut text = || Ok(members.next_value::<Lenient>()?.into_text());
            match key.as_str() {
                "type" => component.r#type = text()?.unwrap_or_default(),
                "bom-ref" => component.listed.reference = text()?.unwrap_or_default(),
                "group" => component.listed.group = text()?,
                "name" => component.listed.name = text()?.unwrap_or_default(),
                "version" => component.listed.version = text()?,
                "purl" => component.listed.purl = text()?.unwrap_or_default(),
                "cpe" => component.listed.cpes.extend(text()?),
                "author" | "publisher" => component.author = text()?,
                "supplier" => {
                    component.listed.supplier = members.next_value::<Supplier>()?.name.into_text();
                }
                "hashes" => {
                    for Hash { alg, content } in members.next_value::<Few<Hash>>()?.0 {
                        component.hash(alg.text().unwrap_or_default(), content.text().unwrap_or_default());
                    }
                }
                "licenses" => {
                    let licenses = members.next_value::<Few<Choice>>()?.0;
                    component.listed.licenses = licenses.into_iter().filter_map(Choice::into_text).collect();
                }
                "properties" => members.next_value_seed(Properties { notes: &mut component.notes })?,
                "evidence" => {
                    let evidence = members.next_value::<Evidence>()?;
                    let places = evidence.occurrences.0.into_iter();
                    component.places = places.filter_map(|place| place.location.into_text()).collect();
                }
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(component)
    }
}

struct Properties<'a> {
    notes: &'a mut Notes,
}

impl<'de> DeserializeSeed<'de> for Properties<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Properties<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of properties")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(Property { name, value }) = elements.next_element()? {
            self.notes.note(name.text().unwrap_or_default(), value.text().unwrap_or_default());
        }
        Ok(())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Property {
    name: Lenient,
    value: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Supplier {
    name: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Hash {
    alg: Lenient,
    content: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Evidence {
    occurrences: Few<Occurrence>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Occurrence {
    location: Lenient,
}

/// A licence or an expression of several.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Choice {
    license: Option<License>,
    expression: Lenient,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct License {
    id: Lenient,
    name: Lenient,
}

impl Choice {
    fn into_text(self) -> Option<String> {
        let license = self.license.unwrap_or_default();
        license.id.into_text().or(license.name.into_text()).or(self.expression.into_text())
    }
}
