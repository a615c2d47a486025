//! One entry of a layer or of the squashed tree, compactly: an image may have a million of them.

use std::cmp::Ordering;

use crate::path;

/// No body was kept.
pub(crate) const BODY_NONE: u32 = u32::MAX;
/// The file is larger than the limit for wanted files.
pub(crate) const BODY_TOO_LARGE: u32 = u32::MAX - 1;
/// The file is stored without its holes, which is not read.
pub(crate) const BODY_SPARSE: u32 = u32::MAX - 2;

/// A piece of a layer's text. Without gaps in memory: a million entries have two each.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, packed(2))]
pub(crate) struct Span {
    start: u32,
    length: u16,
}

impl Span {
    pub(crate) fn get(self, text: &str) -> &str {
        let start = self.start as usize;
        &text[start..start + usize::from(self.length)]
    }

    /// The same as bytes, without a look at the text.
    pub(crate) fn bytes(self, text: &str) -> &[u8] {
        let start = self.start as usize;
        &text.as_bytes()[start..start + usize::from(self.length)]
    }

    /// The first `length` bytes of the span.
    pub(crate) fn prefix(self, length: usize) -> Self {
        let length = u16::try_from(length).map_or(self.length, |length| length.min(self.length));
        Self { start: self.start, length }
    }

    /// Where it begins, and how long it is.
    pub(crate) fn bounds(self) -> (u32, u16) {
        (self.start, self.length)
    }

    /// The piece at these bounds; `None` where the text has none.
    pub(crate) fn within(text: &str, start: u32, length: u16) -> Option<Self> {
        let first = start as usize;
        text.get(first..first + usize::from(length)).map(|_| Self { start, length })
    }

    /// Appends `piece` to the text; `None` where an offset or length would not fit.
    pub(crate) fn append(text: &mut String, piece: &str) -> Option<Self> {
        let start = u32::try_from(text.len()).ok()?;
        let length = u16::try_from(piece.len()).ok()?;
        // The end must be a valid offset too.
        start.checked_add(u32::from(length))?;
        text.push_str(piece);
        Some(Self { start, length })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Hides the path of lower layers and everything beneath.
    Whiteout,
    /// Hides everything beneath the path in lower layers.
    Opaque,
    Folder,
    /// A folder that the archive does not list but that other paths go through.
    ImpliedFolder,
    File,
    Symlink,
    /// A hard link whose target is not known yet, or not there at all.
    HardLink,
    Other,
}

impl Kind {
    /// All of them; the place of one is its number in stored facts.
    pub(crate) const ALL: [Self; 8] = [
        Self::Whiteout,
        Self::Opaque,
        Self::Folder,
        Self::ImpliedFolder,
        Self::File,
        Self::Symlink,
        Self::HardLink,
        Self::Other,
    ];

    pub(crate) fn is_folder(self) -> bool {
        matches!(self, Self::Folder | Self::ImpliedFolder)
    }

    pub(crate) fn is_marker(self) -> bool {
        matches!(self, Self::Whiteout | Self::Opaque)
    }

    /// Order at the same path: first what hides the path, then the path, then what hides its content.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Self::Whiteout => 0,
            Self::Opaque => 2,
            _ => 1,
        }
    }
}

/// One entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Item {
    /// In the text of `layer`.
    pub(crate) path: Span,
    /// Target of a link, or the path in the archive of the body of a file; in the text of `text_layer`.
    pub(crate) text: Span,
    /// Bytes of the file.
    pub(crate) size: u64,
    /// Position in the archive: later wins.
    pub(crate) order: u32,
    /// Position in its archive of the member with the body.
    pub(crate) origin: u32,
    /// Index of the kept body, or one of the `BODY_` values.
    pub(crate) body: u32,
    pub(crate) layer: u16,
    pub(crate) text_layer: u16,
    pub(crate) kind: Kind,
}

impl Item {
    /// An item with nothing but its place. Layers are numbered when they are squashed.
    pub(crate) fn bare(path: Span, order: u32) -> Self {
        Self {
            path,
            text: Span::default(),
            size: 0,
            order,
            origin: order,
            body: BODY_NONE,
            layer: 0,
            text_layer: 0,
            kind: Kind::Other,
        }
    }

    /// Whether the content of the file was kept.
    pub(crate) fn has_body(&self) -> bool {
        self.kind == Kind::File && self.body < BODY_SPARSE
    }

    /// Whether path and text are the same piece of the same layer's text: of most files they are.
    pub(crate) fn is_named_as_written(&self) -> bool {
        self.layer == self.text_layer && self.path.bounds() == self.text.bounds()
    }

    /// Takes over what a hard link's target is; path, layer and position stay.
    pub(crate) fn become_link_to(&mut self, target: &Self) {
        *self = Self { path: self.path, layer: self.layer, order: self.order, ..*target };
    }
}

/// Order of items in a layer.
pub(crate) fn compare(left: &Item, right: &Item, text: &str) -> Ordering {
    path::compare(left.path.get(text), right.path.get(text))
        .then_with(|| left.kind.rank().cmp(&right.kind.rank()))
        .then_with(|| left.order.cmp(&right.order))
}
