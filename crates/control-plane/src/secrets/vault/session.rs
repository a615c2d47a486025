//! The session with Vault: one token for all calls, made when first needed, renewed in the background, made anew when it ended.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;

use super::connection::{Connection, VaultAnswer};
use super::login::{Session, is_token_unknown, log_in, renew};
use super::{VaultError, VaultLogin, VaultSettings};
use crate::storage_error::chain;

/// After a failed login everybody else fails with it for so long, instead of asking one after the other.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);
/// A denial of a younger token is about what it may do, not about whether it still counts.
const AGE_BEFORE_DOUBT: Duration = Duration::from_secs(10);
const RETRY_WAIT_MIN: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(60);

/// Calls Vault in the name of one login.
#[derive(Debug)]
pub(super) struct Sessions {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    login: VaultLogin,
    state: Mutex<State>,
    /// Told when there is another session.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    session: Option<Session>,
    failure: Option<(Instant, Arc<VaultError>)>,
}

impl Drop for Sessions {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Sessions {
    pub(super) fn new(settings: &VaultSettings) -> Result<Self, VaultError> {
        let shared = Arc::new(Shared {
            connection: Connection::new(settings)?,
            login: settings.login.clone(),
            state: Mutex::default(),
            changed: Notify::new(),
        });
        let keeper = tokio::spawn(keep(Arc::downgrade(&shared)));
        Ok(Self { shared, keeper })
    }

    /// One call. When the token ended, or was revoked, once more with another one.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<VaultAnswer, VaultError> {
        let shared = &self.shared;
        let session = shared.session().await?;
        let answer = shared.connection.call(method.clone(), path, Some(&session.token), body).await;
        let error = match answer {
            Err(error @ VaultError::Denied { .. }) => error,
            answer => return answer,
        };
        if !is_token_unknown(&error) && session.began_at.elapsed() < AGE_BEFORE_DOUBT {
            return Err(error);
        }
        shared.forget(&session).await;
        let session = shared.session().await?;
        shared.connection.call(method, path, Some(&session.token), body).await
    }
}

impl Shared {
    /// The session of now; logs in where there is none.
    async fn session(&self) -> Result<Session, VaultError> {
        let mut state = self.state.lock().await;
        if let Some(session) = state.session.as_ref().filter(|session| !session.has_ended()) {
            return Ok(session.clone());
        }
        if let Some((at, error)) = &state.failure
            && at.elapsed() < FAILURE_HOLDS
        {
            return Err(VaultError::Again(Arc::clone(error)));
        }
        match log_in(&self.connection, &self.login).await {
            Ok(session) => {
                *state = State { session: Some(session.clone()), failure: None };
                self.changed.notify_one();
                Ok(session)
            }
            Err(error) => {
                let error = Arc::new(error);
                *state = State { session: None, failure: Some((Instant::now(), Arc::clone(&error))) };
                Err(VaultError::Again(error))
            }
        }
    }

    async fn forget(&self, session: &Session) {
        let mut state = self.state.lock().await;
        if state.session.as_ref().is_some_and(|current| current.token == session.token) {
            state.session = None;
        }
    }

    /// Puts a session in place of the one it came from.
    async fn replace(&self, old: &Session, new: Session) {
        let mut state = self.state.lock().await;
        if state.session.as_ref().is_some_and(|current| current.token == old.token) {
            state.session = Some(new);
        }
    }

    /// Keeps a session from ending: renews it, or logs in again when it cannot be renewed or hardly got longer.
    async fn prolong(&self, session: &Session) -> Result<(), VaultError> {
        let is_given = matches!(self.login, VaultLogin::Token(_));
        let renewed = match session.is_renewable {
            true => renew(&self.connection, session).await.map(Some),
            false => Ok(None),
        };
        // Towards its greatest age Vault gives a token ever shorter leases.
        let is_long = |renewed: &Session| match (renewed.lease, session.lease) {
            (Some(renewed), Some(before)) => renewed * 2 > before,
            _ => true,
        };
        let next = match renewed {
            Ok(Some(renewed)) if is_given || is_long(&renewed) => renewed,
            Err(
                error @ (VaultError::Unreachable { .. }
                | VaultError::Sealed { .. }
                | VaultError::Standby { .. }),
            ) => {
                return Err(error);
            }
            Err(error) if is_given => return Err(error),
            Ok(None) if is_given => return Err(VaultError::Ending),
            _ => log_in(&self.connection, &self.login).await?,
        };
        self.replace(session, next).await;
        Ok(())
    }
}

/// Prolongs the session whenever a third of its time is left, until nobody uses it any more.
async fn keep(shared: Weak<Shared>) {
    let mut wait = Duration::ZERO;
    loop {
        tokio::time::sleep(wait).await;
        let Some(shared) = shared.upgrade() else { return };
        let session = shared.state.lock().await.session.clone();
        let renew_at = session.as_ref().and_then(Session::renew_at);
        let (Some(session), Some(renew_at)) = (session, renew_at) else {
            // The owner aborts this task, so it may hold what it waits for.
            shared.changed.notified().await;
            continue;
        };
        wait = renew_at.saturating_duration_since(Instant::now());
        if !wait.is_zero() {
            continue;
        }
        match shared.prolong(&session).await {
            Ok(()) => tracing::debug!("the session with Vault is prolonged"),
            Err(error) => {
                let left = session.lease.unwrap_or_default().saturating_sub(session.began_at.elapsed());
                tracing::warn!(
                    error = chain(&error),
                    session.ends_in_s = left.as_secs(),
                    "the session with Vault is not prolonged"
                );
                if left.is_zero() {
                    shared.forget(&session).await;
                }
                wait = (left / 4).clamp(RETRY_WAIT_MIN, RETRY_WAIT_MAX);
            }
        }
    }
}
