//! The files that a package owns, one text each, for lists that have no place of their own for them.
//!
//! Shape:  five words with a space between: checksum, permissions in octal digits, size in bytes, marks, path; `-` where nothing is
//!         known. Marks: `c` the user may change it, `x` its content is another than the checksum says, `=` it is the same.

use model::OwnedFile;

use super::text::{decode, encode};

/// Name of the property that holds one file; it comes once for each.
pub(crate) const FILE: &str = "lazaret:file";
/// Most files of packages that one document may have. Those of a very large image; each takes some 200 bytes of memory.
pub(crate) const FILES_MAX: usize = 1_000_000;
/// A checksum without any letter: not a value that encoding gives.
const EMPTY: &str = "%";

/// The file as one text.
pub(crate) fn to_line(file: &OwnedFile) -> String {
    let OwnedFile { path, checksum, permissions, size_bytes, is_configuration, is_content_changed } = file;
    let checksum = checksum.as_deref().map_or_else(|| "-".to_owned(), word);
    let permissions = permissions.map_or_else(|| "-".to_owned(), |bits| format!("{bits:o}"));
    let size = size_bytes.map_or_else(|| "-".to_owned(), |size| size.to_string());
    let marks = match (is_configuration, is_content_changed) {
        (false, None) => "-",
        (true, None) => "c",
        (false, Some(true)) => "x",
        (true, Some(true)) => "cx",
        (false, Some(false)) => "=",
        (true, Some(false)) => "c=",
    };
    format!("{checksum} {permissions} {size} {marks} {}", encode(path))
}

/// A text without spaces that is not `-`.
fn word(text: &str) -> String {
    match text {
        "" => EMPTY.to_owned(),
        text => match text.strip_prefix('-') {
            Some(rest) => format!("%2D{}", encode(rest).replace(' ', "%20")),
            None => encode(text).replace(' ', "%20"),
        },
    }
}

/// The other way; `None`: it is no such text.
pub(crate) fn from_line(line: &str) -> Option<OwnedFile> {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().map(|word| Some(word).filter(|word| *word != "-"));
    let (checksum, permissions, size, marks) = (next()?, next()?, next()?, next()?.unwrap_or_default());
    Some(OwnedFile {
        path: decode(words.next().unwrap_or_default()),
        checksum: checksum.map(|word| if word == EMPTY { String::new() } else { decode(word) }),
        permissions: permissions.map(|word| u32::from_str_radix(word, 8)).transpose().ok()?,
        size_bytes: size.map(str::parse).transpose().ok()?,
        is_configuration: marks.contains('c'),
        is_content_changed: match (marks.contains('x'), marks.contains('=')) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_one_text_and_back() {
        let plain = OwnedFile { path: "/usr/bin/openssl".to_owned(), ..OwnedFile::default() };
        let whole = OwnedFile {
            path: "/etc/a b%41\n ".to_owned(),
            checksum: Some("sha256:0f".to_owned()),
            permissions: Some(0o4755),
            size_bytes: Some(12),
            is_configuration: true,
            is_content_changed: Some(false),
        };
        let odd = |checksum: &str| OwnedFile { checksum: Some(checksum.to_owned()), ..OwnedFile::default() };
        for (file, expected) in [
            (plain, "- - - - /usr/bin/openssl"),
            (whole, "sha256:0f 4755 12 c= /etc/a b%2541%0A%20"),
            (odd(""), "% - - - "),
            (odd("-"), "%2D - - - "),
            (odd("a b"), "a%20b - - - "),
        ] {
            assert_eq!(to_line(&file), expected);
            assert_eq!(from_line(expected), Some(file.clone()), "{expected}");
            assert_eq!(from_line(expected.trim()), Some(file), "{expected}");
        }
        for wrong in ["", "a", "- - -", "- 8 - - /a", "- - x - /a", "- - -1 - /a"] {
            assert_eq!(from_line(wrong), None, "{wrong}");
        }
    }
}
