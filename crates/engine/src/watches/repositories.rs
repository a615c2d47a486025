//! Watching repositories: the images of their tags are added as they appear.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use model::ImageReference;
use serde_json::{Map, Value, json};
use storage::{Backoff, to_micros};

use super::politeness::{Patience, by_registry, question_options};
use super::subscribed::find_subscribed;
use crate::storage_error::chain;
use crate::{
    AddImage, AddImageError, Engine, ParsePullStringError, Pull, PullString, StorageError, Subscription,
    SubscriptionError, SubscriptionKind,
};

/// Images of one repository that are added in one turn; the others follow.
const ADDED_MAX: usize = 100;
/// What fails is asked for again after this.
const BACKOFF: Backoff = Backoff { first: Duration::from_secs(60), longest: Duration::from_secs(3600) };
/// Stands for the list of tags among the tags that failed.
const WHOLE: &str = "";

/// A repository that is watched, or would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedRepository {
    /// Its subscription; without times where it was only tried.
    pub subscription: Subscription,
    /// Whether it was only tried.
    pub is_trial: bool,
}

/// Why a repository is not watched.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The text names no repository.
    #[error("cannot handle image input string")]
    BadName(#[source] ParsePullStringError),
    /// There is none, it has no tags, or its registry does not answer.
    #[error("no tags could be added from input regrepo ({0})")]
    NoTags(String),
    /// The subscription cannot be stored.
    #[error("watch the repository")]
    Subscription(#[from] SubscriptionError),
}

impl Engine {
    /// Watches a repository from now on: lists its tags and subscribes to it. As a trial, nothing is stored.
    pub async fn watch_repository(
        &self,
        account: &str,
        name: &str,
        autosubscribe: bool,
        is_trial: bool,
    ) -> Result<WatchedRepository, RepositoryError> {
        let no_tags = || RepositoryError::NoTags(name.chars().take(200).collect());
        let repository = parse_repository(name)?.ok_or_else(no_tags)?;
        if self.find_account(account).await.map_err(SubscriptionError::Storage)?.is_none() {
            return Err(SubscriptionError::NoAccount(account.to_owned()).into());
        }
        let key = key_of(&repository);
        let tags = match self.tags_for(account, &repository, &question_options(self)).await {
            Ok(tags) => tags,
            Err(AddImageError::Storage(error)) => return Err(SubscriptionError::Storage(error).into()),
            Err(error) => {
                self.tell_listing_failure(account, &key, &error).await;
                return Err(no_tags());
            }
        };
        if tags.is_empty() {
            return Err(no_tags());
        }
        let value = value_of(autosubscribe, &tags, None);
        let kind = SubscriptionKind::RepositoryUpdate;
        if is_trial {
            let subscription = Subscription {
                account: account.to_owned(),
                id: crate::subscriptions::subscription_id(account, &key, kind),
                key,
                kind,
                value: Some(value),
                is_active: false,
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
            };
            return Ok(WatchedRepository { subscription, is_trial });
        }
        let subscription = self.put_subscription(account, &key, kind, &value).await;
        let subscription = subscription.map_err(SubscriptionError::Storage)?;
        self.hurry_duty("repository_watch").await.map_err(SubscriptionError::Storage)?;
        Ok(WatchedRepository { subscription, is_trial })
    }
}

/// `None`: it names an image, not a repository.
fn parse_repository(name: &str) -> Result<Option<ImageReference>, RepositoryError> {
    let last = name.rsplit('/').next().unwrap_or_default();
    if name.is_empty() || last.contains([':', '@']) {
        return Ok(None);
    }
    match PullString::parse(name) {
        Ok(PullString::Reference(reference)) => Ok(Some(reference)),
        Ok(PullString::Digest(_) | PullString::ImageId(_)) => Ok(None),
        Err(error) => Err(RepositoryError::BadName(error)),
    }
}

fn key_of(repository: &ImageReference) -> String {
    format!("{}/{}", repository.registry(), repository.repository())
}

/// What clients read out of the subscription. The tag for lookups has never had an effect.
fn value_of(autosubscribe: bool, tags: &[String], lookup_tag: Option<&Value>) -> String {
    json!({
        "autosubscribe": autosubscribe,
        "repotags": tags,
        "tagcount": tags.len(),
        "lookuptag": lookup_tag.cloned().unwrap_or_else(|| json!("latest")),
    })
    .to_string()
}

/// A subscription to a repository.
struct Watched {
    account: String,
    key: String,
    value: Option<String>,
}

/// Looks at all watched repositories and adds the images of their new tags.
pub(crate) async fn watch_repositories(engine: &Arc<Engine>) -> Result<(), StorageError> {
    let mut repositories = Vec::new();
    for (account, key, value) in find_subscribed(engine, SubscriptionKind::RepositoryUpdate).await? {
        match parse_repository(&key) {
            Ok(Some(repository)) => repositories.push((repository, Watched { account, key, value })),
            // Users may subscribe to anything; what names no repository is nothing to ask for.
            _ => tracing::debug!(subscription.key = key, "a watched key names no repository"),
        }
    }
    by_registry(engine, repositories, |engine, repository, watched, patience| {
        Box::pin(async move {
            if let Err(error) = look(engine, repository, watched, patience).await {
                let error = chain(&error);
                tracing::error!(repository.name = watched.key, error, "cannot watch a repository");
            }
        })
    })
    .await;
    Ok(())
}

async fn look(
    engine: &Engine,
    repository: &ImageReference,
    watched: &Watched,
    patience: &mut Patience,
) -> Result<(), StorageError> {
    let failures = find_failures(engine, watched).await?;
    let now = to_micros(engine.now());
    let is_due = |tag: &str| failures.get(tag).is_none_or(|(_, retry)| *retry <= now);
    if !is_due(WHOLE) {
        return Ok(());
    }
    let listed = engine.tags_for(&watched.account, repository, &question_options(engine)).await;
    patience.note(listed.as_ref().err());
    let tags = match listed {
        Ok(tags) => tags,
        Err(AddImageError::Storage(error)) => return Err(error),
        Err(error) => {
            engine.tell_listing_failure(&watched.account, &watched.key, &error).await;
            return note_failure(engine, watched, WHOLE, &failures).await;
        }
    };
    forget_failure(engine, watched, WHOLE, &failures).await?;
    let old = watched.value.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let of_old = |key: &str| old.as_ref().and_then(|old| old.get(key));
    let autosubscribe = of_old("autosubscribe").and_then(Value::as_bool).unwrap_or(false);
    if of_old("repotags") != Some(&json!(tags)) {
        update_value(engine, watched, &value_of(autosubscribe, &tags, of_old("lookuptag"))).await?;
    }
    let known = find_known_tags(engine, &watched.account, repository).await?;
    let new = tags.iter().filter(|tag| !known.contains(*tag) && is_due(tag)).take(ADDED_MAX);
    for tag in new {
        if patience.is_over() {
            break;
        }
        let ended = add(engine, watched, tag, autosubscribe).await;
        patience.note(ended.as_ref().err());
        match ended {
            Ok(()) => forget_failure(engine, watched, tag, &failures).await?,
            Err(AddImageError::Storage(error)) => return Err(error),
            Err(error) => {
                let name = format!("{}:{tag}", watched.key);
                engine.tell_lookup_failure(&watched.account, &name, &error).await;
                note_failure(engine, watched, tag, &failures).await?;
            }
        }
    }
    Ok(())
}

async fn add(
    engine: &Engine,
    watched: &Watched,
    tag: &str,
    autosubscribe: bool,
) -> Result<(), AddImageError> {
    let reference: ImageReference = format!("{}:{tag}", watched.key)
        .parse()
        .map_err(|error| AddImageError::Storage(StorageError::new("read a tag", error)))?;
    let request = AddImage {
        account: watched.account.clone(),
        reference,
        pull: Pull::Reference,
        annotations: Map::new(),
        dockerfile: None,
        created_at: None,
        force: false,
        priority: 0,
        autosubscribe,
    };
    engine.add_image_with(&request, &question_options(engine)).await.map(drop)
}

async fn find_known_tags(
    engine: &Engine,
    account: &str,
    repository: &ImageReference,
) -> Result<BTreeSet<String>, StorageError> {
    let tags: Vec<(String,)> = storage::query(
        "SELECT DISTINCT tag FROM image_tags WHERE account = $1 AND registry = $2 AND repository = $3",
    )
    .bind(account)
    .bind(repository.registry())
    .bind(repository.repository())
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("read known tags"))?;
    Ok(tags.into_iter().map(|(tag,)| tag).collect())
}

