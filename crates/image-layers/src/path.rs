//! Paths of archives, brought into the root of the image.

use std::cmp::Ordering;

/// The text form of a path from an archive: no leading slash, no empty, `.` or `..` component.
///
/// `..` is taken away together with the component before it and never leaves the root, as container runtimes do it before they
/// unpack. Bytes that are not UTF-8 become `\xHH`, so that different names stay different.
pub(crate) fn normalise(bytes: &[u8], out: &mut String) {
    out.clear();
    for component in bytes.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => out.truncate(out.rfind('/').unwrap_or(0)),
            _ => {
                if !out.is_empty() {
                    out.push('/');
                }
                push_text(component, out);
            }
        }
    }
}

/// Appends bytes as text, with `\xHH` for what is not UTF-8.
pub(crate) fn push_text(bytes: &[u8], out: &mut String) {
    use std::fmt::Write as _;
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect("writing to a String cannot fail");
        }
    }
}

/// How deep a normalised path is.
pub(crate) fn depth(path: &str) -> u64 {
    if path.is_empty() { 0 } else { 1 + path.bytes().filter(|byte| *byte == b'/').count() as u64 }
}

/// Folder and name.
pub(crate) fn split_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Order by component, so that everything beneath a folder follows it without a gap (`a`, `a/b`, `a-b`).
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let shared = left.len().min(right.len());
    // Equal blocks are skipped eight bytes at a time: neighbours in an archive share long prefixes.
    let mut at = 0;
    while at + 8 <= shared && left[at..at + 8] == right[at..at + 8] {
        at += 8;
    }
    while at < shared {
        if left[at] != right[at] {
            let key = |byte: u8| if byte == b'/' { 0 } else { byte };
            return key(left[at]).cmp(&key(right[at]));
        }
        at += 1;
    }
    left.len().cmp(&right.len())
}

/// Whether `path` is inside the folder `folder` and not the folder itself. Everything is inside the root, which is empty.
pub(crate) fn is_beneath(path: &str, folder: &str) -> bool {
    if folder.is_empty() {
        return !path.is_empty();
    }
    path.len() > folder.len() && path.as_bytes()[folder.len()] == b'/' && path.starts_with(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_root() {
        let cases: [(&[u8], &str); 14] = [
            (b"etc/passwd", "etc/passwd"),
            (b"./etc/passwd", "etc/passwd"),
            (b"/etc//passwd/", "etc/passwd"),
            (b"../x", "x"),
            (b"/../../x", "x"),
            (b"a/../../x", "x"),
            (b"a/b/../c", "a/c"),
            (b"a/..", ""),
            (b"./", ""),
            (b"", ""),
            (b"a/...", "a/..."),
            (b"a/.b", "a/.b"),
            (b"a/\xff\xfe", "a/\\xff\\xfe"),
            ("a/ü".as_bytes(), "a/ü"),
        ];
        for (bytes, expected) in cases {
            let mut out = "old".to_owned();
            normalise(bytes, &mut out);
            assert_eq!(out, expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_folder_is_followed_by_what_is_in_it() {
        let sorted =
            ["a", "a/b", "a/b/c", "a/c", "a-b", "a.b", "a1", "abcdefgh", "abcdefgh/x", "abcdefgh-y", "b"];
        for (index, left) in sorted.iter().enumerate() {
            for (other, right) in sorted.iter().enumerate() {
                assert_eq!(compare(left, right), index.cmp(&other), "{left} {right}");
            }
        }
        assert!(is_beneath("a/b", "a") && is_beneath("a", "") && !is_beneath("a", "a"));
        assert!(!is_beneath("a-b", "a") && !is_beneath("ab/c", "a") && !is_beneath("", ""));
    }
}
