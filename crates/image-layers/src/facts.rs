//! The facts of a layer as bytes, so that a layer that was read once need not be read again.
//!
//! Bytes that come back are foreign until proven: every length is held against the limits, every place against the text, and
//! whatever does not fit makes the whole unusable. Numbers are little-endian and of fixed width.

use std::io::{self, Read, Write};

use model::Digest;

use crate::item::{self, BODY_SPARSE, Item, Kind, Span};
use crate::record::Recording;
use crate::{ImageLimits, Layer, LayerError, ReadBudget};

/// Changes with the form of the bytes, and with what this crate takes out of an archive.
pub const FACTS_VERSION: u32 = 3;

/// A digest is shorter.
const DIGEST_BYTES_MAX: u64 = 256;

impl Layer {
    /// Writes everything that [`crate::squash`] and catalogers need.
    ///
    /// Errors: those of `out`; also for a layer that was read with an observer, because what an observer makes written down is
    /// not kept, and for one that was read in parts, because its digests were not checked.
    pub fn write_facts(&self, out: &mut dyn Write) -> io::Result<()> {
        if !self.recording.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "layer was read with an observer"));
        }
        if self.is_in_parts {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "digests of the layer were not checked"));
        }
        let Self { digest, diff_id, compressed_bytes, unpacked_bytes, entry_count, .. } = self;
        write_bytes(out, digest.to_string().as_bytes())?;
        write_bytes(out, diff_id.to_string().as_bytes())?;
        for number in [*compressed_bytes, *unpacked_bytes, *entry_count] {
            out.write_all(&number.to_le_bytes())?;
        }
        write_bytes(out, self.text.as_bytes())?;
        write_length(out, self.items.len())?;
        for item in &self.items {
            write_item(out, item)?;
        }
        write_length(out, self.bodies.len())?;
        for body in &self.bodies {
            write_bytes(out, body)?;
        }
        write_length(out, self.extracts.len())?;
        for (member, extract) in &self.extracts {
            out.write_all(&member.to_le_bytes())?;
            write_bytes(out, extract)?;
        }
        Ok(())
    }

    /// Reads what [`Self::write_facts`] wrote; nothing of it is counted against a budget yet, see [`Self::spend`].
    ///
    /// Errors: those of `reader`; `InvalidData` for anything that no layer within `limits` could have left.
    pub fn read_facts(reader: &mut dyn Read, limits: &ImageLimits) -> io::Result<Self> {
        let mut input = Input { reader };
        let digest = input.digest()?;
        let diff_id = input.digest()?;
        let (compressed_bytes, unpacked_bytes, entry_count) =
            (input.number()?, input.number()?, input.number()?);
        let text = input.bytes(limits.index_bytes_max)?;
        let text = String::from_utf8(text).map_err(|_| bad("paths are not text"))?;
        // Every entry leaves at most its item and a marker beside it.
        let item_count = input.length(limits.entries_max.saturating_mul(2))?;
        let mut items = Vec::with_capacity(item_count);
        for _ in 0..item_count {
            items.push(input.item(&text)?);
        }
        if !items.is_sorted_by(|left, right| item::compare(left, right, &text).is_le()) {
            return Err(bad("entries are not in order"));
        }
        let mut kept_left = limits.kept_bytes_max;
        let mut bodies = Vec::new();
        for _ in 0..input.length(limits.entries_max)? {
            let body = input.bytes(kept_left)?;
            kept_left -= body.len() as u64;
            bodies.push(body.into_boxed_slice());
        }
        if items.iter().any(|item| item.body < BODY_SPARSE && item.body as usize >= bodies.len()) {
            return Err(bad("an entry has a body that is not there"));
        }
        let mut extracts = Vec::new();
        for _ in 0..input.length(limits.entries_max)? {
            let member = input.small()?;
            let extract = input.bytes(kept_left)?;
            kept_left -= extract.len() as u64;
            extracts.push((member, extract.into_boxed_slice()));
        }
        if !extracts.is_sorted_by_key(|(member, _)| *member) {
            return Err(bad("extracts are not in order"));
        }
        if reader.read(&mut [0])? != 0 {
            return Err(bad("bytes behind the end"));
        }
        let recording = Recording::default();
        Ok(Self {
            digest,
            diff_id,
            compressed_bytes,
            unpacked_bytes,
            entry_count,
            text,
            items,
            bodies,
            extracts,
            recording,
            is_in_parts: false,
        })
    }

    /// Counts a layer that was not read from its archive against the limits of the image, as reading it would.
    pub fn spend(&self, limits: &ImageLimits, budget: &ReadBudget) -> Result<(), LayerError> {
        let extract_bytes = self.extracts.iter().map(|(_, extract)| extract.len() as u64);
        let kept_bytes = self.bodies.iter().map(|body| body.len() as u64).chain(extract_bytes).sum();
        budget
            .spend_unpacked(self.unpacked_bytes, limits)
            .and_then(|()| budget.spend_entries(self.entry_count, limits))
            .and_then(|()| budget.spend_index(self.text.len() as u64, limits))
            .and_then(|()| budget.spend_kept(kept_bytes, limits))
            .map_err(|breach| LayerError::Limit { layer: self.digest.to_string(), breach })
    }

    /// Counts the bodies that [`crate::ImageTree::fill`] takes over as what the image holds from then on.
    pub fn spend_bodies(&self, limits: &ImageLimits, budget: &ReadBudget) -> Result<(), LayerError> {
        let bytes = self.bodies.iter().map(|body| body.len() as u64).sum();
        let spent = budget.spend_kept(bytes, limits);
        spent.map_err(|breach| LayerError::Limit { layer: self.digest.to_string(), breach })
    }

    /// Says in which form the layer is transported where that is another one than when it was read.
    #[must_use]
    pub fn transported_as(self, digest: Digest, compressed_bytes: u64) -> Self {
        Self { digest, compressed_bytes, ..self }
    }

    /// Leaves only what [`crate::ImageTree::fill`] takes: entries with bodies, without their paths.
    #[must_use]
    pub fn into_bodies(self) -> Self {
        let has_body = |item: &Item| item.kind == Kind::File && item.body != item::BODY_NONE;
        let nameless = |item: Item| Item { path: Span::default(), text: Span::default(), ..item };
        let items = self.items.into_iter().filter(has_body).map(nameless);
        let mut items: Vec<Item> = items.collect();
        items.sort_by_key(|item| item.order);
        let entry_count = items.len() as u64;
        Self { text: String::new(), items, extracts: Vec::new(), entry_count, ..self }
    }
}

