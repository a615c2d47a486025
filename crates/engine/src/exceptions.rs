//! Exceptions: vulnerabilities that an account has accepted, with who answers for it, why and until when.
//!
//! Each change gives the account a new revision, which caches of decisions carry; who reads an old one computes again.

use std::sync::Arc;

use jiff::Timestamp;
use model::{EvaluationProblem, ExceptionScope, PolicyException};
use policy::EXCEPTIONS_MAX;
use serde_json::{Value, json};
use storage::{Row, WriteTransaction, from_micros, to_micros};

use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::{Engine, StorageError};

/// A stored exception.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExceptionRecord {
    /// The account it belongs to.
    pub account: String,
    /// What it says.
    pub exception: PolicyException,
    /// Which user has made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// Which user has changed it last.
    pub updated_by: String,
    /// When.
    pub updated_at: Timestamp,
}

/// Why an exception was not stored, changed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    /// There is none of this id.
    #[error("exception `{0}` not found")]
    NotFound(String),
    /// There is no such account.
    #[error("account `{0}` does not exist")]
    NoAccount(String),
    /// The document makes no good exception.
    #[error("exception failed validation: {}", first_details(.0))]
    Invalid(Vec<EvaluationProblem>),
    /// The account has as many as it may have.
    #[error(
        "the account has {EXCEPTIONS_MAX} exceptions, which is the limit: delete those that have expired"
    )]
    TooMany,
    /// The tables cannot be read or written.
    #[error("store the exception")]
    Storage(#[source] StorageError),
}

fn first_details(problems: &[EvaluationProblem]) -> &str {
    problems.first().map_or("", |problem| &problem.details)
}

impl ExceptionError {
    fn storage<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Storage(StorageError::new(action, source))
    }
}

/// The exceptions of an account at one moment.
#[derive(Debug, Clone)]
pub(crate) struct AccountExceptions {
    /// All of them, also those that have expired.
    pub(crate) exceptions: Arc<[PolicyException]>,
    /// Differs when another decision could come out: after a change, and after one has expired. Empty: there are none.
    pub(crate) revision: String,
}

/// The exceptions of an account as the tables have them.
#[derive(Debug, Clone)]
pub(crate) struct StoredExceptions {
    exceptions: Arc<[PolicyException]>,
    /// Empty: there never were any.
    revision: String,
}

impl StoredExceptions {
    /// What holds at this moment.
    pub(crate) fn at(self, now: Timestamp) -> AccountExceptions {
        let Self { exceptions, revision } = self;
        let live = exceptions.iter().filter(|exception| exception.is_live(now)).count();
        // Time only ends exceptions, so their number tells which of one revision are left.
        let revision = if live == 0 { String::new() } else { format!("{revision}.{live}") };
        AccountExceptions { exceptions, revision }
    }
}

const COLUMNS: &str = "account, id, vulnerability, package, scope_type, scope_value, owner, reason, expires_us, vex_url, \
     created_by, created_us, updated_by, updated_us";

