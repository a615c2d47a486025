//! The queue's promises, with a clock made of arguments.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use jiff::Timestamp;
use storage::{
    Backoff, Database, EnqueueOutcome, JobCounts, LeaseScope, Location, NewJob, PostgresSettings, claim,
    complete, count_jobs, enqueue, fail, heartbeat, put_back, release_leases,
};
use testkit::PostgresDatabase;

const LEASE: i64 = 60;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn job(key: &str, priority: i64) -> NewJob<'_> {
    NewJob { kind: "work", dedupe_key: key, payload: "{}", priority, attempts_max: 3 }
}

struct Queue {
    database: Database,
    _server: Option<PostgresDatabase>,
    _folder: tempfile::TempDir,
}

impl Queue {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // `queue_postgres.rs` is a link to this file: the same tests are compiled once more under that name.
        let is_on_postgres = env!("CARGO_CRATE_NAME") == "queue_postgres";
        let server = is_on_postgres.then(|| testkit::postgres_database().unwrap());
        let location = match &server {
            Some(server) => Location::Postgres(PostgresSettings::new(server.url.clone())),
            None => Location::File(folder.path().join("a.db")),
        };
        let database = Database::open(&location).await.unwrap();
        Self { database, _server: server, _folder: folder }
    }

    async fn enqueue(&self, key: &str, priority: i64, second: i64) -> EnqueueOutcome {
        let mut tx = self.database.begin().await.unwrap();
        let outcome = enqueue(&mut tx, &job(key, priority), at(second), at(second)).await.unwrap();
        tx.commit().await.unwrap();
        outcome
    }

    async fn claim(&self, second: i64) -> Option<storage::Job> {
        let mut tx = self.database.begin().await.unwrap();
        let claimed = claim(&mut tx, "work", "tester", at(second + LEASE), at(second)).await.unwrap();
        tx.commit().await.unwrap();
        claimed
    }

    async fn release(&self, scope: LeaseScope, second: i64) -> Vec<(String, bool)> {
        let mut tx = self.database.begin().await.unwrap();
        let released = release_leases(&mut tx, scope, at(second)).await.unwrap();
        tx.commit().await.unwrap();
        released.into_iter().map(|job| (job.dedupe_key, job.is_given_up)).collect()
    }

    async fn counts(&self) -> JobCounts {
        let mut tx = self.database.begin().await.unwrap();
        count_jobs(&mut tx, "work").await.unwrap()
    }
}

#[tokio::test]
async fn work_is_enqueued_with_the_transaction_or_not_at_all() {
    let queue = Queue::new().await;
    let mut tx = queue.database.begin().await.unwrap();
    enqueue(&mut tx, &job("a", 0), at(0), at(0)).await.unwrap();
    drop(tx);
    assert_eq!(queue.counts().await, JobCounts::default());
    queue.enqueue("a", 0, 0).await;
    assert_eq!(queue.counts().await.queued, 1);
}

#[tokio::test]
async fn the_same_work_is_wanted_once_and_the_most_urgent_goes_first() {
    let queue = Queue::new().await;
    assert!(matches!(queue.enqueue("slow", 0, 0).await, EnqueueOutcome::Created(_)));
    assert!(matches!(queue.enqueue("other", 5, 0).await, EnqueueOutcome::Created(_)));
    assert!(matches!(queue.enqueue("slow", 9, 0).await, EnqueueOutcome::AlreadyWanted(_)));
    assert!(matches!(queue.enqueue("slow", 1, 0).await, EnqueueOutcome::AlreadyWanted(_)));
    let first = queue.claim(1).await.unwrap();
    assert_eq!(first.dedupe_key, "slow");
    assert!(matches!(queue.enqueue("slow", 9, 1).await, EnqueueOutcome::AlreadyWanted(_)), "while it runs");
    assert_eq!(queue.claim(1).await.unwrap().dedupe_key, "other");
    assert_eq!(queue.claim(1).await, None);
}

