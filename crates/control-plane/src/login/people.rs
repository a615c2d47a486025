//! Who of the provider's people is let in, as whom, and into which organizations.

use std::collections::BTreeMap;

use jiff::Timestamp;
use storage::{WriteTransaction, to_micros};

use super::id_token::Person;
use super::{LoginError, LoginSettings, browsers};
use crate::organizations::{self, Role};
use crate::users::{self, NewUser, User};
use crate::{ControlPlane, StorageError};

const LOGIN_CHARS_MAX: usize = 64;
const LOGIN_TRIES_MAX: usize = 100;

impl ControlPlane {
    /// Lets somebody in, and brings what is known of him and where he belongs up to date. Whoever is no longer let in loses
    /// what earlier logins gave, his sessions included.
    pub(super) async fn admit(
        &self,
        tx: &mut WriteTransaction,
        settings: &LoginSettings,
        person: &Person,
        now: Timestamp,
    ) -> Result<Result<User, LoginError>, StorageError> {
        let known = users::find_by_identity(&mut *tx, &settings.issuer, &person.subject).await?;
        if let Err(reason) = check(settings, person) {
            tracing::warn!(user.subject = person.subject, reason, "somebody was not let in");
            if let Some(user) = known {
                browsers::end_all(tx, user.id).await?;
                set_memberships(tx, user.id, &BTreeMap::new(), now).await?;
            }
            return Ok(Err(LoginError::NotAllowed(reason)));
        }
        let name = if person.name.is_empty() { &person.login } else { &person.name };
        let (name, email, image) = (name.clone(), person.email.clone(), person.image.clone());
        let user = match known {
            Some(user) if (&user.name, &user.email, &user.image) == (&name, &email, &image) => user,
            Some(user) => users::update(tx, &User { name, email, image, updated_at: now, ..user }).await?,
            None => {
                let login = free_login(tx, &person.login).await?;
                let identity = Some((settings.issuer.clone(), person.subject.clone()));
                let user = users::add(tx, &NewUser { login, name, email, image, identity }, now).await?;
                tracing::info!(user.id, user.login, "somebody came for the first time");
                user
            }
        };
        let mut wanted: BTreeMap<i64, Role> = BTreeMap::new();
        for grant in &settings.grants {
            if grant.group.as_ref().is_none_or(|group| person.groups.contains(group)) {
                let organization = organizations::find_or_add(tx, &grant.organization, now).await?;
                let role = wanted.entry(organization).or_insert(grant.role);
                if grant.role == Role::Admin {
                    *role = Role::Admin;
                }
            }
        }
        set_memberships(tx, user.id, &wanted, now).await?;
        Ok(Ok(user))
    }
}

/// Whether the settings let somebody in; the text says why not.
fn check(settings: &LoginSettings, person: &Person) -> Result<(), String> {
    if !settings.email_domains.is_empty() {
        let domain = person.email.rsplit_once('@').map_or("", |(_, domain)| domain);
        if !settings.email_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(domain)) {
            return Err("people with your e-mail address are not let in here".to_owned());
        }
        if !person.is_email_verified {
            return Err("the provider has not verified your e-mail address, so you are not let in".to_owned());
        }
    }
    if !settings.required_groups.is_empty()
        && !settings.required_groups.iter().any(|group| person.groups.contains(group))
    {
        return Err(
            "you are in none of the groups whose people are let in here: ask whoever runs this installation"
                .to_owned(),
        );
    }
    Ok(())
}

/// A short name that nobody has yet, like the one the provider has.
async fn free_login(tx: &mut WriteTransaction, wanted: &str) -> Result<String, StorageError> {
    let is_plain = |letter: &char| letter.is_alphanumeric() || "._-@".contains(*letter);
    let mut wanted: String = wanted.chars().filter(is_plain).take(LOGIN_CHARS_MAX).collect();
    if wanted.is_empty() {
        wanted = "user".to_owned();
    }
    for number in 1..=LOGIN_TRIES_MAX {
        let login = if number == 1 { wanted.clone() } else { format!("{wanted}-{number}") };
        if !users::is_login_taken(&mut *tx, &login).await? {
            return Ok(login);
        }
    }
    Ok(format!("{wanted}-{}", uuid::Uuid::new_v4().simple()))
}

/// What logins give is exactly this. What somebody gave by hand stays as it is.
async fn set_memberships(
    tx: &mut WriteTransaction,
    user: i64,
    wanted: &BTreeMap<i64, Role>,
    now: Timestamp,
) -> Result<(), StorageError> {
    storage::query("DELETE FROM plane_members WHERE user_id = $1 AND by_login = 1")
        .bind(user)
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("take memberships back"))?;
    for (organization, role) in wanted {
        storage::query(
            "INSERT INTO plane_members (organization_id, user_id, role, created_us, by_login) \
             VALUES ($1, $2, $3, $4, 1) ON CONFLICT (organization_id, user_id) DO NOTHING",
        )
        .bind(*organization)
        .bind(user)
        .bind(role.name())
        .bind(to_micros(now))
        .execute(&mut *tx)
        .await
        .map_err(StorageError::at("store a member"))?;
    }
    Ok(())
}
