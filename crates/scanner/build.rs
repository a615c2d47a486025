//! Gives inventories a version that changes whenever something does that decides what is found in an image beside the catalogers,
//! which have a version of their own: sources of this crate and of those below it, and the versions of outside crates.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// No source is larger, and no list of outside crates.
const SOURCE_BYTES_MAX: u64 = 1 << 22;
const SOURCES: [&str; 4] = ["src", "../image-layers/src", "../model/src", "../../Cargo.lock"];

fn main() -> std::io::Result<()> {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo:rerun-if-changed={source}");
        list(Path::new(source), &mut files)?;
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        let mut content = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "bounded by `take`")]
        std::fs::File::open(&file)?.take(SOURCE_BYTES_MAX).read_to_end(&mut content)?;
        (file, content).hash(&mut hasher);
    }
    println!("cargo:rustc-env=INVENTORY_SOURCES={:016x}", hasher.finish());
    Ok(())
}

/// The file, or all files of the folder but tests.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| name == "tests" || name == "tests.rs") {
            list(&path, files)?;
        }
    }
    Ok(())
}
