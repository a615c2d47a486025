//! Which module of rpm a record speaks about.
//!
//! Distros of the Red Hat family build some software several times, once for each stream of a module; the same name has then several
//! rows of versions side by side, and a fix in one says nothing about the others. That a version belongs to a module is part of
//! its release, `1.module_el8.8.0+3609+204d4ab0`; which module it is stands in a field of its own, in the package URL, or only
//! in the title of the record.

use model::{RangeEnd, VersionInterval};
use serde_json::Value;

/// Names of modules that are taken from a title; there is rarely more than one.
const MODULES_MAX: usize = 8;

/// Module and stream, several with blanks between them; empty when the record does not name them; `None` for builds outside of
/// modules.
pub(super) fn find(
    intervals: &[VersionInterval],
    ecosystem_specific: &Option<Value>,
    purl: Option<&str>,
    title: Option<&str>,
) -> Option<String> {
    let stated = ecosystem_specific.as_ref().and_then(|it| it.get("rpm_modularity")).and_then(Value::as_str);
    let stated = stated.map(str::to_owned).or_else(|| in_purl(purl?)).filter(|text| !text.trim().is_empty());
    if let Some(stated) = stated {
        return Some(name_and_stream(stated.trim()).to_owned());
    }
    let is_of_module = intervals.iter().flat_map(bounds).any(is_module_version);
    is_of_module.then(|| title.map(in_title).unwrap_or_default())
}

fn bounds(interval: &VersionInterval) -> impl Iterator<Item = &str> {
    let end = match &interval.end {
        RangeEnd::Fixed(version) | RangeEnd::LastAffected(version) => Some(version.as_str()),
        RangeEnd::Open => None,
    };
    interval.introduced.as_deref().into_iter().chain(end)
}

/// `1.module+el8.2.0+…`, `1.module_el8.8.0+…`.
fn is_module_version(version: &str) -> bool {
    version.contains(".module+") || version.contains(".module_")
}

/// Of `nodejs:18:8060020220523160029:ad008a3a` the first two.
fn name_and_stream(label: &str) -> &str {
    match label.match_indices(':').nth(1) {
        Some((end, _)) => &label[..end],
        None => label,
    }
}

/// `pkg:rpm/redhat/nodejs?arch=x86_64&rpmmod=nodejs:18:…`.
fn in_purl(purl: &str) -> Option<String> {
    let (_, qualifiers) = purl.split_once('?')?;
    let value = qualifiers.split('&').find_map(|pair| pair.strip_prefix("rpmmod="))?;
    Some(value.replace("%3A", ":").replace("%3a", ":"))
}

/// `Moderate: virt:rhel and virt-devel:rhel security and bug fix update`: the words with a colon inside.
fn in_title(title: &str) -> String {
    let is_part = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte))
    };
    let is_module =
        |word: &&str| word.split_once(':').is_some_and(|(name, stream)| is_part(name) && is_part(stream));
    let words = title.split_whitespace().map(|word| word.trim_end_matches([',', ';'])).filter(is_module);
    words.take(MODULES_MAX).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_where_they_are_named() {
        let modular = "3:10.3.39-1.module_el8.8.0+3609+204d4ab0";
        let field = Some(serde_json::json!({"rpm_modularity": "mariadb:10.3"}));
        let title = "Moderate: mariadb:10.3 security, bug fix, and enhancement update";
        let url = "pkg:rpm/redhat/nodejs?arch=x86_64&rpmmod=nodejs%3A18:8060020220523160029:ad008a3a";
        for (fixed, specific, purl, title, expected) in [
            (modular, &field, None, None, Some("mariadb:10.3")),
            (modular, &None, Some(url), Some(title), Some("nodejs:18")),
            (
                modular,
                &None,
                Some("pkg:rpm/rocky-linux/ruby?distro=rocky-linux-9"),
                Some(title),
                Some("mariadb:10.3"),
            ),
            (
                "1-1.module+el8.1.0+1+2",
                &None,
                None,
                Some("Low: virt:rhel and virt-devel:rhel security update"),
                Some("virt:rhel virt-devel:rhel"),
            ),
            (modular, &None, None, Some("criu bug fix and enhancement update"), Some("")),
            (modular, &None, None, None, Some("")),
            ("4.18.0-553.30.1.el8_10", &None, None, Some("Moderate: kernel:4.18.0 security update"), None),
        ] {
            let interval = VersionInterval { introduced: None, end: RangeEnd::Fixed(fixed.to_owned()) };
            let found = find(&[interval], specific, purl, title);
            assert_eq!(found.as_deref(), expected, "{fixed} {purl:?} {title:?}");
        }
    }
}
