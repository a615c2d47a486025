//! Where a browser goes after its login: to a path of this server and nowhere else.

const PATH_BYTES_MAX: usize = 512;

/// Whether a browser that is sent there stays here.
///
/// Browsers drop tabs and line ends from an address, take `\` for `/`, and read `//host` as another host.
pub(super) fn is_own_path(path: &str) -> bool {
    path.len() <= PATH_BYTES_MAX
        && path.starts_with('/')
        && !path.starts_with("//")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_own_paths_are_gone_to() {
        for own in ["/", "/pipeline", "/a/b?c=d#e", "/a//b", "/@example.com", "/https://example.com"] {
            assert!(is_own_path(own), "{own}");
        }
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        for other in [
            "",
            "a",
            "//example.com",
            "/\\example.com",
            "/\t/example.com",
            "/\n/example.com",
            "https://example.com",
            "javascript:alert(1)",
            " /a",
            "/ä",
            long.as_str(),
        ] {
            assert!(!is_own_path(other), "{other:?}");
        }
        assert!(is_own_path(&long[..PATH_BYTES_MAX]));
    }
}
