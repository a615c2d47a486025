//! How much a scan costs beyond what cannot be saved: inflating and hashing the layers.
//!
//! Both sides run in processes of their own, in turn, on the same archive in the page cache; the ratio of the medians is
//! what counts. The baseline reads each layer once, hashes it, inflates it and hashes that, with the same crates, layers in
//! parallel. Processor time stands beside the time: other work of the machine disturbs it less.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use flate2::read::MultiGzDecoder;
use scanner::{ImageSource, LayerCache, ScanOptions};
use sha2::{Digest as _, Sha256};

const ROUNDS: usize = 5;
/// A round of a large image takes long enough to be exact.
const ROUNDS_OF_LARGE: usize = 3;
const LARGE_BYTES: u64 = 100_000_000;
const BUFFER: usize = 128 * 1024;
/// Cold scan, as a multiple of the baseline.
const RATIO_TARGET: f64 = 1.3;

fn main() -> ExitCode {
    let arguments = std::env::args().skip(1).filter(|it| it != "--bench").collect::<Vec<_>>();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--side", side, archive, cache] => run_side(side, Path::new(archive), Path::new(cache)),
        images => compare(images),
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
    processor: Duration,
    memory_kib: u64,
}

/// `NAME=MEGABYTES=ARCHIVE`: what it is called, what memory its scan may take, and where it is.
struct Subject {
    name: String,
    memory_target: f64,
    archive: PathBuf,
}

impl Subject {
    fn parse(text: &str) -> Result<Self> {
        let parts = text.splitn(3, '=').collect::<Vec<_>>();
        let [name, target, archive] = parts[..] else { bail!("`{text}` is not NAME=MEGABYTES=ARCHIVE") };
        Ok(Self { name: name.to_owned(), memory_target: target.parse()?, archive: PathBuf::from(archive) })
    }
}

fn compare(images: &[&str]) -> Result<()> {
    let mut subjects = images.iter().map(|text| Subject::parse(text)).collect::<Result<Vec<_>>>()?;
    if subjects.is_empty() {
        let archive = testkit::debian_images()?.vulnerable;
        subjects.push(Subject { name: "minbase".to_owned(), memory_target: 64.0, archive });
    }
    let mut output = io::stdout().lock();
    writeln!(
        output,
        "{:<32}{:<27}{:>10}{:>10}{:>7}{:>12}{:>7}{:>10}",
        "image", "what", "median", "best", "ratio", "processor", "ratio", "peak"
    )?;
    for subject in &subjects {
        compare_one(subject, &mut output)?;
    }
    if let [first, others @ ..] = &subjects[..] {
        for other in others {
            compare_second(first, other, &mut output)?;
        }
    }
    Ok(())
}

/// A scan without a cache, one that fills it and those that find the image or its layers in it, beside the baseline.
fn compare_one(subject: &Subject, output: &mut impl Write) -> Result<()> {
    let Subject { name, memory_target, archive } = subject;
    let size = std::fs::metadata(archive)?.len();
    let rounds = if size > LARGE_BYTES { ROUNDS_OF_LARGE } else { ROUNDS };
    let sides = [
        "inflate and hash",
        "scan",
        "scan, filling a cache",
        "scan, image in the cache",
        "scan, layers in the cache",
    ];
    let mut measured = [const { Vec::new() }; 5];
    for _ in 0..rounds {
        let cache = tempfile::tempdir()?;
        for (side, measured) in sides.iter().zip(&mut measured) {
            if *side == "scan, layers in the cache" {
                forget_images(cache.path())?;
            }
            measured.push(measure(side, archive, cache.path())?);
        }
    }
    let baseline = Summary::of(&measured[0]);
    for (side, measured) in sides.iter().zip(&measured) {
        let summary = Summary::of(measured);
        let title = format!("{name}, {:.0} MB", megabytes(size));
        summary.print(&title, side, &baseline, output)?;
        if *side == "scan" {
            let (ratio, memory) = (summary.median / baseline.median, summary.memory_mb);
            let word = |is_held: bool| if is_held { "held" } else { "MISSED" };
            writeln!(
                output,
                "{:<32}  ratio {ratio:.2} (target {RATIO_TARGET}): {}; peak {memory:.0} MB (target {memory_target:.0}): {}",
                "",
                word(ratio <= RATIO_TARGET),
                word(memory <= *memory_target)
            )?;
        }
    }
    Ok(())
}

