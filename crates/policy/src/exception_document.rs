//! Exceptions as people write them, in a request or a file: checked member by member, all mistakes at once.

use jiff::Timestamp;
use model::{EvaluationProblem, ExceptionScope, PolicyException};
use serde_json::{Map, Value, json};

use crate::problem::{self, quote};
use crate::python_text::{repr, repr_value};

/// Exceptions of one account, or of one file.
pub const EXCEPTIONS_MAX: usize = 10_000;

/// Members that an answer has beside those that are read: what was asked for may be sent back as it is.
const MEMBERS_OF_ANSWERS: &[&str] =
    &["id", "account", "created_at", "created_by", "updated_at", "updated_by", "is_live"];
const MEMBERS: &[&str] = &["vulnerability", "package", "scope", "owner", "reason", "expires_at", "vex_url"];

const SCOPE_EXPECTED: &str = r#"must be like {"type": "account"}, {"type": "digest", "value": "sha256:…"} or {"type": "repository", "value": "registry/repository"}"#;

const IDENTIFIER_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 4_000;
const TEXT_CHARS_MAX: usize = 2_000;

/// Reads one exception. Its identifier is the caller's to give.
///
/// Errors: every member that is missing, of the wrong type, too long, without effect, or not known. A member that is not
/// known could be a misspelt `expires_at`, so it is not passed over.
pub fn parse_exception(id: &str, document: &Value) -> Result<PolicyException, Vec<EvaluationProblem>> {
    let Value::Object(members) = document else {
        return Err(vec![mistake("", format!("{} is not an object", repr_value(document)))]);
    };
    let mut reader = Reader { members, problems: Vec::new() };
    let exception = PolicyException {
        id: id.to_owned(),
        vulnerability: reader.identifier("vulnerability").unwrap_or_default(),
        package: reader.is_given("package").then(|| reader.identifier("package")).flatten(),
        scope: reader.scope().unwrap_or(ExceptionScope::Account),
        owner: reader.text("owner", IDENTIFIER_CHARS_MAX).unwrap_or_default(),
        reason: reader.text("reason", REASON_CHARS_MAX).unwrap_or_default(),
        expires_at: reader.time("expires_at"),
        vex_url: reader.url("vex_url"),
    };
    let unknown = members
        .keys()
        .filter(|name| !MEMBERS.contains(&name.as_str()) && !MEMBERS_OF_ANSWERS.contains(&name.as_str()));
    for name in unknown {
        let text = format!("there is no member of this name; there are {}", MEMBERS.join(", "));
        reader.problems.push(mistake(name, text));
    }
    if reader.problems.is_empty() { Ok(exception) } else { Err(reader.problems) }
}

/// Reads a file of exceptions: a list, in the form of the API.
///
/// Errors: all mistakes of all of them, each with its path.
pub fn parse_exceptions(document: &Value) -> Result<Vec<PolicyException>, Vec<EvaluationProblem>> {
    let Value::Array(items) = document else {
        return Err(vec![mistake("", format!("{} is not a list of exceptions", repr_value(document)))]);
    };
    if items.len() > EXCEPTIONS_MAX {
        let text = format!("there are {} exceptions (limit {EXCEPTIONS_MAX})", items.len());
        return Err(vec![mistake("", text)]);
    }
    let mut problems = Vec::new();
    let mut exceptions = Vec::new();
    for (position, item) in items.iter().enumerate() {
        let id = item.get("id").and_then(Value::as_str).map_or_else(|| position.to_string(), str::to_owned);
        match parse_exception(&id, item) {
            Ok(exception) => exceptions.push(exception),
            Err(found) => problems.extend(found.into_iter().map(|problem| EvaluationProblem {
                path: Some(match &problem.path {
                    Some(member) => format!("{position}.{member}"),
                    None => position.to_string(),
                }),
                ..problem
            })),
        }
    }
    if problems.is_empty() { Ok(exceptions) } else { Err(problems) }
}

/// The scope as it is written.
pub fn scope_document(scope: &ExceptionScope) -> Value {
    match scope {
        ExceptionScope::Account => json!({"type": "account"}),
        ExceptionScope::Digest(digest) => json!({"type": "digest", "value": digest.to_string()}),
        ExceptionScope::Repository(text) => json!({"type": "repository", "value": text}),
    }
}

