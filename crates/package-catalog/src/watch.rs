//! Who works when: told to whoever has a clock, because nothing here has one.

/// Is told what a catalog does, step by step; steps do not overlap.
pub trait CatalogWatcher {
    /// A cataloger, or a pass over all packages, begins; the same one may do so many times.
    fn begins(&mut self, name: &'static str);

    /// It is done, and has found so many packages.
    fn ends(&mut self, package_count: usize);
}

/// Nobody.
pub(crate) struct NoWatcher;

impl CatalogWatcher for NoWatcher {
    fn begins(&mut self, _: &'static str) {}

    fn ends(&mut self, _: usize) {}
}

/// Who reads sections of a tag, for people: tags belong to groups.
pub(crate) fn section_name(tag: u8) -> &'static str {
    match tag {
        1 | 2 => "go",
        3 => "node",
        4 => "python",
        10..=14 => "java",
        15..=19 => "dotnet",
        20 => "rust",
        21 => "elf",
        22..=24 => "binary",
        25 => "kernel",
        26 => "windows",
        30..=59 => "languages",
        60..=79 => "systems",
        _ => "others",
    }
}
