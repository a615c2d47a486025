//! Registry records: stored, read, checked against the registry.

use std::collections::BTreeMap;

use scanner::{Credentials, Ping, RegistryLogin, RegistryOptions};
use storage::{Row, Sealer, WriteTransaction, from_micros, to_micros};

use super::{LoginError, NewRegistry, RegistryError, RegistryRecord, TABLE};
use crate::accounts::find_account;
use crate::{Engine, StorageError};

const COLUMNS: &str =
    "SELECT account, registry, name, type, login, verify, created_us, updated_us FROM registries";

fn to_record(row: &Row) -> Result<RegistryRecord, sqlx::Error> {
    let verify: Option<i64> = row.get("verify")?;
    Ok(RegistryRecord {
        account: row.get("account")?,
        registry: row.get("registry")?,
        name: row.get("name")?,
        kind: row.get("type")?,
        user: row.get("login")?,
        verify: verify.map(|flag| flag != 0),
        created_at: from_micros(row.get("created_us")?),
        updated_at: from_micros(row.get("updated_us")?),
    })
}

/// The row that a sealed password is bound to.
pub(super) fn row_name(account: &str, registry: &str) -> String {
    format!("{account}\n{registry}")
}

impl Engine {
    /// The registries of an account, oldest first.
    pub async fn list_registries(&self, account: &str) -> Result<Vec<RegistryRecord>, StorageError> {
        let rows =
            storage::query_built(format!("{COLUMNS} WHERE account = $1 ORDER BY created_us, registry"))
                .bind(account)
                .fetch_all(&self.storage)
                .await
                .map_err(StorageError::at("list registries"))?;
        let records: Result<Vec<RegistryRecord>, sqlx::Error> = rows.iter().map(to_record).collect();
        records.map_err(StorageError::at("list registries"))
    }

    /// The registry of this name.
    pub async fn find_registry(
        &self,
        account: &str,
        registry: &str,
    ) -> Result<RegistryRecord, RegistryError> {
        let row = storage::query_built(format!("{COLUMNS} WHERE account = $1 AND registry = $2"))
            .bind(account)
            .bind(registry)
            .fetch_optional(&self.storage)
            .await
            .map_err(RegistryError::at("read a registry"))?;
        let row = row.ok_or(RegistryError::NotFound)?;
        to_record(&row).map_err(RegistryError::at("read a registry"))
    }

    /// Stores a registry; `validate`: only if it lets the user in.
    pub async fn add_registry(
        &self,
        account: &str,
        new: &NewRegistry,
        validate: bool,
    ) -> Result<RegistryRecord, RegistryError> {
        match self.find_registry(account, &new.registry).await {
            Err(RegistryError::NotFound) => {}
            Err(error) => return Err(error),
            Ok(_) => return Err(RegistryError::AlreadyExists),
        }
        if validate {
            self.try_registry(account, new).await?;
        }
        self.store_registry(account, new, false).await
    }

    /// Replaces what is stored about a registry; `validate`: only if it lets the user in.
    pub async fn update_registry(
        &self,
        account: &str,
        new: &NewRegistry,
        validate: bool,
    ) -> Result<RegistryRecord, RegistryError> {
        match self.find_registry(account, &new.registry).await {
            Err(RegistryError::NotFound) => return Err(RegistryError::NothingToUpdate),
            other => other?,
        };
        if validate {
            self.try_registry(account, new).await?;
        }
        self.store_registry(account, new, true).await
    }

