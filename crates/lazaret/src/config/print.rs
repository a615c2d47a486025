//! The settings as text: the default file, what holds and why, and the table of the documentation.

use std::fmt::Write as _;

use super::layers::{Source, Values};
use super::setting::{Kind, Setting, Value, bytes_text};
use super::table::{SECTIONS, SETTINGS};

/// The configuration file in which nothing is set and everything is explained.
pub(crate) fn default_file() -> String {
    let mut text = String::from(
        "# Configuration of Lazaret. Every line that begins with `#name =` shows a default: take the `#` away to set it.\n\
         # Flags win over variables, variables over this file. `lazaret config check FILE` says what is wrong with a file.\n",
    );
    for (section, about) in SECTIONS {
        let _ = write!(text, "\n# {about}.\n[{section}]\n");
        for setting in SETTINGS.iter().filter(|setting| setting.section() == *section) {
            let _ = writeln!(text, "\n# {}.", setting.help);
            let _ = writeln!(text, "# {}", how(setting));
            let _ = writeln!(text, "#{} = {}", setting.name(), setting.kind.to_toml(setting.default));
        }
    }
    text
}

fn how(setting: &Setting) -> String {
    let mut text = format!("Variable {}", setting.variable());
    if let Some(flag) = setting.flag {
        let _ = write!(text, ", flag --{flag}");
    }
    if setting.is_secret() {
        let _ = write!(text, "; {}-file names a file that holds it", setting.name());
    }
    match setting.kind {
        Kind::OneOf(words) => {
            let _ = write!(text, "; one of {}", words.join(", "));
        }
        Kind::Count(min, max) => {
            let _ = write!(text, "; {min} to {max}");
        }
        _ => {}
    }
    if setting.default.is_empty() {
        let _ = write!(text, "; not set: {}", setting.unset);
    }
    text
}

/// Every setting with the value that holds and where it comes from; secrets are hidden.
pub(crate) fn effective(values: &Values) -> String {
    let mut text = String::new();
    for (section, _) in SECTIONS {
        let _ = writeln!(text, "{}[{section}]", if text.is_empty() { "" } else { "\n" });
        for setting in SETTINGS.iter().filter(|setting| setting.section() == *section) {
            let _ = match values.find(setting.key) {
                None => writeln!(text, "#{} = \"\"  # not set: {}", setting.name(), setting.unset),
                Some((_, source)) if setting.is_secret() => {
                    writeln!(text, "#{} = \"\"  # hidden; from {source}", setting.name())
                }
                Some((value, source)) => {
                    let human = match value {
                        Value::Number(bytes) if setting.kind == Kind::Bytes => bytes_text(*bytes),
                        value => value.to_text(),
                    };
                    let shown = setting.kind.to_toml(&without_logins(&human));
                    let from = if *source == Source::Default {
                        "default".to_owned()
                    } else {
                        format!("from {source}")
                    };
                    writeln!(text, "{} = {shown}  # {from}", setting.name())
                }
            };
        }
    }
    text
}

/// The text with `***` for what stands before the `@` of addresses in it: settings that are no secrets may hold some.
fn without_logins(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(begin) = rest.find("://").map(|at| at + "://".len()) {
        let (before, after) = rest.split_at(begin);
        let end = after.find(['/', '?', '#', ',', '\'', '"', ' ']).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        shown.push_str(before);
        match authority.rsplit_once('@') {
            Some((_, host)) => {
                let _ = write!(shown, "***@{host}");
            }
            None => shown.push_str(authority),
        }
        rest = tail;
    }
    shown + rest
}

/// The rows of the documentation.
#[cfg(test)]
pub(crate) fn documentation() -> String {
    let mut text = String::new();
    for (section, about) in SECTIONS {
        let _ = write!(
            text,
            "### `[{section}]`\n\n{about}.\n\n| key | flag | variable | default | meaning |\n|---|---|---|---|---|\n"
        );
        for setting in SETTINGS.iter().filter(|setting| setting.section() == *section) {
            let flag = setting.flag.map_or_else(|| "–".to_owned(), |flag| format!("`--{flag}`"));
            let default = match setting.default {
                "" => setting.unset.to_owned(),
                default => format!("`{default}`"),
            };
            let secret = if setting.is_secret() {
                format!("; `{}-file` names a file that holds it", setting.name())
            } else {
                String::new()
            };
            let words = match setting.kind {
                Kind::OneOf(words) => format!(": `{}`", words.join("`, `")),
                Kind::Count(min, max) => format!(", {min} to {max}"),
                _ => String::new(),
            };
            let _ = writeln!(
                text,
                "| `{}` | {flag} | `{}` | {default} | {}{words}{secret} |",
                setting.name(),
                setting.variable(),
                setting.help
            );
        }
        text.push('\n');
    }
    text
}
