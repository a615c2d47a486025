//! File, environment and flags become one value per setting; whatever is wrong in any of them is told at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::load_text;
use super::setting::{Kind, Setting, Value, Written};
use super::table::{self, SECTIONS, SETTINGS};

/// Behind the key of a secret: the file that holds it.
const FILE_SUFFIX: &str = "-file";
const SECRET_BYTES_MAX: u64 = 64 << 10;
/// How alike two names must be to be taken for a slip.
const ALIKE: f64 = 0.8;

/// What the settings are read from.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Name and text of the file.
    pub(crate) file: Option<(String, String)>,
    /// The variables that may be ours.
    pub(crate) environment: BTreeMap<String, String>,
    /// Key, flag as it was typed, and value.
    pub(crate) flags: Vec<(String, String, String)>,
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody set it.
    Default,
    /// A line of the file.
    File(String, usize),
    /// A variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File(name, line) => write!(formatter, "{name}:{line}"),
            Self::Variable(name) | Self::Flag(name) => formatter.write_str(name),
        }
    }
}

/// Every setting that has a value, and what was wrong.
#[derive(Debug, Default)]
pub(crate) struct Values {
    given: BTreeMap<&'static str, (Value, Source)>,
    /// One line each: the place, what is wrong, what to do.
    pub(crate) problems: Vec<String>,
    /// What is probably a slip but may be somebody else's.
    pub(crate) warnings: Vec<String>,
}

impl Values {
    /// Reads all layers; a later one wins.
    pub(crate) fn collect(inputs: &Inputs) -> Self {
        let mut values = Self::default();
        for setting in SETTINGS.iter().filter(|setting| !setting.default.is_empty()) {
            let written = Written::Bare(setting.default.to_owned());
            values.take(setting, &written, Source::Default, "");
        }
        if let Some((name, text)) = &inputs.file {
            values.read_file(name, text);
        }
        values.read_environment(&inputs.environment);
        values.read_flags(&inputs.flags);
        values
    }