/// Leaves only what is known of single layers.
fn forget_images(cache: &Path) -> Result<()> {
    for entry in std::fs::read_dir(cache)? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "image") {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// A scan that finds in the cache what another image left there.
fn compare_second(first: &Subject, second: &Subject, output: &mut impl Write) -> Result<()> {
    let mut measured = Vec::new();
    for _ in 0..ROUNDS_OF_LARGE {
        let cache = tempfile::tempdir()?;
        measure("scan, filling a cache", &first.archive, cache.path())?;
        measured.push(measure("scan, filling a cache", &second.archive, cache.path())?);
    }
    let summary = Summary::of(&measured);
    let side = format!("scan, after {}", first.name);
    summary.print(&second.name, &side, &summary, output)
}

struct Summary {
    median: f64,
    best: f64,
    processor: f64,
    memory_mb: f64,
}

impl Summary {
    fn of(measured: &[Measured]) -> Self {
        let sorted = |value: fn(&Measured) -> Duration| {
            let mut times = measured.iter().map(|one| value(one).as_secs_f64() * 1e3).collect::<Vec<_>>();
            times.sort_by(f64::total_cmp);
            times
        };
        let (times, processor) = (sorted(|one| one.time), sorted(|one| one.processor));
        let memory = measured.iter().map(|one| one.memory_kib).max().unwrap_or_default();
        Self {
            median: times[times.len() / 2],
            best: times[0],
            processor: processor[processor.len() / 2],
            memory_mb: memory as f64 / 1024.0,
        }
    }

    fn print(&self, title: &str, side: &str, baseline: &Self, output: &mut impl Write) -> Result<()> {
        let Self { median, best, processor, memory_mb } = self;
        let (ratio, processor_ratio) = (median / baseline.median, processor / baseline.processor.max(1.0));
        writeln!(
            output,
            "{title:<32}{side:<27}{median:>7.0} ms{best:>7.0} ms{ratio:>7.2}{processor:>9.0} ms{processor_ratio:>7.2}{memory_mb:>7.1} MB"
        )?;
        Ok(())
    }
}

fn measure(side: &str, archive: &Path, cache: &Path) -> Result<Measured> {
    let mut command = Command::new(std::env::current_exe()?);
    let output = command.arg("--side").arg(side).arg(archive).arg(cache).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let mut numbers = text.split_whitespace().map(str::parse::<u64>);
    let mut next = || numbers.next().context("a side prints three numbers")?.context("a side prints numbers");
    Ok(Measured {
        time: Duration::from_nanos(next()?),
        processor: Duration::from_millis(next()? * 10),
        memory_kib: next()?,
    })
}

fn run_side(side: &str, archive: &Path, cache: &Path) -> Result<()> {
    let began = Instant::now();
    match side {
        "inflate and hash" => inflate_and_hash(archive)?,
        "scan" => scan(archive, None)?,
        "scan, filling a cache" | "scan, image in the cache" | "scan, layers in the cache" => {
            scan(archive, Some(cache))?;
        }
        _ => bail!("`{side}` is no side"),
    }
    let time = began.elapsed();
    writeln!(io::stdout(), "{} {} {}", time.as_nanos(), processor_ticks()?, peak_memory_kib()?)?;
    Ok(())
}

/// Every layer on a thread of its own, as many at once as there are processors.
fn inflate_and_hash(archive: &Path) -> Result<()> {
    let blobs = gzip_blobs(archive)?;
    ensure!(!blobs.is_empty(), "the archive has no gzip layer");
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some((offset, size)) = blobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            inflate_and_hash_one(archive, *offset, *size)?;
        }
        Ok(())
    };
    let threads = std::thread::available_parallelism()?.get();
    std::thread::scope(|scope| {
        let running = (0..threads).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
    })
}

fn inflate_and_hash_one(archive: &Path, offset: u64, size: u64) -> Result<()> {
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

fn scan(archive: &Path, cache: Option<&Path>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let source = ImageSource::OciArchive { path: PathBuf::from(archive), name: None };
    let layer_cache = cache.map(|folder| LayerCache::new(folder.to_owned(), LayerCache::BYTES_MAX_DEFAULT));
    let options = ScanOptions { layer_cache, ..ScanOptions::default() };
    let scanned = runtime.block_on(scanner::load(&source, &options))?;
    ensure!(scanned.inventory.packages.len() > 50, "the image has hardly any package");
    std::hint::black_box(scanned);
    Ok(())
}

fn read_of_process(name: &str) -> Result<String> {
    let file = File::open(Path::new("/proc/self").join(name))?;
    let mut text = String::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    io::Read::take(file, 1 << 16).read_to_string(&mut text)?;
    Ok(text)
}

fn peak_memory_kib() -> Result<u64> {
    let text = read_of_process("status")?;
    let line =
        text.lines().find(|line| line.starts_with("VmHWM:")).context("the kernel tells peak memory")?;
    Ok(line.split_whitespace().nth(1).context("VmHWM has a number")?.parse()?)
}

/// Processor time in hundredths of a second.
fn processor_ticks() -> Result<u64> {
    let text = read_of_process("stat")?;
    let (_, rest) = text.rsplit_once(')').context("the kernel names the program")?;
    let fields = rest.split_whitespace().collect::<Vec<_>>();
    let [user, system] = [11, 12].map(|at| fields.get(at).and_then(|field| field.parse::<u64>().ok()));
    user.zip(system).map(|(user, system)| user + system).context("the kernel tells processor time")
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
