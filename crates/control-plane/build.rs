//! Rebuilds the crate when a migration is added; the macro alone notices only changed files.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