fn mistake(member: &str, text: String) -> EvaluationProblem {
    let details = if member.is_empty() { text } else { format!("{}: {text}", quote(member)) };
    let path = (!member.is_empty()).then(|| quote(member));
    EvaluationProblem { path, ..problem::error("ValidationError", details) }
}

struct Reader<'a> {
    members: &'a Map<String, Value>,
    problems: Vec<EvaluationProblem>,
}

impl<'a> Reader<'a> {
    /// `null` counts as not given.
    fn find(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn is_given(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn refuse<T>(&mut self, name: &str, text: impl Into<String>) -> Option<T> {
        self.problems.push(mistake(name, text.into()));
        None
    }

    /// A text that must be there and must say something.
    fn text(&mut self, name: &str, chars_max: usize) -> Option<String> {
        let text = match self.find(name) {
            None => return self.refuse(name, "is missing"),
            Some(Value::String(text)) => text.trim(),
            Some(other) => return self.refuse(name, format!("{} is not a text", repr_value(other))),
        };
        if text.is_empty() {
            return self.refuse(name, "is empty");
        }
        let length = text.chars().count();
        if length > chars_max {
            return self.refuse(name, format!("has {length} characters (limit {chars_max})"));
        }
        Some(text.to_owned())
    }

    /// A text that is compared with others: exactly, so a star or a blank in it is a misunderstanding.
    fn identifier(&mut self, name: &str) -> Option<String> {
        let text = self.text(name, IDENTIFIER_CHARS_MAX)?;
        if text.contains(|character: char| character.is_whitespace() || character.is_control())
            || text.contains('*')
        {
            let text = repr(&quote(&text));
            return self.refuse(name, format!("{text} has a blank or a `*` in it; it is compared exactly"));
        }
        Some(text)
    }

    fn scope(&mut self) -> Option<ExceptionScope> {
        let Some(scope) = self.find("scope") else {
            return self.refuse("scope", format!("is missing: {SCOPE_EXPECTED}"));
        };
        let value = scope.get("value").filter(|value| !value.is_null());
        match (scope.get("type").and_then(Value::as_str), value) {
            (Some("account"), None) => Some(ExceptionScope::Account),
            (Some("digest"), Some(Value::String(text))) => match text.parse() {
                Ok(digest) => Some(ExceptionScope::Digest(digest)),
                Err(error) => self.refuse("scope", error.to_string()),
            },
            (Some("repository"), Some(Value::String(text))) => self.repository(text.trim()),
            _ => self.refuse("scope", format!("{} {SCOPE_EXPECTED}", repr_value(scope))),
        }
    }

    /// A pattern that could never match is a mistake that nobody would notice.
    fn repository(&mut self, text: &str) -> Option<ExceptionScope> {
        let shown = repr(&quote(text));
        let last = text.rsplit('/').next().unwrap_or_default();
        if text.is_empty() || text.chars().count() > TEXT_CHARS_MAX {
            return self.refuse("scope", format!("value has no character or more than {TEXT_CHARS_MAX}"));
        }
        if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
            return self.refuse("scope", format!("value {shown} has a blank in it"));
        }
        if text.contains('@') || (text.contains('/') && last.contains(':')) {
            let advice = "names a tag or a digest; write the repository only, or use the type `digest`";
            return self.refuse("scope", format!("value {shown} {advice}"));
        }
        if !text.contains(['/', '*']) {
            let advice =
                "names no registry; write `registry/repository`, as `docker.io/library/nginx`, or `*/nginx`";
            return self.refuse("scope", format!("value {shown} {advice}"));
        }
        Some(ExceptionScope::Repository(text.to_owned()))
    }

    fn time(&mut self, name: &str) -> Option<Timestamp> {
        match self.find(name)? {
            Value::String(text) => match text.parse() {
                Ok(at) => Some(at),
                Err(_) => {
                    let text = repr(&quote(text));
                    self.refuse(name, format!("{text} is not a time like 2031-01-01T00:00:00Z"))
                }
            },
            other => self.refuse(name, format!("{} is not a text", repr_value(other))),
        }
    }

    fn url(&mut self, name: &str) -> Option<String> {
        if !self.is_given(name) {
            return None;
        }
        let text = self.text(name, TEXT_CHARS_MAX)?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        match rest {
            Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Some(text),
            _ => self.refuse(name, format!("{} is not an http or https address", repr(&quote(&text)))),
        }
    }
}
