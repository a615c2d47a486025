//! Duties: work that comes back, such as deleting what was marked and asking registries for new tags.
//!
//! Each duty is one durable job that is wanted again when it is done. Whoever holds its lease does it, so a duty is done once
//! however many processes share a database, and one that dies with its process is taken over.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use scanner::CancellationToken;
use storage::{Job, NewJob};

use crate::storage_error::chain;
use crate::{Engine, EngineSettings, StorageError};

/// Pause between two looks at the clock; a duty that is hurried in this process wakes sooner.
const LOOK: Duration = Duration::from_secs(1);
/// A duty that fails is tried again after this, or after its interval if that is shorter.
const RETRY: Duration = Duration::from_secs(30);
/// How long a process may be silent before another one takes its duty.
const LEASE: Duration = Duration::from_secs(60);

/// Work that comes back.
pub(crate) struct Duty {
    /// Its name in the queue, unique.
    pub(crate) name: &'static str,
    /// Pause between two turns; `None`: this program does not do it.
    pub(crate) interval: fn(&EngineSettings) -> Option<Duration>,
    /// One turn. It must bear being cut off anywhere and being done twice.
    pub(crate) run: for<'a> fn(&'a Arc<Engine>) -> BoxFuture<'a, Result<(), StorageError>>,
}

/// All duties.
static DUTIES: &[Duty] = &[
    Duty {
        name: "account_deletion",
        interval: |settings| Some(settings.intervals.account_deletion),
        run: |engine| Box::pin(crate::accounts::delete_accounts(engine)),
    },
    Duty {
        name: "event_expiry",
        interval: |settings| Some(settings.intervals.event_expiry),
        run: |engine| Box::pin(crate::events::expire(engine)),
    },
    Duty {
        name: "notification_delivery",
        interval: |settings| {
            (!settings.webhooks.targets.is_empty()).then_some(settings.intervals.notification_delivery)
        },
        run: |engine| Box::pin(crate::notifications::deliver(engine)),
    },
    Duty {
        name: "policy_evaluation",
        interval: |settings| Some(settings.intervals.policy_evaluation),
        run: |engine| Box::pin(crate::watches::watch_policies(engine)),
    },
    Duty {
        name: "repository_watch",
        interval: |settings| Some(settings.intervals.repository_watch),
        run: |engine| Box::pin(crate::watches::watch_repositories(engine)),
    },
    Duty {
        name: "tag_watch",
        interval: |settings| Some(settings.intervals.tag_watch),
        run: |engine| Box::pin(crate::watches::watch_tags(engine)),
    },
    Duty {
        name: "vulnerability_update",
        interval: |settings| Some(settings.intervals.vulnerability_update),
        run: |engine| Box::pin(crate::watches::watch_vulnerabilities(engine)),
    },
    Duty {
        name: "image_deletion",
        interval: |settings| Some(settings.intervals.image_deletion),
        run: |engine| Box::pin(crate::images::remove_deleted(engine)),
    },
    Duty {
        name: "archive_transition",
        interval: |settings| Some(settings.intervals.archive_transition),
        run: |engine| Box::pin(crate::archive::apply_rules(engine)),
    },
    Duty {
        name: "feed_update",
        interval: |settings| settings.feeds.is_fetching.then_some(settings.intervals.feed_update),
        run: |engine| Box::pin(crate::feeds::update_due(engine)),
    },
    Duty {
        name: "layer_chains",
        interval: |settings| Some(settings.intervals.judge_again),
        run: |engine| Box::pin(crate::images::fill_layer_chains(engine)),
    },
    Duty {
        name: "judge_again",
        interval: |settings| Some(settings.intervals.judge_again),
        run: |engine| Box::pin(crate::reports::judge_due(engine)),
    },
];

