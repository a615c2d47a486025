//! Paths of archives, brought into the root of the image.

use std::cmp::Ordering;

/// The text form of a path from an archive: no leading slash, no empty, `.` or `..` component.
///
/// `..` is taken away together with the component before it and never leaves the root, as container runtimes do it before they
/// unpack. Bytes that are not UTF-8 become `\xHH`, so that different names stay different.
pub(crate) fn normalise(bytes: &[u8], out: &mut String) {
    out.clear();
    // Most paths are in this form already, but for a slash behind folders.
    let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
    if is_normal(bytes)
        && let Ok(text) = str::from_utf8(bytes)
    {
        out.push_str(text);
        return;
    }
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

/// Whether no component is empty or begins with a dot.
fn is_normal(bytes: &[u8]) -> bool {
    let is_odd = |byte: &u8| matches!(byte, b'/' | b'.');
    let is_odd_pair = |(left, right): (&u8, &u8)| *left == b'/' && is_odd(right);
    let Some((first, rest)) = bytes.split_first() else { return true };
    // Without a branch at every byte this is several bytes at once.
    !is_odd(first)
        && bytes.last() != Some(&b'/')
        && !bytes.iter().zip(rest).fold(false, |is, pair| is | is_odd_pair(pair))
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
    if path.is_empty() { 0 } else { 1 + memchr::memchr_iter(b'/', path.as_bytes()).count() as u64 }
}

/// Folder and name.
pub(crate) fn split_name(path: &str) -> (&str, &str) {
    memchr::memrchr(b'/', path.as_bytes()).map_or(("", path), |slash| (&path[..slash], &path[slash + 1..]))
}

/// Order by component, so that everything beneath a folder follows it without a gap (`a`, `a/b`, `a-b`).
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let at = shared_length(left, right);
    match (left.get(at), right.get(at)) {
        (Some(left), Some(right)) => key(*left).cmp(&key(*right)),
        _ => left.len().cmp(&right.len()),
    }
}

/// A slash is before everything else.
fn key(byte: u8) -> u8 {
    if byte == b'/' { 0 } else { byte }
}

/// How many bytes both begin with.
pub(crate) fn shared_length(left: &[u8], right: &[u8]) -> usize {
    // Eight bytes at a time: neighbours in an archive share long prefixes.
    let mut at = 0;
    for (left, right) in left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0) {
        let differing = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if differing != 0 {
            return at + differing.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + left[at..].iter().zip(&right[at..]).take_while(|(left, right)| left == right).count()
}

/// A number that is in the order of what comes from `start` on, as far as eight bytes tell: never in the opposite one.
pub(crate) fn order_key(path: &[u8], start: usize) -> u64 {
    let rest = path.get(start..).unwrap_or_default();
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(rest) {
        *to = key(*from);
    }
    u64::from_be_bytes(bytes)
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
        let cases: [(&[u8], &str); 22] = [
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
            (b"a.b/c.", "a.b/c."),
            (b".a", ".a"),
            (b"/a", "a"),
            (b"a//", "a"),
            (b"/", ""),
            (b"a/..b/c", "a/..b/c"),
            (b"abcdefgh/./ijkl", "abcdefgh/ijkl"),
            (b"a/..//", ""),
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
                for start in 0..=shared_length(left.as_bytes(), right.as_bytes()) {
                    let by_key = order_key(left.as_bytes(), start).cmp(&order_key(right.as_bytes(), start));
                    assert!(by_key.is_eq() || by_key == index.cmp(&other), "{left} {right} {start}");
                }
            }
        }
        assert!(is_beneath("a/b", "a") && is_beneath("a", "") && !is_beneath("a", "a"));
        assert!(!is_beneath("a-b", "a") && !is_beneath("ab/c", "a") && !is_beneath("", ""));
    }
}