#[tokio::test]
async fn a_lost_workers_job_comes_back_when_its_lease_ends() {
    let queue = Queue::new().await;
    queue.enqueue("a", 0, 0).await;
    let lost = queue.claim(0).await.unwrap();
    assert!(queue.release(LeaseScope::Expired, LEASE - 1).await.is_empty());
    assert_eq!(queue.claim(LEASE - 1).await, None);
    assert_eq!(queue.release(LeaseScope::Expired, LEASE).await, [("a".to_owned(), false)]);
    let second = queue.claim(LEASE).await.unwrap();
    assert_eq!((second.attempt, second.is_last_attempt()), (2, false));

    let mut tx = queue.database.begin().await.unwrap();
    assert!(
        !heartbeat(&mut tx, lost.lease, at(500)).await.unwrap(),
        "the late worker learns that it is late"
    );
    assert!(!complete(&mut tx, lost.lease).await.unwrap());
    assert!(!fail(&mut tx, lost.lease, "late", None).await.unwrap());
    assert!(!put_back(&mut tx, lost.lease).await.unwrap());
    assert!(complete(&mut tx, second.lease).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(queue.counts().await, JobCounts::default());
}

#[tokio::test]
async fn a_heartbeat_keeps_the_lease() {
    let queue = Queue::new().await;
    queue.enqueue("a", 0, 0).await;
    let held = queue.claim(0).await.unwrap();
    let mut tx = queue.database.begin().await.unwrap();
    assert!(heartbeat(&mut tx, held.lease, at(100)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(queue.release(LeaseScope::Expired, 99).await.is_empty());
    assert_eq!(queue.release(LeaseScope::All, 99).await.len(), 1, "a new start takes what the old one held");
}

#[tokio::test]
async fn work_that_kills_its_worker_is_given_up_and_can_be_wanted_again() {
    let queue = Queue::new().await;
    queue.enqueue("a", 0, 0).await;
    for (attempt, is_given_up) in [(1, false), (2, false), (3, true)] {
        let claimed = queue.claim(attempt * 1000).await.unwrap();
        assert_eq!((claimed.attempt, claimed.is_last_attempt()), (attempt, is_given_up));
        let released = queue.release(LeaseScope::Expired, attempt * 1000 + LEASE).await;
        assert_eq!(released, [("a".to_owned(), is_given_up)]);
    }
    assert_eq!(queue.claim(9000).await, None);
    assert_eq!(queue.counts().await, JobCounts { failed: 1, ..JobCounts::default() });
    assert!(matches!(queue.enqueue("a", 0, 9000).await, EnqueueOutcome::Created(_)));
    assert_eq!(queue.counts().await, JobCounts { queued: 1, ..JobCounts::default() });
    assert_eq!(queue.claim(9000).await.unwrap().attempt, 1);
}

#[tokio::test]
async fn a_failed_attempt_waits_and_a_returned_one_does_not_count() {
    let queue = Queue::new().await;
    queue.enqueue("a", 0, 0).await;
    let first = queue.claim(0).await.unwrap();
    let mut tx = queue.database.begin().await.unwrap();
    assert!(fail(&mut tx, first.lease, "no route", Some(at(30))).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(queue.claim(29).await, None);
    let second = queue.claim(30).await.unwrap();
    assert_eq!(second.attempt, 2);
    let mut tx = queue.database.begin().await.unwrap();
    assert!(put_back(&mut tx, second.lease).await.unwrap());
    tx.commit().await.unwrap();
    let third = queue.claim(30).await.unwrap();
    assert_eq!(third.attempt, 2);
    assert_ne!(third.lease, second.lease);
}

#[tokio::test]
async fn many_workers_never_hold_the_same_job() {
    let queue = std::sync::Arc::new(Queue::new().await);
    for number in 0..60 {
        queue.enqueue(&format!("job-{number}"), 0, 0).await;
    }
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let queue = queue.clone();
        workers.spawn(async move {
            let mut keys = Vec::new();
            while let Some(job) = queue.claim(1).await {
                let mut tx = queue.database.begin().await.unwrap();
                assert!(complete(&mut tx, job.lease).await.unwrap());
                tx.commit().await.unwrap();
                keys.push(job.dedupe_key);
            }
            keys
        });
    }
    let mut keys: Vec<String> = workers.join_all().await.concat();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 60);
}

#[test]
fn waits_double_up_to_the_longest() {
    let backoff = Backoff { first: Duration::from_secs(5), longest: Duration::from_secs(60) };
    for (attempt, seconds) in [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (1000, 60)] {
        assert_eq!(backoff.delay(attempt), Duration::from_secs(seconds), "{attempt}");
    }
}