impl Engine {
    /// Does the duties until `shutdown` completes. What is being done then is cut off and done again later.
    pub async fn run_duties(self: Arc<Self>, shutdown: impl Future<Output = ()>) {
        let stop = CancellationToken::new();
        let mut tasks = tokio::task::JoinSet::new();
        for duty in DUTIES {
            if let Some(interval) = (duty.interval)(&self.settings) {
                tasks.spawn(self.clone().run_duty(duty, interval, stop.clone()));
            }
        }
        shutdown.await;
        stop.cancel();
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(error = chain(&error), "a duty ended badly");
            }
        }
    }

    /// Lets a duty be done at once, in whichever process does it.
    pub(crate) async fn hurry_duty(&self, name: &'static str) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::hurry(&mut tx, &job_kind(name), name, self.now())
            .await
            .map_err(StorageError::at("hurry a duty"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.duty_hurried.notify_waiters();
        Ok(())
    }

    async fn run_duty(self: Arc<Self>, duty: &'static Duty, interval: Duration, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.claim_duty(duty).await {
                Ok(Some(job)) => self.do_duty(duty, &job, interval, &stop).await,
                Ok(None) => self.wait_for_duty(&stop).await,
                Err(error) => {
                    tracing::error!(duty.name = duty.name, error = chain(&error), "cannot claim a duty");
                    self.wait_for_duty(&stop).await;
                }
            }
        }
    }

    async fn wait_for_duty(&self, stop: &CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.duty_hurried.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }

    /// Claims the duty if it is due, and wants it if nobody does yet.
    async fn claim_duty(&self, duty: &Duty) -> Result<Option<Job>, StorageError> {
        let (now, kind) = (self.now(), job_kind(duty.name));
        let counts =
            storage::count_jobs(&self.storage, &kind).await.map_err(StorageError::at("look for a duty"))?;
        let is_wanted = counts.queued + counts.running > 0;
        let is_due = storage::has_due(&self.storage, &kind, now).await;
        if is_wanted && !is_due.map_err(StorageError::at("look for a duty"))? {
            return Ok(None);
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        crate::analysis::release_expired(self, &mut tx, now).await?;
        let new = new_job(&kind, duty.name);
        storage::enqueue(&mut tx, &new, now, now).await.map_err(StorageError::at("want a duty"))?;
        let job = storage::claim(&mut tx, &kind, &self.settings.host_id, later(now, LEASE), now)
            .await
            .map_err(StorageError::at("claim a duty"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(job)
    }

    async fn do_duty(self: &Arc<Self>, duty: &Duty, job: &Job, interval: Duration, stop: &CancellationToken) {
        let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + LEASE / 3, LEASE / 3);
        heartbeat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut turn = (duty.run)(self);
        let ended = loop {
            tokio::select! {
                ended = &mut turn => break ended,
                () = stop.cancelled() => {
                    drop(turn);
                    if let Err(error) = self.end_duty(duty, job, None).await {
                        tracing::warn!(duty.name = duty.name, error = chain(&error), "cannot give a duty back");
                    }
                    return;
                }
                _ = heartbeat.tick() => match self.prolong_duty(job).await {
                    Ok(true) => {}
                    Ok(false) => return tracing::warn!(duty.name = duty.name, "the lease was lost"),
                    Err(error) => tracing::warn!(error = chain(&error), "cannot prolong a lease"),
                },
            }
        };
        self.settings.metrics.duty(duty.name, ended.is_ok());
        let pause = match &ended {
            Ok(()) => interval,
            Err(error) => {
                tracing::error!(duty.name = duty.name, error = chain(error), "a duty failed");
                RETRY.min(interval)
            }
        };
        if let Err(error) = self.end_duty(duty, job, Some(pause)).await {
            tracing::error!(duty.name = duty.name, error = chain(&error), "cannot end a duty");
        }
    }

    async fn prolong_duty(&self, job: &Job) -> Result<bool, StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let is_held = storage::heartbeat(&mut tx, job.lease, later(self.now(), LEASE))
            .await
            .map_err(StorageError::at("prolong a lease"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(is_held)
    }

    /// Ends a turn and wants the next one after a pause; without a pause the turn is given back.
    async fn end_duty(&self, duty: &Duty, job: &Job, pause: Option<Duration>) -> Result<(), StorageError> {
        let (now, kind) = (self.now(), job_kind(duty.name));
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        match pause {
            None => {
                storage::put_back(&mut tx, job.lease).await.map_err(StorageError::at("give a duty back"))?;
            }
            Some(pause) => {
                if storage::complete(&mut tx, job.lease).await.map_err(StorageError::at("end a duty"))? {
                    storage::enqueue(&mut tx, &new_job(&kind, duty.name), later(now, pause), now)
                        .await
                        .map_err(StorageError::at("want a duty again"))?;
                }
            }
        }
        tx.commit().await.map_err(StorageError::at("commit"))
    }
}

/// Every duty has a kind of its own, so that claiming one never takes another.
fn job_kind(name: &str) -> String {
    format!("duty:{name}")
}

fn new_job<'a>(kind: &'a str, name: &'a str) -> NewJob<'a> {
    NewJob { kind, dedupe_key: name, payload: "{}", priority: 0, attempts_max: i64::MAX }
}

fn later(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<&str> = DUTIES.iter().map(|duty| duty.name).collect();
        assert_eq!(names.len(), DUTIES.len());
    }
}
