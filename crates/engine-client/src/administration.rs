//! The calls that set an engine up: accounts, users, registries.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::first;
use crate::transport::Request;
use crate::{Client, ClientError, Password};

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AccountRecord {
    /// Its name.
    pub name: String,
    /// `enabled`, `disabled` or `deleting`.
    #[serde(default)]
    pub state: String,
}

/// Who the account is at a registry; the password never comes back.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RegistryRecord {
    /// `host[:port][/path]`.
    pub registry: String,
    /// Login.
    #[serde(rename = "registry_user", default)]
    pub user: String,
    /// `docker_v2` or `awsecr`.
    #[serde(rename = "registry_type", default)]
    pub kind: Option<String>,
    /// Whether its certificate is checked.
    #[serde(rename = "registry_verify", default)]
    pub verify: Option<bool>,
}

/// Who the account shall be at a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRegistry {
    /// `host[:port][/path]`.
    pub registry: String,
    /// Its name for people.
    pub name: String,
    /// Login.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// `docker_v2` or `awsecr`.
    pub kind: String,
    /// Whether its certificate is checked.
    pub verify: bool,
}

impl NewRegistry {
    fn wire(&self) -> Value {
        json!({
            "registry": self.registry,
            "registry_name": self.name,
            "registry_user": self.user,
            "registry_pass": self.password.0,
            "registry_type": self.kind,
            "registry_verify": self.verify,
        })
    }
}

/// What an engine says about itself.
#[derive(Deserialize)]
struct VersionWire {
    #[serde(default)]
    service: ServiceWire,
}

#[derive(Default, Deserialize)]
struct ServiceWire {
    #[serde(default)]
    version: String,
}

impl Client {
    /// The version of the engine; anybody may ask.
    pub async fn version(&self, deadline: Instant) -> Result<String, ClientError> {
        let wire: VersionWire = self.get(&["version"], &[], deadline).await?;
        Ok(wire.service.version)
    }

    /// The account that the caller acts for: whether user and password are right.
    pub async fn own_account(&self, deadline: Instant) -> Result<AccountRecord, ClientError> {
        self.get(&["account"], &[], deadline).await
    }

    /// The account of this name.
    pub async fn get_account(&self, name: &str, deadline: Instant) -> Result<AccountRecord, ClientError> {
        self.get(&["accounts", name], &[], deadline).await
    }

    /// Makes an account.
    pub async fn add_account(
        &self,
        name: &str,
        email: &str,
        deadline: Instant,
    ) -> Result<AccountRecord, ClientError> {
        self.send(Method::POST, &["accounts"], &[], &json!({"name": name, "email": email}), deadline).await
    }

    /// Enables or disables an account.
    pub async fn set_account_state(
        &self,
        name: &str,
        state: &str,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let path = ["accounts", name, "state"];
        self.send::<Value>(Method::PUT, &path, &[], &json!({"state": state}), deadline).await.map(drop)
    }

    /// Marks a disabled account for deletion, with all that is in it.
    pub async fn delete_account(&self, name: &str, deadline: Instant) -> Result<(), ClientError> {
        self.delete(&["accounts", name], deadline).await
    }

    /// Whether the account has this user.
    pub async fn has_user(&self, account: &str, user: &str, deadline: Instant) -> Result<bool, ClientError> {
        match self.get::<Value>(&["accounts", account, "users", user], &[], deadline).await {
            Ok(_) => Ok(true),
            Err(ClientError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes a user.
    pub async fn add_user(
        &self,
        account: &str,
        user: &str,
        password: &Password,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let body = json!({"username": user, "password": password.0});
        self.send::<Value>(Method::POST, &["accounts", account, "users"], &[], &body, deadline)
            .await
            .map(drop)
    }

    /// Gives a user another password.
    pub async fn set_password(
        &self,
        account: &str,
        user: &str,
        password: &Password,
        deadline: Instant,
    ) -> Result<(), ClientError> {
        let path = ["accounts", account, "users", user, "credentials"];
        let body = json!({"type": "password", "value": password.0});
        self.send::<Value>(Method::POST, &path, &[], &body, deadline).await.map(drop)
    }

    /// Takes a user away.
    pub async fn delete_user(&self, account: &str, user: &str, deadline: Instant) -> Result<(), ClientError> {
        self.delete(&["accounts", account, "users", user], deadline).await
    }

    /// The registries of the account.
    pub async fn list_registries(&self, deadline: Instant) -> Result<Vec<RegistryRecord>, ClientError> {
        self.get(&["registries"], &[], deadline).await
    }

    /// Adds a registry, whose credentials the engine tries first if `validate` says so.
    pub async fn add_registry(
        &self,
        registry: &NewRegistry,
        validate: bool,
        deadline: Instant,
    ) -> Result<RegistryRecord, ClientError> {
        let query = [("validate", if validate { "true" } else { "false" })];
        first(self.send(Method::POST, &["registries"], &query, &registry.wire(), deadline).await?)
    }

    /// Changes a registry that is there. What is refused leaves it as it was. Only our engine does this rightly.
    pub async fn update_registry(
        &self,
        registry: &NewRegistry,
        validate: bool,
        deadline: Instant,
    ) -> Result<RegistryRecord, ClientError> {
        let query = [("validate", if validate { "true" } else { "false" })];
        let path = ["registries", registry.registry.as_str()];
        first(self.send(Method::PUT, &path, &query, &registry.wire(), deadline).await?)
    }

    /// Takes a registry away.
    pub async fn delete_registry(&self, registry: &str, deadline: Instant) -> Result<(), ClientError> {
        self.delete(&["registries", registry], deadline).await
    }

    /// Takes a bundle away, which must not be the active one.
    pub async fn delete_policy(&self, id: &str, deadline: Instant) -> Result<(), ClientError> {
        self.delete(&["policies", id], deadline).await
    }

    async fn send<T: for<'de> Deserialize<'de>>(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: &Value,
        deadline: Instant,
    ) -> Result<T, ClientError> {
        self.transport.call(&Request { method, path, query, body: Some(body) }, deadline).await
    }

    /// What is gone already is fine.
    async fn delete(&self, path: &[&str], deadline: Instant) -> Result<(), ClientError> {
        let request = Request { method: Method::DELETE, path, query: &[], body: None };
        match self.transport.call::<Value>(&request, deadline).await {
            Ok(_) | Err(ClientError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
