//! One walk over the tree: every database to its cataloger, every result into one inventory.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use image_layers::{Body, ContentId, Entry, EntryKind, FindError, ImageTree};
use model::{Diagnostic, DiagnosticCode, Distro, Inventory, Location, Package, PackageKind};

use crate::dotnet::merge_assemblies;
use crate::extract::{SECTIONS, read_sections};
use crate::installed::{is_emptied, is_installed};
use crate::ownership::note_owners;
use crate::parse::{CatalogLimits, ParseInput, Parsed, Spent, is_always_told};
use crate::pattern_index::PatternIndex;
use crate::renamed::{Renamed, RenamedFiles};
use crate::table::CATALOGERS;
use crate::watch::{CatalogWatcher, NoWatcher, section_name};
use crate::{
    attribution, binary, bitnami, channel, dotnet, extract, jvm, node, notable, os_release, python, unread,
    wolfi,
};

static WANTED_PATHS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let linked = CATALOGERS.iter().flat_map(|cataloger| cataloger.linked_paths);
    os_release::CANDIDATES.iter().chain(linked).copied().collect()
});

static WANTED: LazyLock<PatternIndex> = LazyLock::new(|| {
    let of_catalogers = CATALOGERS.iter().flat_map(|it| it.databases.iter().chain(it.companions)).copied();
    PatternIndex::new(of_catalogers.chain(channel::PATTERNS))
});

static DATABASES: LazyLock<PatternIndex> =
    LazyLock::new(|| PatternIndex::new(CATALOGERS.iter().flat_map(|it| it.databases).copied()));

/// Manifests that describe a package whatever their size, by their tags.
const CERTAIN_MANIFESTS: [u8; 3] = [node::MANIFEST.tag, python::MANIFEST.tag, dotnet::MANIFEST.tag];

/// Whether the catalogers need the content of this file; `path` without a leading slash.
pub fn is_wanted(path: &str) -> bool {
    os_release::CANDIDATES.contains(&path) || channel::PATHS.contains(&path) || WANTED.matches(path)
}

/// Well-known paths, of files and folders, at which a link may stand that makes other files wanted.
pub(crate) fn wanted_paths() -> &'static [&'static str] {
    &WANTED_PATHS
}

/// Lists the packages of an image.
pub fn catalog(tree: &ImageTree, limits: &CatalogLimits) -> Inventory {
    catalog_watched(tree, limits, &mut NoWatcher)
}

/// Lists the packages of an image, and tells who works when.
///
/// Result: packages sorted by kind, name, version and location, each database once by however many links it is reached; a
///         diagnostic for everything that could not be read. Never fails.
pub fn catalog_watched(
    tree: &ImageTree,
    limits: &CatalogLimits,
    watcher: &mut dyn CatalogWatcher,
) -> Inventory {
    let (distro, diagnostics) = os_release::identify(tree);
    catalog_as(tree, distro, diagnostics, false, limits, watcher)
}

/// Lists the packages of a part of an image whose distro is known, such as one of its layers.
///
/// Result: as [`catalog`].
pub fn catalog_part(tree: &ImageTree, distro: Option<&Distro>, limits: &CatalogLimits) -> Inventory {
    catalog_as(tree, distro.cloned(), Vec::new(), true, limits, &mut NoWatcher)
}

fn catalog_as(
    tree: &ImageTree,
    mut distro: Option<Distro>,
    diagnostics: Vec<Diagnostic>,
    is_part: bool,
    limits: &CatalogLimits,
    watcher: &mut dyn CatalogWatcher,
) -> Inventory {
    let renamed = &RenamedFiles::read(tree, limits);
    let mut walk = Walk {
        tree,
        limits,
        renamed,
        distro: distro.as_ref(),
        watcher,
        read: BTreeSet::new(),
        extracted: BTreeSet::new(),
        is_part,
        packages: Vec::new(),
        diagnostics,
        untold_count: 0,
        is_at_database: false,
        is_database_lost: false,
        spent: Spent::default(),
    };
    for entry in notable::entries(tree, &|entry| is_notable(tree, renamed, entry)) {
        walk.visit(entry.path(), entry);
    }
    tree.visit_linked(wanted_paths(), &mut |path, entry| walk.visit(path, entry));
    walk.tell_circles();
    walk.tell_left_out();
    let Walk { mut packages, mut diagnostics, watcher, .. } = walk;
    watcher.begins("relations");
    merge_assemblies(tree, renamed, &mut packages);
    jvm::settle(&mut packages);
    sort(&mut packages);
    packages.dedup();
    wolfi::settle(&mut packages);
    bitnami::settle(&mut packages);
    note_owners(tree, &mut packages);
    if let Some(distro) = &mut distro {
        distro.channel = channel::find(tree, distro, &packages).map(str::to_owned);
    }
    binary::settle(&mut packages);
    diagnostics.sort();
    diagnostics.dedup();
    watcher.ends(0);
    Inventory { distro, packages, diagnostics, layers: tree.layers().cloned().collect() }
}

