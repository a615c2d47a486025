//! What is known about the cluster, in memory: whitelist items and namespaces.
//!
//! Writers are the watchers of [`crate::watch`]; a decision reads one snapshot without a lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::crd::WhiteListItem;
use crate::whitelist::{BadItem, ReleaseName, WhiteListEntry};

/// Namespace label: what an image without a verdict means there, `deny` or `allow`.
pub const UNDECIDED_LABEL: &str = "security.banzaicloud.com/undecided";
/// Namespace label: how long a Pod there may wait for a verdict, `500ms` or `8s`.
pub const WAIT_LABEL: &str = "security.banzaicloud.com/wait";

/// Pause between two looks whether everything is listed.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What an image without a verdict means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UndecidedMode {
    /// The Pod is refused.
    #[default]
    Deny,
    /// The Pod is let in with a warning.
    Allow,
}

/// What is known about a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NamespaceFacts {
    /// Its own mode, if it has one.
    pub undecided: Option<UndecidedMode>,
    /// Its own time to wait, if it has one.
    pub wait: Option<Duration>,
}

impl NamespaceFacts {
    /// Reads the labels. A mode that is neither `deny` nor `allow` denies: a typing error must not open anything.
    pub fn from_metadata(metadata: &ObjectMeta) -> Self {
        let label =
            |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
        Self {
            undecided: label(UNDECIDED_LABEL).map(|mode| match mode {
                "allow" => UndecidedMode::Allow,
                _ => UndecidedMode::Deny,
            }),
            wait: label(WAIT_LABEL).and_then(parse_duration),
        }
    }
}

/// Reads a Go duration without fractions, as the API server and labels write it: `10s`, `1m30s`, `500ms`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let units = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let part = match &rest[..units] {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.checked_mul(60)?),
            "h" => Duration::from_secs(number.checked_mul(3_600)?),
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = &rest[units..];
    }
    (!text.is_empty()).then_some(total)
}

/// One consistent state of the index.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    items: BTreeMap<String, Arc<WhiteListEntry>>,
    namespaces: BTreeMap<String, NamespaceFacts>,
    /// There are more namespaces than are kept.
    namespaces_are_partial: bool,
}

impl Snapshot {
    /// The item that exempts this release, if there is one.
    pub fn find_exemption(
        &self,
        release: &ReleaseName,
        namespace: &str,
        now: Timestamp,
    ) -> Option<&Arc<WhiteListEntry>> {
        release.names().find_map(|name| {
            let is_match = |entry: &&Arc<WhiteListEntry>| entry.is_match(name, namespace, now);
            self.items
                .get(name)
                .filter(is_match)
                .or_else(|| self.items.values().filter(|entry| entry.has_pattern()).find(is_match))
        })
    }

    /// What is known about a namespace; nothing about one that was made a moment ago. One that may be among those that are not
    /// kept is taken for a strict one.
    pub fn namespace(&self, name: &str) -> NamespaceFacts {
        let undecided = self.namespaces_are_partial.then_some(UndecidedMode::Deny);
        self.namespaces.get(name).copied().unwrap_or(NamespaceFacts { undecided, wait: None })
    }

    /// How many whitelist items there are.
    pub fn items_count(&self) -> usize {
        self.items.len()
    }
}

/// The index.
#[derive(Debug, Default)]
pub struct ClusterIndex {
    snapshot: ArcSwap<Snapshot>,
    items_are_synced: AtomicBool,
    namespaces_are_synced: AtomicBool,
    bad_objects: AtomicU64,
    refused_lists: AtomicU64,
    /// Why lists of the cluster are not used, by kind.
    problems: Mutex<BTreeMap<&'static str, String>>,
}

impl ClusterIndex {
    /// The state as it is now.
    pub fn snapshot(&self) -> Guard<Arc<Snapshot>> {
        self.snapshot.load()
    }

    /// Whether everything was listed at least once.
    pub fn is_synced(&self) -> bool {
        self.items_are_synced.load(Ordering::Acquire) && self.namespaces_are_synced.load(Ordering::Acquire)
    }

    /// How many objects, expressions and dates could not be used since the start.
    pub fn bad_objects_count(&self) -> u64 {
        self.bad_objects.load(Ordering::Relaxed)
    }

