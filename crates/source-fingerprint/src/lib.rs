//! For build scripts: a version that changes whenever one of the sources does that it was made of. What was kept under it is then made
//! anew, and nobody has to remember to say so.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// No source is larger, and no list of outside crates.
const SOURCE_BYTES_MAX: u64 = 1 << 22;

/// What of a source folder never gets into the program.
const FOR_TESTS: [&str; 3] = ["tests", "tests.rs", "testdata"];

/// Puts the fingerprint of the files and folders `sources`, paths from the crate's folder, into the environment `variable` of the
/// crate that is built, and has it made anew when one of them changes.
#[expect(clippy::print_stdout, reason = "how a build script talks to cargo")]
pub fn emit(variable: &str, sources: &[&str]) -> std::io::Result<()> {
    let mut files = Vec::new();
    for source in sources {
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
    println!("cargo:rustc-env={variable}={:016x}", hasher.finish());
    Ok(())
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let path = entry?.path();
        if !path.file_name().is_some_and(|name| FOR_TESTS.iter().any(|for_tests| name == *for_tests)) {
            list(&path, files)?;
        }
    }
    Ok(())
}
