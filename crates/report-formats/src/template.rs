//! Reports by a template of the user, in the language of Jinja, within limits.

use std::io::{self, Write};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value};

use crate::format::{Report, WriteError};
use crate::{sbom_json, scan_json};

/// A template and its name, which errors tell; a name that ends in `.html` or `.xml`, also before `.j2`, escapes what it prints.
#[derive(Debug, Clone, Copy)]
pub struct Template<'a> {
    /// Name of the file.
    pub name: &'a str,
    /// The template.
    pub text: &'a str,
}

/// What a template may cost.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Most steps.
    fuel: u64,
    /// Most bytes that are printed.
    output_bytes_max: usize,
}

/// Enough to print every finding of a large image some times.
const LIMITS: Limits = Limits { fuel: 50_000_000, output_bytes_max: 256 * 1024 * 1024 };
/// Deepest nesting of calls in a template.
const DEPTH_MAX: usize = 100;
/// Bytes of one expression or statement of a template. Longer ones are written by nobody.
const TAG_BYTES_MAX: usize = 4096;
/// `elif` in a template.
const ALTERNATIVES_MAX: usize = 1000;
/// Some kilobytes for each byte of a tag; a system gives only what is used.
const STACK_BYTES: usize = 64 << 20;

/// What `lazaret scan -o json` or `lazaret sbom -o json` would print is what the template sees.
///
/// Errors: the template cannot be read, names something that there is not, or takes too many steps or bytes.
pub(crate) fn render(report: &Report<'_>, template: Template<'_>) -> Result<String, WriteError> {
    let json = match report {
        Report::Sbom(sbom) => sbom_json(sbom),
        Report::Scan(scan) => scan_json(scan),
    };
    let context: serde_json::Value = serde_json::from_str(&json).expect("our JSON is JSON");
    render_within(&context, template, LIMITS)
        .map_err(|problem| WriteError::Template { name: template.name.to_owned(), problem })
}

/// Errors: what is wrong, in words.
fn render_within(
    context: &serde_json::Value,
    template: Template<'_>,
    limits: Limits,
) -> Result<String, String> {
    check_tags(template.text)?;
    // The reader of templates and what it makes of them go into themselves once for each sign of a long expression: the stack of
    // the caller may be small.
    let render = || render_on_this_stack(context, template, limits);
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, render);
        let thread = thread.map_err(|error| format!("no thread for it: {error}"))?;
        thread.join().unwrap_or_else(|_| Err("it cannot be read".to_owned()))
    })
}

/// Refuses what only a large stack could hold: one expression of thousands of parts, and thousands of alternatives of one choice.
fn check_tags(text: &str) -> Result<(), String> {
    let (mut rest, mut alternatives) = (text, 0);
    while let Some(at) = rest.find("{") {
        let (kind, inner) = match rest.as_bytes().get(at + 1) {
            Some(b'{') => ("}}", &rest[at + 2..]),
            Some(b'%') => ("%}", &rest[at + 2..]),
            Some(b'#') => {
                rest = rest[at + 2..].split_once("#}").map_or("", |(_, behind)| behind);
                continue;
            }
            _ => {
                rest = &rest[at + 1..];
                continue;
            }
        };
        let line = || text[..text.len() - inner.len()].lines().count();
        let length = tag_bytes(inner, kind);
        if length > TAG_BYTES_MAX {
            return Err(format!(
                "line {}: a tag has more than {TAG_BYTES_MAX} bytes; give parts of it names with `{{% set %}}`",
                line()
            ));
        }
        let tag = inner[..length].trim_matches(['-', '+', ' ', '\t', '\r', '\n']);
        rest = &inner[length..];
        if kind == "%}" {
            alternatives += usize::from(tag.starts_with("elif"));
            if alternatives > ALTERNATIVES_MAX {
                return Err(format!("line {}: more than {ALTERNATIVES_MAX} `elif`", line()));
            }
            if tag == "raw" {
                rest = rest.split_once("endraw").map_or("", |(_, behind)| behind);
            }
        }
    }
    Ok(())
}

/// Bytes of what stands in a tag, the texts in it included; of one that never ends, all.
fn tag_bytes(inner: &str, end: &str) -> usize {
    let mut quote = None;
    let mut is_escaped = false;
    for (at, byte) in inner.bytes().enumerate() {
        match quote {
            Some(_) if is_escaped => is_escaped = false,
            Some(_) if byte == b'\\' => is_escaped = true,
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            None if inner.as_bytes()[at..].starts_with(end.as_bytes()) => return at,
            None => {}
        }
    }
    inner.len()
}

