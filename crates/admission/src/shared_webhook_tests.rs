//! Webhooks of several clusters on one listener: who answers when, and how much of it belongs to whom.

use serde_json::json;

use super::*;
use crate::CertificateSource;
use crate::settings::ServerLimits;
use crate::test_support::{Behaviour, FakeCluster, FixedSource, ask, connect_trusting, create_pod, until};

struct Served {
    shared: Arc<SharedWebhook>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
    folder: tempfile::TempDir,
}

fn clock() -> jiff::Timestamp {
    jiff::Timestamp::UNIX_EPOCH + std::time::UNIX_EPOCH.elapsed().unwrap()
}

async fn serve_with(server: ServerLimits) -> Served {
    let folder = tempfile::tempdir().unwrap();
    let host_names = vec!["admission.test".to_owned()];
    let source = CertificateSource::Folder { path: folder.path().join("certificates"), host_names };
    let mut settings = Settings::new(source, clock);
    (settings.listen, settings.server) = ("127.0.0.1:0".parse().unwrap(), server);
    let shared = SharedWebhook::bind(settings, folder.path().to_owned()).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn(Arc::clone(&shared).run(stop.clone()));
    Served { shared, stop, running, folder }
}

fn source(behaviour: Behaviour) -> Arc<FixedSource> {
    let source = Arc::new(FixedSource::default());
    source.set("app", behaviour);
    source
}

impl Served {
    async fn add(&self, cluster: &str, source: &Arc<FixedSource>, fake: &FakeCluster) {
        let source: Arc<dyn VerdictSource> = Arc::<FixedSource>::clone(source);
        self.shared.add(cluster, "webhook", source, fake.start().await).await.unwrap();
    }

    async fn review(&self, cluster: &str) -> (u16, String) {
        let stream = connect_trusting(self.shared.address(), &self.shared.authorities()).await.unwrap();
        let body = create_pod(&["app"], json!({})).to_string();
        ask(stream, "POST", &SharedWebhook::path(cluster), body.as_bytes()).await
    }

    async fn end(self) {
        self.stop.cancel();
        self.running.await.unwrap();
        drop(self.folder);
    }
}

#[tokio::test]
async fn nothing_is_decided_before_the_cluster_is_listed() {
    let served = serve_with(ServerLimits::default()).await;
    let fake = FakeCluster::new(false);
    served.add("one", &source(Behaviour::Refuse), &fake).await;
    let (status, text) = served.review("one").await;
    assert_eq!(status, 503, "the failure policy of the namespace decides: {text}");
    assert!(text.contains("whitelist items of the cluster are not listed yet"), "{text}");
    assert!(!served.shared.is_ready("one"));
    fake.is_open.send_replace(true);
    until("the cluster is listed", async || served.shared.is_ready("one")).await;
    assert!(served.review("one").await.1.contains("\"allowed\":false"));
    served.end().await;
}

#[tokio::test]
async fn who_is_replaced_answers_until_the_new_one_knows_the_cluster() {
    let served = serve_with(ServerLimits::default()).await;
    served.add("one", &source(Behaviour::Refuse), &FakeCluster::new(true)).await;
    until("the cluster is listed", async || served.shared.is_ready("one")).await;
    // Two at once, of which the later one counts, and one that never gets to know anything.
    let (never, later) = (FakeCluster::new(false), FakeCluster::new(false));
    served.add("one", &source(Behaviour::Refuse), &never).await;
    served.add("one", &source(Behaviour::Pass), &later).await;
    for _ in 0..5 {
        let (status, text) = served.review("one").await;
        assert!(status == 200 && text.contains("\"allowed\":false"), "{status} {text}");
    }
    assert!(!served.shared.is_ready("one"), "what is asked for is not there yet");
    later.is_open.send_replace(true);
    until("the new one answers", async || {
        let (status, text) = served.review("one").await;
        assert_eq!(status, 200, "there is no moment without an answer: {text}");
        text.contains("\"allowed\":true")
    })
    .await;
    assert!(served.shared.is_ready("one"));
    served.shared.remove("one").await;
    assert_eq!(served.review("one").await.0, 404);
    served.end().await;
}

#[tokio::test]
async fn a_noisy_cluster_leaves_room_for_the_others() {
    let limits = ServerLimits { reviews_per_cluster_max: 1, ..ServerLimits::default() };
    let served = serve_with(limits).await;
    let slow = source(Behaviour::Slow(Duration::from_millis(800)));
    served.add("noisy", &slow, &FakeCluster::new(true)).await;
    served.add("quiet", &source(Behaviour::Pass), &FakeCluster::new(true)).await;
    for cluster in ["noisy", "quiet"] {
        until("the cluster is listed", async || served.shared.is_ready(cluster)).await;
    }
    let first = served.review("noisy");
    let others = async {
        until("the first is asked about", async || slow.questions_count() > 0).await;
        let refused = served.review("noisy").await;
        assert_eq!(refused, (503, "too many reviews of this cluster are open".to_owned()));
        assert_eq!(served.review("quiet").await.0, 200);
    };
    let (first, ()) = tokio::join!(first, others);
    assert_eq!(first.0, 200);
    served.end().await;
}