    /// Deletes a registry, if it is there.
    pub async fn delete_registry(&self, account: &str, registry: &str) -> Result<(), StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        storage::query("DELETE FROM registries WHERE account = $1 AND registry = $2")
            .bind(account)
            .bind(registry)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("delete a registry"))?;
        tx.commit().await.map_err(StorageError::at("commit"))
    }

    /// Logs in at the registry.
    async fn try_registry(&self, account: &str, new: &NewRegistry) -> Result<(), RegistryError> {
        let now = self.now();
        let record = RegistryRecord {
            account: account.to_owned(),
            registry: new.registry.clone(),
            name: String::new(),
            kind: new.kind.clone(),
            user: new.user.clone(),
            verify: new.verify,
            created_at: now,
            updated_at: now,
        };
        let host = record.host().trim_end_matches('*').to_ascii_lowercase();
        let refused = |source: LoginError| RegistryError::Refused {
            host: host.clone(),
            user: new.user.clone(),
            source,
        };
        let options = self.options_of(&record, &host, &new.password).await.map_err(refused)?;
        match scanner::ping(&host, &options).await {
            Ok(Ping::LoggedIn) => Ok(()),
            Ok(Ping::Anonymous) => Err(RegistryError::LetsEverybodyIn),
            Err(error) => Err(refused(Box::new(error).into())),
        }
    }

    /// How the registry of a record is spoken to.
    pub(super) async fn options_of(
        &self,
        record: &RegistryRecord,
        host: &str,
        password: &scanner::Secret,
    ) -> Result<RegistryOptions, LoginError> {
        let mut options = self.settings.scan.registry.clone();
        let (user, password) = self.login_of(record, host, password).await?;
        options.credentials =
            Credentials::Logins(vec![RegistryLogin { scope: host.to_owned(), user, password }]);
        options.addresses.add_login(host);
        // Over TLS all the same, unless whoever runs the engine has said that this registry is spoken to without.
        if record.verify == Some(false) {
            options.insecure_registries.insert(format!("https://{host}"));
        }
        Ok(options)
    }

    async fn store_registry(
        &self,
        account: &str,
        new: &NewRegistry,
        is_update: bool,
    ) -> Result<RegistryRecord, RegistryError> {
        let row = row_name(account, &new.registry);
        let sealed = self.sealer.seal(TABLE, &row, new.password.reveal().as_bytes());
        let sealed = sealed.map_err(RegistryError::Sealing)?;
        let mut tx = self.storage.begin().await.map_err(RegistryError::at("begin"))?;
        if find_account(&mut tx, account).await?.is_none() {
            return Err(RegistryError::NoAccount(account.to_owned()));
        }
        let changed = write(&mut tx, account, new, sealed, is_update, to_micros(self.now())).await;
        if changed.map_err(RegistryError::at("store a registry"))? == 0 {
            // Somebody else was faster.
            return Err(if is_update {
                RegistryError::NothingToUpdate
            } else {
                RegistryError::AlreadyExists
            });
        }
        tx.commit().await.map_err(RegistryError::at("commit"))?;
        self.find_registry(account, &new.registry).await
    }
}

async fn write(
    tx: &mut WriteTransaction,
    account: &str,
    new: &NewRegistry,
    sealed: Vec<u8>,
    is_update: bool,
    now: i64,
) -> Result<u64, sqlx::Error> {
    let statement = if is_update {
        "UPDATE registries SET name = $3, type = $4, login = $5, password = $6, verify = $7, updated_us = $8 \
         WHERE account = $1 AND registry = $2"
    } else {
        "INSERT INTO registries (account, registry, name, type, login, password, verify, created_us, updated_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (account, registry) DO NOTHING"
    };
    storage::query(statement)
        .bind(account)
        .bind(&new.registry)
        .bind(new.name.as_ref().unwrap_or(&new.registry))
        .bind(&new.kind)
        .bind(&new.user)
        .bind(sealed)
        .bind(new.verify)
        .bind(now)
        .execute(tx)
        .await
}

/// How many passwords are sealed with which key.
pub async fn count_sealed(database: &storage::Database) -> Result<BTreeMap<String, usize>, StorageError> {
    let rows: Vec<(Vec<u8>,)> = storage::query("SELECT password FROM registries")
        .fetch_all_as(database)
        .await
        .map_err(StorageError::at("read sealed passwords"))?;
    Ok(Sealer::count_by_key(rows.iter().map(|(sealed,)| sealed.as_slice())))
}

/// Seals again what was sealed with a key that is no longer the first.
pub(crate) async fn reseal(database: &storage::Database, sealer: &Sealer) -> Result<(), StorageError> {
    let rows: Vec<(String, String, Vec<u8>)> =
        storage::query("SELECT account, registry, password FROM registries")
            .fetch_all_as(database)
            .await
            .map_err(StorageError::at("read sealed passwords"))?;
    for (account, registry, old) in rows.into_iter().filter(|(.., sealed)| !sealer.is_current(sealed)) {
        let row = row_name(&account, &registry);
        let opened = match sealer.open(TABLE, &row, &old) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(account.name = account, registry.name = registry, %error, "a password cannot be opened");
                continue;
            }
        };
        let sealed = sealer.seal(TABLE, &row, &opened).map_err(StorageError::at("seal a password again"))?;
        let mut tx = database.begin().await.map_err(StorageError::at("begin"))?;
        storage::query(
            "UPDATE registries SET password = $4 WHERE account = $1 AND registry = $2 AND password = $3",
        )
        .bind(&account)
        .bind(&registry)
        .bind(old)
        .bind(sealed)
        .execute(&mut tx)
        .await
        .map_err(StorageError::at("store a password"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
    }
    Ok(())
}
