//! What answers the reviews of one cluster: its index, its verdicts, its audits, and the tasks that keep them.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit_writer::{AuditLimits, AuditQueue, AuditWriter, reap};
use crate::cache::VerdictBook;
use crate::crd::WhiteListItem;
use crate::metrics::Metrics;
use crate::reviewer::Reviewer;
use crate::settings::Settings;
use crate::source::VerdictSource;
use crate::spool::SpoolError;
use crate::watch::watch_into;

/// The parts for one cluster; nothing watches or writes yet.
pub struct ClusterReviews {
    /// Answers reviews; knows nothing before [`Self::start`].
    pub reviewer: Arc<Reviewer>,
    client: Client,
    audits: AuditLimits,
    /// `None`: it is made when the former one has written its file.
    writer: Option<AuditWriter>,
    queue: tokio::sync::mpsc::Receiver<crate::audits::AuditRecord>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// The same with its tasks.
pub struct RunningReviews {
    /// Stops everything but the audit writer.
    stop: CancellationToken,
    tasks: TaskTracker,
    writer_stop: CancellationToken,
    writer: JoinHandle<Result<(), SpoolError>>,
}

impl ClusterReviews {
    /// Puts the parts together and reads the audits that the last run left behind.
    pub async fn open(
        settings: &Settings,
        source: Arc<dyn VerdictSource>,
        client: Client,
    ) -> Result<Self, SpoolError> {
        let mut parts = Self::without_writer(settings, source, client.clone());
        let metrics = Arc::clone(&parts.reviewer.metrics);
        parts.writer = Some(AuditWriter::open(client, settings.audits.clone(), metrics).await?);
        Ok(parts)
    }

    /// The same without a look at those audits: somebody else still has their file.
    pub(crate) fn without_writer(
        settings: &Settings,
        source: Arc<dyn VerdictSource>,
        client: Client,
    ) -> Self {
        let metrics = Arc::new(Metrics::default());
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (audits, queue) = AuditQueue::new(&settings.audits, Arc::clone(&metrics));
        let book = Arc::new(VerdictBook::new(
            source,
            settings.verdicts.clone(),
            Arc::clone(&metrics),
            tasks.clone(),
            stop.clone(),
        ));
        let reviewer = Arc::new(Reviewer {
            index: Arc::default(),
            book,
            audits,
            settings: settings.decision.clone(),
            audits_keep_for: settings.audits.keep_for,
            metrics,
            clock: settings.clock,
            tasks: tasks.clone(),
            background: Arc::new(Semaphore::new(settings.decision.background_max)),
            shutdown: stop.clone(),
        });
        let audits = settings.audits.clone();
        Self { reviewer, client, audits, writer: None, queue, stop, tasks }
    }

    /// Begins to watch the cluster and to write audits.
    pub fn start(self, settings: &Settings) -> RunningReviews {
        self.start_after(settings, None)
    }

    /// The same; audits are written from the moment on that `former_ended` says so, and never if it never does.
    pub(crate) fn start_after(
        self,
        settings: &Settings,
        former_ended: Option<oneshot::Receiver<()>>,
    ) -> RunningReviews {
        let Self { reviewer, client, audits, writer, queue, stop, tasks } = self;
        let index = &reviewer.index;
        let metrics = Arc::clone(&reviewer.metrics);
        tasks.spawn(watch_into::<WhiteListItem>(client.clone(), Arc::clone(index), stop.clone()));
        tasks.spawn(watch_into::<Namespace>(client.clone(), Arc::clone(index), stop.clone()));
        tasks.spawn(Arc::clone(&reviewer.book).poll_state(settings.state_every));
        tasks.spawn(reap(
            client.clone(),
            settings.audits.reap_every,
            settings.clock,
            Arc::clone(&metrics),
            stop.clone(),
        ));
        let writer_stop = CancellationToken::new();
        let ending = writer_stop.clone();
        let writer = tokio::spawn(async move {
            if let Some(former_ended) = former_ended
                && former_ended.await.is_err()
            {
                return Ok(());
            }
            let writer = match writer {
                Some(writer) => writer,
                None => AuditWriter::open(client, audits, metrics).await?,
            };
            writer.run(queue, ending).await
        });
        RunningReviews { stop, tasks, writer_stop, writer }
    }
}

impl RunningReviews {
    /// Where more tasks of the same life belong.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Ends with [`Self::end`].
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Stops watching; audits that wait are written or spooled. Call it when no review is open any more.
    pub async fn end(self) -> Result<(), SpoolError> {
        let Self { stop, tasks, writer_stop, writer } = self;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
        // Every review is over and every audit is in the queue: now the writer may end.
        writer_stop.cancel();
        // A writer that panicked has said so on the log, and there is nothing left to save.
        writer.await.unwrap_or(Ok(()))
    }
}