/// Errors: what is wrong, in words.
fn render_on_this_stack(
    context: &serde_json::Value,
    template: Template<'_>,
    limits: Limits,
) -> Result<String, String> {
    let syntax = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .build()
        .expect("these are the delimiters of Jinja");
    let mut environment = Environment::new();
    environment.set_fuel(Some(limits.fuel));
    environment.set_recursion_limit(DEPTH_MAX);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(syntax);
    let compiled = environment
        .template_from_named_str(template.name, template.text)
        .map_err(|error| problem(&error, limits))?;
    let mut output = Bounded { bytes: Vec::new(), bytes_max: limits.output_bytes_max, is_full: false };
    let rendered = compiled.render_captured_to(Value::from(Serde(context)), &mut output);
    if output.is_full {
        return Err(format!("it prints more than {} bytes", limits.output_bytes_max));
    }
    rendered.map_err(|error| problem(&error, limits))?;
    Ok(String::from_utf8_lossy(&output.bytes).into_owned())
}

fn problem(error: &minijinja::Error, limits: Limits) -> String {
    let place = error.line().map_or_else(String::new, |line| format!("line {line}: "));
    match error.kind() {
        minijinja::ErrorKind::OutOfFuel => format!("it takes more than {} steps", limits.fuel),
        kind => format!(
            "{place}{kind}{}",
            error.detail().map_or_else(String::new, |detail| format!(": {detail}"))
        ),
    }
}

/// Takes bytes until there are too many.
#[derive(Debug)]
struct Bounded {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.bytes_max {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str) -> Result<String, String> {
        render_within(&serde_json::json!({"a": 1}), Template { name: "a.txt", text }, LIMITS)
    }

    /// Each of them would end the program if the limits were larger than the stack.
    #[test]
    fn deep_templates_are_refused_and_take_no_stack() {
        let fill = |part: &str, bytes: usize| part.repeat(bytes / part.len());
        for part in
            ["-", "not ", "(", "[", "a/", "a~", "a.a.", "a|string|", "a and ", "a if a else ", "a(", "{1:"]
        {
            drop(render(&format!("{{{{ {}a }}}}", fill(part, TAG_BYTES_MAX - 10))));
            let problem = render(&format!("{{{{ {}a }}}}", fill(part, 100_000))).unwrap_err();
            assert!(problem.starts_with("line 1: a tag has more than 4096 bytes"), "{part} {problem}");
        }
        for (begin, part) in
            [("{% if a %}", "{% elif a %}"), ("", "{% if a %}"), ("", "{% for a in a %}{% else %}")]
        {
            drop(render(&format!("{begin}{}", part.repeat(ALTERNATIVES_MAX))));
            assert!(render(&format!("{begin}{}", part.repeat(100_000))).is_err());
        }
    }

    #[test]
    fn length_is_that_of_tags_and_not_of_what_stands_between_them() {
        let long = "x".repeat(TAG_BYTES_MAX);
        for (text, expected) in [
            (format!("{{{{ a }}}}{long}{{{{ a }}}}"), format!("1{long}1")),
            (format!("{{# {{{{ {long} #}}{{{{ a }}}}"), "1".to_owned()),
            (format!("{{% raw %}}{{{{ {long}{{% endraw %}}{{{{ a }}}}"), format!("{{{{ {long}1")),
            (format!("{{ {long}"), format!("{{ {long}")),
            ("{{ '}}' ~ \"\\\"}}\" }}".to_owned(), "}}\"}}".to_owned()),
        ] {
            assert_eq!(render(&text), Ok(expected));
        }
    }

    #[test]
    fn a_template_takes_only_so_many_steps_and_bytes() {
        let limits = Limits { fuel: 1000, output_bytes_max: 100 };
        let render = |text| render_within(&serde_json::json!({}), Template { name: "a.txt", text }, limits);
        assert_eq!(render("{{ 'x' * 100 }}").map(|text| text.len()), Ok(100));
        for (text, word) in [
            ("{{ 'x' * 101 }}", "more than 100 bytes"),
            ("{% for i in range(100) %}{{ 'xx' }}{% endfor %}", "more than 100 bytes"),
            (
                "{% for i in range(100) %}{% for j in range(100) %}{% endfor %}{% endfor %}",
                "more than 1000 steps",
            ),
        ] {
            let problem = render(text).unwrap_err();
            assert!(problem.contains(word), "{problem}");
        }
    }
}
