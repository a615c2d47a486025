//! What a setting is: one row of the table that files, variables, flags, printed defaults and documentation come from.

use std::net::SocketAddr;
use std::time::Duration;

/// Prefix of every variable.
const PREFIX: &str = "LAZARET_";

/// One setting.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// `section.name`, as in the file.
    pub(crate) key: &'static str,
    /// What values it takes.
    pub(crate) kind: Kind,
    /// The value without any other, as a variable would hold it; empty where there is none.
    pub(crate) default: &'static str,
    /// What holds when it is not set and there is no default.
    pub(crate) unset: &'static str,
    /// Its own flag, without the dashes; every other setting is reached by `--set`.
    pub(crate) flag: Option<&'static str>,
    /// Its variable where that is not made of the key.
    pub(crate) variable: Option<&'static str>,
    /// Which commands have the flag.
    pub(crate) commands: Commands,
    /// What it does, in one sentence without a full stop.
    pub(crate) help: &'static str,
}

/// Which commands have a setting's flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Commands {
    /// `serve` alone.
    Serve,
    /// `serve` and `work`.
    Workers,
    /// These and `admission`, which may hold an engine.
    All,
    /// These, `backup` and `restore`.
    Storage,
}

/// What values a setting takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// A text that is never shown, and that may be given as the name of a file under the key with `-file` behind it.
    Secret,
    /// A file or folder.
    Path,
    /// `HOST:PORT` with a numeric host.
    Address,
    /// An address that begins with `http://` or `https://`.
    Url,
    /// `true` or `false`.
    Switch,
    /// A number between 0 and 1.
    Ratio,
    /// A whole number in these bounds.
    Count(u64, u64),
    /// A time in these bounds, in seconds.
    Duration(u64, u64),
    /// A number of bytes, at least one.
    Bytes,
    /// Several words.
    Words,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

/// A value that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of the kinds text, secret, path, url and word.
    Text(String),
    /// An address.
    Address(SocketAddr),
    /// Yes or no.
    Switch(bool),
    /// A count or a number of bytes.
    Number(u64),
    /// A time.
    Duration(Duration),
    /// Several words.
    Words(Vec<String>),
}

/// A value as it was written, in a file or as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// Text of a file.
    Text(String),
    /// A number of a file.
    Number(i64),
    /// A number with a point, as it is written.
    Decimal(String),
    /// `true` or `false` of a file.
    Switch(bool),
    /// A list of texts of a file.
    Words(Vec<String>),
    /// A variable's or flag's text, whatever the kind.
    Bare(String),
    /// What no setting takes; the text names it.
    Other(&'static str),
}

impl Setting {
    /// The part before the point.
    pub(crate) fn section(&self) -> &'static str {
        self.key.split_once('.').map_or("", |(section, _)| section)
    }

    /// The part behind the point.
    pub(crate) fn name(&self) -> &'static str {
        self.key.split_once('.').map_or(self.key, |(_, name)| name)
    }

    /// The variable that sets it.
    pub(crate) fn variable(&self) -> String {
        match self.variable {
            Some(variable) => variable.to_owned(),
            None => format!("{PREFIX}{}", self.key.replace(['.', '-'], "_").to_ascii_uppercase()),
        }
    }

    /// Whether its value may be shown.
    pub(crate) fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }
}

