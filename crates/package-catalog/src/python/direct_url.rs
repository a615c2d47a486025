//! `direct_url.json`: from where a package was installed that did not come from an index.
//!
//! Source: Recording the Direct URL Origin of installed distributions, of the Python Packaging Authority (PEP 610).

use serde_json::Value;

use super::ends_with;
use crate::described::address::without_secrets;
use crate::described::json::{members_of, text};
use crate::extract::{ManifestKind, read_section, section_of};
use crate::parse::ParseInput;

/// The qualifier of the package URL that it gives, and its value on the next line.
pub(crate) static DIRECT_URL: ManifestKind = ManifestKind { tag: TAG, is_manifest, reduce };

const TAG: u8 = 34;
const FILE_NAME: &str = "direct_url.json";
const FOLDER_ENDING: &str = ".dist-info/";

/// The qualifiers there are.
pub(super) const QUALIFIERS: [&str; 2] = ["vcs_url", "download_url"];

fn is_manifest(path: &str) -> bool {
    path.strip_suffix(FILE_NAME).is_some_and(|folder| ends_with(folder, FOLDER_ENDING))
}

fn reduce(content: &[u8]) -> Result<Vec<u8>, String> {
    let members = members_of(content, &["archive_info", "url", "vcs_info"])?;
    let document = Value::Object(members.into_iter().collect());
    let qualifier = text(&document, "url").and_then(|url| {
        let url = without_secrets(&url)?;
        let revision = text(&document["vcs_info"], "commit_id");
        match (text(&document["vcs_info"], "vcs"), document.get("archive_info")) {
            (Some(system), _) => {
                let revision = revision.map(|revision| format!("@{revision}")).unwrap_or_default();
                Some(("vcs_url", format!("{system}+{url}{revision}")))
            }
            (None, Some(Value::Object(_))) => Some(("download_url", url)),
            _ => None,
        }
    });
    Ok(qualifier.map(|(key, value)| format!("{key}\n{value}").into_bytes()).unwrap_or_default())
}

/// What the file beside the description that is being read gives.
pub(super) fn find<'a>(input: &ParseInput<'a>) -> Option<(&'a str, &'a str)> {
    let (folder, _) = input.path.rsplit_once('/')?;
    let file = input.tree.locate(&format!("{folder}/{FILE_NAME}"))?;
    let extract = input.renamed.extract_of(input.tree, file)?;
    let kept = str::from_utf8(read_section(section_of(extract, TAG)?).ok()?).ok()?;
    kept.split_once('\n').filter(|(_, value)| value.len() <= input.limits.value_bytes_max)
}
