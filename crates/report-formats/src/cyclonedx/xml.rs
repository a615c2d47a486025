//! Reads CycloneDX in XML, event by event. Names are taken without their prefixes; declarations of entities are not followed.

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::component::{FORMAT, RawComponent, Reading};
use crate::listing::Listing;
use crate::read_sbom::{ReadSbomError, SbomLimits};

/// Elements in one another.
const DEPTH_MAX: usize = 200;

/// Elements of which nothing is taken, with all that is in them.
const SKIPPED: [&str; 16] = [
    "annotations",
    "compositions",
    "cryptoProperties",
    "data",
    "dependencies",
    "externalReferences",
    "formulation",
    "licensing",
    "modelCard",
    "pedigree",
    "releaseNotes",
    "services",
    "signature",
    "swid",
    "tools",
    "vulnerabilities",
];

const NAMESPACE: &str = "http://cyclonedx.org/schema/bom/";

/// Errors: no XML of CycloneDX of a known edition, or more packages than wanted.
pub(crate) fn read_xml(bytes: &[u8], limits: &SbomLimits) -> Result<Listing, ReadSbomError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ReadSbomError::malformed(FORMAT, format_args!("no UTF-8 at byte {}", error.valid_up_to()))
    })?;
    let mut walk = Walk {
        reading: Reading::new(limits),
        open: Vec::new(),
        components: Vec::new(),
        text: String::new(),
        attribute: String::new(),
    };
    let mut reader = Reader::from_str(text);
    loop {
        let at = reader.buffer_position();
        let malformed = |reason: &dyn std::fmt::Display| {
            ReadSbomError::malformed(FORMAT, format_args!("{reason} at byte {at}"))
        };
        match reader.read_event().map_err(|error| malformed(&error))? {
            Event::Start(start) => {
                let name = start.local_name().as_ref().to_owned();
                if walk.open.len() >= DEPTH_MAX {
                    return Err(malformed(&format_args!("more than {DEPTH_MAX} elements in one another")));
                }
                if SKIPPED.contains(&name.as_str()) {
                    let whole = start.name().as_ref().to_owned();
                    reader.read_to_end(quick_xml::name::QName(&whole)).map_err(|error| malformed(&error))?;
                } else {
                    walk.start(&start, name).map_err(|reason| malformed(&reason))?;
                }
            }
            Event::Empty(start) => {
                let name = start.local_name().as_ref().to_owned();
                if !SKIPPED.contains(&name.as_str()) {
                    walk.start(&start, name).map_err(|reason| malformed(&reason))?;
                    walk.end();
                }
            }
            Event::End(_) => walk.end(),
            Event::Text(piece) => walk.text.push_str(&piece),
            Event::CData(piece) => walk.text.push_str(&piece),
            Event::GeneralRef(reference) => match resolve(&reference) {
                Some(letter) => walk.text.push(letter),
                None => return Err(malformed(&format_args!("unknown entity `{}`", shortened(&reference)))),
            },
            Event::Eof if walk.open.is_empty() => break,
            Event::Eof => return Err(malformed(&"the document breaks off")),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    walk.reading.finish()
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

fn resolve(reference: &BytesRef<'_>) -> Option<char> {
    match &**reference {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => reference.resolve_char_ref().ok().flatten(),
    }
}

struct Walk {
    reading: Reading,
    /// Names of the elements around, outermost first.
    open: Vec<String>,
    /// Components in one another.
    components: Vec<RawComponent>,
    /// Text of the innermost element so far.
    text: String,
    /// The attribute of a property or hash.
    attribute: String,
}

impl Walk {
    fn start(&mut self, start: &BytesStart<'_>, name: String) -> Result<(), String> {
        self.text.clear();
        let get = |key: &str| -> Result<String, String> {
            for attribute in start.attributes() {
                let attribute = attribute.map_err(|error| error.to_string())?;
                if attribute.key.as_ref() == key {
                    let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                    return Ok(value.map_err(|error| error.to_string())?.into_owned());
                }
            }
            Ok(String::new())
        };
        if self.open.is_empty() {
            if name != "bom" {
                return Err(format!("`{}` is no document of CycloneDX", shortened(&name)));
            }
            // The edition is the last part of the namespace, which may have a prefix.
            for attribute in start.attributes() {
                let attribute = attribute.map_err(|error| error.to_string())?;
                if let Some(version) = attribute.value.strip_prefix(NAMESPACE) {
                    self.reading.version = Some(version.to_owned());
                }
            }
        }
        match name.as_str() {
            "component" => {
                let mut component = RawComponent { r#type: get("type")?, ..RawComponent::default() };
                component.listed.reference = get("bom-ref")?;
                self.components.push(component);
            }
            "property" => self.attribute = get("name")?,
            "hash" => self.attribute = get("alg")?,
            _ => {}
        }
        self.open.push(name);
        Ok(())
    }

    fn end(&mut self) {
        let Some(name) = self.open.pop() else { return };
        let text = std::mem::take(&mut self.text);
        let parent = self.open.last().map_or("", String::as_str);
        if name == "component" {
            let Some(component) = self.components.pop() else { return };
            match parent {
                "metadata" => self.reading.subject(component),
                "components" => self.reading.component(component),
                _ => {}
            }
            return;
        }
        let around = self.open.len().checked_sub(2).map_or("", |index| self.open[index].as_str());
        if name == "property" {
            let of_component = around == "component";
            match self.components.last_mut().filter(|_| of_component) {
                Some(component) => component.notes.note(&self.attribute, text.trim()),
                None => self.reading.notes.note(&self.attribute, text.trim()),
            }
            return;
        }
        let text = text.trim().to_owned();
        let (Some(component), false) = (self.components.last_mut(), text.is_empty()) else { return };
        match (parent, name.as_str()) {
            ("component", "name") => component.listed.name = text,
            ("component", "version") => component.listed.version = Some(text),
            ("component", "group") => component.listed.group = Some(text),
            ("component", "purl") => component.listed.purl = text,
            ("component", "cpe") => component.listed.cpes.push(text),
            ("component", "author" | "publisher") => component.author = Some(text),
            ("supplier", "name") if around == "component" => component.listed.supplier = Some(text),
            ("hashes", "hash") => component.hash(&self.attribute, &text),
            ("license", "id" | "name") | ("licenses", "expression") => component.listed.licenses.push(text),
            ("occurrence", "location") => component.places.push(text),
            _ => {}
        }
    }
}
