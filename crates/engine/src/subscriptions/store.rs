//! Reading and changing subscriptions.

use std::fmt::Write as _;

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use storage::{Row, from_micros, to_micros};

use crate::{Engine, StorageError};

/// What is watched, or told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubscriptionKind {
    /// New tags of a repository are added.
    RepositoryUpdate,
    /// The image that a tag names now is added.
    TagUpdate,
    /// Changed verdicts are told.
    PolicyEvaluation,
    /// Changed vulnerabilities are told.
    VulnerabilityUpdate,
    /// The course of an analysis is told.
    AnalysisUpdate,
}

impl SubscriptionKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::RepositoryUpdate,
        Self::TagUpdate,
        Self::PolicyEvaluation,
        Self::VulnerabilityUpdate,
        Self::AnalysisUpdate,
    ];
    /// Those that a tag gets when it is added.
    pub(crate) const OF_TAGS: [Self; 4] =
        [Self::TagUpdate, Self::PolicyEvaluation, Self::VulnerabilityUpdate, Self::AnalysisUpdate];

    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::RepositoryUpdate => "repo_update",
            Self::TagUpdate => "tag_update",
            Self::PolicyEvaluation => "policy_eval",
            Self::VulnerabilityUpdate => "vuln_update",
            Self::AnalysisUpdate => "analysis_update",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A stored subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The account it belongs to.
    pub account: String,
    /// A full tag, or a repository.
    pub key: String,
    /// What is watched.
    pub kind: SubscriptionKind,
    /// Derived from the three above.
    pub id: String,
    /// A text of the user; for tags, JSON with more `digests` to watch.
    pub value: Option<String>,
    /// Whether it is switched on.
    pub is_active: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// A subscription to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubscription {
    /// A full tag, or a repository.
    pub key: String,
    /// What is watched.
    pub kind: SubscriptionKind,
    /// Whether it is switched on.
    pub is_active: bool,
    /// A text of the user.
    pub value: Option<String>,
}

/// What to change; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// Whether it is switched on.
    pub is_active: Option<bool>,
    /// The text, or its removal.
    pub value: Option<Option<String>>,
}

/// Which subscriptions; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionFilter {
    /// Of this key.
    pub key: Option<String>,
    /// Of this kind.
    pub kind: Option<SubscriptionKind>,
}

/// Why a subscription was not made or changed.
#[derive(Debug, thiserror::Error)]
pub enum SubscriptionError {
    /// There is no such account.
    #[error("account `{0}` does not exist")]
    NoAccount(String),
    /// There is one of this key and kind.
    #[error("subscription already exists in DB")]
    Exists,
    /// There is none of this id.
    #[error("subscription {0} not found in DB")]
    NotFound(String),
    /// The tables cannot be read or written.
    #[error("store the subscription")]
    Storage(#[from] StorageError),
}

const COLUMNS: &str = "account, subscription_key, type, id, value, is_active, created_us, updated_us";

/// The id that clients know a subscription by.
pub(crate) fn subscription_id(account: &str, key: &str, kind: SubscriptionKind) -> String {
    let hash = Md5::digest(format!("{account}+{key}+{}", kind.name()));
    hash.iter().fold(String::with_capacity(32), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

impl Engine {
    /// The subscriptions of an account, oldest first.
    pub async fn list_subscriptions(
        &self,
        account: &str,
        filter: &SubscriptionFilter,
    ) -> Result<Vec<Subscription>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM subscriptions WHERE account = $1 AND ($2 = '' OR subscription_key = $2) \
             AND ($3 = '' OR type = $3) ORDER BY created_us, subscription_key, type"
        ))
        .bind(account)
        .bind(filter.key.clone().unwrap_or_default())
        .bind(filter.kind.map_or("", SubscriptionKind::name))
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list subscriptions"))?;
        rows.iter().map(read_subscription).collect()
    }

