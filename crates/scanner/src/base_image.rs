//! From which image another one was built, as its builder has noted.

use std::collections::BTreeMap;

use model::BaseImage;
use serde::Deserialize;

const NAME: &str = "org.opencontainers.image.base.name";
const DIGEST: &str = "org.opencontainers.image.base.digest";

/// Longer names are of no image.
const NAME_BYTES_MAX: usize = 1024;

#[derive(Deserialize)]
struct Annotated {
    #[serde(default)]
    annotations: Option<BTreeMap<String, serde_json::Value>>,
}

/// What the annotations of the manifest say; where they say nothing, what the labels say.
///
/// An image inherits the labels of its base: they may be about the base of the base, so the two are never mixed.
pub(crate) fn stated(manifest: &str, labels: &[(String, String)]) -> Option<BaseImage> {
    let annotations = serde_json::from_str::<Annotated>(manifest).ok().and_then(|it| it.annotations);
    let annotation = |key: &str| annotations.as_ref()?.get(key)?.as_str();
    let label = |key: &str| labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    base(annotation).or_else(|| base(label))
}

fn base<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Option<BaseImage> {
    let is_fit = |name: &&str| !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    let base = BaseImage {
        name: value(NAME).map(str::trim).filter(is_fit).map(str::to_owned),
        digest: value(DIGEST).and_then(|digest| digest.trim().parse().ok()),
    };
    (base != BaseImage::default()).then_some(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(annotations: &str, labels: &[(&str, &str)], expected: Option<(Option<&str>, bool)>) {
        let manifest = format!("{{\"schemaVersion\": 2, \"annotations\": {annotations}}}");
        let labels: Vec<_> = labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let found = stated(&manifest, &labels);
        let found = found.as_ref().map(|base| (base.name.as_deref(), base.digest.is_some()));
        assert_eq!(found, expected, "{annotations} {labels:?}");
    }

    #[test]
    fn annotations_count_before_labels() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let (name, both) = (
            format!("{{\"{NAME}\": \"debian:12\"}}"),
            format!("{{\"{NAME}\": \"debian:12\", \"{DIGEST}\": \"{digest}\"}}"),
        );
        check(&both, &[], Some((Some("debian:12"), true)));
        check(&name, &[(DIGEST, &digest)], Some((Some("debian:12"), false)));
        check("{}", &[(NAME, "alpine:3"), (DIGEST, &digest)], Some((Some("alpine:3"), true)));
        check("null", &[(DIGEST, &digest)], Some((None, true)));
        check("{\"a\": 1}", &[(DIGEST, "sha256:x"), (NAME, " ")], None);
        check(&format!("{{\"{NAME}\": 1}}"), &[(NAME, &"x".repeat(2000))], None);
        check("[]", &[], None);
    }
}
