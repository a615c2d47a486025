//! Rules that move images into the archive, and out of it for good.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use storage::{Row, from_micros, to_micros};

use crate::{Engine, StorageError};

/// Which tags a rule is about. `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selector {
    /// Host with port.
    pub registry: String,
    /// Repository.
    pub repository: String,
    /// Tag.
    pub tag: String,
}

impl Selector {
    /// Whether a tag is meant.
    pub fn matches(&self, registry: &str, repository: &str, tag: &str) -> bool {
        matches_stars(&self.registry, registry)
            && matches_stars(&self.repository, repository)
            && matches_stars(&self.tag, tag)
    }
}

/// Whether a text has the form of a pattern, in which `*` stands for any run of characters.
fn matches_stars(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(position) => rest = &rest[position + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transition {
    /// Moves images into the archive.
    Archive,
    /// Removes images from the archive for good.
    Delete,
}

impl Transition {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Delete => "delete",
        }
    }
}

/// Tags that a rule leaves alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Which.
    pub selector: Selector,
    /// Until the rule is so many days old; negative: for ever.
    pub expiration_days: i64,
}

/// What a user says in a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewArchiveRule {
    /// Which tags.
    pub selector: Selector,
    /// Which of them not.
    pub exclude: Option<Exclusion>,
    /// Only images analyzed more than so many days ago; negative: of any age.
    pub analysis_age_days: i64,
    /// Only images with so many newer ones of the same tag.
    pub tag_versions_newer: i64,
    /// What it does.
    pub transition: Transition,
    /// Whether it holds for every account.
    pub is_global: bool,
    /// For global rules: only the oldest images of an account with more than so many.
    pub max_images_per_account: Option<i64>,
}

/// A stored rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveRule {
    /// Its identifier.
    pub id: String,
    /// The account it belongs to.
    pub account: String,
    /// What it says.
    pub rule: NewArchiveRule,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// Why a rule was not stored.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveRuleError {
    /// There is no such account.
    #[error("account `{0}` does not exist")]
    NoAccount(String),
    /// A limit of images is for global rules.
    #[error("max_images_per_account can only be set on system_global rules")]
    MaximumNeedsGlobal,
    /// The tables cannot be read or written.
    #[error("store an archive rule")]
    Storage(#[from] StorageError),
}

const COLUMNS: &str = "account, id, document, created_us, updated_us";

impl Engine {
    /// Stores a new rule.
    pub async fn add_archive_rule(
        &self,
        account: &str,
        rule: &NewArchiveRule,
    ) -> Result<ArchiveRule, ArchiveRuleError> {
        if rule.max_images_per_account.is_some() && !rule.is_global {
            return Err(ArchiveRuleError::MaximumNeedsGlobal);
        }
        if self.find_account(account).await?.is_none() {
            return Err(ArchiveRuleError::NoAccount(account.to_owned()));
        }
        let document = serde_json::to_string(rule).map_err(StorageError::at("write an archive rule"))?;
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let row = storage::query_built(format!(
            "INSERT INTO archive_rules (account, id, is_global, document, created_us, updated_us) \
             VALUES ($1, $2, $3, $4, $5, $5) RETURNING {COLUMNS}"
        ))
        .bind(account)
        .bind(uuid::Uuid::new_v4().simple().to_string())
        .bind(rule.is_global)
        .bind(document)
        .bind(to_micros(self.now()))
        .fetch_one(&mut tx)
        .await
        .map_err(StorageError::at("store an archive rule"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(read_rule(&row)?)
    }

    /// The rules of an account, oldest first; with the global ones of all accounts if asked for.
    pub async fn list_archive_rules(
        &self,
        account: &str,
        with_global: bool,
    ) -> Result<Vec<ArchiveRule>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM archive_rules WHERE (account = $1 AND is_global = 0) \
             OR (is_global = 1 AND (account = $1 OR $2 = 1)) ORDER BY created_us, id"
        ))
        .bind(account)
        .bind(with_global)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list archive rules"))?;
        rows.iter().map(read_rule).collect()
    }

    /// All rules of all accounts.
    pub(super) async fn all_archive_rules(&self) -> Result<Vec<ArchiveRule>, StorageError> {
        let sql = format!("SELECT {COLUMNS} FROM archive_rules ORDER BY created_us, id");
        let rows = storage::query_built(sql)
            .fetch_all(&self.storage)
            .await
            .map_err(StorageError::at("list archive rules"))?;
        rows.iter().map(read_rule).collect()
    }

    /// The rule of this id: one of the account, or a global one.
    pub async fn find_archive_rule(
        &self,
        account: &str,
        id: &str,
    ) -> Result<Option<ArchiveRule>, StorageError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS} FROM archive_rules WHERE id = $2 AND (account = $1 OR is_global = 1)"
        ))
        .bind(account)
        .bind(id)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read an archive rule"))?;
        row.as_ref().map(read_rule).transpose()
    }

    /// Deletes a rule of the account. `false`: it has none of this id.
    pub async fn delete_archive_rule(&self, account: &str, id: &str) -> Result<bool, StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let deleted = storage::query("DELETE FROM archive_rules WHERE account = $1 AND id = $2")
            .bind(account)
            .bind(id)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("delete an archive rule"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(deleted > 0)
    }
}

fn read_rule(row: &Row) -> Result<ArchiveRule, StorageError> {
    let read = || -> Result<ArchiveRule, Box<dyn std::error::Error + Send + Sync>> {
        Ok(ArchiveRule {
            id: row.get("id")?,
            account: row.get("account")?,
            rule: serde_json::from_str(&row.get::<String>("document")?)?,
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
        })
    };
    read().map_err(StorageError::at("read an archive rule"))
}

#[cfg(test)]
mod tests {
    use super::matches_stars;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "a/b", true),
            ("docker.io", "docker.io", true),
            ("docker.io", "docker.io:5000", false),
            ("library/*", "library/nginx", true),
            ("library/*", "team/library/nginx", false),
            ("*-alpine", "3.18-alpine", true),
            ("*-alpine", "3.18-alpine2", false),
            ("1.*.0", "1.2.0", true),
            ("1.*.0", "1.0", false),
            ("a*b*b", "ab", false),
            ("a*b*b", "abb", true),
            ("", "x", false),
        ] {
            assert_eq!(matches_stars(pattern, text), expected, "{pattern} {text}");
        }
    }
}
