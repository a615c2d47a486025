//! From the squashed tree and what was found in its layers to the contents of the image.

use std::collections::BTreeMap;

use image_layers::{Attributes, Body, Entry, EntryKind, FindError, ImageTree, MissingBody};
use model::{Diagnostic, DiagnosticCode, FileEntry, FileKind, ImageContents, PatternMatch, RetrievedFile};

use super::observer::LayerFindings;
use super::search::Search;
use super::settings::{ContentSettings, PASSWORD_FILE};

/// What of the files of an image is left after its layers are laid over each other.
pub(crate) struct Collection<'a> {
    settings: &'a ContentSettings,
    search: &'a Search,
    tree: &'a ImageTree,
    told: Told,
}

impl<'a> Collection<'a> {
    pub(crate) fn new(settings: &'a ContentSettings, search: &'a Search, tree: &'a ImageTree) -> Self {
        let told = Told { kinds: BTreeMap::new(), one_by_one_max: settings.limits.diagnostics_max };
        Self { settings, search, tree, told }
    }

    /// Files to keep whose bodies are not in the tree, because only a link gives them the name.
    pub(crate) fn missing(&self) -> Vec<MissingBody> {
        let chosen = self.choose().into_iter().filter_map(|(_, choice)| choice.ok());
        let mut missing: Vec<MissingBody> = chosen.filter_map(|entry| entry.missing_body()).collect();
        missing.sort();
        missing.dedup();
        missing
    }

    /// Everything that is asked for.
    pub(crate) fn collect(mut self, findings: &[LayerFindings]) -> ImageContents {
        let mut contents = ImageContents { files: self.files(), ..ImageContents::default() };
        self.matches(findings, &mut contents);
        self.retrieve(&mut contents);
        contents.diagnostics = self.told.finish();
        contents
    }

    fn files(&mut self) -> Vec<FileEntry> {
        let mut files = Vec::with_capacity(self.tree.entries().len().min(self.settings.limits.files_max));
        for entry in self.tree.entries() {
            if files.len() >= self.settings.limits.files_max {
                self.told.add(Problem::PathsLeftOut, entry.path());
            } else if entry.kind() == EntryKind::BrokenHardLink {
                self.told.add(Problem::BrokenHardLink, entry.path());
            } else {
                files.push(to_file_entry(entry));
            }
        }
        files.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        files
    }

    fn matches(&mut self, findings: &[LayerFindings], contents: &mut ImageContents) {
        let secret_count = self.settings.secret_patterns.len();
        for entry in self.tree.files() {
            if entry.body() == Body::Sparse {
                self.told.add(Problem::Sparse, entry.path());
                continue;
            }
            let id = entry.content_id();
            let Some(layer) = findings.get(id.layer_index as usize) else { continue };
            if let Ok(position) = layer.gaps.binary_search_by_key(&id.member, |(member, _)| *member) {
                let gaps = layer.gaps[position].1;
                for (is_so, problem) in [
                    (gaps.rest_of_text, Problem::RestOfText),
                    (gaps.rest_of_binary, Problem::RestOfBinary),
                    (gaps.long_line, Problem::LongLine),
                    (gaps.long_piece, Problem::LongPiece),
                    (gaps.given_up, Problem::GivenUp),
                ] {
                    if is_so {
                        self.told.add(problem, entry.path());
                    }
                }
            }
            if layer.matches_end.is_some_and(|end| id.member >= end) {
                self.told.add(Problem::TooManyMatches, entry.path());
            }
            let first = layer.matches.partition_point(|(member, _)| *member < id.member);
            for (_, index) in layer.matches[first..].iter().take_while(|(member, _)| *member == id.member) {
                if contents.secret_matches.len() + contents.content_matches.len()
                    >= self.settings.limits.matches_max
                {
                    self.told.add(Problem::TooManyMatches, entry.path());
                    break;
                }
                let index = usize::from(*index);
                let (patterns, matches) = match index.checked_sub(secret_count) {
                    None => (self.settings.secret_patterns.get(index), &mut contents.secret_matches),
                    Some(index) => (self.settings.content_patterns.get(index), &mut contents.content_matches),
                };
                matches.extend(patterns.map(|pattern| PatternMatch {
                    path: absolute(entry.path()),
                    name: pattern.name.clone(),
                    pattern: pattern.pattern.clone(),
                }));
            }
        }
        contents.secret_matches.sort();
        contents.content_matches.sort();
    }