    fn read_file(&mut self, name: &str, text: &str) {
        let line = |span: std::ops::Range<usize>| {
            text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)
        };
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            let at = error.span().map_or(1, line);
            self.problems.push(format!("{name}:{at}: {}", error.message().replace('\n', ", ")));
        }
        if !errors.is_empty() {
            return;
        }
        let mut entries = Vec::new();
        for (section, content) in document.get_ref() {
            let at = line(section.span());
            let section = section.get_ref().as_ref();
            match content.get_ref().as_table().filter(|_| SECTIONS.iter().any(|(known, _)| *known == section))
            {
                None => entries.push((at, section.to_owned(), None)),
                Some(content) => entries.extend(content.iter().map(|(key, value)| {
                    (line(key.span()), format!("{section}.{}", key.get_ref()), Some(value))
                })),
            }
        }
        // The document is ordered by names; people read from the top.
        entries.sort_by_key(|(at, _, _)| *at);
        for (at, key, value) in entries {
            match value {
                None => self.problems.push(format!("{name}:{at}: {}", unknown("section", &key))),
                Some(value) => self.read_key(&key, value, Source::File(name.to_owned(), at)),
            }
        }
        self.refuse_secrets_twice(&format!("{name}: "), |key| {
            let (section, key) = key.split_once('.')?;
            document.get_ref().get(section)?.get_ref().as_table()?.get(key).map(drop)
        });
    }

    fn read_key(&mut self, key: &str, value: &Spanned<DeValue<'_>>, source: Source) {
        let written = written(value.get_ref());
        match find(key) {
            Some((setting, false)) => self.take(setting, &written, source, key),
            Some((setting, true)) => self.take_from_file(setting, &written, source, key),
            None => self.problems.push(format!("{source}: {}", unknown("setting", key))),
        }
    }

    fn read_environment(&mut self, environment: &BTreeMap<String, String>) {
        for setting in SETTINGS.iter() {
            let variable = setting.variable();
            if let Some(text) = environment.get(&variable) {
                let source = Source::Variable(variable.clone());
                self.take(setting, &Written::Bare(text.clone()), source, "");
            }
            let from_file = format!("{variable}_FILE");
            if let Some(text) = environment.get(&from_file).filter(|_| setting.is_secret()) {
                let source = Source::Variable(from_file);
                self.take_from_file(setting, &Written::Bare(text.clone()), source, "");
            }
        }
        self.refuse_secrets_twice("environment: ", |key| {
            let (setting, is_file) = find(key)?;
            let suffix = if is_file { "_FILE" } else { "" };
            environment.get(&format!("{}{suffix}", setting.variable())).map(drop)
        });
        for name in environment.keys().filter(|name| !is_known_variable(name) && !is_of_a_cluster(name)) {
            let known: Vec<String> = SETTINGS.iter().map(Setting::variable).collect();
            let hint = nearest(name, known.iter().map(String::as_str))
                .map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"));
            self.warnings.push(format!("the variable `{name}` sets nothing{hint}"));
        }
    }

    fn read_flags(&mut self, flags: &[(String, String, String)]) {
        for (key, flag, text) in flags {
            let source = Source::Flag(flag.clone());
            let written = Written::Bare(text.clone());
            match find(key) {
                Some((setting, false)) => self.take(setting, &written, source, ""),
                Some((setting, true)) => self.take_from_file(setting, &written, source, ""),
                None => self.problems.push(format!("{flag}: {}", unknown("setting", key))),
            }
        }
    }

    /// In one layer nobody wins.
    fn refuse_secrets_twice(&mut self, place: &str, is_given: impl Fn(&str) -> Option<()>) {
        for setting in SETTINGS.iter().filter(|setting| setting.is_secret()) {
            let key = setting.key;
            if is_given(key).is_some() && is_given(&format!("{key}{FILE_SUFFIX}")).is_some() {
                self.problems
                    .push(format!("{place}both `{key}` and `{key}{FILE_SUFFIX}` are given: keep one"));
            }
        }
    }

    fn take(&mut self, setting: &'static Setting, written: &Written, source: Source, key: &str) {
        if matches!(written, Written::Text(text) | Written::Bare(text) if text.is_empty()) {
            // As if nobody had set it.
            self.given.remove(setting.key);
            if !setting.default.is_empty() {
                self.take(setting, &Written::Bare(setting.default.to_owned()), Source::Default, "");
            }
            return;
        }
        match setting.kind.read(written) {
            Ok(value) => {
                self.given.insert(setting.key, (value, source));
            }
            Err(problem) => {
                let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
                self.problems.push(format!("{source}: {key}{problem}"));
            }
        }
    }

    fn take_from_file(&mut self, setting: &'static Setting, written: &Written, source: Source, key: &str) {
        let path = match Kind::Path.read(written) {
            Ok(value) => PathBuf::from(value.to_text()),
            Err(problem) => return self.problems.push(format!("{source}: {key}: {problem}")),
        };
        match load_text(&path, SECRET_BYTES_MAX) {
            Ok(text) => {
                let text = Written::Text(text.trim_end_matches(['\r', '\n']).to_owned());
                self.take(setting, &text, source, key);
            }
            Err(error) => self.problems.push(format!("{source}: {error:#}")),
        }
    }

    /// Where the value of a setting comes from.
    pub(crate) fn find(&self, key: &str) -> Option<&(Value, Source)> {
        self.given.get(key)
    }

    /// How a problem names a setting: as it was given, else as it could be.
    pub(crate) fn place(&self, key: &'static str) -> String {
        let flag = table::find(key).and_then(|setting| setting.flag);
        match (self.find(key), flag) {
            (Some((_, Source::File(name, line))), _) => format!("{name}:{line}: {key}"),
            (Some((_, Source::Variable(name) | Source::Flag(name))), _) => name.clone(),
            (_, Some(flag)) => format!("--{flag}"),
            _ => key.to_owned(),
        }
    }

    /// A text, secret, path, address of the web or word.
    pub(crate) fn text(&self, key: &'static str) -> Option<String> {
        self.value(key).map(Value::to_text)
    }

    /// A file or folder.
    pub(crate) fn path(&self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A switch; every one has a default.
    pub(crate) fn is_on(&self, key: &'static str) -> bool {
        matches!(self.value(key), Some(Value::Switch(true)))
    }

    /// A count or a number of bytes; every one has a default.
    pub(crate) fn number(&self, key: &'static str) -> u64 {
        match self.value(key) {
            Some(Value::Number(number)) => *number,
            _ => 0,
        }
    }

    /// A time; every one has a default.
    pub(crate) fn duration(&self, key: &'static str) -> Duration {
        match self.value(key) {
            Some(Value::Duration(duration)) => *duration,
            _ => Duration::ZERO,
        }
    }

    /// Where to listen.
    pub(crate) fn address(&self, key: &'static str) -> Option<std::net::SocketAddr> {
        match self.value(key) {
            Some(Value::Address(address)) => Some(*address),
            _ => None,
        }
    }

    /// Several words.
    pub(crate) fn words(&self, key: &'static str) -> Vec<String> {
        match self.value(key) {
            Some(Value::Words(words)) => words.clone(),
            _ => Vec::new(),
        }
    }

    fn value(&self, key: &'static str) -> Option<&Value> {
        debug_assert!(table::find(key).is_some(), "`{key}` is no setting");
        self.given.get(key).map(|(value, _)| value)
    }
}

