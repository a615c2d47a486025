//! Switching feeds and groups on and off, and forgetting what they brought.

use super::state::{FeedsState, delete_groups, store_deleted, store_group_enabled, store_source_enabled};
use super::{ALL_FEEDS, FeedFolder, FeedStatus, facts, write_fact};
use crate::{Engine, StorageError};

/// Why a feed was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ManageFeedError {
    /// There is no such feed.
    #[error("feed `{0}` not found")]
    UnknownFeed(String),
    /// The feed has no such group.
    #[error("group `{group}` of feed `{feed}` not found")]
    UnknownGroup {
        /// The feed.
        feed: String,
        /// The group.
        group: String,
    },
    /// What is in use is not deleted.
    #[error("`{0}` is enabled: disable it before its data is deleted")]
    Enabled(String),
    /// Somebody fetches or builds.
    #[error("a feed sync is already in progress; wait for it to end and ask again")]
    Busy,
    /// Files cannot be removed.
    #[error("remove the files of a feed")]
    Folder(#[source] std::io::Error),
    /// The engine's tables.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Engine {
    /// Switches a feed, or a group of it, on or off. What is off is left out of the next build.
    pub async fn set_feed_enabled(
        &self,
        feed: &str,
        group: Option<&str>,
        is_enabled: bool,
    ) -> Result<FeedStatus, ManageFeedError> {
        let shown = self.find_feed(feed, group).await?;
        drop(shown);
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        match group {
            Some(group) => store_group_enabled(&mut tx, feed, group, is_enabled, now).await?,
            None if feed == ALL_FEEDS => {
                write_fact(&mut tx, facts::IS_ENABLED, if is_enabled { "true" } else { "false" }, now)
                    .await?;
            }
            None => store_source_enabled(&mut tx, feed, is_enabled, now).await?,
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        self.find_feed(feed, group).await
    }

    /// Forgets the data of a feed that is off, or of a group of it. Done again, it does nothing.
    pub async fn delete_feed(&self, feed: &str, group: Option<&str>) -> Result<FeedStatus, ManageFeedError> {
        let shown = self.find_feed(feed, group).await?;
        let is_enabled = match group {
            None => shown.is_enabled,
            Some(group) => shown.groups.iter().any(|it| it.name == group && it.is_enabled),
        };
        if is_enabled {
            return Err(ManageFeedError::Enabled(group.unwrap_or(feed).to_owned()));
        }
        let folder = FeedFolder::new(&self.settings.data_dir);
        let lock = folder.try_lock().map_err(ManageFeedError::Folder)?.ok_or(ManageFeedError::Busy)?;
        let state = self.feeds_state().await?;
        if group.is_none() {
            self.forget(&state, feed, &folder).await?;
        }
        // A group that is off is not in the next database; there is nothing else of it.
        let state = self.feeds_state().await?;
        self.build_if_needed(&state, true).await?;
        drop(lock);
        self.find_feed(feed, group).await
    }

    async fn forget(
        &self,
        state: &FeedsState,
        feed: &str,
        folder: &FeedFolder,
    ) -> Result<(), ManageFeedError> {
        let names = state.sources.keys().filter(|name| feed == ALL_FEEDS || *name == feed);
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let now = self.now();
        for name in names.clone() {
            store_deleted(&mut tx, name, now).await?;
        }
        if feed == ALL_FEEDS {
            delete_groups(&mut tx, ALL_FEEDS).await?;
        }
        tx.commit().await.map_err(StorageError::at("commit"))?;
        for name in names {
            folder.remove(name).map_err(ManageFeedError::Folder)?;
        }
        Ok(())
    }

    async fn find_feed(&self, feed: &str, group: Option<&str>) -> Result<FeedStatus, ManageFeedError> {
        let found = self.feeds().await?.into_iter().find(|status| status.name == feed);
        let found = found.ok_or_else(|| ManageFeedError::UnknownFeed(feed.to_owned()))?;
        match group {
            Some(group) if !found.groups.iter().any(|it| it.name == group) => {
                Err(ManageFeedError::UnknownGroup { feed: feed.to_owned(), group: group.to_owned() })
            }
            _ => Ok(found),
        }
    }
}