    /// How many lists were too long or too slow since the start.
    pub fn refused_lists_count(&self) -> u64 {
        self.refused_lists.load(Ordering::Relaxed)
    }

    /// Why lists of the cluster are not used, for people; empty where there is nothing to say.
    pub fn problem(&self) -> String {
        let problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.values().map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    /// Takes note of a list that is not used; what was known before stays in use.
    pub(crate) fn note_refused_list(&self, kind: &'static str, problem: String) {
        self.refused_lists.fetch_add(1, Ordering::Relaxed);
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, problem);
    }

    /// A list of this kind is used again.
    pub(crate) fn note_good_list(&self, kind: &'static str) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).remove(kind);
    }

    /// From now on, namespaces that are not known are taken for strict ones.
    pub(crate) fn note_partial_namespaces(&self) {
        self.change(|snapshot| snapshot.namespaces_are_partial = true);
    }

    /// Comes back when everything was listed at least once.
    pub(crate) async fn synced(&self) {
        while !self.is_synced() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Takes note of an object that could not be read at all.
    pub fn note_bad_object(&self) {
        self.bad_objects.fetch_add(1, Ordering::Relaxed);
    }

    /// Puts an item in or replaces it. Returns what could not be used of it.
    pub fn apply_item(&self, item: &WhiteListItem) -> Vec<BadItem> {
        let (entry, problems) = WhiteListEntry::from_item(item);
        self.count(&problems);
        self.put_entry(entry);
        problems
    }

    pub(crate) fn put_entry(&self, entry: WhiteListEntry) {
        let entry = Arc::new(entry);
        self.change(|snapshot| {
            snapshot.items.insert(entry.name.clone(), Arc::clone(&entry));
        });
    }

    /// Takes an item out.
    pub fn delete_item(&self, name: &str) {
        self.change(|snapshot| {
            snapshot.items.remove(name);
        });
    }

    /// Replaces all items by those of a complete list. Returns what could not be used of them.
    pub fn replace_items(&self, items: &[WhiteListItem]) -> Vec<BadItem> {
        let mut entries = Vec::new();
        let mut all_problems = Vec::new();
        for item in items {
            let (entry, problems) = WhiteListEntry::from_item(item);
            all_problems.extend(problems);
            entries.push(entry);
        }
        self.count(&all_problems);
        self.replace_entries(entries);
        all_problems
    }

    pub(crate) fn replace_entries(&self, entries: Vec<WhiteListEntry>) {
        let entries: BTreeMap<_, _> =
            entries.into_iter().map(|entry| (entry.name.clone(), Arc::new(entry))).collect();
        self.change(|snapshot| snapshot.items.clone_from(&entries));
        self.items_are_synced.store(true, Ordering::Release);
    }

    /// Puts a namespace in or replaces it.
    pub fn apply_namespace(&self, metadata: &ObjectMeta) {
        self.put_facts(metadata.name.clone().unwrap_or_default(), NamespaceFacts::from_metadata(metadata));
    }

    pub(crate) fn put_facts(&self, name: String, facts: NamespaceFacts) {
        // Most changes of a namespace are none of ours; the snapshot is copied only when they are.
        if self.snapshot.load().namespaces.get(&name) != Some(&facts) {
            self.change(|snapshot| {
                snapshot.namespaces.insert(name.clone(), facts);
            });
        }
    }

    /// Takes a namespace out.
    pub fn delete_namespace(&self, name: &str) {
        self.change(|snapshot| {
            snapshot.namespaces.remove(name);
        });
    }

    /// Replaces all namespaces by those of a complete list.
    pub fn replace_namespaces<'a>(&self, all: impl Iterator<Item = &'a ObjectMeta>) {
        self.replace_facts(
            all.map(|metadata| {
                (metadata.name.clone().unwrap_or_default(), NamespaceFacts::from_metadata(metadata))
            })
            .collect(),
        );
    }

    pub(crate) fn replace_facts(&self, namespaces: BTreeMap<String, NamespaceFacts>) {
        self.change(|snapshot| {
            snapshot.namespaces.clone_from(&namespaces);
            snapshot.namespaces_are_partial = false;
        });
        self.namespaces_are_synced.store(true, Ordering::Release);
    }

