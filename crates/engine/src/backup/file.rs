//! The file of a backup: frames in one compressed stream, with a checksum over everything at the end.
//!
//! ```text
//! "lazaret backup 1\n"   the form; another number is another form
//! zstd( frame … )        a frame: length (u32, little endian), then one postcard `Frame`; the last is `End`
//! SHA-256                of all bytes before
//! ```
//!
//! Limits: one frame 1 GiB, which is more than a row may hold.

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use fs_err::File;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::BackupError;

const MAGIC: &[u8] = b"lazaret backup ";
const FORM: &[u8] = b"1\n";
const CHECKSUM_BYTES: u64 = 32;
const FRAME_BYTES_MAX: u32 = 1 << 30;
const BUFFER_BYTES: usize = 256 << 10;

/// One part of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Frame {
    /// The first.
    Header {
        program: String,
        created_us: i64,
        /// Owner and newest migration of its tables.
        schemas: Vec<(String, i64)>,
    },
    /// The rows that follow are of this table.
    Table { name: String, columns: Vec<String> },
    /// Rows, each value in the order of the columns.
    Rows(Vec<Vec<Cell>>),
    /// The bytes that follow are of this file, relative to the data folder.
    File { path: String },
    /// Bytes of a file.
    Bytes(Vec<u8>),
    /// The last, with what should have come.
    End { rows: u64, files: u64 },
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Option<storage::Value>> for Cell {
    fn from(value: Option<storage::Value>) -> Self {
        match value {
            Some(storage::Value::Integer(Some(value))) => Self::Integer(value),
            Some(storage::Value::Text(Some(value))) => Self::Text(value),
            Some(storage::Value::Bytes(Some(value))) => Self::Bytes(value),
            _ => Self::Null,
        }
    }
}

impl From<Cell> for Option<storage::Value> {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => None,
            Cell::Integer(value) => Some(value.into()),
            Cell::Text(value) => Some(value.into()),
            Cell::Bytes(value) => Some(value.into()),
        }
    }
}

/// Passes bytes on and sums them up.
struct Summing<T> {
    inner: T,
    sum: Sha256,
}

impl<T: Write> Write for Summing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sum.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes a backup.
pub(super) struct Writer(zstd::Encoder<'static, Summing<BufWriter<File>>>);

impl Writer {
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        // Keys are in it: for nobody else.
        let mut options = fs_err::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.options_mut(), 0o600);
        let file = options.write(true).create_new(true).open(path)?;
        let mut inner = Summing { inner: BufWriter::with_capacity(BUFFER_BYTES, file), sum: Sha256::new() };
        inner.write_all(MAGIC)?;
        inner.write_all(FORM)?;
        Ok(Self(zstd::Encoder::new(inner, 0)?))
    }

    pub(super) fn write(&mut self, frame: &Frame) -> Result<(), BackupError> {
        let bytes = postcard::to_stdvec(frame).map_err(|error| BackupError::Damaged(error.to_string()))?;
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= FRAME_BYTES_MAX);
        let length = length.ok_or_else(|| BackupError::Damaged("a row has more than 1 GiB".to_owned()))?;
        self.0.write_all(&length.to_le_bytes())?;
        Ok(self.0.write_all(&bytes)?)
    }

    /// Ends the file; it is on the disk when this returns.
    pub(super) fn finish(self) -> io::Result<()> {
        let Summing { mut inner, sum } = self.0.finish()?;
        inner.write_all(&sum.finalize())?;
        inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// Reads a backup whose checksum is right.
pub(super) struct Reader(zstd::Decoder<'static, BufReader<io::Take<File>>>);

impl Reader {
    /// Opens a file after its checksum was compared, so that nothing is done with a part of one.
    pub(super) fn open(path: &Path) -> Result<Self, BackupError> {
        let damaged = |what: &str| BackupError::Damaged(what.to_owned());
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut magic = [0; MAGIC.len() + FORM.len()];
        file.read_exact(&mut magic).map_err(|_| damaged("it is no backup of Lazaret"))?;
        match magic.strip_prefix(MAGIC) {
            None => return Err(damaged("it is no backup of Lazaret")),
            Some(form) if form != FORM => return Err(BackupError::ForeignForm),
            Some(_) => {}
        }
        let head = magic.len() as u64;
        let content = length
            .checked_sub(head + CHECKSUM_BYTES)
            .ok_or_else(|| damaged("it is cut off: not even a checksum is in it"))?;
        let mut sum = Summing { inner: io::sink(), sum: Sha256::new_with_prefix(magic) };
        io::copy(&mut (&mut file).take(content), &mut sum)?;
        let mut stated = [0; 32];
        file.read_exact(&mut stated)?;
        if sum.sum.finalize()[..] != stated {
            return Err(damaged("its checksum is wrong: it was cut off or changed"));
        }
        let mut file = File::open(path)?;
        file.read_exact(&mut magic)?;
        Ok(Self(zstd::Decoder::new(file.take(content))?))
    }

    /// The next part. What follows the last one is not looked at: the checksum says there is nothing.
    pub(super) fn read(&mut self) -> Result<Frame, BackupError> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let length = u32::from_le_bytes(length);
        if length > FRAME_BYTES_MAX {
            return Err(BackupError::Damaged(format!("a part has {length} bytes (limit {FRAME_BYTES_MAX})")));
        }
        let mut bytes = Vec::new();
        if io::copy(&mut (&mut self.0).take(length.into()), &mut bytes)? != u64::from(length) {
            return Err(BackupError::Damaged("it ends inside a part".to_owned()));
        }
        postcard::from_bytes(&bytes).map_err(|error| BackupError::Damaged(error.to_string()))
    }
}