impl Kind {
    /// Reads a value.
    ///
    /// Errors: it is none of this kind; the text says what one is and never repeats a secret.
    pub(crate) fn read(self, written: &Written) -> Result<Value, String> {
        let wrong = || Err(format!("{} is not {}", shown(self, written), self.what()));
        let (text, is_bare) = match written {
            Written::Bare(text) => (text.trim(), true),
            Written::Text(text) => (text.as_str(), false),
            Written::Number(number) => return self.number(u64::try_from(*number).ok()).or_else(|()| wrong()),
            Written::Switch(value) if self == Self::Switch => return Ok(Value::Switch(*value)),
            Written::Words(words) if self == Self::Words => {
                return Ok(Value::Words(tidy(words.iter().map(String::as_str))));
            }
            Written::Decimal(text) if self == Self::Ratio => (text.as_str(), false),
            Written::Switch(_) | Written::Words(_) | Written::Decimal(_) | Written::Other(_) => {
                return wrong();
            }
        };
        let value = match self {
            // Spaces may be part of a password.
            Self::Secret => Some(Value::Text(match written {
                Written::Bare(whole) => whole.clone(),
                _ => text.to_owned(),
            })),
            Self::Text | Self::Path => Some(Value::Text(text.to_owned())),
            Self::Address => text.parse().ok().map(Value::Address),
            Self::Url => is_url(text).then(|| Value::Text(text.trim_end_matches('/').to_owned())),
            Self::OneOf(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::Ratio => {
                let is_ratio = text.parse().is_ok_and(|ratio: f64| (0.0..=1.0).contains(&ratio));
                is_ratio.then(|| Value::Text(text.to_owned()))
            }
            Self::Switch if is_bare => parse_switch(text).map(Value::Switch),
            Self::Count(..) if is_bare => return self.number(text.parse().ok()).or_else(|()| wrong()),
            Self::Bytes => parse_bytes(text).filter(|bytes| *bytes > 0).map(Value::Number),
            Self::Duration(min, max) => parse_duration(text)
                .filter(|time| (Duration::from_secs(min)..=Duration::from_secs(max)).contains(time))
                .map(Value::Duration),
            Self::Words if is_bare => Some(Value::Words(tidy(text.split(',')))),
            Self::Switch | Self::Count(..) | Self::Words => None,
        };
        value.map_or_else(wrong, Ok)
    }

    fn number(self, number: Option<u64>) -> Result<Value, ()> {
        match (self, number) {
            (Self::Count(min, max), Some(number)) if (min..=max).contains(&number) => {
                Ok(Value::Number(number))
            }
            (Self::Bytes, Some(number)) if number > 0 => Ok(Value::Number(number)),
            (Self::Ratio, Some(number)) if number <= 1 => Ok(Value::Text(number.to_string())),
            _ => Err(()),
        }
    }

    /// What a value of it is, after "is not".
    pub(crate) fn what(self) -> String {
        match self {
            Self::Text => "a text in quotes".to_owned(),
            Self::Secret => "a text in quotes (it is not shown here)".to_owned(),
            Self::Path => "a path in quotes".to_owned(),
            Self::Address => "an address as 127.0.0.1:9090 or [::1]:9090".to_owned(),
            Self::Url => "an address that begins with http:// or https://".to_owned(),
            Self::Switch => "true or false".to_owned(),
            Self::Ratio => "a number between 0 and 1, as 0.1".to_owned(),
            Self::Count(min, max) => format!("a whole number between {min} and {max}"),
            Self::Duration(min, max) => {
                format!("a time between {} and {}, as 90s, 15m, 4h or 1d", time_text(min), time_text(max))
            }
            Self::Bytes => "a number of bytes, as 4096, 512MiB or 16GiB".to_owned(),
            Self::Words => "a list, as [\"a\", \"b\"] in a file or a,b elsewhere".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }

    /// How a file writes what a variable would hold as `text`.
    pub(crate) fn to_toml(self, text: &str) -> String {
        match self {
            Self::Switch | Self::Count(..) | Self::Ratio if !text.is_empty() => text.to_owned(),
            Self::Bytes if text.parse::<u64>().is_ok() => text.to_owned(),
            Self::Words if !text.is_empty() => toml::Value::from(tidy(text.split(','))).to_string(),
            Self::Words => "[]".to_owned(),
            _ => toml::Value::from(text).to_string(),
        }
    }
}

impl Value {
    /// The value as a variable would hold it.
    pub(crate) fn to_text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Address(address) => address.to_string(),
            Self::Switch(value) => value.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Duration(time) if time.subsec_millis() > 0 => format!("{}ms", time.as_millis()),
            Self::Duration(time) => time_text(time.as_secs()),
            Self::Words(words) => words.join(","),
        }
    }
}

fn shown(kind: Kind, written: &Written) -> String {
    match written {
        _ if kind == Kind::Secret => "what is given".to_owned(),
        Written::Text(text) | Written::Bare(text) => {
            format!("`{}`", text.chars().take(80).collect::<String>())
        }
        Written::Number(number) => format!("`{number}`"),
        Written::Decimal(text) => format!("`{text}`"),
        Written::Switch(value) => format!("`{value}`"),
        Written::Words(_) => "a list".to_owned(),
        Written::Other(what) => (*what).to_owned(),
    }
}

fn tidy<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    words.map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace))
}

fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "on" => Some(true),
        "false" | "no" | "0" | "off" => Some(false),
        _ => None,
    }
}

/// A number of bytes, with or without a unit of the powers of 1024.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// One or more numbers with a unit: `90s`, `1h30m`, `500ms`.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let (number, behind) = rest.split_at(digits);
        let letters =
            behind.len() - behind.trim_start_matches(|letter: char| letter.is_ascii_lowercase()).len();
        let (unit, behind) = behind.split_at(letters);
        let number = number.parse::<u64>().ok()?;
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3600)?),
            "d" => Duration::from_secs(number.checked_mul(86_400)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = behind.trim_start();
    }
    (!text.is_empty()).then_some(total)
}

/// In the largest unit that divides it.
pub(super) fn bytes_text(bytes: u64) -> String {
    let units = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.into_iter().find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    unit.map_or_else(|| bytes.to_string(), |(shift, unit)| format!("{}{unit}", bytes >> shift))
}

