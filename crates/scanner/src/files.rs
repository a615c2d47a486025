//! A folder or one file of this machine in place of an image: the same reading, of an archive that is made while it is read.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use image_layers::{Compression, ReadBudget, squash};
use model::{Diagnostic, DiagnosticCode, Inventory};
use walkdir::{DirEntry, WalkDir};

use crate::error::ScanError;
use crate::excluded::ExcludedPaths;
use crate::interest::Interest;
use crate::layers::{LayerTask, wanted_of};
use crate::load::{bounded, on_thread, report};
use crate::options::ScanOptions;
use crate::progress::Stage;

const MODE_MASK: u32 = 0o7777;
/// So many files that could not be read are told one by one.
const UNREADABLE_MAX: usize = 100;

/// Lists the packages in a folder, as if it were the root of an image, or in one file.
///
/// Other file systems below the folder are left out, links are not followed out of it. What cannot be read is a diagnostic.
pub async fn load_files(path: &Path, options: &ScanOptions) -> Result<Inventory, ScanError> {
    bounded(options, load_unbounded(path, options)).await
}

async fn load_unbounded(path: &Path, options: &ScanOptions) -> Result<Inventory, ScanError> {
    report(options, Stage::ReadingLayers);
    let failed = |source| ScanError::Io { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(failed(io::Error::other("it is neither a regular file nor a folder")));
    }
    let options = ScanOptions { contents: None, ..options.clone() };
    let interest = Interest::new(&options)?;
    let budget = ReadBudget::new();
    let (extractor, _) = interest.lookers();
    let task = LayerTask {
        digest: None,
        diff_id: None,
        compression: Some(Compression::None),
        wanted: Arc::new(package_catalog::is_wanted),
        extractor,
        observer: None,
        limits: options.limits.clone(),
        budget: budget.clone(),
    };
    let (layer, unreadable) = read(path, task, &options).await?;
    let diff_id = layer.diff_id().clone();
    let squashing = move || {
        let tree = squash(vec![layer]);
        let missing = interest.missing(&tree);
        (tree, missing, interest)
    };
    let (mut tree, missing, interest) = on_thread(squashing).await?;
    if !missing.is_empty() {
        report(&options, Stage::ReadingLinked);
        let wanted = wanted_of(missing.into_iter().map(|body| body.archive_path).collect());
        let task = LayerTask {
            digest: None,
            // A folder that changes meanwhile is another one.
            diff_id: Some(diff_id),
            compression: Some(Compression::None),
            wanted,
            extractor: None,
            observer: None,
            limits: options.limits.left_by(&budget),
            budget: ReadBudget::new(),
        };
        let (layer, _) = read(path, task, &options).await?;
        tree.fill(0, layer);
    }
    report(&options, Stage::Cataloging);
    let (mut inventory, _) = {
        let progress = options.progress.clone();
        on_thread(move || interest.catalog(&tree, Vec::new(), &[], progress.as_deref())).await?
    };
    // There are no layers: the archive was ours.
    inventory.layers.clear();
    for location in inventory.packages.iter_mut().flat_map(|package| &mut package.locations) {
        location.layer = None;
    }
    inventory.diagnostics.extend(unreadable);
    if metadata.is_file() && inventory.packages.is_empty() {
        inventory.diagnostics.push(not_understood(path));
    }
    inventory.diagnostics.sort();
    Ok(inventory)
}

/// In a folder there may be nothing of interest; whoever names one file wants to know what is in it.
fn not_understood(path: &Path) -> Diagnostic {
    let name = path.file_name().unwrap_or_default();
    Diagnostic {
        code: DiagnosticCode::UnreadableDatabase,
        subject: format!("/{}", name.display()),
        offset: None,
        message: "no package is recognised in this file, so nothing is known about it".to_owned(),
    }
}

async fn read(
    path: &Path,
    task: LayerTask,
    options: &ScanOptions,
) -> Result<(image_layers::Layer, Vec<Diagnostic>), ScanError> {
    let failed = |source| ScanError::Io { path: path.to_owned(), source };
    let (mut reader, writer) = io::pipe().map_err(failed)?;
    let archive = Archive::new(path, options.excluded.clone());
    let (written, read) =
        tokio::join!(on_thread(move || archive.write(writer)), on_thread(move || task.read(&mut reader)));
    let bad = |source| ScanError::in_layer(1, path.display().to_string(), source);
    match (written?, read?) {
        (_, Err(source)) => Err(bad(source)),
        (Err(source), Ok(_)) => Err(failed(source)),
        (Ok(unreadable), Ok((layer, _))) => Ok((layer, unreadable)),
    }
}

