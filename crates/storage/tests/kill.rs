//! A worker process that is killed at any moment loses no job and finishes none twice.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use storage::{Database, LeaseScope, Location, NewJob, claim, complete, enqueue, query, release_leases};

const FILE: &str = "killed.db";
const JOBS: i64 = 200;
const KILLS: u64 = 6;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// Claims and completes until nothing is left; the result is stored together with the completion.
async fn work(database: &Database, second: i64) -> u64 {
    let mut done = 0;
    loop {
        let mut tx = database.begin().await.unwrap();
        let Some(job) = claim(&mut tx, "work", "w", at(second + 60), at(second)).await.unwrap() else {
            return done;
        };
        tx.commit().await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
        let mut tx = database.begin().await.unwrap();
        query("UPDATE results SET times = times + 1 WHERE job = $1")
            .bind(&job.dedupe_key)
            .execute(&mut tx)
            .await
            .unwrap();
        assert!(complete(&mut tx, job.lease).await.unwrap());
        tx.commit().await.unwrap();
        done += 1;
    }
}

/// Starts this test's program again, in the prepared folder: there it is the process that gets killed.
fn start_worker(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["killed_workers_lose_nothing", "--exact"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the worker process has finished one more job, so that each kill meets a working one.
async fn wait_for_progress(database: &Database) {
    let count = async || query("SELECT sum(times) FROM results").fetch_value::<i64>(database).await.unwrap();
    let before = count().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while count().await == before {
        assert!(tokio::time::Instant::now() < deadline, "the worker process does nothing");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn killed_workers_lose_nothing() {
    if Path::new(FILE).exists() {
        let database = Database::open(&Location::File(FILE.into())).await.unwrap();
        work(&database, 0).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&Location::File(folder.path().join(FILE))).await.unwrap();
    let mut tx = database.begin().await.unwrap();
    query("CREATE TABLE results (job TEXT PRIMARY KEY, times INTEGER NOT NULL)")
        .execute(&mut tx)
        .await
        .unwrap();
    for number in 0..JOBS {
        let key = format!("job-{number}");
        query("INSERT INTO results VALUES ($1, 0)").bind(&key).execute(&mut tx).await.unwrap();
        let job = NewJob { kind: "work", dedupe_key: &key, payload: "", priority: 0, attempts_max: 100 };
        enqueue(&mut tx, &job, at(0), at(0)).await.unwrap();
    }
    tx.commit().await.unwrap();

    for round in 1..=KILLS {
        let mut worker = start_worker(folder.path());
        wait_for_progress(&database).await;
        tokio::time::sleep(Duration::from_millis(7 * round)).await;
        worker.kill().unwrap();
        worker.wait().unwrap();
    }

    let mut tx = database.begin().await.unwrap();
    let released = release_leases(&mut tx, LeaseScope::Expired, at(60)).await.unwrap();
    tx.commit().await.unwrap();
    let finished_here = work(&database, 60).await;
    let (once, total): (i64, i64) =
        query("SELECT sum(times = 1), count(*) FROM results").fetch_one_as(&database).await.unwrap();
    assert_eq!((once, total), (JOBS, JOBS), "each job's result is stored exactly once");
    assert!(finished_here > 0, "the workers must be killed before they are done");
    assert!(released.len() <= usize::try_from(KILLS).unwrap());
}
