//! The search: libFuzzer around the reader that `LAZARET_FUZZ_TARGET` names.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("LAZARET_FUZZ_TARGET").unwrap_or_default();
    fuzz::find(&name).map(|target| target.run).expect("`cargo xtask fuzz` names a target that exists")
});

fuzz_target!(|bytes: &[u8]| RUN(bytes));
