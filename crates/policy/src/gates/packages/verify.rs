//! Trigger `packages`/`verify`: files of packages that are missing or changed, by what the package database says.
//!
//! Decisions where the language leaves room:
//! - Links in the folders of a path are followed: Debian's database names `/lib/…` where the image has `/usr/lib/…`.
//! - All permission bits that the database states count, so a set-user-id bit that was added is a change.
//! - The content is compared when the image is analyzed, with whatever checksum the database has. Where that was not done and the
//!   database has no SHA-256, the decision carries a note that says so.

use std::borrow::Cow;

use model::{FileEntry, FileKind, ImageContents, OwnedFile, Package};

use crate::budget::Failure;
use crate::gates::file_contents::recorded_paths;
use crate::gates::files::hex;
use crate::gates::{Built, Check, Output};
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::prefix_regex::RegexCompiler;

/// Links that one path may go through, as in Linux.
const LINKS_MAX: usize = 40;
/// Longest path that is followed, as in Linux.
const PATH_BYTES_MAX: usize = 4096;
const PERMISSIONS_MASK: u32 = 0o7777;

const fn parameter(
    name: &'static str,
    description: &'static str,
    example: &'static str,
    validator: Validator,
) -> Parameter {
    Parameter { name, description, example, is_required: false, validator }
}

pub(super) const PARAMETERS: &[Parameter] = &[
    parameter(
        "only_packages",
        "Names of the packages to look at, with commas between them. Default: all.",
        "libssl,openssl",
        Validator::TextList,
    ),
    parameter(
        "only_directories",
        "Starts of the paths to look at, with commas between them. Default: all.",
        "/usr,/var/lib",
        Validator::TextList,
    ),
    parameter(
        "check",
        "Only files that are changed, or only files that are missing. Default: both.",
        "changed",
        Validator::Choice(&["changed", "missing"]),
    ),
];

#[derive(Debug)]
struct Verify {
    packages: Option<Vec<String>>,
    /// Starts of paths; one empty start stands for all.
    directories: Vec<String>,
    wanted: Option<&'static str>,
}

pub(super) fn build(values: ParameterValues, _regexes: &mut RegexCompiler) -> Built {
    let list = |name| values.text_list(name).map(<[String]>::to_vec);
    Ok(Box::new(Verify {
        packages: list("only_packages"),
        directories: list("only_directories").unwrap_or_else(|| vec![String::new()]),
        wanted: values.choice("check"),
    }))
}

impl Check for Verify {
    fn needs_contents(&self) -> bool {
        true
    }

    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        let contents = recorded_paths(input, super::GATE.name, output)?;
        let mut not_compared = 0_u64;
        for directory in &self.directories {
            for package in &input.inventory.packages {
                let names = self.packages.as_deref().unwrap_or_default();
                output.budget.spend(1 + names.len() as u64)?;
                if self.packages.is_none() || names.contains(&package.name) {
                    not_compared += self.verify(package, directory, contents, output)?;
                }
            }
        }
        if not_compared > 0 {
            output.gaps.push(format!(
                "The content of {not_compared} files was not compared: their package database, or the image, has no SHA-256 of them, and it was not done when the image was analyzed"
            ));
        }
        Ok(())
    }
}

impl Verify {
    /// How many files could not be compared by their content.
    fn verify(
        &self,
        package: &Package,
        directory: &str,
        contents: &ImageContents,
        output: &mut Output<'_>,
    ) -> Result<u64, Failure> {
        let mut not_compared = 0;
        for owned in &package.files {
            output.budget.spend(4)?;
            if !owned.path.starts_with(directory) {
                continue;
            }
            let status = match find_entry(contents, &owned.path, output)? {
                None => Some("missing"),
                Some(_) if owned.is_configuration => None,
                Some(entry) => match compare(owned, entry) {
                    Comparison::Same => None,
                    Comparison::Changed => Some("changed"),
                    Comparison::ContentUnknown => {
                        not_compared += 1;
                        None
                    }
                },
            };
            let Some(status) = status.filter(|status| self.wanted.is_none_or(|wanted| wanted == *status))
            else {
                continue;
            };
            output.push_message(format!(
                "VERIFY check against package db for package '{}' failed on entry '{}' with status: '{status}'",
                package.name, owned.path
            ))?;
        }
        Ok(not_compared)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Same,
    Changed,
    /// Nothing else differs, and nobody can say whether the content does.
    ContentUnknown,
}

fn compare(owned: &OwnedFile, entry: &FileEntry) -> Comparison {
    let is_file = entry.kind == FileKind::File;
    let is_mode_different = (is_file || entry.kind == FileKind::Directory)
        && owned.permissions.is_some_and(|permissions| {
            permissions & PERMISSIONS_MASK != entry.permissions & PERMISSIONS_MASK
        });
    let is_size_different = is_file && owned.size_bytes.is_some_and(|size| size != entry.size_bytes);
    if is_mode_different || is_size_different {
        return Comparison::Changed;
    }
    match owned.is_content_changed {
        Some(true) if is_file => return Comparison::Changed,
        Some(_) => return Comparison::Same,
        None => {}
    }
    let Some(expected) = owned.checksum.as_deref().filter(|_| is_file) else {
        return Comparison::Same;
    };
    match (expected.strip_prefix("sha256:"), &entry.sha256) {
        (Some(expected), Some(actual)) if expected.eq_ignore_ascii_case(&hex(actual)) => Comparison::Same,
        (Some(_), Some(_)) => Comparison::Changed,
        _ => Comparison::ContentUnknown,
    }
}

/// The entry of a path, with the links in its folders followed; a link at its end is the entry.
fn find_entry<'a>(
    contents: &'a ImageContents,
    path: &str,
    output: &mut Output<'_>,
) -> Result<Option<&'a FileEntry>, Failure> {
    let mut path = Cow::Borrowed(path);
    for _ in 0..=LINKS_MAX {
        if let Some(entry) = contents.find_file(&path) {
            return Ok(Some(entry));
        }
        if path.len() > PATH_BYTES_MAX {
            break;
        }
        let folders = path.split('/').count() as u64;
        output.budget.spend(folders.saturating_mul(1 + path.len() as u64 / 64))?;
        match follow_first_link(contents, &path) {
            Some(followed) => path = Cow::Owned(followed),
            None => return Ok(None),
        }
    }
    Ok(None)
}

/// The path behind the first of its folders that is a link.
fn follow_first_link(contents: &ImageContents, path: &str) -> Option<String> {
    let ends = path.match_indices('/').map(|(position, _)| position).filter(|position| *position > 0);
    for end in ends {
        let (folder, rest) = path.split_at(end);
        let target = contents.find_file(folder).and_then(|entry| entry.link_target.as_deref());
        if let Some(target) = target {
            let above = folder.rsplit_once('/').map_or("", |(above, _)| above);
            let base = if target.starts_with('/') { "" } else { above };
            return Some(normalize(&format!("{base}/{target}{rest}")));
        }
    }
    None
}

/// Without `.`, `..` and empty parts.
fn normalize(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.iter().fold(String::new(), |path, part| path + "/" + part)
}
