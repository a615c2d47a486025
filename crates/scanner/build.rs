//! Gives inventories a version that changes whenever something does that decides what is found in an image beside the catalogers,
//! which have a version of their own: sources of this crate and of those below it, and the versions of outside crates.

fn main() -> std::io::Result<()> {
    let sources = ["src", "../image-layers/src", "../model/src", "../../Cargo.lock"];
    source_fingerprint::emit("INVENTORY_SOURCES", &sources)
}
