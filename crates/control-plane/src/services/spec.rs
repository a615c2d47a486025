//! The spec as it comes in: keys in any case, nulls anywhere, unknown keys ignored, types strict. Nothing is judged here.

use serde_json::{Map, Value};

/// What somebody wrote, with defaults for what he did not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RawSpec {
    pub(crate) custom_anchore: RawEngine,
    pub(crate) policy: RawPolicy,
    pub(crate) white_list: Vec<RawItem>,
    /// `None`: nothing was said about it, which is not the same as `enabled: false`.
    pub(crate) webhook: Option<RawWebhook>,
    pub(crate) registries: Vec<RawRegistry>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RawEngine {
    pub(crate) enabled: bool,
    pub(crate) url: String,
    pub(crate) secret_id: String,
    pub(crate) insecure: bool,
    pub(crate) ca_certificate: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RawPolicy {
    pub(crate) policy_id: String,
    pub(crate) is_custom: bool,
    pub(crate) bundle: Option<Value>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RawItem {
    pub(crate) name: String,
    pub(crate) reason: String,
    pub(crate) regexp: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RawWebhook {
    pub(crate) enabled: bool,
    pub(crate) selector: String,
    pub(crate) namespaces: Vec<String>,
    pub(crate) run_in: String,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct RawRegistry {
    pub(crate) registry: String,
    pub(crate) secret_id: String,
    pub(crate) kind: String,
    pub(crate) insecure: bool,
}

/// A body of a request, sorted into its forms.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Input {
    /// `{"spec": {…}}`, or the spec by itself.
    Spec(Map<String, Value>),
    /// Nothing is in it; clients of old have dropped what they did not understand.
    Empty,
}

/// Why a body is no input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InputError {
    #[error("invalid request body: {0}")]
    NotJson(String),
    #[error(
        "invalid request body: `spec` and `{0}` stand side by side, so it is ambiguous which is meant: put everything into `spec`"
    )]
    Ambiguous(String),
    #[error("invalid request body: `spec` is no object")]
    SpecIsNoObject,
}

/// The keys at the root of a spec.
const KEYS: [&str; 6] =
    ["customAnchore", "policy", "releaseWhiteList", "webhookConfig", "registry", "registries"];

/// Finds the spec in a body.
pub(crate) fn read_input(body: &[u8]) -> Result<Input, InputError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Input::Empty);
    }
    let value: Value =
        serde_json::from_slice(body).map_err(|error| InputError::NotJson(error.to_string()))?;
    let object = match value {
        Value::Null => return Ok(Input::Empty),
        Value::Object(object) => object,
        _ => return Err(InputError::NotJson("it is no JSON object".to_owned())),
    };
    let bare = object
        .iter()
        .find(|(key, value)| !value.is_null() && KEYS.iter().any(|known| known.eq_ignore_ascii_case(key)));
    let bare = bare.map(|(key, _)| key.clone());
    let wrapped = find(&object, "spec").filter(|value| !value.is_null());
    match (wrapped, bare) {
        (Some(_), Some(key)) => Err(InputError::Ambiguous(key)),
        (Some(Value::Object(spec)), None) if spec.is_empty() => Ok(Input::Empty),
        (Some(Value::Object(spec)), None) => Ok(Input::Spec(spec.clone())),
        (Some(_), None) => Err(InputError::SpecIsNoObject),
        (None, Some(_)) => Ok(Input::Spec(object)),
        (None, None) => Ok(Input::Empty),
    }
}

