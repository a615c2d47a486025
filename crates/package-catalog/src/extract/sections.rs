//! The form of an extract: sections one behind the other, each with its tag and its length.

const LENGTH_BYTES: usize = 4;

/// Sections that are being put together.
#[derive(Debug, Default)]
pub(crate) struct Sections(Vec<u8>);

impl Sections {
    /// Adds one; a longer one than any limit allows is left out.
    pub(crate) fn add(&mut self, tag: u8, bytes: &[u8]) {
        let Ok(length) = u32::try_from(bytes.len()) else { return };
        self.0.push(tag);
        self.0.extend_from_slice(&length.to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    /// The extract; `None` where there is nothing in it.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (!self.0.is_empty()).then_some(self.0)
    }
}

/// The sections of an extract, as far as it is whole.
pub(crate) fn read_sections(extract: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = extract;
    std::iter::from_fn(move || {
        let (tag, after) = rest.split_first()?;
        let (length, after) = after.split_first_chunk::<LENGTH_BYTES>()?;
        let (section, after) = after.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        rest = after;
        Some((*tag, section))
    })
}

/// The first section with a tag.
pub(crate) fn section_of(extract: &[u8], tag: u8) -> Option<&[u8]> {
    read_sections(extract).find(|(found, _)| *found == tag).map(|(_, section)| section)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_together_is_read_again() {
        let mut sections = Sections::default();
        sections.add(1, b"one");
        sections.add(7, b"");
        sections.add(1, b"two");
        let extract = sections.finish().unwrap();
        let expected: [(u8, &[u8]); 3] = [(1, b"one"), (7, b""), (1, b"two")];
        assert_eq!(read_sections(&extract).collect::<Vec<_>>(), expected);
        assert_eq!(read_sections(&extract[..extract.len() - 1]).collect::<Vec<_>>(), expected[..2]);
        assert_eq!((section_of(&extract, 1), section_of(&extract, 2)), (Some(&b"one"[..]), None));
        assert_eq!(Sections::default().finish(), None);
    }
}
