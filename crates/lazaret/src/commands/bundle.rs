//! Bundles as arguments: the name of a predefined one, or a file.

use std::path::Path;

use anyhow::Context as _;
use policy::Bundle;
use scanner::ContentSettings;
use serde_json::Value;

use crate::config;

const BUNDLE_BYTES_MAX: u64 = 8 << 20;

/// Loads and checks a bundle.
///
/// Errors: neither a name nor a readable file, not JSON, or no valid bundle.
pub(super) fn load(name: &str) -> anyhow::Result<Bundle> {
    let document = load_document(name)?;
    let advice =
        || format!("bundle `{name}` cannot be used; `lazaret policy check {name}` lists all that is wrong");
    Bundle::parse(&document).with_context(advice)
}

/// Loads a bundle without a look at what it says.
///
/// Errors: neither a name nor a readable file, or not JSON.
pub(super) fn load_document(name: &str) -> anyhow::Result<Value> {
    let predefined = policy::predefined_bundles().iter().find(|bundle| bundle.id == name);
    let text = match predefined {
        Some(bundle) => bundle.json.to_owned(),
        None => config::load_text(Path::new(name), BUNDLE_BYTES_MAX).with_context(|| {
            let names = policy::predefined_bundles().iter().map(|bundle| bundle.id).collect::<Vec<_>>();
            format!("bundle `{name}` is neither a readable file nor one of {}", names.join(", "))
        })?,
    };
    serde_json::from_str(&text).with_context(|| format!("bundle `{name}` is not JSON"))
}

/// What must be looked for in the files of an image so that a bundle can judge it; `None`: nothing, which is faster.
pub(super) fn wanted_contents(bundle: &Bundle) -> Option<ContentSettings> {
    let mut settings = bundle.needs_contents().then(ContentSettings::default)?;
    // A rule names one file; what a setting would take for a pattern is not one.
    let is_plain =
        |path: &&str| path.starts_with('/') && !path.contains(['*', '?', '[', ']', '{', '}', '\\']);
    settings.retrieved_paths.extend(bundle.wanted_files().filter(is_plain).map(str::to_owned));
    Some(settings)
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

    #[test]
    fn files_are_looked_into_only_for_rules_about_them() {
        assert!(wanted_contents(&load("reject_high").unwrap()).is_none());
        let rule = |path: &str| {
            serde_json::json!({"gate": "retrieved_files", "trigger": "content_not_available", "action": "STOP",
                "params": [{"name": "path", "value": path}]})
        };
        let rules: Vec<_> =
            ["/etc/a.conf", "/etc/*", "relative", "/a\\b", ""].into_iter().map(rule).collect();
        let document = serde_json::json!({"id": "b", "version": "1_0",
            "policies": [{"id": "p", "version": "1_0", "rules": rules}],
            "mappings": [{"name": "m", "registry": "*", "repository": "*", "policy_ids": ["p"],
                "image": {"type": "tag", "value": "*"}}]});
        let settings = wanted_contents(&Bundle::parse(&document).unwrap()).unwrap();
        assert_eq!(settings.retrieved_paths, ["/etc/passwd", "/etc/a.conf"]);
        assert!(settings.check().is_ok());
    }
}
