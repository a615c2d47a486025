//! People and machines that may call.

use jiff::Timestamp;
use storage::{Executor, Row, WriteTransaction, from_micros, to_micros};

use crate::storage_error::next_number;
use crate::{Organization, Role, StorageError};

/// Somebody who may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// His number.
    pub id: i64,
    /// The short name he is known by.
    pub login: String,
    /// His name for people.
    pub name: String,
    /// Empty where it is not known.
    pub email: String,
    /// Address of a picture; may be empty.
    pub image: String,
    /// When he came.
    pub created_at: Timestamp,
    /// When he was changed.
    pub updated_at: Timestamp,
    /// The only organization of a virtual user, and what he may do there; `None`: a person, who has memberships.
    pub confined_to: Option<(Organization, Role)>,
}

/// Somebody new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewUser {
    /// The short name.
    pub login: String,
    /// The name for people.
    pub name: String,
    /// Empty where it is not known.
    pub email: String,
    /// Address of a picture; may be empty.
    pub image: String,
    /// Who says that it is him, and what he calls him.
    pub identity: Option<(String, String)>,
}

impl NewUser {
    /// One that is known by his login only.
    pub fn with_login(login: &str) -> Self {
        Self { login: login.to_owned(), name: login.to_owned(), ..Self::default() }
    }
}

const COLUMNS: &str = "id, login, name, email, image, created_us, updated_us";

pub(crate) async fn add(
    tx: &mut WriteTransaction,
    new: &NewUser,
    now: Timestamp,
) -> Result<User, StorageError> {
    let id = next_number(tx, "user").await?;
    let (issuer, subject) = new.identity.clone().unzip();
    let row = storage::query_built(format!(
        "INSERT INTO plane_users (id, login, name, email, image, issuer, subject, created_us, updated_us) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING {COLUMNS}"
    ))
    .bind(id)
    .bind(&new.login)
    .bind(&new.name)
    .bind(&new.email)
    .bind(&new.image)
    .bind(issuer)
    .bind(subject)
    .bind(to_micros(now))
    .fetch_one(tx)
    .await
    .map_err(StorageError::at("store a user"))?;
    read_user(&row)
}

/// The user of this number.
pub(crate) async fn find(on: impl Executor<'_>, id: i64) -> Result<Option<User>, StorageError> {
    let row = storage::query_built(format!("SELECT {COLUMNS} FROM plane_users WHERE id = $1"))
        .bind(id)
        .fetch_optional(on)
        .await
        .map_err(StorageError::at("read a user"))?;
    row.as_ref().map(read_user).transpose()
}

/// The user whom an identity provider calls this.
pub(crate) async fn find_by_identity(
    on: impl Executor<'_>,
    issuer: &str,
    subject: &str,
) -> Result<Option<User>, StorageError> {
    let row =
        storage::query_built(format!("SELECT {COLUMNS} FROM plane_users WHERE issuer = $1 AND subject = $2"))
            .bind(issuer)
            .bind(subject)
            .fetch_optional(on)
            .await
            .map_err(StorageError::at("look for a user"))?;
    row.as_ref().map(read_user).transpose()
}

pub(crate) async fn is_login_taken(on: impl Executor<'_>, login: &str) -> Result<bool, StorageError> {
    storage::query("SELECT EXISTS (SELECT 1 FROM plane_users WHERE login = $1)")
        .bind(login)
        .fetch_value(on)
        .await
        .map_err(StorageError::at("look for a login"))
}

/// Writes down what a user is called, and how to reach him.
pub(crate) async fn update(tx: &mut WriteTransaction, user: &User) -> Result<User, StorageError> {
    let row = storage::query_built(format!(
        "UPDATE plane_users SET name = $1, email = $2, image = $3, updated_us = $4 WHERE id = $5 RETURNING {COLUMNS}"
    ))
    .bind(&user.name)
    .bind(&user.email)
    .bind(&user.image)
    .bind(to_micros(user.updated_at))
    .bind(user.id)
    .fetch_one(tx)
    .await
    .map_err(StorageError::at("change a user"))?;
    read_user(&row)
}

fn read_user(row: &Row) -> Result<User, StorageError> {
    let read = || -> Result<User, Box<dyn std::error::Error + Send + Sync>> {
        Ok(User {
            id: row.get("id")?,
            login: row.get("login")?,
            name: row.get("name")?,
            email: row.get("email")?,
            image: row.get("image")?,
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
            confined_to: None,
        })
    };
    read().map_err(StorageError::at("read a user"))
}
