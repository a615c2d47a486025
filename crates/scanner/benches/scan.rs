//! How much a scan costs beyond what cannot be saved: inflating and hashing the layers.
//!
//! Both sides run in processes of their own, in turn, on the same archive in the page cache; the ratio of the medians is
//! what counts. The baseline reads each layer once, hashes it, inflates it and hashes that, with the same crates.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use flate2::read::MultiGzDecoder;
use scanner::{ImageSource, ScanOptions};
use sha2::{Digest as _, Sha256};

const ROUNDS: usize = 7;
const BUFFER: usize = 128 * 1024;

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).collect::<Vec<_>>();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--side", side, archive] => run_side(side, Path::new(archive)),
        _ => compare(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

struct Measured {
    time: Duration,
    memory_kib: u64,
}

fn compare() -> Result<()> {
    let archive = testkit::debian_images()?.vulnerable;
    let sides = ["inflate-and-hash", "scan"];
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (side, measured) in sides.iter().zip(&mut measured) {
            measured.push(measure(side, &archive)?);
        }
    }
    let mut output = io::stdout().lock();
    let size = std::fs::metadata(&archive)?.len();
    writeln!(
        output,
        "scan of a minbase Debian image, {:.1} MB compressed, {ROUNDS} rounds",
        megabytes(size)
    )?;
    let medians = measured.each_ref().map(|side| {
        let mut times = side.iter().map(|one| one.time).collect::<Vec<_>>();
        times.sort();
        (times[0], times[times.len() / 2], side.iter().map(|one| one.memory_kib).max().unwrap_or_default())
    });
    for (side, (best, median, memory)) in sides.iter().zip(medians) {
        writeln!(
            output,
            "  {side:<18} median {:>7.1} ms   best {:>7.1} ms   peak memory {:>6.1} MB",
            median.as_secs_f64() * 1e3,
            best.as_secs_f64() * 1e3,
            memory as f64 / 1024.0
        )?;
    }
    writeln!(output, "  ratio of medians   {:.2}", medians[1].1.as_secs_f64() / medians[0].1.as_secs_f64())?;
    Ok(())
}

fn measure(side: &str, archive: &Path) -> Result<Measured> {
    let output = Command::new(std::env::current_exe()?).arg("--side").arg(side).arg(archive).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next().context("a side prints two numbers")?.context("a side prints numbers");
    Ok(Measured { time: Duration::from_nanos(next()?), memory_kib: next()? })
}

fn run_side(side: &str, archive: &Path) -> Result<()> {
    let began = Instant::now();
    match side {
        "inflate-and-hash" => inflate_and_hash(archive)?,
        "scan" => scan(archive)?,
        _ => bail!("`{side}` is no side"),
    }
    let time = began.elapsed();
    writeln!(io::stdout(), "{} {}", time.as_nanos(), peak_memory_kib()?)?;
    Ok(())
}

fn inflate_and_hash(archive: &Path) -> Result<()> {
    let mut count = 0;
    for (offset, size) in gzip_blobs(archive)? {
        let mut file = File::open(archive)?;
        file.seek(SeekFrom::Start(offset))?;
        let compressed = Hashing { inner: file.take(size), hash: Sha256::new() };
        let mut inflated = MultiGzDecoder::new(io::BufReader::with_capacity(BUFFER, compressed));
        let mut hash = Sha256::new();
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = inflated.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hash.update(&buffer[..read]);
        }
        std::hint::black_box((hash.finalize(), inflated.into_inner().into_inner().hash.finalize()));
        count += 1;
    }
    ensure!(count > 0, "the archive has no gzip layer");
    Ok(())
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// Offset and size of each gzip blob of an OCI archive.
fn gzip_blobs(archive: &Path) -> Result<Vec<(u64, u64)>> {
    let mut blobs = Vec::new();
    let mut tar = tar::Archive::new(File::open(archive)?);
    for entry in tar.entries_with_seek()? {
        let mut entry = entry?;
        let place = (entry.raw_file_position(), entry.size());
        let mut magic = [0; 2];
        if entry.read(&mut magic)? == 2 && magic == [0x1f, 0x8b] {
            blobs.push(place);
        }
    }
    Ok(blobs)
}

fn scan(archive: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let source = ImageSource::OciArchive { path: PathBuf::from(archive), name: None };
    let scanned = runtime.block_on(scanner::load(&source, &ScanOptions::default()))?;
    ensure!(scanned.inventory.packages.len() > 50, "the image has hardly any package");
    std::hint::black_box(scanned);
    Ok(())
}

fn peak_memory_kib() -> Result<u64> {
    let status = std::fs::File::open("/proc/self/status")?;
    let mut text = String::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    io::Read::take(status, 1 << 16).read_to_string(&mut text)?;
    let line =
        text.lines().find(|line| line.starts_with("VmHWM:")).context("the kernel tells peak memory")?;
    Ok(line.split_whitespace().nth(1).context("VmHWM has a number")?.parse()?)
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