impl Engine {
    /// All exceptions of an account, oldest first, also those that have expired.
    pub async fn list_exceptions(&self, account: &str) -> Result<Vec<ExceptionRecord>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM exceptions WHERE account = $1 ORDER BY created_us, id"
        ))
        .bind(account)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list exceptions"))?;
        rows.iter().map(read_record).collect()
    }

    /// The exception of this id.
    pub async fn find_exception(
        &self,
        account: &str,
        id: &str,
    ) -> Result<Option<ExceptionRecord>, StorageError> {
        let row =
            storage::query_built(format!("SELECT {COLUMNS} FROM exceptions WHERE account = $1 AND id = $2"))
                .bind(account)
                .bind(id)
                .fetch_optional(&self.storage)
                .await
                .map_err(StorageError::at("read an exception"))?;
        row.as_ref().map(read_record).transpose()
    }

    /// Stores a new exception under an id of its own.
    pub async fn add_exception(
        &self,
        account: &str,
        username: &str,
        document: &Value,
    ) -> Result<ExceptionRecord, ExceptionError> {
        let id = uuid::Uuid::new_v4().to_string();
        let now = self.now();
        let exception = read_document(&id, document, now)?;
        let mut tx = self.storage.begin().await.map_err(ExceptionError::storage("begin"))?;
        let is_account: bool = storage::query("SELECT EXISTS (SELECT 1 FROM accounts WHERE name = $1)")
            .bind(account)
            .fetch_value(&mut tx)
            .await
            .map_err(ExceptionError::storage("look for the account"))?;
        if !is_account {
            return Err(ExceptionError::NoAccount(account.to_owned()));
        }
        let count: i64 = storage::query("SELECT count(*) FROM exceptions WHERE account = $1")
            .bind(account)
            .fetch_value(&mut tx)
            .await
            .map_err(ExceptionError::storage("count exceptions"))?;
        if usize::try_from(count).is_ok_and(|count| count >= EXCEPTIONS_MAX) {
            return Err(ExceptionError::TooMany);
        }
        let stored = ExceptionRecord {
            account: account.to_owned(),
            exception,
            created_by: username.to_owned(),
            created_at: now,
            updated_by: username.to_owned(),
            updated_at: now,
        };
        store(&mut tx, &stored).await?;
        self.tell(&mut tx, "user.exception.created", "Exception created", &stored, username).await?;
        tx.commit().await.map_err(ExceptionError::storage("commit"))?;
        Ok(stored)
    }

    /// Replaces what an exception says.
    pub async fn update_exception(
        &self,
        account: &str,
        id: &str,
        username: &str,
        document: &Value,
    ) -> Result<ExceptionRecord, ExceptionError> {
        let now = self.now();
        let mut tx = self.storage.begin().await.map_err(ExceptionError::storage("begin"))?;
        let current = find(&mut tx, account, id).await?;
        let exception = read_document(id, document, now)?;
        let stored =
            ExceptionRecord { exception, updated_by: username.to_owned(), updated_at: now, ..current };
        store(&mut tx, &stored).await?;
        self.tell(&mut tx, "user.exception.changed", "Exception changed", &stored, username).await?;
        tx.commit().await.map_err(ExceptionError::storage("commit"))?;
        Ok(stored)
    }

    /// Deletes an exception: from now on it does not hold.
    pub async fn delete_exception(
        &self,
        account: &str,
        id: &str,
        username: &str,
    ) -> Result<(), ExceptionError> {
        let mut tx = self.storage.begin().await.map_err(ExceptionError::storage("begin"))?;
        let current = find(&mut tx, account, id).await?;
        storage::query("DELETE FROM exceptions WHERE account = $1 AND id = $2")
            .bind(account)
            .bind(id)
            .execute(&mut tx)
            .await
            .map_err(ExceptionError::storage("delete an exception"))?;
        self.tell(&mut tx, "user.exception.deleted", "Exception deleted", &current, username).await?;
        tx.commit().await.map_err(ExceptionError::storage("commit"))
    }

    /// What evaluations of an account need.
    pub(crate) async fn account_exceptions(
        &self,
        account: &str,
        now: Timestamp,
    ) -> Result<AccountExceptions, StorageError> {
        Ok(self.stored_exceptions(account).await?.at(now))
    }

    /// The same before the clock is asked.
    pub(crate) async fn stored_exceptions(&self, account: &str) -> Result<StoredExceptions, StorageError> {
        let stored: Option<String> =
            storage::query("SELECT revision FROM exception_revisions WHERE account = $1")
                .bind(account)
                .fetch_optional_value(&self.storage)
                .await
                .map_err(StorageError::at("read the revision of the exceptions"))?;
        let Some(stored) = stored else {
            return Ok(StoredExceptions { exceptions: Arc::new([]), revision: String::new() });
        };
        let exceptions = match self.exceptions.get(&stored) {
            Some(exceptions) => exceptions,
            None => {
                let records = self.list_exceptions(account).await?;
                let exceptions: Arc<[PolicyException]> =
                    records.into_iter().map(|record| record.exception).collect();
                self.exceptions.insert(stored.clone(), exceptions.clone());
                exceptions
            }
        };
        Ok(StoredExceptions { exceptions, revision: stored })
    }

    /// Gives the account a new revision and records what happened.
    async fn tell(
        &self,
        tx: &mut WriteTransaction,
        kind: &'static str,
        message: &str,
        stored: &ExceptionRecord,
        username: &str,
    ) -> Result<(), ExceptionError> {
        let ExceptionRecord { account, exception, .. } = stored;
        storage::query(
            "INSERT INTO exception_revisions (account, revision) VALUES ($1, $2) \
             ON CONFLICT (account) DO UPDATE SET revision = excluded.revision",
        )
        .bind(account)
        .bind(uuid::Uuid::new_v4().simple().to_string())
        .execute(&mut *tx)
        .await
        .map_err(ExceptionError::storage("change the revision of the exceptions"))?;
        let event = NewEvent {
            account,
            kind,
            level: Level::Info,
            message: format!("{message} for {}", exception.vulnerability),
            details: json!({
                "vulnerability": exception.vulnerability,
                "package": exception.package,
                "scope": policy::scope_document(&exception.scope),
                "owner": exception.owner,
                "reason": exception.reason,
                "expires_at": exception.expires_at.map(|end| end.to_string()),
                "user": username,
            }),
            resource: Resource::new("exception", &exception.id),
            service: Service::PolicyEngine,
        };
        record(self, tx, &event, self.now()).await.map_err(ExceptionError::Storage)
    }
}