/// The order of an inventory.
pub(crate) fn sort(packages: &mut [Package]) {
    packages.sort_by(|left, right| sort_key(left).cmp(&sort_key(right)).then_with(|| left.cmp(right)));
}

fn sort_key(package: &Package) -> (PackageKind, &str, Option<&str>, &[Location]) {
    (package.kind, &package.name, package.version.as_deref(), &package.locations)
}

/// Whether anything is to be said about an entry under its own path: all that [`Walk::visit`] looks for has to be asked for here.
fn is_notable(tree: &ImageTree, renamed: &RenamedFiles, entry: Entry<'_>) -> bool {
    entry.kind() != EntryKind::Folder
        && (DATABASES.matches(entry.path())
            || unread::find(entry.path()).is_some()
            || entry.extract().is_some()
            || is_emptied(entry, tree)
            || renamed.find(tree, entry).is_some())
}

struct Walk<'a, 'w> {
    tree: &'a ImageTree,
    limits: &'a CatalogLimits,
    renamed: &'a RenamedFiles,
    distro: Option<&'a Distro>,
    watcher: &'w mut dyn CatalogWatcher,
    /// Cataloger and real path of every database that was read.
    read: BTreeSet<(&'static str, String)>,
    /// Files whose extract was read, and as what where that was under another name.
    extracted: BTreeSet<(ContentId, u64)>,
    /// Whether this is one layer of many, of which nothing was read again.
    is_part: bool,
    packages: Vec<Package>,
    diagnostics: Vec<Diagnostic>,
    untold_count: usize,
    /// Whether a database of the operating system is read right now.
    is_at_database: bool,
    /// Whether one of them could not be read.
    is_database_lost: bool,
    spent: Spent,
}

impl Walk<'_, '_> {
    /// Looks at one entry under the path at which it is seen.
    fn visit(&mut self, path: &str, entry: Entry<'_>) {
        if let Some(name) = unread::find(path) {
            let message = format!("{name}, which is not read: its packages are not in this inventory");
            self.is_database_lost = true;
            self.tell(DiagnosticCode::UnreadableDatabase, path, message);
        }
        if let Some(extract) = entry.extract().filter(|_| self.extracted.insert((entry.content_id(), 0))) {
            self.read_extract(extract, entry.path(), entry);
        }
        if is_emptied(entry, self.tree) {
            let message = "file that describes packages is empty: they are not in this inventory";
            self.tell(DiagnosticCode::PackagesLeftOut, entry.path(), message.to_owned());
        }
        self.read_renamed(entry);
        if !DATABASES.matches(path) {
            return;
        }
        for cataloger in CATALOGERS.iter().filter(|cataloger| cataloger.is_database(path)) {
            let file = match self.tree.resolve(entry.path()) {
                Ok(file) => file,
                Err(error) => {
                    self.tell_broken_link(path, error);
                    continue;
                }
            };
            if self.read.insert((cataloger.id, file.path().to_owned())) {
                let first = self.packages.len();
                self.watcher.begins(cataloger.id);
                // A snap is one package; the description of one may also be a template for others.
                self.is_at_database = cataloger.id != "snap";
                self.read_database(cataloger.parse, path, file);
                self.is_at_database = false;
                attribution::attribute(cataloger, self.tree, path, file, &mut self.packages[first..]);
                self.watcher.ends(self.packages.len() - first);
            }
        }
    }