    fn retrieve(&mut self, contents: &mut ImageContents) {
        for (path, choice) in self.choose() {
            let content = choice.and_then(|entry| match entry.body() {
                Body::Kept(content) => Ok(content),
                Body::TooLarge => Err(Problem::TooLargeToKeep),
                Body::Sparse => Err(Problem::Sparse),
                Body::NotKept => Err(Problem::TooManyToKeep),
            });
            match content {
                Err(problem) => self.told.add(problem, &path),
                Ok(content) => {
                    if path == PASSWORD_FILE {
                        contents.password_file = Some(content.to_vec());
                    }
                    if self.search.paths.is_named(&path) {
                        let content = content.to_vec();
                        contents.retrieved.push(RetrievedFile { path: absolute(&path), content });
                    }
                }
            }
        }
        contents.retrieved.sort();
    }

    /// Which files are kept, and why others are not. Depends on the image and the settings alone, not on what was kept while
    /// its layers were read, so the same image gives the same contents.
    fn choose(&self) -> Vec<(String, Result<Entry<'a>, Problem>)> {
        let limits = &self.settings.limits;
        let (mut files_left, mut bytes_left) = (limits.retrieved_files_max, limits.retrieved_bytes_max);
        let mut choose = |found: Result<Entry<'a>, FindError>| -> Result<Entry<'a>, Problem> {
            let entry = found.map_err(|_| Problem::BrokenLink)?;
            if entry.kind() != EntryKind::File {
                return Err(Problem::NotAFile);
            }
            if entry.size() > limits.retrieved_file_bytes_max {
                return Err(Problem::TooLargeToKeep);
            }
            files_left = files_left.checked_sub(1).ok_or(Problem::TooManyToKeep)?;
            bytes_left = bytes_left.checked_sub(entry.size()).ok_or(Problem::TooManyToKeep)?;
            Ok(entry)
        };
        self.targets()
            .into_iter()
            .filter(|(_, found)| !matches!(found, Err(FindError::NotFound)))
            .map(|(path, found)| (path, choose(found)))
            .collect()
    }

    /// What the paths of the settings lead to, by path; the password file first, because it must not be crowded out.
    fn targets(&self) -> Vec<(String, Result<Entry<'a>, FindError>)> {
        let paths = &self.search.paths;
        let mut found = BTreeMap::new();
        for path in paths.exact() {
            found.insert(path.clone(), self.tree.resolve(path));
        }
        if paths.has_globs() {
            let mut take = |path: &str| {
                if paths.is_glob_match(path) && !found.contains_key(path) {
                    let entry = self.tree.resolve(path);
                    if entry.is_err() || entry.is_ok_and(|entry| entry.kind() == EntryKind::File) {
                        found.insert(path.to_owned(), entry);
                    }
                }
            };
            for entry in self.tree.entries().filter(|entry| entry.kind() != EntryKind::Folder) {
                take(entry.path());
            }
            self.tree.visit_linked(&paths.glob_folders(), &mut |path, _| take(path));
        }
        found.remove(PASSWORD_FILE);
        let password_file = (PASSWORD_FILE.to_owned(), self.tree.resolve(PASSWORD_FILE));
        std::iter::once(password_file).chain(found).collect()
    }
}

fn absolute(path: &str) -> String {
    format!("/{path}")
}