/// What is stored must still hold: an exception that has ended already is a mistake in the date.
fn read_document(id: &str, document: &Value, now: Timestamp) -> Result<PolicyException, ExceptionError> {
    let exception = policy::parse_exception(id, document).map_err(ExceptionError::Invalid)?;
    match exception.expires_at {
        Some(end) if end <= now => Err(ExceptionError::Invalid(vec![EvaluationProblem {
            problem_type: "ValidationError".to_owned(),
            details: format!("expires_at: {end} is in the past; to end an exception, delete it"),
            severity: model::ProblemSeverity::Error,
            path: Some("expires_at".to_owned()),
        }])),
        _ => Ok(exception),
    }
}

async fn find(tx: &mut WriteTransaction, account: &str, id: &str) -> Result<ExceptionRecord, ExceptionError> {
    let row =
        storage::query_built(format!("SELECT {COLUMNS} FROM exceptions WHERE account = $1 AND id = $2"))
            .bind(account)
            .bind(id)
            .fetch_optional(tx)
            .await
            .map_err(ExceptionError::storage("read an exception"))?;
    let row = row.ok_or_else(|| ExceptionError::NotFound(id.to_owned()))?;
    read_record(&row).map_err(ExceptionError::Storage)
}

async fn store(tx: &mut WriteTransaction, stored: &ExceptionRecord) -> Result<(), ExceptionError> {
    let ExceptionRecord { account, exception, created_by, created_at, updated_by, updated_at } = stored;
    let PolicyException { id, vulnerability, package, scope, owner, reason, expires_at, vex_url } = exception;
    let (scope_type, scope_value) = match scope {
        ExceptionScope::Account => ("account", None),
        ExceptionScope::Digest(digest) => ("digest", Some(digest.to_string())),
        ExceptionScope::Repository(text) => ("repository", Some(text.clone())),
    };
    storage::query_built(format!(
        "INSERT INTO exceptions ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         ON CONFLICT (account, id) DO UPDATE SET vulnerability = excluded.vulnerability, package = excluded.package, \
           scope_type = excluded.scope_type, scope_value = excluded.scope_value, owner = excluded.owner, \
           reason = excluded.reason, expires_us = excluded.expires_us, vex_url = excluded.vex_url, \
           updated_by = excluded.updated_by, updated_us = excluded.updated_us"
    ))
    .bind(account)
    .bind(id)
    .bind(vulnerability)
    .bind(package)
    .bind(scope_type)
    .bind(scope_value)
    .bind(owner)
    .bind(reason)
    .bind(expires_at.map(to_micros))
    .bind(vex_url)
    .bind(created_by)
    .bind(to_micros(*created_at))
    .bind(updated_by)
    .bind(to_micros(*updated_at))
    .execute(tx)
    .await
    .map_err(ExceptionError::storage("store an exception"))?;
    Ok(())
}

fn read_record(row: &Row) -> Result<ExceptionRecord, StorageError> {
    let read = || -> Result<ExceptionRecord, Box<dyn std::error::Error + Send + Sync>> {
        let value: Option<String> = row.get("scope_value")?;
        let scope = match (row.get::<String>("scope_type")?.as_str(), value) {
            ("account", None) => ExceptionScope::Account,
            ("digest", Some(text)) => ExceptionScope::Digest(text.parse()?),
            ("repository", Some(text)) => ExceptionScope::Repository(text),
            (kind, value) => return Err(format!("scope `{kind}` with {value:?} is not known").into()),
        };
        let expires: Option<i64> = row.get("expires_us")?;
        Ok(ExceptionRecord {
            account: row.get("account")?,
            exception: PolicyException {
                id: row.get("id")?,
                vulnerability: row.get("vulnerability")?,
                package: row.get("package")?,
                scope,
                owner: row.get("owner")?,
                reason: row.get("reason")?,
                expires_at: expires.map(from_micros),
                vex_url: row.get("vex_url")?,
            },
            created_by: row.get("created_by")?,
            created_at: from_micros(row.get("created_us")?),
            updated_by: row.get("updated_by")?,
            updated_at: from_micros(row.get("updated_us")?),
        })
    };
    read().map_err(StorageError::at("read an exception"))
}