    fn change(&self, change: impl Fn(&mut Snapshot)) {
        self.snapshot.rcu(|current| {
            let mut next = Snapshot::clone(current);
            change(&mut next);
            next
        });
    }

    /// How many items there are besides the one of this name, and how many of them have an expression.
    pub(crate) fn items_without(&self, name: &str) -> (usize, usize) {
        let snapshot = self.snapshot.load();
        let others = || snapshot.items.values().filter(|entry| entry.name != name);
        (others().count(), others().filter(|entry| entry.has_pattern()).count())
    }

    /// How many namespaces there are besides the one of this name.
    pub(crate) fn namespaces_without(&self, name: &str) -> usize {
        let snapshot = self.snapshot.load();
        snapshot.namespaces.len() - usize::from(snapshot.namespaces.contains_key(name))
    }

    pub(crate) fn count(&self, problems: &[BadItem]) {
        self.bad_objects.fetch_add(u64::try_from(problems.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
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

    fn namespace(name: &str, labels: &[(&str, &str)]) -> ObjectMeta {
        let labels = labels.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() }
    }

    fn exemption(index: &ClusterIndex, release: &str) -> Option<String> {
        let release = ReleaseName { name: release.to_owned(), other_name: None, is_fake: false };
        let snapshot = index.snapshot();
        snapshot.find_exemption(&release, "default", Timestamp::UNIX_EPOCH).map(|entry| entry.name.clone())
    }

    #[test]
    fn items_come_change_and_go() {
        let index = ClusterIndex::default();
        index.replace_items(&[item("a", None), item("b", Some("web-.*"))]);
        assert_eq!(exemption(&index, "a").as_deref(), Some("a"));
        assert_eq!(exemption(&index, "web-1").as_deref(), Some("b"));
        index.apply_item(&item("b", Some("api")));
        assert_eq!(exemption(&index, "web-1"), None);
        assert_eq!(exemption(&index, "api").as_deref(), Some("b"));
        index.delete_item("b");
        assert_eq!(exemption(&index, "api"), None);
        index.replace_items(&[]);
        assert_eq!(exemption(&index, "a"), None);
    }

    #[test]
    fn a_bad_expression_is_counted_and_matches_nothing() {
        let index = ClusterIndex::default();
        assert_eq!(index.apply_item(&item("x", Some("web("))).len(), 1);
        assert_eq!(index.bad_objects_count(), 1);
        assert_eq!(exemption(&index, "web("), None);
        assert_eq!(exemption(&index, "web"), None);
    }

    #[test]
    fn both_lists_must_be_there_before_it_is_synced() {
        let index = ClusterIndex::default();
        assert!(!index.is_synced());
        index.replace_items(&[]);
        assert!(!index.is_synced());
        index.replace_namespaces(std::iter::empty());
        assert!(index.is_synced());
    }

    #[test]
    fn labels_of_namespaces_are_read_strictly() {
        let check = |labels: &[(&str, &str)], undecided: Option<UndecidedMode>, wait: Option<Duration>| {
            let index = ClusterIndex::default();
            index.apply_namespace(&namespace("n", labels));
            assert_eq!(index.snapshot().namespace("n"), NamespaceFacts { undecided, wait }, "{labels:?}");
            index.delete_namespace("n");
            assert_eq!(index.snapshot().namespace("n"), NamespaceFacts::default());
        };
        check(&[], None, None);
        check(&[(UNDECIDED_LABEL, "allow")], Some(UndecidedMode::Allow), None);
        check(&[(UNDECIDED_LABEL, "deny")], Some(UndecidedMode::Deny), None);
        check(&[(UNDECIDED_LABEL, "Allow")], Some(UndecidedMode::Deny), None);
        check(&[(WAIT_LABEL, "2s")], None, Some(Duration::from_secs(2)));
        check(&[(WAIT_LABEL, "soon")], None, None);
    }

    #[test]
    fn durations_are_those_of_go() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text}");
        };
        check("10s", Some(10_000));
        check("1m30s", Some(90_000));
        check("500ms", Some(500));
        check("1h", Some(3_600_000));
        check("0s", Some(0));
        check("", None);
        check("10", None);
        check("s", None);
        check("-1s", None);
        check("1.5s", None);
        check("99999999999999999999s", None);
        check("18446744073709551615h", None);
        check("1ü", None);
    }
}
