//! Bundles as arguments: the name of a predefined one, or a file.

use std::path::Path;

use anyhow::Context as _;
use policy::Bundle;

use crate::config;

const BUNDLE_BYTES_MAX: u64 = 8 << 20;

/// Loads and checks a bundle.
///
/// Errors: neither a name nor a readable file, not JSON, or no valid bundle; all problems of the bundle at once.
pub(super) fn load(name: &str) -> anyhow::Result<Bundle> {
    let predefined = policy::predefined_bundles().iter().find(|bundle| bundle.id == name);
    let text = match predefined {
        Some(bundle) => bundle.json.to_owned(),
        None => config::load_text(Path::new(name), BUNDLE_BYTES_MAX).with_context(|| {
            let names = policy::predefined_bundles().iter().map(|bundle| bundle.id).collect::<Vec<_>>();
            format!("bundle `{name}` is neither a readable file nor one of {}", names.join(", "))
        })?,
    };
    let document = serde_json::from_str(&text).with_context(|| format!("bundle `{name}` is not JSON"))?;
    Bundle::parse(&document).with_context(|| format!("bundle `{name}` cannot be used"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_a_name_or_a_file() {
        assert_eq!(load("deny_all").unwrap().id(), "deny_all");
        let text = crate::terminal::chain(&load("no_such_bundle").err().unwrap());
        assert!(text.contains("reject_high"), "{text}");
    }
}
