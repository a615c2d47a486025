//! Accounts, users and who somebody is.
//!
//! An account is a tenant: everything belongs to one. A user is a login into exactly one account; his name is unique over
//! all accounts. Accounts go from `enabled` to `disabled` and back, from `disabled` to `deleting`, and from there only away.

mod authenticate;
mod bootstrap;
mod deletion;
mod error;
mod password;
mod states;
mod tokens;
mod users;

use jiff::Timestamp;
use storage::{Executor, Row, from_micros};

pub use authenticate::AuthenticateError;
pub(crate) use authenticate::Authenticator;
pub use bootstrap::BootstrapError;
pub(crate) use bootstrap::bootstrap;
pub(crate) use deletion::delete_accounts;
pub use error::AccountError;
pub use password::HashPasswordError;
pub(crate) use password::PASSWORD_BYTES_MAX;
pub(crate) use tokens::LIFETIME_S as TOKEN_LIFETIME_S;

use crate::StorageError;

/// The administrator, and the account he belongs to.
pub const ADMIN: &str = "admin";
/// The account of the services among themselves. Nobody logs in to it; clients never see it.
pub const SERVICE_ACCOUNT: &str = "anchore-system";
/// The domain of permissions that belong to no account; no account can have its name.
const SYSTEM: &str = "system";

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// `admin`, `user` or `service`.
    pub kind: String,
    /// In which state it is.
    pub state: AccountState,
    /// Whom to write to.
    pub email: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

impl Account {
    /// Whether its users may do everything, in every account.
    pub fn is_privileged(&self) -> bool {
        matches!(self.kind.as_str(), "admin" | "service")
    }
}

/// The states of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// Its users may work.
    Enabled,
    /// Its users may not log in; administrators still work in it.
    Disabled,
    /// It is being removed, with everything in it.
    Deleting,
}

impl AccountState {
    /// All of them, in the order of the API's document.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Disabled, Self::Deleting];

    /// The word on the wire and in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleting => "deleting",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The login.
    pub username: String,
    /// The account the login belongs to.
    pub account: Account,
    /// When its password was set; without one nobody logs in with it.
    pub password_set_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

const ACCOUNT_COLUMNS: &str = "SELECT name, type, state, email, created_us, updated_us FROM accounts";
const USER_COLUMNS: &str = "SELECT u.username, u.password_hash, u.password_us, u.created_us AS user_created_us, \
     u.updated_us AS user_updated_us, a.name, a.type, a.state, a.email, a.created_us, a.updated_us \
     FROM users u JOIN accounts a ON a.name = u.account";

fn to_account(row: &Row) -> Result<Account, sqlx::Error> {
    let state: String = row.get("state")?;
    Ok(Account {
        name: row.get("name")?,
        kind: row.get("type")?,
        // A state that this program does not know lets nobody in.
        state: AccountState::from_name(&state).unwrap_or(AccountState::Disabled),
        email: row.get("email")?,
        created_at: from_micros(row.get("created_us")?),
        updated_at: from_micros(row.get("updated_us")?),
    })
}

/// The user, and his password's hash; empty if he has no password.
fn to_user(row: &Row) -> Result<(User, String), sqlx::Error> {
    let hash: String = row.get("password_hash")?;
    let set: Option<i64> = row.get("password_us")?;
    let created: i64 = row.get("user_created_us")?;
    let user = User {
        username: row.get("username")?,
        account: to_account(row)?,
        password_set_at: (!hash.is_empty()).then(|| from_micros(set.unwrap_or(created))),
        created_at: from_micros(created),
        updated_at: from_micros(row.get("user_updated_us")?),
    };
    Ok((user, hash))
}

/// The account of this name.
pub(crate) async fn find_account<'c>(
    on: impl Executor<'c>,
    name: &str,
) -> Result<Option<Account>, StorageError> {
    let found = storage::query_built(format!("{ACCOUNT_COLUMNS} WHERE name = $1"))
        .bind(name)
        .fetch_optional(on)
        .await
        .map_err(StorageError::at("read an account"))?;
    found.as_ref().map(to_account).transpose().map_err(StorageError::at("read an account"))
}

/// The user of this name, and his password's hash; empty if he has no password.
pub(crate) async fn find_user<'c>(
    on: impl Executor<'c>,
    username: &str,
) -> Result<Option<(User, String)>, StorageError> {
    let found = storage::query_built(format!("{USER_COLUMNS} WHERE u.username = $1"))
        .bind(username)
        .fetch_optional(on)
        .await
        .map_err(StorageError::at("read a user"))?;
    found.as_ref().map(to_user).transpose().map_err(StorageError::at("read a user"))
}