fn time_text(seconds: u64) -> String {
    match seconds {
        0 => "0s".to_owned(),
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_values_of_their_kind() {
        let seconds = |count| Some(Value::Duration(Duration::from_secs(count)));
        let number = |count| Some(Value::Number(count));
        for (kind, text, expected) in [
            (Kind::Count(1, 64), "1", number(1)),
            (Kind::Count(1, 64), "64", number(64)),
            (Kind::Count(1, 64), "0", None),
            (Kind::Count(1, 64), "65", None),
            (Kind::Count(1, 64), "-1", None),
            (Kind::Duration(1, 86_400), "90s", seconds(90)),
            (Kind::Duration(1, 86_400), "1h30m", seconds(5400)),
            (Kind::Duration(1, 86_400), "1d", seconds(86_400)),
            (Kind::Duration(1, 86_400), "1500ms", Some(Value::Duration(Duration::from_millis(1500)))),
            (Kind::Duration(1, 86_400), "2d", None),
            (Kind::Duration(1, 86_400), "90", None),
            (Kind::Duration(1, 86_400), "", None),
            (Kind::Duration(1, 86_400), "99999999999999999d", None),
            (Kind::Bytes, "4096", number(4096)),
            (Kind::Bytes, "16 GiB", number(16 << 30)),
            (Kind::Bytes, "16GB", None),
            (Kind::Bytes, "0", None),
            (Kind::Bytes, "99999999999TiB", None),
            (Kind::Switch, "Yes", Some(Value::Switch(true))),
            (Kind::Switch, "maybe", None),
            (Kind::Url, "https://h:1/v1/", Some(Value::Text("https://h:1/v1".into()))),
            (Kind::Url, "h:1", None),
            (Kind::Url, "http:///x", None),
            (Kind::Words, "a, b,,", Some(Value::Words(vec!["a".into(), "b".into()]))),
            (Kind::Ratio, "0.25", Some(Value::Text("0.25".into()))),
            (Kind::Ratio, "1", Some(Value::Text("1".into()))),
            (Kind::Ratio, "1.01", None),
            (Kind::Ratio, "-0.1", None),
            (Kind::Ratio, "NaN", None),
            (Kind::OneOf(&["text", "json"]), "json", Some(Value::Text("json".into()))),
            (Kind::OneOf(&["text", "json"]), "xml", None),
            (Kind::Secret, " a ", Some(Value::Text(" a ".into()))),
        ] {
            assert_eq!(kind.read(&Written::Bare(text.into())).ok(), expected, "{kind:?} {text}");
        }
    }

    #[test]
    fn a_value_is_written_as_it_is_read() {
        for (kind, text) in [
            (Kind::Duration(0, 86_400), "90s"),
            (Kind::Duration(0, 86_400), "4h"),
            (Kind::Duration(0, 86_400), "500ms"),
            (Kind::Words, "a,b"),
            (Kind::Address, "[::1]:9090"),
        ] {
            let value = kind.read(&Written::Bare(text.into())).unwrap();
            assert_eq!(value.to_text(), text);
        }
    }

    #[test]
    fn bytes_are_shown_as_people_write_them() {
        for text in ["1", "1025", "3KiB", "512MiB", "16GiB", "2TiB"] {
            assert_eq!(parse_bytes(text).map(bytes_text).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_file_uses_the_types_of_its_language() {
        for (kind, written, is_good) in [
            (Kind::Switch, Written::Switch(true), true),
            (Kind::Switch, Written::Text("true".into()), false),
            (Kind::Count(1, 9), Written::Number(9), true),
            (Kind::Count(1, 9), Written::Number(-1), false),
            (Kind::Count(1, 9), Written::Text("9".into()), false),
            (Kind::Bytes, Written::Number(9), true),
            (Kind::Bytes, Written::Text("9MiB".into()), true),
            (Kind::Words, Written::Words(vec!["a".into()]), true),
            (Kind::Words, Written::Text("a".into()), false),
            (Kind::Ratio, Written::Decimal("0.5".into()), true),
            (Kind::Ratio, Written::Number(1), true),
            (Kind::Ratio, Written::Number(2), false),
            (Kind::Count(1, 9), Written::Decimal("2.5".into()), false),
            (Kind::Text, Written::Decimal("2.5".into()), false),
            (Kind::Text, Written::Number(1), false),
            (Kind::Text, Written::Other("a table"), false),
        ] {
            assert_eq!(kind.read(&written).is_ok(), is_good, "{kind:?} {written:?}");
        }
    }

    #[test]
    fn a_secret_that_is_wrong_is_not_repeated() {
        let text = Kind::Secret.read(&Written::Words(vec!["hunter2".into()])).unwrap_err();
        assert!(!text.contains("hunter2"), "{text}");
    }
}