/// The setting of a key, and whether the key means the file that holds it.
fn find(key: &str) -> Option<(&'static Setting, bool)> {
    let of_file = || {
        let setting = table::find(key.strip_suffix(FILE_SUFFIX)?)?;
        setting.is_secret().then_some((setting, true))
    };
    table::find(key).map(|setting| (setting, false)).or_else(of_file)
}

fn written(value: &DeValue<'_>) -> Written {
    match value {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Boolean(value) => Written::Switch(*value),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(&number.as_str().replace('_', ""), number.radix());
            parsed.map_or(Written::Other("a number out of all bounds"), Written::Number)
        }
        DeValue::Array(items) => {
            let words = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            words.collect::<Option<Vec<_>>>().map_or(Written::Other("a list of other things"), Written::Words)
        }
        DeValue::Float(number) => Written::Decimal(number.as_str().to_owned()),
        DeValue::Datetime(_) => Written::Other("a date"),
        DeValue::Table(_) => Written::Other("a table"),
    }
}

fn unknown(what: &str, name: &str) -> String {
    match meant(what, name) {
        Some(meant) => format!("there is no {what} `{name}`; did you mean `{meant}`?"),
        None => format!("there is no {what} `{name}`; `lazaret config print` shows all"),
    }
}

/// What was probably meant. People know the flags, forget sections, and write `_` for `-`.
fn meant(what: &str, name: &str) -> Option<&'static str> {
    let name = name.replace('_', "-");
    let (section, word) = name.split_once('.').unwrap_or(("", &name));
    let key_of = |is_it: &dyn Fn(&Setting) -> bool| {
        SETTINGS.iter().find(|setting| is_it(setting)).map(|setting| setting.key)
    };
    let of_section = SETTINGS.iter().filter(|setting| setting.section() == section);
    let flags = SETTINGS.iter().filter_map(|setting| setting.flag);
    let sections = SECTIONS.iter().map(|(section, _)| *section).filter(|_| what == "section");
    key_of(&|setting| setting.key == name)
        .or_else(|| key_of(&|setting| setting.flag == Some(word)))
        .or_else(|| nearest(&name, sections))
        .or_else(|| {
            let near = nearest(word, of_section.map(Setting::name))?;
            key_of(&|setting| setting.section() == section && setting.name() == near)
        })
        .or_else(|| key_of(&|setting| setting.name() == word))
        .or_else(|| {
            let near = nearest(word, flags)?;
            key_of(&|setting| setting.flag == Some(near))
        })
}

fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| known)
}

fn is_known_variable(name: &str) -> bool {
    let of_secret =
        |setting: &&Setting| setting.is_secret() && name == format!("{}_FILE", setting.variable());
    SETTINGS.iter().any(|setting| setting.variable() == name)
        || SETTINGS.iter().any(|setting| of_secret(&setting))
        || super::OTHER_VARIABLES.contains(&name)
}

/// A cluster gives every container variables about each Service, so also about one that is called `lazaret`.
pub(crate) fn is_of_a_cluster(name: &str) -> bool {
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_PORT")
        || name.contains("_SERVICE_PORT")
        || name
            .split_once("_PORT_")
            .is_some_and(|(_, rest)| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// The file's name and text.
///
/// Errors: it cannot be read.
pub(crate) fn load_file(path: &Path, bytes_max: u64) -> anyhow::Result<(String, String)> {
    Ok((path.display().to_string(), load_text(path, bytes_max)?))
}
