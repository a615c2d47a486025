//! The calls.

use model::{Digest, ImageReference};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::transport::{Request, Transport, Way};
use crate::wire::{CheckWire, VulnerabilitiesWire};
use crate::{
    BuildClientError, CheckReport, ClientError, ClientSettings, Feed, ImageRecord, PolicyRecord,
    Vulnerability,
};

/// A client of one engine. Cheap to share behind an `Arc`; connections are reused.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) transport: Transport,
}

/// What to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckQuestion<'a> {
    /// The image.
    pub digest: &'a Digest,
    /// The name it is judged under.
    pub tag: &'a str,
    /// The bundle; `None`: the active one.
    pub policy_id: Option<&'a str>,
    /// Whether the rows are wanted.
    pub with_detail: bool,
}

impl Client {
    /// A client; no connection is made yet.
    pub fn new(settings: &ClientSettings) -> Result<Self, BuildClientError> {
        Ok(Self {
            transport: Transport {
                way: Way::Network(settings.connections()?),
                base_url: settings.parsed_url()?,
                credentials: Some((settings.user.clone(), settings.password.clone())),
                account: None,
                answer_bytes_max: settings.answer_bytes_max,
            },
        })
    }

    /// A client of an engine in the same process, which acts as whoever these routes take their own program for.
    pub fn in_process(router: axum::Router) -> Result<Self, BuildClientError> {
        // Only paths are made from it; the host is what errors call the engine.
        let settings = ClientSettings::new("http://this-process", "", "");
        Ok(Self {
            transport: Transport {
                way: Way::InProcess(router),
                base_url: settings.parsed_url()?,
                credentials: None,
                account: None,
                answer_bytes_max: settings.answer_bytes_max,
            },
        })
    }

    /// The same client, acting in this account: for administrators.
    #[must_use]
    pub fn in_account(&self, account: &str) -> Self {
        Self { transport: Transport { account: Some(account.to_owned()), ..self.transport.clone() } }
    }

    /// The same engine, asked by somebody else.
    #[must_use]
    pub fn with_credentials(&self, user: &str, password: &str) -> Self {
        let credentials = Some((user.to_owned(), crate::Password(password.to_owned())));
        Self { transport: Transport { credentials, account: None, ..self.transport.clone() } }
    }

    /// Whether an engine answers. Says nothing about user and password.
    pub async fn ping(&self, deadline: Instant) -> Result<(), ClientError> {
        self.get::<Value>(&[], &[], deadline).await.map(drop)
    }

    /// Adds an image by tag: the engine asks the registry which digest is meant, and analyzes it.
    pub async fn add_image(&self, tag: &str, deadline: Instant) -> Result<ImageRecord, ClientError> {
        let request =
            Request { method: Method::POST, path: &["images"], query: &[], body: Some(&json!({"tag": tag})) };
        first(self.transport.call(&request, deadline).await?)
    }

    /// Adds an image of the reference's repository by digest.
    ///
    /// The API wants a tag to file it under. No registry needs to have this tag, but the engine takes the image for the
    /// newest of it.
    pub async fn add_image_at_digest(
        &self,
        repository: &ImageReference,
        digest: &Digest,
        tag: &str,
        deadline: Instant,
    ) -> Result<ImageRecord, ClientError> {
        let body = json!({
            "tag": format!("{}/{}:{tag}", repository.registry(), repository.repository()),
            "digest": repository.at_digest(digest.clone()).to_string(),
        });
        let request = Request { method: Method::POST, path: &["images"], query: &[], body: Some(&body) };
        first(self.transport.call(&request, deadline).await?)
    }

    /// The image of a digest.
    pub async fn get_image(&self, digest: &Digest, deadline: Instant) -> Result<ImageRecord, ClientError> {
        first(self.get(&["images", &digest.to_string()], &[], deadline).await?)
    }

    /// What a full tag names, or all images. An engine answers [`ClientError::NotFound`] for a tag it does not know.
    pub async fn list_images(
        &self,
        full_tag: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<ImageRecord>, ClientError> {
        let query: &[(&str, &str)] = match full_tag {
            Some(full_tag) => &[("fulltag", full_tag), ("history", "false")],
            None => &[],
        };
        self.get(&["images"], query, deadline).await
    }

    /// The verdict about an image.
    pub async fn check(
        &self,
        question: &CheckQuestion<'_>,
        deadline: Instant,
    ) -> Result<CheckReport, ClientError> {
        let detail = if question.with_detail { "true" } else { "false" };
        let mut query = vec![("tag", question.tag), ("detail", detail), ("history", "false")];
        query.extend(question.policy_id.map(|id| ("policyId", id)));
        let digest = question.digest.to_string();
        let wire: CheckWire = self.get(&["images", &digest, "check"], &query, deadline).await?;
        CheckReport::from_wire(wire, question.digest).map_err(|problem| unexpected(&problem))
    }

    /// The vulnerabilities of an image, also those that the vendor will not fix.
    pub async fn vulnerabilities(
        &self,
        digest: &Digest,
        deadline: Instant,
    ) -> Result<Vec<Vulnerability>, ClientError> {
        let digest = digest.to_string();
        let query = [("vendor_only", "false")];
        let wire: VulnerabilitiesWire =
            self.get(&["images", &digest, "vuln", "all"], &query, deadline).await?;
        Ok(wire.vulnerabilities)
    }

    /// All bundles, without their documents.
    pub async fn list_policies(&self, deadline: Instant) -> Result<Vec<PolicyRecord>, ClientError> {
        self.get(&["policies"], &[("detail", "false")], deadline).await
    }

    /// One bundle.
    pub async fn get_policy(
        &self,
        id: &str,
        with_detail: bool,
        deadline: Instant,
    ) -> Result<PolicyRecord, ClientError> {
        let detail = if with_detail { "true" } else { "false" };
        first(self.get(&["policies", id], &[("detail", detail)], deadline).await?)
    }

    /// Stores a bundle, replacing the one of the same id.
    pub async fn add_policy(&self, bundle: &Value, deadline: Instant) -> Result<PolicyRecord, ClientError> {
        let query = [("detail", "true")];
        let request =
            Request { method: Method::POST, path: &["policies"], query: &query, body: Some(bundle) };
        self.transport.call(&request, deadline).await
    }

    /// Makes a bundle the active one.
    pub async fn activate_policy(&self, id: &str, deadline: Instant) -> Result<PolicyRecord, ClientError> {
        // The API wants the whole record back, so it is passed on as it came.
        let records: Vec<Value> = self.get(&["policies", id], &[("detail", "true")], deadline).await?;
        let mut record = first(records)?;
        if let Some(record) = record.as_object_mut() {
            record.insert("active".to_owned(), Value::Bool(true));
        }
        let path = ["policies", id];
        let request = Request { method: Method::PUT, path: &path, query: &[], body: Some(&record) };
        first(self.transport.call(&request, deadline).await?)
    }

    /// The feeds.
    pub async fn feeds(&self, deadline: Instant) -> Result<Vec<Feed>, ClientError> {
        self.get(&["system", "feeds"], &[], deadline).await
    }

    pub(crate) async fn get<T: for<'de> serde::Deserialize<'de>>(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        deadline: Instant,
    ) -> Result<T, ClientError> {
        self.transport.call(&Request { method: Method::GET, path, query, body: None }, deadline).await
    }
}

pub(crate) fn first<T>(records: Vec<T>) -> Result<T, ClientError> {
    records.into_iter().next().ok_or_else(|| unexpected("the list is empty"))
}

fn unexpected(problem: &str) -> ClientError {
    ClientError::Unexpected { status: 200, problem: problem.to_owned() }
}
