//! Which files may be looked into, told by no more than their names, sizes and modes: for whoever pays for each content.

use image_layers::FileStart;

use super::{EXECUTABLE_BYTES_MIN, HEAD_BYTES, LayerExtractor, MANIFESTS, SearchedFile};
use crate::pattern_index::name;

/// First bytes of archives: whatever is searched that is no executable is searched with these too.
const ARCHIVE_HEAD: [u8; HEAD_BYTES] = *b"PK\x03\x04";

/// Endings of names of files that are neither programs nor libraries, whatever they hold.
const DATA_ENDINGS: &[&str] = &[
    "aff",
    "afm",
    "bmp",
    "c",
    "cc",
    "cfg",
    "cmake",
    "conf",
    "cpp",
    "crt",
    "css",
    "csv",
    "dat",
    "db",
    "desktop",
    "dic",
    "diff",
    "dtd",
    "eot",
    "erb",
    "flac",
    "gif",
    "go",
    "h",
    "hpp",
    "htm",
    "html",
    "icns",
    "ico",
    "ini",
    "java",
    "jpeg",
    "jpg",
    "js",
    "json",
    "jsx",
    "less",
    "list",
    "log",
    "lua",
    "map",
    "markdown",
    "md",
    "md5sums",
    "mjs",
    "mo",
    "mp3",
    "mp4",
    "ogg",
    "otf",
    "pc",
    "pdf",
    "pem",
    "php",
    "pl",
    "plist",
    "pm",
    "png",
    "po",
    "pod",
    "pot",
    "properties",
    "ps1",
    "py",
    "pyc",
    "pyi",
    "pyo",
    "pyx",
    "rb",
    "rs",
    "rst",
    "scss",
    "sh",
    "shlibs",
    "sql",
    "sqlite",
    "svg",
    "symbols",
    "tcl",
    "templates",
    "tex",
    "texi",
    "tif",
    "tiff",
    "toml",
    "triggers",
    "ts",
    "tsv",
    "tsx",
    "ttc",
    "ttf",
    "txt",
    "vim",
    "vue",
    "wav",
    "webp",
    "woff",
    "woff2",
    "xml",
    "xsd",
    "xsl",
    "xslt",
    "yaml",
    "yml",
];

/// Folders in which a packager puts nothing that runs.
const DATA_FOLDERS: &[&str] = &[
    "usr/include/",
    "usr/share/doc/",
    "usr/share/fonts/",
    "usr/share/i18n/",
    "usr/share/icons/",
    "usr/share/info/",
    "usr/share/locale/",
    "usr/share/man/",
    "usr/share/mime/",
    "usr/share/terminfo/",
    "usr/share/zoneinfo/",
];

impl LayerExtractor {
    /// Whether something may be looked for in a file whose content is not there yet.
    ///
    /// Files of which only the first bytes tell that they are programs are taken for possible ones, unless nobody may execute them
    /// and their name or folder is one of data. Everything that is known by its path is exact.
    pub fn may_look_into(&mut self, file: &FileStart<'_>) -> bool {
        if MANIFESTS.iter().any(|kind| (kind.is_manifest)(file.path)) {
            return file.size_bytes > 0;
        }
        let may_run = file.is_executable || !is_data(file.path);
        // Every executable is searched for build information of Go, whatever it is called.
        if may_run && file.size_bytes >= EXECUTABLE_BYTES_MIN {
            return true;
        }
        if file.size_bytes < HEAD_BYTES as u64 {
            return false;
        }
        let (path, size_bytes) = (file.path, file.size_bytes);
        let searched = SearchedFile { path, size_bytes, head: ARCHIVE_HEAD };
        self.searches.iter_mut().any(|it| it.search.start(&searched))
    }
}

fn is_data(path: &str) -> bool {
    if DATA_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return true;
    }
    let name = name(path);
    // A version behind the ending, as in `libc.so.6`, is no ending.
    if name.contains(".so.") {
        return false;
    }
    name.rsplit_once('.').is_some_and(|(_, ending)| {
        let ending = ending.to_ascii_lowercase();
        DATA_ENDINGS.binary_search(&ending.as_str()).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CatalogLimits;
    use crate::extract::searches;

    #[test]
    fn what_may_hold_something_is_looked_into() {
        assert!(DATA_ENDINGS.is_sorted());
        let mut extractor = LayerExtractor::new(&CatalogLimits::default());
        let mut check = |path: &str, size_bytes, is_executable, expected| {
            let file = FileStart { path, size_bytes, is_executable };
            assert_eq!(extractor.may_look_into(&file), expected, "{path} {size_bytes} {is_executable}");
        };
        for (path, is_executable, expected) in [
            ("usr/bin/app", true, true),
            ("usr/bin/app", false, true),
            ("usr/lib/libc.so.6", false, true),
            ("srv/LIB.DLL", false, true),
            ("srv/app.py", false, false),
            ("srv/app.py", true, true),
            ("usr/share/doc/app/copyright", false, false),
            ("usr/share/doc/app/example", true, true),
            ("srv/picture.PNG", false, false),
            ("srv/app.jar", false, true),
            ("srv/a.tar", false, true),
            ("app/node_modules/a/package.json", false, true),
            ("app/node_modules/a/index.js", false, false),
            ("usr/lib/python3/site-packages/a-1.dist-info/METADATA", false, true),
            ("opt/conda/conda-meta/a-1-0.json", false, true),
        ] {
            check(path, 1000, is_executable, expected);
        }
        for head in [*b"\x7fELF", *b"MZ\x90\0", [0xca, 0xfe, 0xba, 0xbe]] {
            let smallest = SearchedFile { path: "a", size_bytes: EXECUTABLE_BYTES_MIN, head };
            assert!(searches(&CatalogLimits::default()).iter_mut().any(|search| search.start(&smallest)));
        }
        check("usr/bin/app", 64, true, true);
        check("srv/a.jar", 4, false, true);
        check("srv/a.jar", 3, false, false);
        check("srv/a.png", 1 << 20, false, false);
        check("usr/bin/app", 3, true, false);
        check("usr/bin/app", 63, true, false);
        check("app/node_modules/a/package.json", 0, false, false);
    }
}
