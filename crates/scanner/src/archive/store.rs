//! A folder or a tar file as a set of named files.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use image_layers::{Compression, ImageLimits, LimitedReader, ReadAllError};

use crate::archive::tar_index::{Member, TarIndex};
use crate::error::ScanError;

/// Opened once, read by many threads: every read opens the file anew.
#[derive(Debug)]
pub(crate) struct Store {
    path: PathBuf,
    backing: Backing,
}

#[derive(Debug)]
enum Backing {
    Folder,
    Tar { index: TarIndex, compression: Compression, bytes_max: u64, window_log_max: u32 },
}

impl Store {
    /// Opens a folder, or a tar file that is plain or compressed with gzip or zstd. Blocking.
    pub(crate) fn open(path: &Path, limits: &ImageLimits) -> Result<Self, ScanError> {
        let failed = |source| ScanError::Io { path: path.to_owned(), source };
        let metadata = std::fs::metadata(path).map_err(failed)?;
        if metadata.is_dir() {
            return Ok(Self { path: path.to_owned(), backing: Backing::Folder });
        }
        let mut file = open_regular(path)?;
        let mut head = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
        file.by_ref().take(4).read_to_end(&mut head).map_err(failed)?;
        file.rewind().map_err(failed)?;
        let compression = Compression::sniff(&head);
        let (bytes_max, window_log_max) = (limits.unpacked_bytes_max, limits.zstd_window_log_max);
        let index = match compression {
            Compression::None => TarIndex::of_file(path, &mut file, metadata.len())?,
            _ => TarIndex::of_stream(
                path,
                &mut decompress(path, file, compression, bytes_max, window_log_max)?,
            )?,
        };
        Ok(Self {
            path: path.to_owned(),
            backing: Backing::Tar { index, compression, bytes_max, window_log_max },
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a file of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.size(name).is_some()
    }

    /// The size of a file, `None` if there is none.
    pub(crate) fn size(&self, name: &str) -> Option<u64> {
        match &self.backing {
            Backing::Folder => {
                let metadata = std::fs::metadata(self.path.join(name)).ok()?;
                metadata.is_file().then_some(metadata.len())
            }
            Backing::Tar { index, .. } => index.find(name).map(|member| member.size),
        }
    }

    /// A small file as a whole; `None` if there is none.
    pub(crate) fn read_small(
        &self,
        name: &str,
        limit: u64,
        what: &str,
    ) -> Result<Option<Vec<u8>>, ScanError> {
        let Some(reader) = self.reader(name)? else { return Ok(None) };
        match LimitedReader::new(reader, "bytes", limit).read_all() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ReadAllError::Limit(_)) => {
                let actual = self.size(name).unwrap_or(limit);
                Err(ScanError::TooLarge { what: what.to_owned(), actual, limit, unit: "bytes" })
            }
            Err(ReadAllError::Io(source)) => Err(ScanError::Io { path: self.path.clone(), source }),
        }
    }

    /// The bytes of a file; `None` if there is none. `name` is a fixed name or built from a digest when this is a folder.
    pub(crate) fn reader(&self, name: &str) -> Result<Option<Box<dyn Read + Send>>, ScanError> {
        match &self.backing {
            Backing::Folder => {
                let path = self.path.join(name);
                if !self.has(name) {
                    return Ok(None);
                }
                Ok(Some(Box::new(open_regular(&path)?)))
            }
            Backing::Tar { index, compression, bytes_max, window_log_max } => {
                let Some(Member { offset, size, .. }) = index.find(name).cloned() else { return Ok(None) };
                let failed = |source| ScanError::Io { path: self.path.clone(), source };
                let mut file = open_regular(&self.path)?;
                if *compression == Compression::None {
                    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
                    return Ok(Some(Box::new(file.take(size))));
                }
                let mut stream = decompress(&self.path, file, *compression, *bytes_max, *window_log_max)?;
                std::io::copy(&mut stream.by_ref().take(offset), &mut std::io::sink()).map_err(failed)?;
                Ok(Some(Box::new(stream.take(size))))
            }
        }
    }
}

/// A device or a pipe would block or never end.
fn open_regular(path: &Path) -> Result<File, ScanError> {
    let failed = |source| ScanError::Io { path: path.to_owned(), source };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(ScanError::NotAnArchive {
            path: path.to_owned(),
            problem: "it is not a regular file".to_owned(),
        });
    }
    File::open(path).map_err(failed)
}

fn decompress(
    path: &Path,
    file: File,
    compression: Compression,
    bytes_max: u64,
    window_log_max: u32,
) -> Result<Box<dyn Read + Send>, ScanError> {
    let failed = |source| ScanError::Io { path: path.to_owned(), source };
    let file = std::io::BufReader::with_capacity(128 << 10, file);
    let stream: Box<dyn Read + Send> = match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(file).map_err(failed)?;
            decoder.window_log_max(window_log_max).map_err(failed)?;
            Box::new(decoder)
        }
    };
    Ok(Box::new(LimitedReader::new(stream, "unpacked bytes of the archive", bytes_max)))
}