    fn read_database(&mut self, parse: fn(&ParseInput<'_>) -> Parsed, path: &str, file: Entry<'_>) {
        let maximum = self.limits.database_path_bytes_max;
        let length = path.len().max(file.path().len());
        let (code, message) = match (file.kind(), file.body()) {
            _ if length > maximum => {
                let message = format!("path of the database has {length} bytes (limit {maximum})");
                (DiagnosticCode::PackagesLeftOut, message)
            }
            (EntryKind::File, Body::Kept(bytes)) => {
                return self.parse(parse, path, bytes, file);
            }
            (EntryKind::File, Body::TooLarge) => (
                DiagnosticCode::PackagesLeftOut,
                format!("database of {} bytes is larger than the limit", file.size()),
            ),
            (EntryKind::File, Body::Sparse) => {
                (DiagnosticCode::UnreadableDatabase, "database is stored as a sparse file".to_owned())
            }
            (EntryKind::File, Body::NotKept) => {
                (DiagnosticCode::UnreadableDatabase, "database was not read from its layer".to_owned())
            }
            (EntryKind::BrokenHardLink, _) => {
                (DiagnosticCode::BrokenLink, "database is a hard link to a file that is not there".to_owned())
            }
            (EntryKind::Folder | EntryKind::Symlink | EntryKind::Other, _) => {
                (DiagnosticCode::UnreadableDatabase, "database is not a regular file".to_owned())
            }
        };
        self.tell(code, path, message);
    }

    /// Reads what a file is under the name that a link gives it; once for all names of the same kind.
    fn read_renamed(&mut self, entry: Entry<'_>) {
        let Some((file, roles, renamed)) = self.renamed.find(self.tree, entry) else { return };
        if !self.extracted.insert((file.content_id(), roles)) {
            return;
        }
        match renamed {
            Renamed::Extract(extract) => self.read_extract(extract, entry.path(), file),
            Renamed::NotRead if !self.is_part => {
                let message = "file is what its name says by a link only, and too large or stored in a way to be read then";
                self.tell(DiagnosticCode::PackagesLeftOut, entry.path(), message.to_owned());
            }
            Renamed::NotRead | Renamed::Nothing => {}
        }
    }

    /// Reads what was taken out of a file while its layer streamed by; once for all names that the file has.
    fn read_extract(&mut self, extract: &[u8], path: &str, entry: Entry<'_>) {
        let maximum = self.limits.database_path_bytes_max;
        if path.len() > maximum {
            let message = format!("path of the file has {} bytes (limit {maximum})", path.len());
            return self.tell(DiagnosticCode::PackagesLeftOut, path, message);
        }
        for (tag, bytes) in read_sections(extract) {
            if let Some(why) = extract::left_out(bytes).filter(|_| CERTAIN_MANIFESTS.contains(&tag)) {
                self.tell(DiagnosticCode::PackagesLeftOut, path, why);
                continue;
            }
            if let Some(why) = extract::broken(bytes).filter(|_| is_installed(tag, path, self.tree)) {
                let message = format!("{why}; what it describes is not in this inventory");
                self.tell(DiagnosticCode::PackagesLeftOut, path, message);
                continue;
            }
            if let Some(section) = SECTIONS.iter().find(|section| section.tag == tag) {
                let first = self.packages.len();
                self.watcher.begins(section_name(tag));
                self.parse(section.parse, path, bytes, entry);
                self.watcher.ends(self.packages.len() - first);
            }
        }
    }

    fn parse(&mut self, parse: fn(&ParseInput<'_>) -> Parsed, path: &str, bytes: &[u8], file: Entry<'_>) {
        let location = &Location { path: format!("/{}", file.path()), layer: Some(file.layer().clone()) };
        let (tree, distro, limits) = (self.tree, self.distro, self.limits);
        let (spent, renamed) = (&self.spent, self.renamed);
        let input = ParseInput { tree, path, bytes, location, distro, limits, spent, renamed };
        let mut parsed = parse(&input);
        let found = parsed.packages.len();
        parsed.packages.retain(|package| !package.name.is_empty());
        if parsed.packages.len() < found {
            let message = format!("{} packages without a name are left out", found - parsed.packages.len());
            self.tell(DiagnosticCode::BrokenRecord, file.path(), message);
        }
        self.spent.packages.set(self.spent.packages.get() + parsed.packages.len());
        self.packages.extend(parsed.packages);
        for diagnostic in parsed.diagnostics {
            self.add(diagnostic);
        }
    }

    /// Links in a circle where a package database or the name of the system is looked for hide what is there.
    fn tell_circles(&mut self) {
        for path in wanted_paths() {
            let is_link = self.tree.locate(path).is_some_and(|entry| entry.kind() == EntryKind::Symlink);
            if is_link && matches!(self.tree.resolve(path), Err(FindError::TooManyLinks)) {
                self.tell_broken_link(path, FindError::TooManyLinks);
            }
        }
    }

    fn tell_broken_link(&mut self, path: &str, error: FindError) {
        self.tell(DiagnosticCode::BrokenLink, path, format!("what lies here cannot be reached: {error}"));
    }

    fn tell(&mut self, code: DiagnosticCode, path: &str, message: String) {
        self.add(Diagnostic { code, subject: format!("/{path}"), offset: None, message });
    }

    fn add(&mut self, diagnostic: Diagnostic) {
        self.is_database_lost |= self.is_at_database && diagnostic.code == DiagnosticCode::UnreadableDatabase;
        if self.diagnostics.len() < self.limits.diagnostics_sum_max
            || is_always_told(diagnostic.code, &self.diagnostics)
        {
            self.diagnostics.push(diagnostic);
        } else {
            self.untold_count += 1;
        }
    }

    /// What was left out of the image as a whole. These are always told.
    fn tell_left_out(&mut self) {
        let mut tell = |code, message| {
            self.diagnostics.push(Diagnostic { code, subject: "/".to_owned(), offset: None, message });
        };
        if self.spent.is_companion_left_out.get() {
            let message = format!(
                "more than {} bytes of files beside package databases: owned files and licenses are not complete",
                self.limits.companion_bytes_max
            );
            tell(DiagnosticCode::FileTooLarge, message);
        }
        if self.untold_count > 0 {
            let message = format!("{} more problems like these are not listed", self.untold_count);
            tell(DiagnosticCode::BrokenRecord, message);
        }
        // Where there are no other packages of the system, nobody takes an unread database for an empty one.
        if self.is_database_lost && self.packages.iter().any(|package| package.kind.is_operating_system()) {
            let message = "a package database could not be read: what it lists is not in this inventory";
            tell(DiagnosticCode::PackagesLeftOut, message.to_owned());
        }
    }
}