/// Reads a spec. Errors: every value of a wrong type, with its place.
pub(crate) fn read_spec(object: &Map<String, Value>) -> Result<RawSpec, Vec<String>> {
    let mut problems = Vec::new();
    let root = Reader { object, place: String::new() };
    let policy = root.object("policy", &mut problems);
    let custom = policy.as_ref().and_then(|policy| policy.object("customPolicy", &mut problems));
    let registry = root.object("registry", &mut problems);
    let mut registries: Vec<RawRegistry> = root
        .objects("registries", &mut problems)
        .iter()
        .map(|reader| read_registry(reader, &mut problems))
        .collect();
    if registries.is_empty() {
        registries.extend(registry.map(|reader| read_registry(&reader, &mut problems)));
    }
    let spec = RawSpec {
        custom_anchore: root
            .object("customAnchore", &mut problems)
            .map(|reader| read_engine(&reader, &mut problems))
            .unwrap_or_default(),
        policy: RawPolicy {
            policy_id: policy.map(|reader| reader.text("policyId", &mut problems)).unwrap_or_default(),
            is_custom: custom.as_ref().is_some_and(|reader| reader.flag("enabled", &mut problems)),
            bundle: custom
                .and_then(|reader| reader.object("policy", &mut problems))
                .map(|reader| Value::Object(reader.object.clone())),
        },
        white_list: root
            .objects("releaseWhiteList", &mut problems)
            .iter()
            .map(|reader| RawItem {
                name: reader.text("name", &mut problems),
                reason: reader.text("reason", &mut problems),
                regexp: reader.text("regexp", &mut problems),
            })
            .collect(),
        webhook: root.object("webhookConfig", &mut problems).map(|reader| RawWebhook {
            enabled: reader.flag("enabled", &mut problems),
            selector: reader.text("selector", &mut problems),
            namespaces: reader.texts("namespaces", &mut problems),
            run_in: reader.text("runIn", &mut problems),
        }),
        registries,
    };
    if problems.is_empty() { Ok(spec) } else { Err(problems) }
}

fn read_engine(reader: &Reader<'_>, problems: &mut Vec<String>) -> RawEngine {
    RawEngine {
        enabled: reader.flag("enabled", problems),
        url: reader.text("url", problems),
        secret_id: reader.text("secretId", problems),
        insecure: reader.flag("insecure", problems),
        ca_certificate: reader.text("caCertificate", problems),
    }
}

fn read_registry(reader: &Reader<'_>, problems: &mut Vec<String>) -> RawRegistry {
    RawRegistry {
        registry: reader.text("registry", problems),
        secret_id: reader.text("secretId", problems),
        kind: reader.text("type", problems),
        insecure: reader.flag("insecure", problems),
    }
}

/// The value of a key: as written, else in any case. A null is none.
fn find<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let exact = object.get(key);
    exact.or_else(|| object.iter().find(|(found, _)| found.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

/// An object and where it is.
struct Reader<'a> {
    object: &'a Map<String, Value>,
    place: String,
}

impl<'a> Reader<'a> {
    fn value(&self, key: &str) -> Option<&'a Value> {
        find(self.object, key).filter(|value| !value.is_null())
    }

    fn place(&self, key: &str) -> String {
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    fn object(&self, key: &str, problems: &mut Vec<String>) -> Option<Self> {
        match self.value(key)? {
            Value::Object(object) => Some(Self { object, place: self.place(key) }),
            other => {
                problems.push(wrong(&self.place(key), "an object", other));
                None
            }
        }
    }

    fn objects(&self, key: &str, problems: &mut Vec<String>) -> Vec<Self> {
        let place = self.place(key);
        let values = match self.value(key) {
            None => return Vec::new(),
            Some(Value::Array(values)) => values,
            Some(other) => {
                problems.push(wrong(&place, "a list", other));
                return Vec::new();
            }
        };
        let mut readers = Vec::new();
        for (position, value) in values.iter().enumerate() {
            let place = format!("{place}[{position}]");
            match value {
                Value::Object(object) => readers.push(Self { object, place }),
                other => problems.push(wrong(&place, "an object", other)),
            }
        }
        readers
    }

    fn text(&self, key: &str, problems: &mut Vec<String>) -> String {
        match self.value(key) {
            None => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                problems.push(wrong(&self.place(key), "a string", other));
                String::new()
            }
        }
    }

    fn texts(&self, key: &str, problems: &mut Vec<String>) -> Vec<String> {
        let place = self.place(key);
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(values)) => values
                .iter()
                .filter_map(|value| match value {
                    Value::String(text) => Some(text.clone()),
                    other => {
                        problems.push(wrong(&place, "a list of strings", other));
                        None
                    }
                })
                .collect(),
            Some(other) => {
                problems.push(wrong(&place, "a list of strings", other));
                Vec::new()
            }
        }
    }

    fn flag(&self, key: &str, problems: &mut Vec<String>) -> bool {
        match self.value(key) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                problems.push(wrong(&self.place(key), "true or false", other));
                false
            }
        }
    }
}

fn wrong(place: &str, wanted: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("`{place}` must be {wanted}, not {found}")
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
