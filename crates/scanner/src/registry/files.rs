//! Small local files, read with a limit.

use std::io::Read as _;
use std::path::Path;

use crate::error::ScanError;

/// The bytes of a file of at most `limit` bytes.
pub(crate) fn read_small_file(path: &Path, limit: u64) -> Result<Vec<u8>, ScanError> {
    let failed = |source| ScanError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed)?;
    let actual = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if actual > limit {
        return Err(ScanError::TooLarge {
            what: format!("file `{}`", path.display()),
            actual,
            limit,
            unit: "bytes",
        });
    }
    Ok(bytes)
}