/// The archive that is made of a folder or a file. The same files give the same bytes.
struct Archive {
    root: PathBuf,
    excluded: ExcludedPaths,
    unreadable: Vec<Diagnostic>,
}

impl Archive {
    fn new(root: &Path, excluded: ExcludedPaths) -> Self {
        Self { root: root.to_owned(), excluded, unreadable: Vec::new() }
    }

    /// Writes all of it; the files that could not be read.
    fn write(mut self, out: impl Write) -> io::Result<Vec<Diagnostic>> {
        let mut archive = tar::Builder::new(out);
        archive.follow_symlinks(false);
        let root = self.root.clone();
        if root.is_file() {
            let name = root.file_name().map(PathBuf::from).unwrap_or_default();
            self.add_file(&mut archive, &root, &name)?;
        } else {
            let excluded = self.excluded.clone();
            let walk = WalkDir::new(&root).same_file_system(true).sort_by_file_name().min_depth(1);
            let within = root.clone();
            let is_kept = move |entry: &DirEntry| {
                !entry.path().strip_prefix(&within).is_ok_and(|inside| excluded.is_match(inside))
            };
            for entry in walk.into_iter().filter_entry(is_kept) {
                match entry {
                    Ok(entry) => self.add(&mut archive, &entry)?,
                    Err(error) => {
                        let path = error.path().unwrap_or(&root).to_owned();
                        self.tell(
                            &path,
                            error.io_error().map_or_else(|| error.to_string(), ToString::to_string),
                        );
                    }
                }
            }
        }
        archive.into_inner()?.flush()?;
        Ok(self.unreadable)
    }

    fn add(&mut self, archive: &mut tar::Builder<impl Write>, entry: &DirEntry) -> io::Result<()> {
        let Ok(inside) = entry.path().strip_prefix(&self.root) else { return Ok(()) };
        let kind = entry.file_type();
        let mut header = header(0o755);
        if kind.is_dir() {
            header.set_entry_type(tar::EntryType::Directory);
            archive.append_data(&mut header, inside, io::empty())
        } else if kind.is_symlink() {
            header.set_entry_type(tar::EntryType::Symlink);
            match std::fs::read_link(entry.path()) {
                Ok(target) => archive.append_link(&mut header, inside, target),
                Err(error) => {
                    self.tell(entry.path(), error.to_string());
                    Ok(())
                }
            }
        } else if kind.is_file() {
            let inside = inside.to_owned();
            self.add_file(archive, entry.path(), &inside)
        } else {
            // Devices, sockets and pipes hold no packages, and reading them may never end.
            Ok(())
        }
    }

    fn add_file(
        &mut self,
        archive: &mut tar::Builder<impl Write>,
        path: &Path,
        inside: &Path,
    ) -> io::Result<()> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                self.tell(path, error.to_string());
                return Ok(());
            }
        };
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions());
        let mut header = header(mode & MODE_MASK);
        header.set_size(metadata.len());
        let content = Content { file, left: metadata.len() };
        archive.append_data(&mut header, inside, content)
    }

    fn tell(&mut self, path: &Path, why: String) {
        if self.unreadable.len() < UNREADABLE_MAX {
            let inside = path.strip_prefix(&self.root).unwrap_or(path);
            self.unreadable.push(Diagnostic {
                code: DiagnosticCode::ContentNotSearched,
                subject: format!("/{}", inside.display()),
                offset: None,
                message: format!("file could not be read: {why}"),
            });
        }
    }
}

fn header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(0);
    header
}

/// Exactly as many bytes as were promised, of a file that may shrink or grow meanwhile.
struct Content {
    file: File,
    left: u64,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = match self.file.read(&mut buffer[..room])? {
            0 => {
                buffer[..room].fill(0);
                room
            }
            count => count,
        };
        self.left -= count as u64;
        Ok(count)
    }
}