fn to_file_entry(entry: Entry<'_>) -> FileEntry {
    let kind = match entry.kind() {
        EntryKind::File | EntryKind::BrokenHardLink => FileKind::File,
        EntryKind::Folder => FileKind::Directory,
        EntryKind::Symlink => FileKind::SymbolicLink,
        EntryKind::Other => FileKind::Other,
    };
    let Attributes { permissions, user_id, group_id, sha256, .. } = entry.attributes().unwrap_or_default();
    FileEntry {
        path: absolute(entry.path()),
        kind,
        permissions,
        user_id,
        group_id,
        size_bytes: if kind == FileKind::File { entry.size() } else { 0 },
        sha256,
        link_target: entry.link_target().map(str::to_owned),
    }
}

/// What can be wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Problem {
    BrokenLink,
    BrokenHardLink,
    NotAFile,
    TooLargeToKeep,
    TooManyToKeep,
    PathsLeftOut,
    Sparse,
    GivenUp,
    LongLine,
    LongPiece,
    RestOfText,
    RestOfBinary,
    TooManyMatches,
}

impl Problem {
    fn words(self) -> (DiagnosticCode, &'static str) {
        let unsearched = DiagnosticCode::ContentNotSearched;
        match self {
            Self::BrokenLink => {
                (DiagnosticCode::BrokenLink, "link to a file that is to be kept leads nowhere")
            }
            Self::BrokenHardLink => {
                (DiagnosticCode::BrokenLink, "hard link to a file that is not in the image")
            }
            Self::NotAFile => {
                (DiagnosticCode::BrokenLink, "path of a file that is to be kept is no regular file")
            }
            Self::TooLargeToKeep => {
                (DiagnosticCode::FileTooLarge, "file that is to be kept is larger than the limit")
            }
            Self::TooManyToKeep => {
                (DiagnosticCode::FileTooLarge, "files that are to be kept are too many or too large together")
            }
            Self::PathsLeftOut => (DiagnosticCode::PathsLeftOut, "image has more paths than are listed"),
            Self::Sparse => {
                (unsearched, "file is stored without its holes: it has no checksum and is not searched")
            }
            Self::GivenUp => (unsearched, "a pattern takes too many steps on this file"),
            Self::LongLine => (unsearched, "file has lines so long that they are searched in pieces"),
            Self::LongPiece => (unsearched, "file, which is no text, is searched in pieces"),
            Self::RestOfText => (unsearched, "only the beginning of this large file is searched"),
            Self::RestOfBinary => {
                (unsearched, "only the beginning of this file, which is no text, is searched")
            }
            Self::TooManyMatches => (unsearched, "image has more matches than are listed"),
        }
    }

    /// Whether single paths are of use to nobody: every image has many of these.
    fn is_only_counted(self) -> bool {
        matches!(self, Self::LongPiece | Self::RestOfBinary | Self::PathsLeftOut | Self::TooManyMatches)
    }
}

/// What was wrong: by kind the first paths, and how many there are.
struct Told {
    kinds: BTreeMap<Problem, (usize, Vec<String>)>,
    one_by_one_max: usize,
}

impl Told {
    fn add(&mut self, problem: Problem, path: &str) {
        let (count, paths) = self.kinds.entry(problem).or_default();
        let path = absolute(path);
        if paths.contains(&path) {
            return;
        }
        if !problem.is_only_counted() && paths.len() < self.one_by_one_max {
            paths.push(path);
        } else {
            *count += 1;
        }
    }

    fn finish(self) -> Vec<Diagnostic> {
        let mut diagnostics = Vec::new();
        for (problem, (count, paths)) in self.kinds {
            let (code, words) = problem.words();
            let mut tell = |subject: String, message: String| {
                diagnostics.push(Diagnostic { code, subject, offset: None, message });
            };
            let more = if paths.is_empty() { "" } else { " more" };
            for path in paths {
                tell(path, words.to_owned());
            }
            if count > 0 {
                let times = if count == 1 { "path" } else { "paths" };
                tell("/".to_owned(), format!("{words} ({count}{more} {times})"));
            }
        }
        diagnostics.sort();
        diagnostics
    }
}
