//! Watches of API servers that say more than is good.

use serde_json::{Value, json};

use super::*;
use crate::index::UndecidedMode;
use crate::test_support::{FakeCluster, until};

fn namespaces(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": format!("n{number}")}})
        })
        .collect()
}

fn item(name: &str, spec: Value) -> Value {
    let mut spec = spec;
    spec["creator"] = json!("ada");
    spec["reason"] = json!("because");
    json!({
        "apiVersion": "security.banzaicloud.com/v1alpha1", "kind": "WhiteListItem",
        "metadata": {"name": name}, "spec": spec,
    })
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up_and_namespaces_are_strict() {
    let mut cluster = FakeCluster::new(true);
    (cluster.is_endless, cluster.namespaces) = (true, namespaces(500));
    let client = cluster.start().await;
    let (index, stop) = (Arc::new(ClusterIndex::default()), CancellationToken::new());
    let watch = tokio::spawn(watch_into::<Namespace>(client, Arc::clone(&index), stop.clone()));
    until("the list is refused", async || index.refused_lists_count() == 1).await;
    let pages = cluster.pages.load(std::sync::atomic::Ordering::SeqCst);
    assert!((100..=102).contains(&pages), "{pages} pages");
    assert_eq!(index.problem(), "the cluster has more than 50000 namespaces");
    assert!(!index.is_synced());
    assert_eq!(index.snapshot().namespace("any").undecided, Some(UndecidedMode::Deny));
    // A good list ends that.
    index.replace_namespaces(std::iter::empty());
    assert_eq!(index.snapshot().namespace("any").undecided, None);
    stop.cancel();
    watch.await.unwrap();
}

#[tokio::test]
async fn items_that_are_too_large_are_left_out_and_the_others_hold() {
    let mut cluster = FakeCluster::new(true);
    let many: Vec<String> = (0..1_000).map(|number| format!("{number:063}")).collect();
    cluster.items = vec![item("good", json!({})), item("large", json!({"namespaces": many}))];
    let client = cluster.start().await;
    let (index, stop) = (Arc::new(ClusterIndex::default()), CancellationToken::new());
    let watch = tokio::spawn(watch_into::<WhiteListItem>(client, Arc::clone(&index), stop.clone()));
    until("items are listed", async || index.snapshot().items_count() == 1).await;
    assert_eq!((index.bad_objects_count(), index.refused_lists_count()), (1, 0));
    stop.cancel();
    watch.await.unwrap();
}

#[tokio::test]
async fn too_many_items_are_no_list_and_what_was_known_stays() {
    for (count, regexp) in [(ITEMS_MAX + 1, None), (PATTERNS_MAX + 1, Some("web"))] {
        let mut cluster = FakeCluster::new(true);
        let spec = regexp.map_or(json!({}), |regexp| json!({"regexp": regexp}));
        cluster.items = (0..count).map(|number| item(&format!("i{number}"), spec.clone())).collect();
        let client = cluster.start().await;
        let (index, stop) = (Arc::new(ClusterIndex::default()), CancellationToken::new());
        let known: WhiteListItem = serde_json::from_value(item("known", json!({}))).unwrap();
        index.replace_items(&[known]);
        let watch = tokio::spawn(watch_into::<WhiteListItem>(client, Arc::clone(&index), stop.clone()));
        until("the list is refused", async || index.refused_lists_count() == 1).await;
        assert_eq!(index.snapshot().items_count(), 1, "{count}");
        assert!(index.problem().contains("more than"), "{}", index.problem());
        stop.cancel();
        watch.await.unwrap();
    }
}

#[test]
fn what_comes_later_finds_no_room_either() {
    let index = ClusterIndex::default();
    let entry = |number: usize| {
        let object = item(&format!("i{number}"), json!({}));
        let item: WhiteListItem = serde_json::from_value(object).unwrap();
        item.take().0.unwrap()
    };
    WhiteListItem::replace((0..ITEMS_MAX).map(entry).collect(), &index);
    assert!(WhiteListItem::put(entry(0), &index).is_ok(), "it has a place already");
    assert!(WhiteListItem::put(entry(ITEMS_MAX), &index).is_err());
    assert_eq!(index.snapshot().items_count(), ITEMS_MAX);
}