fn bad(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn write_length(out: &mut dyn Write, length: usize) -> io::Result<()> {
    out.write_all(&(length as u64).to_le_bytes())
}

fn write_bytes(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    write_length(out, bytes.len())?;
    out.write_all(bytes)
}

/// Layers are numbered when they are squashed: before, the numbers are zero and not written.
fn write_item(out: &mut dyn Write, item: &Item) -> io::Result<()> {
    let Item { path, text, size, order, origin, body, kind, layer: _, text_layer: _ } = item;
    let kind = Kind::ALL.iter().position(|known| known == kind).and_then(|at| u8::try_from(at).ok());
    out.write_all(&[kind.ok_or_else(|| bad("a kind without a number"))?])?;
    for (start, length) in [path.bounds(), text.bounds()] {
        out.write_all(&start.to_le_bytes())?;
        out.write_all(&length.to_le_bytes())?;
    }
    out.write_all(&size.to_le_bytes())?;
    for number in [order, origin, body] {
        out.write_all(&number.to_le_bytes())?;
    }
    Ok(())
}

struct Input<'a> {
    reader: &'a mut dyn Read,
}

impl Input<'_> {
    fn fixed<const COUNT: usize>(&mut self) -> io::Result<[u8; COUNT]> {
        let mut bytes = [0; COUNT];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> io::Result<u64> {
        self.fixed().map(u64::from_le_bytes)
    }

    fn small(&mut self) -> io::Result<u32> {
        self.fixed().map(u32::from_le_bytes)
    }

    fn length(&mut self, maximum: u64) -> io::Result<usize> {
        let length = self.number()?;
        let fits = usize::try_from(length).ok().filter(|_| length <= maximum);
        fits.ok_or_else(|| bad("a length is above its limit"))
    }

    /// Room is made as bytes come, not as a length promises them.
    fn bytes(&mut self, maximum: u64) -> io::Result<Vec<u8>> {
        const STEP: usize = 64 * 1024;
        let length = self.length(maximum)?;
        let mut bytes = Vec::with_capacity(length.min(STEP));
        while bytes.len() < length {
            let start = bytes.len();
            let step = (length - start).min(start.max(STEP));
            bytes.reserve_exact(step);
            bytes.resize(start + step, 0);
            self.reader.read_exact(&mut bytes[start..])?;
        }
        Ok(bytes)
    }

    fn digest(&mut self) -> io::Result<Digest> {
        let bytes = self.bytes(DIGEST_BYTES_MAX)?;
        let text = str::from_utf8(&bytes).map_err(|_| bad("a digest is not text"))?;
        text.parse().map_err(|_| bad("a digest is none"))
    }

    fn span(bytes: &[u8], text: &str) -> io::Result<Span> {
        let start = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let length = u16::from_le_bytes([bytes[4], bytes[5]]);
        Span::within(text, start, length).ok_or_else(|| bad("a path is outside of the paths"))
    }

    fn item(&mut self, all_text: &str) -> io::Result<Item> {
        let bytes: [u8; 33] = self.fixed()?;
        let kind = Kind::ALL.get(usize::from(bytes[0])).copied().ok_or_else(|| bad("an unknown kind"))?;
        let (path, text) = (Self::span(&bytes[1..7], all_text)?, Self::span(&bytes[7..13], all_text)?);
        let small = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let size = u64::from(small(13)) | u64::from(small(17)) << 32;
        let (order, origin, body) = (small(21), small(25), small(29));
        Ok(Item { path, text, size, order, origin, body, layer: 0, text_layer: 0, kind })
    }
}
