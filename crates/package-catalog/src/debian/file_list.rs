//! Which files a Debian package owns: the lists beside the status file.

use std::collections::BTreeMap;

use image_layers::EntryKind;
use model::OwnedFile;

use crate::debian::status_file::RawParagraph;
use crate::parse::{ParseInput, lines, text};

/// The lists of one database.
pub(crate) struct FileLists<'a> {
    input: &'a ParseInput<'a>,
    place: Place<'a>,
}

enum Place<'a> {
    /// `…/dpkg/info/`, with one list a package.
    Info(String),
    /// `…/status.d/NAME.md5sums`, beside the only paragraph of a file.
    Beside(&'a str),
}

impl<'a> FileLists<'a> {
    pub(crate) fn of(input: &'a ParseInput<'a>) -> Self {
        // `dpkg/status` and `opkg/status`; the lists of opkg also lie beside `opkg/info/NAME.control`.
        let place = match (input.path.strip_suffix("pkg/status"), input.path.rsplit_once('/')) {
            (Some(above), _) => Place::Info(format!("{above}pkg/info/")),
            (None, Some((folder, name))) if name.ends_with(".control") => Place::Info(format!("{folder}/")),
            _ => Place::Beside(input.path),
        };
        Self { input, place }
    }

    /// The files of a package, sorted by path, and whether these are all that the limits leave room for. `.list` names everything, folders too; `.md5sums` and `Conffiles` have the checksums.
    ///
    /// Shape:  `.list`: one absolute path a line. `.md5sums`: 32 hex characters, two blanks or a blank and `*`, a path without its slash.
    /// Source: dpkg(1), deb-md5sums(5).
    pub(crate) fn find(&self, paragraph: &RawParagraph) -> (Vec<OwnedFile>, bool) {
        let mut owned = BTreeMap::new();
        let is_complete = self.collect(paragraph, &mut owned).is_some();
        let to_file = |(path, Facts { checksum, is_configuration })| OwnedFile {
            path,
            checksum,
            is_configuration,
            ..OwnedFile::default()
        };
        let files = owned.into_iter().map(to_file).collect();
        (files, is_complete)
    }

    /// `None` when the limits stopped it.
    fn collect(&self, paragraph: &RawParagraph, owned: &mut BTreeMap<String, Facts>) -> Option<()> {
        let mut own = |path: String, facts: Facts| {
            let is_known = owned.contains_key(&path);
            let is_room = is_known || self.input.spent.take_owned(path.len(), self.input.limits);
            is_room.then(|| owned.insert(path, facts))
        };
        for (_, line) in self.list(paragraph, "list").into_iter().flat_map(lines) {
            let path = text(line);
            if path.starts_with('/') && path != "/." && !self.is_folder(&path) {
                own(path, Facts::default())?;
            }
        }
        for (_, line) in self.list(paragraph, "md5sums").into_iter().flat_map(lines) {
            let line = String::from_utf8_lossy(line);
            let Some((checksum, path)) = line.split_once(' ') else { continue };
            let path = path.trim_start_matches([' ', '*']).trim_start_matches("./").trim_start_matches('/');
            if is_md5(checksum) && !path.is_empty() {
                own(
                    format!("/{path}"),
                    Facts { checksum: Some(to_checksum(checksum)), is_configuration: false },
                )?;
            }
        }
        for (path, checksum) in &paragraph.conffiles {
            // A file that was not there yet when its package was made is called `newconffile` here.
            let checksum = is_md5(checksum).then(|| to_checksum(checksum));
            own(path.clone(), Facts { checksum, is_configuration: true })?;
        }
        Some(())
    }

    /// One of the lists; packages that may be installed for several architectures at once have theirs in the name.
    fn list(&self, paragraph: &RawParagraph, ending: &str) -> Option<&'a [u8]> {
        match &self.place {
            Place::Info(folder) => {
                let name = &paragraph.package;
                let with_architecture = paragraph.architecture.as_ref().and_then(|architecture| {
                    self.input.read(&format!("{folder}{name}:{architecture}.{ending}"))
                });
                with_architecture.or_else(|| self.input.read(&format!("{folder}{name}.{ending}")))
            }
            Place::Beside(path) => self.input.read(&format!("{path}.{ending}")),
        }
    }

    fn is_folder(&self, path: &str) -> bool {
        self.input.tree.find(path).is_some_and(|entry| entry.kind() == EntryKind::Folder)
    }
}

/// What the lists say about one file.
#[derive(Default)]
struct Facts {
    checksum: Option<String>,
    is_configuration: bool,
}

fn to_checksum(md5: &str) -> String {
    format!("md5:{}", md5.to_ascii_lowercase())
}

fn is_md5(checksum: &str) -> bool {
    checksum.len() == 32 && checksum.bytes().all(|byte| byte.is_ascii_hexdigit())
}
