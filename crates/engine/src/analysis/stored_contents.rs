//! How the contents of an image are kept: own structures as JSON, compressed with zstd, apart from the analysis.
//!
//! An image may have a million paths, so a path is a list of values and not an object with names; patterns are listed once.

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use model::{FileEntry, FileKind, ImageContents, MalwareFinding, MalwareScan, PatternMatch, RetrievedFile};
use serde::{Deserialize, Serialize};

use super::DecodeError;
use super::stored::{StoredDiagnostic, compress, decompress};

/// Number of the form below; a higher one in the database was written by a newer program.
pub(crate) const CONTENTS_FORM: i64 = 1;

pub(crate) fn encode_contents(contents: &ImageContents) -> io::Result<Vec<u8>> {
    let ImageContents {
        files,
        password_file,
        retrieved,
        secret_matches,
        content_matches,
        malware_scans,
        diagnostics,
    } = contents;
    let mut patterns = Patterns::default();
    let stored = StoredContents {
        files: files.iter().map(StoredFile::from).collect(),
        password_file: password_file.as_ref().map(|content| STANDARD_NO_PAD.encode(content)),
        retrieved: retrieved
            .iter()
            .map(|RetrievedFile { path, content }| (path.clone(), STANDARD_NO_PAD.encode(content)))
            .collect(),
        secret_matches: patterns.number(secret_matches),
        content_matches: patterns.number(content_matches),
        malware_scans: malware_scans.iter().map(StoredMalwareScan::from).collect(),
        diagnostics: diagnostics.iter().cloned().map(StoredDiagnostic::from).collect(),
        patterns: patterns.list,
    };
    compress(&stored)
}

pub(crate) fn decode_contents(form: i64, content: &[u8]) -> Result<ImageContents, DecodeError> {
    if form != CONTENTS_FORM {
        return Err(DecodeError::UnknownForm { found: form, known: CONTENTS_FORM });
    }
    let StoredContents {
        files,
        password_file,
        retrieved,
        patterns,
        secret_matches,
        content_matches,
        malware_scans,
        diagnostics,
    } = decompress(content)?;
    let matches = |stored: Vec<(String, usize)>| -> Result<Vec<PatternMatch>, DecodeError> {
        let read = |(path, number): (String, usize)| {
            let (name, pattern) = patterns
                .get(number)
                .cloned()
                .ok_or_else(|| DecodeError::UnknownWord { what: "pattern", word: number.to_string() })?;
            Ok(PatternMatch { path, name, pattern })
        };
        stored.into_iter().map(read).collect()
    };
    Ok(ImageContents {
        files: files.into_iter().map(FileEntry::try_from).collect::<Result<_, _>>()?,
        password_file: password_file.as_deref().map(read_bytes).transpose()?,
        retrieved: retrieved
            .into_iter()
            .map(|(path, content)| Ok(RetrievedFile { path, content: read_bytes(&content)? }))
            .collect::<Result<_, DecodeError>>()?,
        secret_matches: matches(secret_matches)?,
        content_matches: matches(content_matches)?,
        malware_scans: malware_scans.into_iter().map(MalwareScan::from).collect(),
        diagnostics: diagnostics.into_iter().map(TryFrom::try_from).collect::<Result<_, DecodeError>>()?,
    })
}

fn read_bytes(text: &str) -> Result<Vec<u8>, DecodeError> {
    // The text is content of a file and must not get into an error.
    STANDARD_NO_PAD.decode(text).map_err(|_| DecodeError::NotBase64)
}

#[derive(Serialize, Deserialize)]
struct StoredContents {
    #[serde(default)]
    files: Vec<StoredFile>,
    #[serde(default)]
    password_file: Option<String>,
    #[serde(default)]
    retrieved: Vec<(String, String)>,
    /// Name and expression; matches say which by its place here.
    #[serde(default)]
    patterns: Vec<(String, String)>,
    #[serde(default)]
    secret_matches: Vec<(String, usize)>,
    #[serde(default)]
    content_matches: Vec<(String, usize)>,
    #[serde(default)]
    malware_scans: Vec<StoredMalwareScan>,
    #[serde(default)]
    diagnostics: Vec<StoredDiagnostic>,
}

/// Path, kind, permissions, user, group, size, checksum in base64, target of a link.
#[derive(Serialize, Deserialize)]
struct StoredFile(String, StoredKind, u32, u64, u64, u64, Option<String>, Option<String>);

#[derive(Serialize, Deserialize)]
enum StoredKind {
    #[serde(rename = "f")]
    File,
    #[serde(rename = "d")]
    Directory,
    #[serde(rename = "l")]
    SymbolicLink,
    #[serde(rename = "o")]
    Other,
}

#[derive(Serialize, Deserialize)]
struct StoredMalwareScan {
    scanner: String,
    /// Path and signature.
    #[serde(default)]
    findings: Vec<(String, String)>,
}

#[derive(Default)]
struct Patterns<'a> {
    numbers: BTreeMap<(&'a str, &'a str), usize>,
    list: Vec<(String, String)>,
}

