//! The file with a user's endpoint, token and choices, as the older client keeps it: YAML, two levels of keys.
//!
//! Keys that this client does not know are kept. Comments are not, as little as the older client keeps them.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use private_files::write_private;
use serde_json::{Map, Value};

const FILE_BYTES_MAX: u64 = 1 << 20;

/// A configuration, and the file that it came from and goes back to.
#[derive(Debug, Clone)]
pub struct ConfigFile {
    path: PathBuf,
    document: Map<String, Value>,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("read the configuration `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is no configuration.
    #[error("understand the configuration `{}`: {problem}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// It cannot be written.
    #[error("write the configuration `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl ConfigFile {
    /// Reads a file; one that does not exist is an empty configuration.
    pub fn load(path: &Path) -> Result<Self, ConfigFileError> {
        let failed = |source| ConfigFileError::Read { path: path.to_owned(), source };
        let wrong = |problem: String| ConfigFileError::Parse { path: path.to_owned(), problem };
        let mut text = Vec::new();
        match fs_err::File::open(path) {
            Ok(file) => {
                let mut bounded = file.take(FILE_BYTES_MAX + 1);
                io::copy(&mut bounded, &mut text).map_err(failed)?;
                if bounded.limit() == 0 {
                    return Err(wrong(format!("it has more than {FILE_BYTES_MAX} bytes")));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let text = String::from_utf8(text).map_err(|_| wrong("it is not UTF-8 text".to_owned()))?;
        let document = if text.trim().is_empty() {
            Value::Null
        } else {
            // The message of the parser quotes lines, and a line may hold the token.
            serde_saphyr::from_str(&text).map_err(|error| wrong(without_quotation(&error.to_string())))?
        };
        match document {
            Value::Null => Ok(Self { path: path.to_owned(), document: Map::new() }),
            Value::Object(document) => Ok(Self { path: path.to_owned(), document }),
            _ => Err(wrong(
                "it should hold keys and values, as `pipeline:` and below it `basepath: https://…`"
                    .to_owned(),
            )),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The value of a key such as `pipeline.token`; upper and lower case mean the same.
    pub fn find(&self, key: &str) -> Option<&Value> {
        let (section, name) = key.split_once('.')?;
        let value = find_key(find_key(&self.document, section)?.as_object()?, name)?;
        (!value.is_null()).then_some(value)
    }

    /// The value of a key as a text that is not empty.
    pub fn text(&self, key: &str) -> Option<String> {
        match self.find(key)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The value of a key as a number that is not zero: zero is how "none chosen" is written.
    pub fn number(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok().filter(|number| *number != 0)
    }

    /// Whether a key is set to yes.
    pub fn flag(&self, key: &str) -> bool {
        match self.find(key) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }

    /// Sets a key.
    pub fn set(&mut self, key: &str, value: Value) {
        let Some((section, name)) = key.split_once('.') else { return };
        let section = key_of(&self.document, section);
        let below = self.document.entry(section).or_insert_with(|| Value::Object(Map::new()));
        if !below.is_object() {
            *below = Value::Object(Map::new());
        }
        if let Some(below) = below.as_object_mut() {
            below.insert(key_of(below, name), value);
        }
    }

    /// Writes it back, for its owner only.
    pub fn save(&self) -> Result<(), ConfigFileError> {
        let failed = |source| ConfigFileError::Write { path: self.path.clone(), source };
        let text =
            serde_saphyr::to_string(&self.document).map_err(|error| failed(io::Error::other(error)))?;
        write_private(&self.path, text.as_bytes()).map_err(failed)
    }
}

fn find_key<'a>(map: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    map.get(&key_of(map, name))
}

/// The key as it is written in the map, where it is in another case; else as it was asked for.
fn key_of(map: &Map<String, Value>, name: &str) -> String {
    let written = map.keys().find(|key| key.eq_ignore_ascii_case(name));
    written.map_or_else(|| name.to_owned(), Clone::clone)
}

/// The first line of a message: what is wrong and where.
fn without_quotation(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use serde_json::json;

    use super::*;

    /// As the older client writes it, with keys of other programs of its family.
    const OLD: &str = "cloudinfo:\n  basepath: https://try.example.org/cloudinfo/api/v1\ncluster:\n  id: 0\nformatting:\n  \
        force-color: false\n  no-interactive: true\norganization:\n  id: 12\noutput:\n  format: default\n  verbose: false\n\
        pipeline:\n  basepath: https://pipeline.example.org/pipeline\n  tls-ca-cert: |\n    -----BEGIN CERTIFICATE-----\n    \
        MIIB\n    -----END CERTIFICATE-----\n  tls-ca-file: \"\"\n  tls-fingerprint: \"\"\n  tls-skip-verify: false\n  \
        token: eyJh.e30.c2ln\ntelescopes:\n  basepath: https://try.example.org/recommender/api/v1\n";

    fn folder_with(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        fs_err::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn an_old_file_keeps_what_is_not_changed() {
        let (_folder, path) = folder_with(OLD);
        let mut config = ConfigFile::load(&path).unwrap();
        assert_eq!(config.text("pipeline.token").as_deref(), Some("eyJh.e30.c2ln"));
        assert_eq!(config.number("organization.id"), Some(12));
        assert_eq!(config.number("cluster.id"), None, "zero is none");
        assert!(config.flag("formatting.no-interactive") && !config.flag("output.verbose"));
        assert_eq!(config.text("pipeline.tls-fingerprint"), None);
        let pem = config.text("pipeline.tls-ca-cert").unwrap();
        let before = config.document.clone();

        config.set("organization.id", json!(7));
        config.set("pipeline.tls-fingerprint", json!("0e1"));
        config.save().unwrap();
        let read = ConfigFile::load(&path).unwrap();
        assert_eq!(read.number("organization.id"), Some(7));
        assert_eq!(read.text("pipeline.tls-fingerprint").as_deref(), Some("0e1"), "no number of it is made");
        assert_eq!(read.text("pipeline.tls-ca-cert").unwrap(), pem);
        let mut after = read.document.clone();
        after["organization"]["id"] = json!(12);
        after["pipeline"]["tls-fingerprint"] = json!("");
        assert_eq!(after, before);
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_new_file_comes_with_its_folder_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/config.yaml");
        let mut config = ConfigFile::load(&path).unwrap();
        for text in [
            "true",
            "12",
            "0x1f",
            "null",
            "a: b",
            "- x",
            "#",
            " blank ",
            "\u{1b}[2J",
            "1e3",
            "~",
            "'",
            "é",
            "a\nb\n",
        ] {
            config.set("pipeline.token", json!(text));
            config.save().unwrap();
            let read = ConfigFile::load(&path).unwrap();
            assert_eq!(read.find("pipeline.token"), Some(&json!(text)), "{text:?}");
        }
        let mode = |path: &Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_link_stays_a_link() {
        let (folder, path) = folder_with(OLD);
        let link = folder.path().join("link.yaml");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut config = ConfigFile::load(&link).unwrap();
        config.set("cluster.id", json!(3));
        config.save().unwrap();
        assert!(link.is_symlink());
        assert_eq!(ConfigFile::load(&path).unwrap().number("cluster.id"), Some(3));
    }

    #[test]
    fn what_is_no_configuration_is_refused_without_showing_it() {
        for text in ["- a\n", "text", "pipeline: [secret-token\n", "a: &a [*a, *a]\n", "\u{0}"] {
            let (_folder, path) = folder_with(text);
            let error = ConfigFile::load(&path).unwrap_err().to_string();
            assert!(error.contains("config.yaml") && !error.contains("secret-token"), "{error}");
        }
        let (_folder, path) = folder_with("Pipeline:\n  Token: x\n");
        let mut config = ConfigFile::load(&path).unwrap();
        assert_eq!(config.text("pipeline.token").as_deref(), Some("x"), "keys in another case are the same");
        config.set("pipeline.token", json!("y"));
        assert_eq!(config.document, *json!({"Pipeline": {"Token": "y"}}).as_object().unwrap());
    }
}
