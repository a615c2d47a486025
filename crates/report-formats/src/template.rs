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
