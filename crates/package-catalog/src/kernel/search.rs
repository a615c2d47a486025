//! Kernels and modules are known by their names; modules may be packed.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::TAG_KERNEL;
use super::image::{self, HEAD_BYTES};
use super::module::ModuleTexts;
use crate::extract::{ContentSearch, SearchedFile, Sections};
use crate::pattern_index::name;

const KERNELS: [&str; 2] = ["vmlinuz", "bzImage"];
/// More than the largest module has when it is unpacked.
const UNPACKED_BYTES_MAX: usize = 256 << 20;

/// Looks into one file after the other.
#[derive(Debug, Default)]
pub(crate) struct KernelSearch {
    kind: Kind,
}

#[derive(Default)]
enum Kind {
    #[default]
    Other,
    Kernel(Vec<u8>),
    Module(Sink),
    Packed(Box<MultiGzDecoder<Sink>>),
    PackedZstd(Box<zstd::stream::write::Decoder<'static, Sink>>),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Other => "Other",
            Self::Kernel(_) => "Kernel",
            Self::Module(_) => "Module",
            Self::Packed(_) => "Packed",
            Self::PackedZstd(_) => "PackedZstd",
        })
    }
}

/// Takes unpacked bytes.
struct Sink {
    texts: ModuleTexts,
    taken: usize,
}

impl Sink {
    fn new() -> Self {
        let mut texts = ModuleTexts::default();
        texts.clear();
        Self { texts, taken: 0 }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.taken += bytes.len();
        if self.taken > UNPACKED_BYTES_MAX {
            return Err(io::Error::other("module is too large"));
        }
        self.texts.read(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn kind_of(path: &str) -> Kind {
    let name = name(path);
    if KERNELS.iter().any(|kernel| name.starts_with(kernel)) {
        return Kind::Kernel(Vec::new());
    }
    let endings = ["", ".gz", ".zst"];
    let is_of = |ending: &&str| name.strip_suffix(ending).is_some_and(|module| module.ends_with(".ko"));
    let Some(ending) = endings.into_iter().find(is_of) else { return Kind::Other };
    match ending {
        _ if !format!("/{path}").contains("/lib/modules/") => Kind::Other,
        "" => Kind::Module(Sink::new()),
        ".gz" => Kind::Packed(Box::new(MultiGzDecoder::new(Sink::new()))),
        ".zst" => match zstd::stream::write::Decoder::new(Sink::new()) {
            Ok(decoder) => Kind::PackedZstd(Box::new(decoder)),
            Err(_) => Kind::Other,
        },
        _ => Kind::Other,
    }
}

impl ContentSearch for KernelSearch {
    fn start(&mut self, file: &SearchedFile<'_>) -> bool {
        self.kind = kind_of(file.path);
        !matches!(self.kind, Kind::Other)
    }

    fn read(&mut self, bytes: &[u8]) {
        let is_read = match &mut self.kind {
            Kind::Other => return,
            Kind::Kernel(head) => {
                let room = HEAD_BYTES - head.len();
                head.extend_from_slice(&bytes[..bytes.len().min(room)]);
                Ok(())
            }
            Kind::Module(sink) => sink.write_all(bytes),
            Kind::Packed(decoder) => decoder.write_all(bytes),
            Kind::PackedZstd(decoder) => decoder.write_all(bytes),
        };
        // A broken module has no version that anybody could load.
        if is_read.is_err() {
            self.kind = Kind::Other;
        }
    }

    fn end(&mut self, sections: &mut Sections) {
        let mut module = |found: Option<(String, String)>| {
            if let Some((name, version)) = found {
                sections.add(TAG_KERNEL, format!("{name}\n{version}").as_bytes());
            }
        };
        match std::mem::take(&mut self.kind) {
            Kind::Other => {}
            Kind::Kernel(head) => module(image::version(&head).map(|it| (String::new(), it.to_owned()))),
            Kind::Module(mut sink) => module(sink.texts.end()),
            Kind::Packed(mut decoder) => {
                if decoder.try_finish().is_ok() {
                    module(decoder.get_mut().texts.end());
                }
            }
            Kind::PackedZstd(mut decoder) => {
                if decoder.flush().is_ok() {
                    module(decoder.get_mut().texts.end());
                }
            }
        }
    }
}
