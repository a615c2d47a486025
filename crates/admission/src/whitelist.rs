//! Whose release a Pod is, and whether a whitelist item exempts it.
//!
//! An item exempts by the release's whole name, or by a regular expression that matches the whole name; never by a part
//! of it. A Pod without a release label goes by its own name (a *fake* release): an item of exactly that name, or a
//! matching expression, exempts it too, which is what makes `WhiteListItem busybox1` work for a bare Pod `busybox1`.

use jiff::Timestamp;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::crd::WhiteListItem;
use crate::images::Metadata;

/// The label that Helm 3 charts carry.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// The label of older charts.
pub const RELEASE_LABEL: &str = "release";

/// What is kept of an item besides its expression. Three hundred namespaces with names of 60 letters fit.
const ITEM_BYTES_MAX: usize = 32 << 10;
const PATTERN_BYTES_MAX: usize = 1_024;
const PATTERN_PROGRAM_BYTES_MAX: usize = 256 << 10;

/// The release that a Pod belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseName {
    /// Its name: the label `release`, as the original service knew it, else `app.kubernetes.io/instance`.
    pub name: String,
    /// What the other label says, where it says something else: an item for either name counts.
    pub other_name: Option<String>,
    /// Whether no label says so and the Pod's own name stands in.
    pub is_fake: bool,
}

impl ReleaseName {
    /// The release of an object with this metadata.
    pub fn of(metadata: &Metadata<'_>) -> Self {
        let (release, instance) = (metadata.label(RELEASE_LABEL), metadata.label(INSTANCE_LABEL));
        match release.or(instance) {
            Some(name) => {
                let other_name = instance.filter(|instance| *instance != name).map(str::to_owned);
                Self { name: name.to_owned(), other_name, is_fake: false }
            }
            None => Self { name: metadata.display_name().to_owned(), other_name: None, is_fake: true },
        }
    }

    /// All names that an item may have to exempt it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.name.as_str()).chain(self.other_name.as_deref())
    }
}

/// Why an item's expression or date cannot be used. The item then never matches by it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadItem {
    /// The expression is too long.
    #[error("regexp of whitelist item `{name}` has {length} bytes (limit {PATTERN_BYTES_MAX})")]
    PatternTooLong {
        /// The item.
        name: String,
        /// Length of its expression.
        length: usize,
    },
    /// The expression does not compile, or compiles to something too large.
    #[error("regexp of whitelist item `{name}` cannot be used")]
    BadPattern {
        /// The item.
        name: String,
        /// What is wrong.
        #[source]
        source: regex::Error,
    },
    /// The item is larger than any of use, and is left out.
    #[error("whitelist item `{name}` has {length} bytes of names (limit {ITEM_BYTES_MAX}) and is left out")]
    TooLarge {
        /// The beginning of its name.
        name: String,
        /// What its name and its namespaces have together.
        length: usize,
    },
    /// The date cannot be read, so the item is taken as expired.
    #[error("expiresAt `{text}` of whitelist item `{name}` is no RFC 3339 time")]
    BadExpiry {
        /// The item.
        name: String,
        /// The date as written.
        text: String,
    },
}

#[derive(Debug, Clone)]
enum Expiry {
    Never,
    At(Timestamp),
    Unreadable,
}

/// A whitelist item, ready to be compared.
#[derive(Debug, Clone)]
pub struct WhiteListEntry {
    /// Name of the item.
    pub name: String,
    pattern: Option<Regex>,
    namespaces: Vec<String>,
    expiry: Expiry,
}

impl WhiteListEntry {
    /// Why an item is not kept at all. Only of API servers that are not what they say.
    pub(crate) fn check_size(item: &WhiteListItem) -> Result<(), BadItem> {
        let name = item.metadata.name.as_deref().unwrap_or_default();
        let length = name.len() + item.spec.namespaces.iter().map(|name| name.len() + 24).sum::<usize>();
        if length > ITEM_BYTES_MAX {
            return Err(BadItem::TooLarge { name: name.chars().take(64).collect(), length });
        }
        Ok(())
    }

    /// Prepares an item. What cannot be used is left out, so that the item matches less, and returned beside it.
    pub fn from_item(item: &WhiteListItem) -> (Self, Vec<BadItem>) {
        let name = item.metadata.name.clone().unwrap_or_default();
        let mut problems = Vec::new();
        let pattern = match item.spec.regexp.as_deref() {
            None | Some("") => None,
            Some(text) => compile(&name, text).map_err(|problem| problems.push(problem)).ok(),
        };
        let expiry = match item.spec.expires_at.as_deref() {
            None | Some("") => Expiry::Never,
            Some(text) => text.parse().map_or_else(
                |_| {
                    problems.push(BadItem::BadExpiry { name: name.clone(), text: text.to_owned() });
                    Expiry::Unreadable
                },
                Expiry::At,
            ),
        };
        (Self { name, pattern, namespaces: item.spec.namespaces.clone(), expiry }, problems)
    }

    /// Whether the item has an expression, so that its name alone does not tell whether it matches.
    pub fn has_pattern(&self) -> bool {
        self.pattern.is_some()
    }

    /// Whether the item exempts this release in this namespace at this time.
    pub fn is_match(&self, release: &str, namespace: &str, now: Timestamp) -> bool {
        let is_current = match self.expiry {
            Expiry::Never => true,
            Expiry::At(end) => now < end,
            Expiry::Unreadable => false,
        };
        is_current
            && (self.namespaces.is_empty() || self.namespaces.iter().any(|wanted| wanted == namespace))
            && !release.is_empty()
            && (self.name == release
                || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(release)))
    }
}

