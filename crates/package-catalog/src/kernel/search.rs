//! Kernels and modules are known by their names; modules may be packed.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use liblzma::write::XzDecoder;

use super::TAG_KERNEL;
use super::image::{self, HEAD_BYTES};
use super::module::ModuleTexts;
use crate::extract::{ContentSearch, SearchedFile, Sections};
use crate::pattern_index::name;

const KERNELS: [&str; 2] = ["vmlinuz", "bzImage"];
/// More than the largest module has when it is unpacked.
const UNPACKED_BYTES_MAX: usize = 256 << 20;
/// How many times its own size a module may become; real ones become ten times as large. Small ones may become
/// [`RATIO_BYTES_FREE`] in any case.
const RATIO_MAX: u64 = 100;
const RATIO_BYTES_FREE: u64 = 1 << 20;
/// Memory that unpacking may take; modules are packed with a dictionary of one or two mebibytes.
const XZ_MEMORY_MAX: u64 = 32 << 20;
/// As much for zstd: the logarithm of its window.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;

/// Looks into one file after the other.
#[derive(Debug)]
pub(crate) struct KernelSearch {
    kind: Kind,
    unpacked_bytes_max: usize,
}

impl Default for KernelSearch {
    fn default() -> Self {
        Self::new(UNPACKED_BYTES_MAX)
    }
}

impl KernelSearch {
    /// One that unpacks no more than this of a file.
    pub(super) fn new(unpacked_bytes_max: usize) -> Self {
        Self { kind: Kind::Other, unpacked_bytes_max }
    }
}

#[derive(Default)]
enum Kind {
    #[default]
    Other,
    Kernel(Vec<u8>),
    Module(Sink),
    Packed(Box<MultiGzDecoder<Sink>>),
    PackedZstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
    PackedXz(Box<XzDecoder<Sink>>),
    /// What is wrong with it.
    Unreadable(String),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Other => "Other",
            Self::Kernel(_) => "Kernel",
            Self::Module(_) => "Module",
            Self::Packed(_) => "Packed",
            Self::PackedZstd(_) => "PackedZstd",
            Self::PackedXz(_) => "PackedXz",
            Self::Unreadable(_) => "Unreadable",
        })
    }
}

/// Takes unpacked bytes.
struct Sink {
    texts: ModuleTexts,
    left: usize,
}

impl Sink {
    fn new(left: usize) -> Self {
        let mut texts = ModuleTexts::default();
        texts.clear();
        Self { texts, left }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or_else(|| io::Error::other("it is too large"))?;
        self.texts.read(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn kind_of(path: &str, unpacked_bytes_max: usize) -> Kind {
    let name = name(path);
    if KERNELS.iter().any(|kernel| name.starts_with(kernel)) {
        return Kind::Kernel(Vec::new());
    }
    // Every file of an image is asked about, and one byte tells that nearly all are no module.
    if !matches!(name.bytes().next_back(), Some(b'o' | b'z' | b't')) {
        return Kind::Other;
    }
    let endings = ["", ".gz", ".zst", ".xz"];
    let is_of = |ending: &&str| name.strip_suffix(ending).is_some_and(|module| module.ends_with(".ko"));
    let Some(ending) = endings.into_iter().find(is_of) else { return Kind::Other };
    let sink = Sink::new(unpacked_bytes_max);
    match ending {
        _ if !format!("/{path}").contains("/lib/modules/") => Kind::Other,
        "" => Kind::Module(sink),
        ".gz" => Kind::Packed(Box::new(MultiGzDecoder::new(sink))),
        ".zst" => packed_by_zstd(sink).unwrap_or_else(|error| Kind::Unreadable(error.to_string())),
        ".xz" => match Stream::new_stream_decoder(XZ_MEMORY_MAX, CONCATENATED) {
            Ok(stream) => Kind::PackedXz(Box::new(XzDecoder::new_stream(sink, stream))),
            Err(error) => Kind::Unreadable(error.to_string()),
        },
        _ => Kind::Other,
    }
}

fn packed_by_zstd(sink: Sink) -> io::Result<Kind> {
    let mut decoder = zstd::stream::write::Decoder::new(sink)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
    Ok(Kind::PackedZstd(Box::new(decoder)))
}

impl Kind {
    fn read(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Other | Self::Unreadable(_) => Ok(()),
            Self::Kernel(head) => {
                let room = HEAD_BYTES - head.len();
                head.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Ok(())
            }
            Self::Module(sink) => sink.write_all(bytes),
            Self::Packed(decoder) => decoder.write_all(bytes),
            Self::PackedZstd(decoder) => decoder.write_all(bytes),
            Self::PackedXz(decoder) => decoder.write_all(bytes),
        }
    }

    /// Name and version, the name of a kernel empty.
    fn end(self) -> io::Result<Option<(String, String)>> {
        match self {
            Self::Other => Ok(None),
            Self::Unreadable(why) => Err(io::Error::other(why)),
            Self::Kernel(head) => Ok(image::version(&head).map(|it| (String::new(), it.to_owned()))),
            Self::Module(mut sink) => Ok(sink.texts.end()),
            Self::Packed(mut decoder) => {
                decoder.try_finish()?;
                Ok(decoder.get_mut().texts.end())
            }
            Self::PackedZstd(mut decoder) => {
                decoder.do_finish()?;
                Ok(decoder.get_mut().texts.end())
            }
            Self::PackedXz(mut decoder) => {
                decoder.try_finish()?;
                Ok(decoder.get_mut().texts.end())
            }
        }
    }
}

impl ContentSearch for KernelSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        // A few kilobytes must not keep the processor busy with zeros.
        let by_ratio = file.size_bytes.saturating_mul(RATIO_MAX).max(RATIO_BYTES_FREE);
        let unpacked_bytes_max = usize::try_from(by_ratio).unwrap_or(usize::MAX).min(self.unpacked_bytes_max);
        self.kind = kind_of(file.path, unpacked_bytes_max);
        !matches!(self.kind, Kind::Other)
    }

    fn read(&mut self, bytes: &[u8]) {
        if let Err(error) = self.kind.read(bytes) {
            self.kind = Kind::Unreadable(error.to_string());
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        match std::mem::take(&mut self.kind).end() {
            Ok(None) => {}
            Ok(Some((name, version))) => sections.add(TAG_KERNEL, format!("{name}\n{version}").as_bytes()),
            Err(why) => sections.add(TAG_KERNEL, format!("\n\n{why}").as_bytes()),
        }
    }
}