/// How often a tag failed, and when it is tried again.
type Failures = BTreeMap<String, (i64, i64)>;

async fn find_failures(engine: &Engine, watched: &Watched) -> Result<Failures, StorageError> {
    let rows: Vec<(String, i64, i64)> = storage::query(
        "SELECT tag, failures, retry_us FROM repository_tag_failures WHERE account = $1 AND repository = $2",
    )
    .bind(&watched.account)
    .bind(&watched.key)
    .fetch_all_as(&engine.storage)
    .await
    .map_err(StorageError::at("read failed tags"))?;
    Ok(rows.into_iter().map(|(tag, failures, retry)| (tag, (failures, retry))).collect())
}

async fn note_failure(
    engine: &Engine,
    watched: &Watched,
    tag: &str,
    failures: &Failures,
) -> Result<(), StorageError> {
    let count = failures.get(tag).map_or(0, |(count, _)| *count) + 1;
    let retry = engine.now().checked_add(BACKOFF.delay(count)).unwrap_or(Timestamp::MAX);
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    storage::query(
        "INSERT INTO repository_tag_failures (account, repository, tag, failures, retry_us) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (account, repository, tag) \
         DO UPDATE SET failures = excluded.failures, retry_us = excluded.retry_us",
    )
    .bind(&watched.account)
    .bind(&watched.key)
    .bind(tag)
    .bind(count)
    .bind(to_micros(retry))
    .execute(&mut tx)
    .await
    .map_err(StorageError::at("note a failed tag"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}

async fn forget_failure(
    engine: &Engine,
    watched: &Watched,
    tag: &str,
    failures: &Failures,
) -> Result<(), StorageError> {
    if !failures.contains_key(tag) {
        return Ok(());
    }
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    storage::query("DELETE FROM repository_tag_failures WHERE account = $1 AND repository = $2 AND tag = $3")
        .bind(&watched.account)
        .bind(&watched.key)
        .bind(tag)
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("forget a failed tag"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}

/// Keeps the list of tags up to date, unless somebody changed the subscription in the meantime.
async fn update_value(engine: &Engine, watched: &Watched, value: &str) -> Result<(), StorageError> {
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    storage::query(
        "UPDATE subscriptions SET value = $4, updated_us = $5 WHERE account = $1 AND subscription_key = $2 \
         AND type = $3 AND coalesce(value, '') = $6",
    )
    .bind(&watched.account)
    .bind(&watched.key)
    .bind(SubscriptionKind::RepositoryUpdate.name())
    .bind(value)
    .bind(to_micros(engine.now()))
    .bind(watched.value.clone().unwrap_or_default())
    .execute(&mut tx)
    .await
    .map_err(StorageError::at("note a repository's tags"))?;
    tx.commit().await.map_err(StorageError::at("commit"))
}
