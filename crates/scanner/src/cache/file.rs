//! The form of a file: a head, the facts in one zstd frame, and a checksum over all of it; and the head of a layer's file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom, Write};

use image_layers::{ImageLimits, Layer};
use model::Digest;
use sha2::{Digest as _, Sha256};

use super::TRANSPORTS_MAX;

const MAGIC: &[u8; 8] = b"LAZFACT1";
const CHECKSUM_BYTES: u64 = 32;
const BUFFER_BYTES: usize = 128 * 1024;
/// Facts are mostly paths; more effort makes them hardly smaller.
const ZSTD_LEVEL: i32 = 1;
/// Far more than that level asks for.
const ZSTD_WINDOW_LOG_MAX: u32 = 24;

/// A form in which a layer is transported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Transport {
    pub(super) digest: Digest,
    pub(super) size_bytes: u64,
}

/// What a file holds.
pub(super) struct Stored {
    pub(super) layer: Layer,
    pub(super) transports: Vec<Transport>,
}

/// Writes the file of a layer.
pub(super) fn write(
    out: &mut File,
    key: &[u8; 32],
    transports: &[Transport],
    layer: &Layer,
) -> io::Result<()> {
    let mut head = [&MAGIC[..], key].concat();
    head.push(u8::try_from(transports.len()).map_err(io::Error::other)?);
    for Transport { digest, size_bytes } in transports {
        let text = digest.to_string();
        head.push(u8::try_from(text.len()).map_err(io::Error::other)?);
        head.extend_from_slice(text.as_bytes());
        head.extend_from_slice(&size_bytes.to_le_bytes());
    }
    write_whole(out, &head, |out| layer.write_facts(out))
}

/// Reads the file of a layer.
///
/// Errors: those of the file; `InvalidData` when it is not one that was written here, to its last byte, for this key.
pub(super) fn read(file: File, key: &[u8; 32], limits: &ImageLimits) -> io::Result<Stored> {
    let read_facts = |input: &mut dyn Read| Layer::read_facts(input, limits);
    let (transports, layer) = read_whole(file, |input| read_head(input, key), read_facts)?;
    Ok(Stored { layer, transports })
}

/// Writes a whole file: the head, then the body in one zstd frame, then the checksum of both.
pub(super) fn write_whole(
    out: &mut File,
    head: &[u8],
    write_body: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = Summed { inner: io::BufWriter::with_capacity(BUFFER_BYTES, out), sum: Sha256::new() };
    out.write_all(head)?;
    let mut encoder = zstd::stream::write::Encoder::new(&mut out, ZSTD_LEVEL)?;
    let mut buffered = io::BufWriter::with_capacity(BUFFER_BYTES, &mut encoder);
    write_body(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    encoder.finish()?;
    let Summed { mut inner, sum } = out;
    inner.write_all(&sum.finalize())?;
    inner.flush()
}

/// Reads a whole file; both readers must leave nothing behind.
///
/// Errors: those of the file and the readers; `InvalidData` when there is more, or the checksum is another.
pub(super) fn read_whole<Head, Body>(
    file: File,
    read_head: impl FnOnce(&mut dyn Read) -> io::Result<Head>,
    read_body: impl FnOnce(&mut dyn Read) -> io::Result<Body>,
) -> io::Result<(Head, Body)> {
    let (mut input, expected) = open(file)?;
    let head = read_head(&mut input)?;
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(BufReader::with_capacity(BUFFER_BYTES, input))?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    let mut buffered = BufReader::with_capacity(BUFFER_BYTES, decoder);
    let body = read_body(&mut buffered)?;
    if buffered.read(&mut [0])? != 0 {
        return Err(bad("more than the facts"));
    }
    let mut input = buffered.into_inner().finish();
    if input.read(&mut [0])? != 0 {
        return Err(bad("bytes behind the facts"));
    }
    let sum: [u8; 32] = input.into_inner().sum.finalize().into();
    if sum == expected { Ok((head, body)) } else { Err(bad("another checksum")) }
}

/// Reads only the known forms of transport, of a file that is whole.
pub(super) fn read_transports(file: File, key: &[u8; 32]) -> io::Result<Vec<Transport>> {
    let (mut input, expected) = open(file)?;
    let transports = read_head(&mut input, key)?;
    io::copy(&mut input, &mut io::sink())?;
    let sum: [u8; 32] = input.sum.finalize().into();
    if sum == expected { Ok(transports) } else { Err(bad("another checksum")) }
}

/// What is summed, and the sum that stands behind it.
fn open(mut file: File) -> io::Result<(Summed<io::Take<File>>, [u8; 32])> {
    let length = file.metadata()?.len();
    let summed = length.checked_sub(CHECKSUM_BYTES).ok_or_else(|| bad("too short"))?;
    file.seek(SeekFrom::Start(summed))?;
    let mut expected = [0; 32];
    file.read_exact(&mut expected)?;
    file.rewind()?;
    Ok((Summed { inner: file.take(summed), sum: Sha256::new() }, expected))
}

fn read_head(input: &mut dyn Read, key: &[u8; 32]) -> io::Result<Vec<Transport>> {
    let mut head = [0; MAGIC.len() + 32 + 1];
    input.read_exact(&mut head)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    if magic != MAGIC || rest[..32] != key[..] {
        return Err(bad("facts of something else"));
    }
    let count = usize::from(rest[32]);
    if count > TRANSPORTS_MAX {
        return Err(bad("too many forms of transport"));
    }
    let read_transport = |_| {
        let mut length = [0];
        input.read_exact(&mut length)?;
        let mut text = vec![0; usize::from(length[0])];
        input.read_exact(&mut text)?;
        let digest = str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
        let mut size = [0; 8];
        input.read_exact(&mut size)?;
        let digest = digest.ok_or_else(|| bad("a digest is none"))?;
        Ok(Transport { digest, size_bytes: u64::from_le_bytes(size) })
    };
    (0..count).map(read_transport).collect()
}

pub(super) fn bad(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

/// Sums up what passes.
struct Summed<T> {
    inner: T,
    sum: Sha256,
}

impl<T: Read> Read for Summed<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sum.update(&buffer[..count]);
        Ok(count)
    }
}

impl<T: Write> Write for Summed<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.sum.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