impl<'a> Patterns<'a> {
    fn number(&mut self, matches: &'a [PatternMatch]) -> Vec<(String, usize)> {
        let number = |found: &'a PatternMatch| {
            let PatternMatch { path, name, pattern } = found;
            let next = self.list.len();
            let number = *self.numbers.entry((name, pattern)).or_insert_with(|| {
                self.list.push((name.clone(), pattern.clone()));
                next
            });
            (path.clone(), number)
        };
        matches.iter().map(number).collect()
    }
}

impl From<&FileEntry> for StoredFile {
    fn from(file: &FileEntry) -> Self {
        let FileEntry { path, kind, permissions, user_id, group_id, size_bytes, sha256, link_target } = file;
        let kind = match kind {
            FileKind::File => StoredKind::File,
            FileKind::Directory => StoredKind::Directory,
            FileKind::SymbolicLink => StoredKind::SymbolicLink,
            FileKind::Other => StoredKind::Other,
        };
        let sha256 = sha256.map(|bytes| STANDARD_NO_PAD.encode(bytes));
        let (path, target) = (path.clone(), link_target.clone());
        Self(path, kind, *permissions, *user_id, *group_id, *size_bytes, sha256, target)
    }
}

impl TryFrom<StoredFile> for FileEntry {
    type Error = DecodeError;

    fn try_from(stored: StoredFile) -> Result<Self, DecodeError> {
        let StoredFile(path, kind, permissions, user_id, group_id, size_bytes, sha256, link_target) = stored;
        let kind = match kind {
            StoredKind::File => FileKind::File,
            StoredKind::Directory => FileKind::Directory,
            StoredKind::SymbolicLink => FileKind::SymbolicLink,
            StoredKind::Other => FileKind::Other,
        };
        let checksum = |text: String| {
            let bytes = STANDARD_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
            bytes.ok_or(DecodeError::NotBase64)
        };
        let sha256 = sha256.map(checksum).transpose()?;
        Ok(Self { path, kind, permissions, user_id, group_id, size_bytes, sha256, link_target })
    }
}

impl From<&MalwareScan> for StoredMalwareScan {
    fn from(MalwareScan { scanner, findings }: &MalwareScan) -> Self {
        let pair = |MalwareFinding { path, signature }: &MalwareFinding| (path.clone(), signature.clone());
        Self { scanner: scanner.clone(), findings: findings.iter().map(pair).collect() }
    }
}

impl From<StoredMalwareScan> for MalwareScan {
    fn from(StoredMalwareScan { scanner, findings }: StoredMalwareScan) -> Self {
        let finding = |(path, signature)| MalwareFinding { path, signature };
        Self { scanner, findings: findings.into_iter().map(finding).collect() }
    }
}

#[cfg(test)]
mod tests {
    use model::{Diagnostic, DiagnosticCode};

    use super::*;

    fn full() -> ImageContents {
        let file = |path: &str, kind| FileEntry {
            path: path.to_owned(),
            kind,
            permissions: 0o4755,
            user_id: 1,
            group_id: u64::MAX,
            size_bytes: 3,
            sha256: (kind == FileKind::File).then_some([7; 32]),
            link_target: (kind == FileKind::SymbolicLink).then(|| "../x".to_owned()),
        };
        let found = |path: &str, name: &str| PatternMatch {
            path: path.to_owned(),
            name: name.to_owned(),
            pattern: "a=b".to_owned(),
        };
        let malware = MalwareFinding { path: "/m".to_owned(), signature: "s".to_owned() };
        ImageContents {
            files: FileKind::ALL.into_iter().map(|kind| file(kind.name(), kind)).collect(),
            password_file: Some(b"root:\xff\n".to_vec()),
            retrieved: vec![RetrievedFile { path: "/r".to_owned(), content: vec![0, 1, 2] }],
            secret_matches: vec![found("/a", "A"), found("/b", "A"), found("/b", "")],
            content_matches: vec![found("/a", "A")],
            malware_scans: vec![MalwareScan { scanner: "clamav".to_owned(), findings: vec![malware] }],
            diagnostics: vec![Diagnostic {
                code: DiagnosticCode::ContentNotSearched,
                subject: "/s".to_owned(),
                offset: None,
                message: "m".to_owned(),
            }],
        }
    }

    #[test]
    fn what_is_stored_comes_back() {
        for contents in [full(), ImageContents::default()] {
            assert_eq!(
                decode_contents(CONTENTS_FORM, &encode_contents(&contents).unwrap()).unwrap(),
                contents
            );
        }
    }

    #[test]
    fn damage_is_told_without_the_content() {
        let stored = encode_contents(&full()).unwrap();
        assert!(matches!(decode_contents(CONTENTS_FORM + 1, &stored), Err(DecodeError::UnknownForm { .. })));
        assert!(matches!(decode_contents(CONTENTS_FORM, b"x"), Err(DecodeError::Unpack(_))));
        for (text, expected) in [
            (r#"{"password_file":"!secret"}"#, "read bytes of the stored contents"),
            (r#"{"secret_matches":[["/a",0]]}"#, "unknown pattern `0`"),
        ] {
            let packed = zstd::encode_all(text.as_bytes(), 1).unwrap();
            let error = decode_contents(CONTENTS_FORM, &packed).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }
}
