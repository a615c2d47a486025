//! Pods that come, change and go between two looks at everything, which are an hour apart.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cluster_support::{kubectl, kubectl_until_done};
use crate::running_support::{Says, Stage};

impl Stage {
    async fn delete(&self, pod: &str) {
        kubectl(&self.cluster, &["delete", "pod", pod, "--force", "--grace-period=0"], "").await;
    }

    /// When an image was judged last.
    async fn last_judged(&self, part: &str) -> String {
        let scan = self.scan().await;
        let images = scan["images"].as_array().unwrap();
        let image = images.iter().find(|image| image["image"].as_str().unwrap().contains(part)).unwrap();
        image["lastJudged"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changes_between_two_looks_is_not_left_to_the_next() {
    let mut stage = Stage::new().await;
    stage.engine.change(|script| {
        script.says = BTreeMap::from([
            ("bad", Says::Refuses),
            ("good", Says::Passes),
            ("one", Says::Passes),
            ("two", Says::Passes),
            ("three", Says::Passes),
            ("slow", Says::Later(1)),
        ]);
    });
    stage.activate().await;
    stage.start_process().await;
    let nameless = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "nameless"},
        "spec": {"containers": [{"name": "one", "image": "UPPER/case"}]},
    });
    kubectl_until_done(&stage.cluster, &["create", "-f", "-"], &nameless.to_string()).await;
    stage.until_states(&[("undecided", 1)]).await;
    stage.until_told(0, 0).await;
    let judged = stage.last_judged("UPPER").await;

    // What came and went is not judged, and what is no reference not again.
    let held = stage.engine.hold().await;
    stage.run("short", "bad").await;
    stage.delete("short").await;
    stage.run("stays", "good").await;
    drop(held);
    stage.until_states(&[("undecided", 1), ("passed", 1)]).await;
    assert_eq!((stage.engine.asked("/bad:1"), stage.engine.asked("/good:1")), (0, 1));
    assert_eq!(stage.last_judged("UPPER").await, judged);
    stage.delete("stays").await;
    stage.until_states(&[("undecided", 1)]).await;
    stage.until_told(0, 0).await;

    // An image that was not ready is asked for again, and not every Pod looked at for it.
    let started = stage.scan().await["summary"]["startedAt"].clone();
    stage.run("slow", "slow").await;
    stage.until_states(&[("undecided", 1), ("passed", 1)]).await;
    assert_eq!(stage.engine.asked("/slow:1"), 2);
    assert_eq!(stage.scan().await["summary"]["startedAt"], started);
    stage.delete("slow").await;
    stage.until_states(&[("undecided", 1)]).await;

    // A look that had no time for all of what came meanwhile is followed by others.
    stage.stop_processes().await;
    for name in ["one", "two", "three"] {
        stage.run(name, name).await;
    }
    stage.engine.change(|script| script.has_no_time = true);
    stage.start_process().await;
    stage.until_states(&[("undecided", 1), ("passed", 3)]).await;
    stage.stop_processes().await;
    stage.plane.close().await;
}
