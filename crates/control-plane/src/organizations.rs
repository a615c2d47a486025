//! Organizations and who is in them.

use jiff::Timestamp;
use storage::{Row, WriteTransaction, from_micros, to_micros};

use crate::storage_error::next_number;
use crate::{ControlPlane, StorageError};

/// Who shares clusters, secrets and policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its number.
    pub id: i64,
    /// Its name, which no other one has.
    pub name: String,
    /// Where it comes from.
    pub provider: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed.
    pub updated_at: Timestamp,
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Everything.
    Admin,
    /// Look, but not at secrets and not at the ways into clusters.
    Member,
}

impl Role {
    /// The word in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Member => "member",
        }
    }

    /// The role of this word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Admin, Self::Member].into_iter().find(|role| role.name() == name)
    }
}

const COLUMNS: &str = "o.id, o.name, o.provider, o.created_us, o.updated_us";
/// Organizations that were made here, not taken over from somewhere.
const PROVIDER: &str = "lazaret";

impl ControlPlane {
    /// The organizations that a user is in, oldest first.
    pub async fn list_organizations(&self, user: i64) -> Result<Vec<Organization>, StorageError> {
        let rows = storage::query_built(format!(
            "SELECT {COLUMNS} FROM plane_organizations o JOIN plane_members m ON m.organization_id = o.id \
             WHERE m.user_id = $1 ORDER BY o.id"
        ))
        .bind(user)
        .fetch_all(&self.storage)
        .await
        .map_err(StorageError::at("list organizations"))?;
        rows.iter().map(read_organization).collect()
    }

    /// An organization and what a user may do in it; `None`: he is not in it, or there is none.
    pub async fn find_membership(
        &self,
        organization: i64,
        user: i64,
    ) -> Result<Option<(Organization, Role)>, StorageError> {
        let row = storage::query_built(format!(
            "SELECT {COLUMNS}, m.role FROM plane_organizations o JOIN plane_members m ON m.organization_id = o.id \
             WHERE o.id = $1 AND m.user_id = $2"
        ))
        .bind(organization)
        .bind(user)
        .fetch_optional(&self.storage)
        .await
        .map_err(StorageError::at("read an organization"))?;
        let Some(row) = row else { return Ok(None) };
        let word: String = row.get("role").map_err(StorageError::at("read a role"))?;
        let role = Role::from_name(&word)
            .ok_or_else(|| StorageError::new("read a role", format!("role `{word}` is unknown")))?;
        Ok(Some((read_organization(&row)?, role)))
    }
}

pub(crate) async fn add(
    tx: &mut WriteTransaction,
    name: &str,
    now: Timestamp,
) -> Result<Organization, StorageError> {
    let id = next_number(tx, "organization").await?;
    let row = storage::query(
        "INSERT INTO plane_organizations (id, name, provider, created_us, updated_us) VALUES ($1, $2, $3, $4, $4) \
         RETURNING id, name, provider, created_us, updated_us",
    )
    .bind(id)
    .bind(name)
    .bind(PROVIDER)
    .bind(to_micros(now))
    .fetch_one(tx)
    .await
    .map_err(StorageError::at("store an organization"))?;
    read_organization(&row)
}

/// The number of the organization with this name, which is made if there is none.
pub(crate) async fn find_or_add(
    tx: &mut WriteTransaction,
    name: &str,
    now: Timestamp,
) -> Result<i64, StorageError> {
    let known: Option<i64> = storage::query("SELECT id FROM plane_organizations WHERE name = $1")
        .bind(name)
        .fetch_optional_value(&mut *tx)
        .await
        .map_err(StorageError::at("look for an organization"))?;
    match known {
        Some(id) => Ok(id),
        None => Ok(add(tx, name, now).await?.id),
    }
}

pub(crate) async fn set_role(
    tx: &mut WriteTransaction,
    organization: i64,
    user: i64,
    role: Role,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query(
        "INSERT INTO plane_members (organization_id, user_id, role, created_us) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (organization_id, user_id) DO UPDATE SET role = excluded.role",
    )
    .bind(organization)
    .bind(user)
    .bind(role.name())
    .bind(to_micros(now))
    .execute(tx)
    .await
    .map_err(StorageError::at("store a member"))?;
    Ok(())
}

fn read_organization(row: &Row) -> Result<Organization, StorageError> {
    let read = || -> Result<Organization, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Organization {
            id: row.get("id")?,
            name: row.get("name")?,
            provider: row.get("provider")?,
            created_at: from_micros(row.get("created_us")?),
            updated_at: from_micros(row.get("updated_us")?),
        })
    };
    read().map_err(StorageError::at("read an organization"))
}