    /// The subscription of this id.
    pub async fn find_subscription(
        &self,
        account: &str,
        id: &str,
    ) -> Result<Option<Subscription>, StorageError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM subscriptions WHERE account = $1 AND id = $2"
        ))
        .bind(account)
        .bind(id)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read a subscription"))?;
        row.as_ref().map(read_subscription).transpose()
    }

    /// Makes a subscription.
    pub async fn add_subscription(
        &self,
        account: &str,
        new: &NewSubscription,
    ) -> Result<Subscription, SubscriptionError> {
        if crate::accounts::find_account(&self.storage, account).await?.is_none() {
            return Err(SubscriptionError::NoAccount(account.to_owned()));
        }
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let row = storage::query_built(format!(
            "INSERT INTO subscriptions ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
             ON CONFLICT (account, subscription_key, type) DO NOTHING RETURNING {COLUMNS}"
        ))
        .bind(account)
        .bind(&new.key)
        .bind(new.kind.name())
        .bind(subscription_id(account, &new.key, new.kind))
        .bind(&new.value)
        .bind(new.is_active)
        .bind(to_micros(self.now()))
        .fetch_optional(&mut tx)
        .await
        .map_err(StorageError::at("store a subscription"))?;
        let Some(row) = row else { return Err(SubscriptionError::Exists) };
        tx.commit().await.map_err(StorageError::at("commit"))?;
        let subscription = read_subscription(&row)?;
        self.begin_subscription(&subscription).await?;
        Ok(subscription)
    }

    /// Makes a subscription or changes the one that is there, and switches it on.
    pub(crate) async fn put_subscription(
        &self,
        account: &str,
        key: &str,
        kind: SubscriptionKind,
        value: &str,
    ) -> Result<Subscription, StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let row = storage::query_built(format!(
            "INSERT INTO subscriptions ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, 1, $6, $6) \
             ON CONFLICT (account, subscription_key, type) DO UPDATE SET value = excluded.value, \
               is_active = excluded.is_active, updated_us = excluded.updated_us RETURNING {COLUMNS}"
        ))
        .bind(account)
        .bind(key)
        .bind(kind.name())
        .bind(subscription_id(account, key, kind))
        .bind(value)
        .bind(to_micros(self.now()))
        .fetch_one(&mut tx)
        .await
        .map_err(StorageError::at("store a subscription"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        read_subscription(&row)
    }

    /// Changes a subscription. Its key and kind are what it is, and stay.
    pub async fn change_subscription(
        &self,
        account: &str,
        id: &str,
        change: &SubscriptionChange,
    ) -> Result<Subscription, SubscriptionError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let row = storage::query_built(format!(
            "UPDATE subscriptions SET is_active = coalesce($3, is_active), \
               value = CASE WHEN $4 = 1 THEN $5 ELSE value END, updated_us = $6 \
             WHERE account = $1 AND id = $2 RETURNING {COLUMNS}"
        ))
        .bind(account)
        .bind(id)
        .bind(change.is_active.map(i64::from))
        .bind(change.value.is_some())
        .bind(change.value.clone().flatten())
        .bind(to_micros(self.now()))
        .fetch_optional(&mut tx)
        .await
        .map_err(StorageError::at("change a subscription"))?;
        let row = row.ok_or_else(|| SubscriptionError::NotFound(id.to_owned()))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        let subscription = read_subscription(&row)?;
        self.begin_subscription(&subscription).await?;
        Ok(subscription)
    }

    /// Lets the watcher of a subscription that is switched on look at once: what it finds is what later results are compared
    /// with.
    async fn begin_subscription(&self, subscription: &Subscription) -> Result<(), StorageError> {
        if !subscription.is_active {
            return Ok(());
        }
        match subscription.kind {
            SubscriptionKind::PolicyEvaluation => self.hurry_duty("policy_evaluation").await,
            SubscriptionKind::VulnerabilityUpdate => self.hurry_duty("vulnerability_update").await,
            SubscriptionKind::TagUpdate => self.hurry_duty("tag_watch").await,
            SubscriptionKind::RepositoryUpdate => self.hurry_duty("repository_watch").await,
            SubscriptionKind::AnalysisUpdate => Ok(()),
        }
    }

    /// Deletes a subscription; one that is not there is deleted already.
    pub async fn delete_subscription(&self, account: &str, id: &str) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::query("DELETE FROM subscriptions WHERE account = $1 AND id = $2")
            .bind(account)
            .bind(id)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("delete a subscription"))?;
        tx.commit().await.map_err(StorageError::at("commit"))
    }
}

fn read_subscription(row: &Row) -> Result<Subscription, StorageError> {
    let read = || -> Result<Subscription, Box<dyn std::error::Error + Send + Sync>> {
        let kind: String = row.get("type")?;
        Ok(Subscription {
            account: row.get("account")?,
            key: row.get("subscription_key")?,
            kind: SubscriptionKind::from_name(&kind)
                .ok_or_else(|| format!("subscription type `{kind}` is unknown"))?,
            id: row.get("id")?,
            value: row.get("value")?,
            is_active: row.get("is_active")?,
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
        })
    };
    read().map_err(StorageError::at("read a subscription"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_that_clients_compute() {
        for (account, key, kind, id) in [
            (
                "admin",
                "localhost:15443/lib/alpine:1.0",
                SubscriptionKind::PolicyEvaluation,
                "729c82db7576a045f78637f98484d2b7",
            ),
            ("admin", "nosuch:1", SubscriptionKind::TagUpdate, "cda1aa8d5fe1bc9fad1785043fe02a05"),
            (
                "admin",
                "localhost:15443/lib/alpine",
                SubscriptionKind::RepositoryUpdate,
                "0cde691d88f0274c3b95e4bf2be4ac77",
            ),
        ] {
            assert_eq!(subscription_id(account, key, kind), id);
        }
    }
}
