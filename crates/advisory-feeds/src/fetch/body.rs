//! What arrives: counted, unpacked, hashed, written beside the destination, and renamed when it is whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use flate2::write::GzDecoder;
use model::FeedKind;
use reqwest::Url;
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;

use super::{FeedRequest, FetchError, FetchedFile, Validators, shown};

/// How the transport packs a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Plain,
    Gzip,
}

enum Unpack {
    Plain,
    Gzip(Box<GzDecoder<Vec<u8>>>),
}

/// Takes a body piece by piece.
pub(super) struct Receiver {
    url: String,
    destination: PathBuf,
    file: tokio::fs::File,
    beside: TempPath,
    unpack: Unpack,
    look: Look,
    hasher: Sha256,
    received: u64,
    written: u64,
    bytes_max: u64,
}

impl Receiver {
    /// Opens a file beside the destination.
    pub(super) fn new(
        url: &Url,
        request: &FeedRequest<'_>,
        encoding: Encoding,
        bytes_max: u64,
    ) -> Result<Self, FetchError> {
        let destination = request.destination.to_owned();
        let (file, beside) = new_file_beside(&destination)
            .map_err(|source| FetchError::Disk { path: destination.clone(), source })?;
        Ok(Self {
            url: shown(url),
            destination,
            file: tokio::fs::File::from_std(file),
            beside,
            unpack: match encoding {
                Encoding::Plain => Unpack::Plain,
                Encoding::Gzip => Unpack::Gzip(Box::new(GzDecoder::new(Vec::new()))),
            },
            look: Look::new(Form::expected(request.kind, url.path())),
            hasher: Sha256::new(),
            received: 0,
            written: 0,
            bytes_max,
        })
    }

    /// Bytes that came over the line.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) async fn add(&mut self, chunk: &[u8]) -> Result<(), FetchError> {
        self.received = self.received.saturating_add(chunk.len() as u64);
        match &mut self.unpack {
            Unpack::Plain => self.keep(chunk).await,
            Unpack::Gzip(decoder) => {
                // A chunk is small, and a thousandfold of it is the most that comes out.
                let unpacked = decoder.write_all(chunk).map(|()| std::mem::take(decoder.get_mut()));
                let unpacked = unpacked.map_err(|_| self.not_the_content("its gzip is damaged"))?;
                self.keep(&unpacked).await
            }
        }
    }

    /// Checks that all has come, flushes the file and gives it its name.
    pub(super) async fn finish(
        mut self,
        expected: Option<u64>,
        validators: Validators,
    ) -> Result<FetchedFile, FetchError> {
        if let Unpack::Gzip(decoder) = std::mem::replace(&mut self.unpack, Unpack::Plain) {
            let rest = decoder.finish().map_err(|_| FetchError::Cut {
                url: self.url.clone(),
                received: self.received,
                expected,
            })?;
            self.keep(&rest).await?;
        }
        match self.look.judge() {
            Judgement::Whole => {}
            Judgement::CutOff => {
                return Err(FetchError::Cut { url: self.url, received: self.received, expected });
            }
            Judgement::SomethingElse(problem) => return Err(self.not_the_content(problem)),
        }
        let Self { destination, mut file, beside, hasher, written, .. } = self;
        let disk = |source| FetchError::Disk { path: destination.clone(), source };
        file.flush().await.map_err(disk)?;
        file.sync_all().await.map_err(disk)?;
        drop(file);
        beside.persist(&destination).map_err(|error| disk(error.error))?;
        flush_folder(&destination).map_err(disk)?;
        Ok(FetchedFile { validators, bytes: written, sha256: HEXLOWER.encode(&hasher.finalize()) })
    }

    async fn keep(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.bytes_max {
            return Err(FetchError::TooLarge { url: self.url.clone(), limit: self.bytes_max });
        }
        self.look.add(bytes);
        self.hasher.update(bytes);
        let disk = |source| FetchError::Disk { path: self.destination.clone(), source };
        self.file.write_all(bytes).await.map_err(disk)
    }

    fn not_the_content(&self, problem: &'static str) -> FetchError {
        FetchError::NotTheContent { url: self.url.clone(), problem }
    }
}

/// A file that vanishes unless it gets its name.
pub(super) fn new_file_beside(destination: &Path) -> std::io::Result<(std::fs::File, TempPath)> {
    let folder = destination.parent().unwrap_or(Path::new("."));
    let file = tempfile::Builder::new().prefix(".fetch-").suffix(".new").tempfile_in(folder)?;
    Ok(file.into_parts())
}

/// Without this the name may be gone after a power failure.
pub(super) fn flush_folder(destination: &Path) -> std::io::Result<()> {
    fs_err::File::open(destination.parent().unwrap_or(Path::new(".")))?.sync_all()
}

/// What a file should look like, from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Zip,
    Json,
    /// YAML, or packed: only that it is there and no web page can be seen from outside.
    Other,
}

impl Form {
    fn expected(kind: FeedKind, path: &str) -> Self {
        let path = path.to_ascii_lowercase();
        let ends = |endings: &[&str]| endings.iter().any(|ending| path.ends_with(ending));
        match kind {
            _ if ends(&[".zip"]) => Self::Zip,
            _ if ends(&[".gz", ".zst", ".yaml", ".yml"]) => Self::Other,
            FeedKind::Osv | FeedKind::AlpineSecdb | FeedKind::DebianTracker => Self::Json,
        }
    }
}

/// The length of the record that ends an archive, with the longest remark.
const ZIP_END_BYTES: usize = 22 + 65_535;

/// Looks at the first and the last bytes of a file as it goes by.
///
/// A server that announces fewer bytes than the file has is believed by the transport, so a file that was cut that way
/// can only be seen from its end.
struct Look {
    form: Form,
    head: Vec<u8>,
    tail: Vec<u8>,
    tail_bytes: usize,
}

enum Judgement {
    Whole,
    CutOff,
    SomethingElse(&'static str),
}

impl Look {
    fn new(form: Form) -> Self {
        let tail_bytes = if form == Form::Zip { ZIP_END_BYTES } else { 64 };
        Self { form, head: Vec::new(), tail: Vec::new(), tail_bytes }
    }

    fn add(&mut self, bytes: &[u8]) {
        let missing = 512_usize.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..missing]);
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(self.tail_bytes)..]);
        let surplus = self.tail.len().saturating_sub(self.tail_bytes);
        self.tail.drain(..surplus);
    }

    fn judge(&self) -> Judgement {
        let head = self.head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.head).trim_ascii_start();
        let last = self.tail.trim_ascii_end().last();
        match (self.form, head.first()) {
            (_, None) => Judgement::SomethingElse("it is empty"),
            (Form::Zip, _) if !head.starts_with(b"PK") => Judgement::SomethingElse("it is no zip archive"),
            (Form::Zip, _) if !self.tail.windows(4).any(|window| window == b"PK\x05\x06") => {
                Judgement::CutOff
            }
            (Form::Json | Form::Other, Some(b'<')) => {
                Judgement::SomethingElse("it is a web page or other markup")
            }
            (Form::Json, Some(b'{')) if last == Some(&b'}') => Judgement::Whole,
            (Form::Json, Some(b'[')) if last == Some(&b']') => Judgement::Whole,
            (Form::Json, Some(b'{' | b'[')) => Judgement::CutOff,
            (Form::Json, _) => Judgement::SomethingElse("it is no JSON"),
            (Form::Zip | Form::Other, _) => Judgement::Whole,
        }
    }
}