fn compile(name: &str, text: &str) -> Result<Regex, BadItem> {
    if text.len() > PATTERN_BYTES_MAX {
        return Err(BadItem::PatternTooLong { name: name.to_owned(), length: text.len() });
    }
    let build = |pattern: &str| {
        RegexBuilder::new(pattern)
            .size_limit(PATTERN_PROGRAM_BYTES_MAX)
            .build()
            .map_err(|source| BadItem::BadPattern { name: name.to_owned(), source })
    };
    // The text has to be an expression by itself: `a)|(b` would otherwise close our group and escape the anchors.
    build(text)?;
    build(&format!("^(?:{text})$"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::WhiteListItemSpec;

    fn item(name: &str, regexp: Option<&str>) -> WhiteListItem {
        WhiteListItem::new(
            name,
            WhiteListItemSpec { regexp: regexp.map(str::to_owned), ..WhiteListItemSpec::default() },
        )
    }

    fn check(name: &str, regexp: Option<&str>, release: &str, expected: bool) {
        let (entry, _) = WhiteListEntry::from_item(&item(name, regexp));
        let found = entry.is_match(release, "default", Timestamp::UNIX_EPOCH);
        assert_eq!(found, expected, "item `{name}` {regexp:?}, release `{release}`");
    }

    #[test]
    fn only_whole_names_match() {
        check("web", None, "web", true);
        check("web", None, "web-6d4f-x", false);
        check("a", None, "a-b", false);
        check("a", None, "b-a-c", false);
        check("a", None, "A", false);
        check("web-1", None, "web", false);
        check("x", Some("web"), "web", true);
        check("x", Some("web"), "web-1", false);
        check("x", Some("web"), "my-web", false);
        check("x", Some("web|api"), "web-evil", false);
        check("x", Some("web|api"), "api", true);
        check("x", Some("web.*"), "web-1", true);
        check("x", Some("a|ab"), "ab", true);
        check("x", Some("a)|(b"), "xb", false);
        check("x", Some("a)|(b"), "ax", false);
        check("x", Some("(?m)^a$"), "a\nb", false);
        check("x", Some("("), "(", false);
        check("x", Some(""), "", false);
        check("x", Some(".*"), "", false);
        check("x", Some(".*"), "anything", true);
        check("x", Some("(?x)web # comment"), "web-1", false);
    }

    #[test]
    fn what_cannot_be_used_is_told_and_matches_nothing() {
        let longest = "a".repeat(PATTERN_BYTES_MAX);
        for (regexp, problems_count) in [
            (longest.clone(), 0),
            (format!("{longest}a"), 1),
            ("[".to_owned(), 1),
            ("(a{1000}){1000}".to_owned(), 1),
            ("(?=a)".to_owned(), 1),
        ] {
            let (entry, problems) = WhiteListEntry::from_item(&item("x", Some(&regexp)));
            assert_eq!(problems.len(), problems_count, "{}", &regexp[..regexp.len().min(20)]);
            assert!(entry.is_match("x", "n", Timestamp::UNIX_EPOCH), "the name still counts");
        }
    }

    #[test]
    fn namespaces_and_dates_narrow_an_item() {
        let check = |namespaces: &[&str], expires_at: Option<&str>, expected: bool| {
            let mut item = item("web", None);
            item.spec.namespaces = namespaces.iter().map(|&name| name.to_owned()).collect();
            item.spec.expires_at = expires_at.map(str::to_owned);
            let (entry, _) = WhiteListEntry::from_item(&item);
            let now = "2026-01-02T00:00:00Z".parse().unwrap();
            assert_eq!(entry.is_match("web", "shop", now), expected, "{namespaces:?} {expires_at:?}");
        };
        check(&[], None, true);
        check(&["shop"], None, true);
        check(&["shop2", "sho"], None, false);
        check(&[], Some("2026-01-02T00:00:01Z"), true);
        check(&[], Some("2026-01-02T00:00:00Z"), false);
        check(&[], Some("tomorrow"), false);
    }

    #[test]
    fn both_labels_count_and_a_pod_without_labels_goes_by_its_name() {
        let check = |json: &str, names: &str, is_fake: bool| {
            let metadata: Metadata<'_> = serde_json::from_str(json).unwrap();
            let release = ReleaseName::of(&metadata);
            assert_eq!(release.names().collect::<Vec<_>>().join(" "), names, "{json}");
            assert_eq!(release.is_fake, is_fake, "{json}");
        };
        check(r#"{"name":"p","labels":{"release":"r","app.kubernetes.io/instance":"i"}}"#, "r i", false);
        check(r#"{"name":"p","labels":{"release":"r","app.kubernetes.io/instance":"r"}}"#, "r", false);
        check(r#"{"name":"p","labels":{"app.kubernetes.io/instance":"i"}}"#, "i", false);
        check(r#"{"name":"p","labels":{"release":"r","app.kubernetes.io/instance":""}}"#, "r", false);
        check(r#"{"name":"p","labels":{"release":""}}"#, "p", true);
        check(r#"{"name":"p"}"#, "p", true);
        check(r#"{"generateName":"web-6d-"}"#, "web-6d", true);
        check("{}", "", true);
    }
}
