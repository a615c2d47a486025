//! Gives the catalogers a version that changes whenever one of their sources does: what was taken out of layers by others is
//! then taken out anew, and nobody has to remember to say so.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// No source is larger.
const SOURCE_BYTES_MAX: u64 = 1 << 20;

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=src");
    let mut files = Vec::new();
    list(Path::new("src"), &mut files)?;
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        let mut content = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
        std::fs::File::open(&file)?.take(SOURCE_BYTES_MAX).read_to_end(&mut content)?;
        (file, content).hash(&mut hasher);
    }
    println!("cargo:rustc-env=CATALOG_SOURCES={:016x}", hasher.finish());
    Ok(())
}

/// Sources that end up in the program.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "tests" && name != "testdata" {
                list(&path, files)?;
            }
        } else if name != "tests.rs" {
            files.push(path);
        }
    }
    Ok(())
}
