//! Verdicts of the past, which clients may ask for.

use jiff::Timestamp;
use model::{Action, Digest};
use storage::{Mark, from_micros, to_micros};

use super::DECISION_SECONDS;
use crate::{Engine, StorageError};

/// A verdict of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastEvaluation {
    /// Under which bundle.
    pub policy_id: String,
    /// The verdict.
    pub action: Action,
    /// When it held last, to five minutes.
    pub evaluated_at: Timestamp,
}

/// Account, digest and name of an image.
pub(super) type HistoryKey = (String, String, String);
/// Bundle, action and time of the verdict that leads the history.
pub(super) type Newest = Option<(String, String, i64)>;

impl Engine {
    /// Verdicts of the past about an image under a name, newest first.
    pub async fn past_evaluations(
        &self,
        account: &str,
        digest: &Digest,
        key: &str,
    ) -> Result<Vec<PastEvaluation>, StorageError> {
        let rows: Vec<(String, String, i64)> = storage::query(
            "SELECT policy_id, action, updated_us FROM evaluations WHERE account = $1 AND digest = $2 AND tag = $3 \
             ORDER BY updated_us DESC, policy_id, action",
        )
        .bind(account)
        .bind(digest.to_string())
        .bind(key)
        .fetch_all_as(&self.storage)
        .await
        .map_err(StorageError::at("read past evaluations"))?;
        let read = |(policy_id, action, updated): (String, String, i64)| {
            let known =
                [Action::Go, Action::Warn, Action::Stop].into_iter().find(|known| known.name() == action);
            let action = known.ok_or_else(|| format!("action `{action}` is unknown"))?;
            Ok(PastEvaluation { policy_id, action, evaluated_at: from_micros(updated) })
        };
        let past: Result<Vec<_>, String> = rows.into_iter().map(read).collect();
        past.map_err(StorageError::at("read past evaluations"))
    }

    /// Keeps a verdict for the history. One that leads it and was written lately is not written again.
    pub(super) async fn store_evaluation(
        &self,
        mark: Option<&Mark>,
        history: HistoryKey,
        (policy_id, action): (&str, Action),
        asked_at: Timestamp,
    ) -> Result<(), StorageError> {
        let (action, asked) = (action.name(), to_micros(asked_at));
        let newest = self.caches.newest.or_read(mark, &history, self.newest_evaluation(&history)).await?;
        let is_there = newest.is_some_and(|(newest_policy, newest_action, updated)| {
            newest_policy == policy_id
                && newest_action == action
                && asked.saturating_sub(updated) < DECISION_SECONDS * 1_000_000
        });
        if is_there {
            return Ok(());
        }
        let (account, digest, key) = &history;
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::query(
            "INSERT INTO evaluations (account, policy_id, digest, tag, action, created_us, updated_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $6) \
             ON CONFLICT (account, policy_id, digest, tag, action) DO UPDATE SET updated_us = excluded.updated_us",
        )
        .bind(account)
        .bind(policy_id)
        .bind(digest)
        .bind(key)
        .bind(action)
        .bind(asked)
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("store an evaluation"))?;
        let committed = tx.commit().await.map_err(StorageError::at("commit"));
        // Verdicts that are kept make no mark: see `QUIET_TABLES`.
        self.caches.newest.forget(&history);
        committed
    }

    async fn newest_evaluation(&self, (account, digest, key): &HistoryKey) -> Result<Newest, StorageError> {
        storage::query(
            "SELECT policy_id, action, updated_us FROM evaluations \
             WHERE account = $1 AND digest = $2 AND tag = $3 ORDER BY updated_us DESC LIMIT 1",
        )
        .bind(account)
        .bind(digest)
        .bind(key)
        .fetch_optional_as(&self.storage)
        .await
        .map_err(StorageError::at("look for the evaluation"))
    }
}
