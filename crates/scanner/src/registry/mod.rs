//! The registry client: manifests and blobs of one repository.

mod challenge;
mod connections;
mod credentials;
mod ecr;
mod files;
mod helper;
mod ping;
mod tags;
mod token;
mod transport;

use http::header::{CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE};
use model::{Digest, DigestAlgorithm, ImageReference};
use reqwest::{Response, Url};
use sha2::{Digest as _, Sha256, Sha512};
use tokio::time::Instant;

pub use connections::Connections;
pub use ecr::{EcrLogin, EcrRequest, ecr_login, parse_ecr_host};
pub use ping::{Ping, ping};
pub use tags::list_tags;
pub(crate) use transport::{ByteSpan, length};

use crate::error::ScanError;
use crate::manifest::{MANIFEST_BYTES_MAX, shorten};
use crate::options::{RegistryOptions, Secret};
use challenge::parse_challenges;
use connections::{AuthorizationKey, authority};
use transport::{Answer, Request, Transport};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
/// All kinds that are read. Schema 1 is left out: a registry that can convert must not be tempted to.
const ACCEPT_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";
const ACCEPT_ANYTHING: &str = "*/*";

/// Asks one registry about one repository.
#[derive(Clone)]
pub(crate) struct RegistryClient {
    transport: Transport,
    options: RegistryOptions,
    registry: String,
    repository: String,
    base: Url,
}

/// A manifest or index as it came, with its verified digest.
pub(crate) struct FetchedManifest {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) media_type: Option<String>,
}

impl RegistryClient {
    pub(crate) fn new(reference: &ImageReference, options: &RegistryOptions) -> Result<Self, ScanError> {
        let transport = Transport::new(options)?;
        let registry = reference.registry().to_owned();
        let base = transport.rules.registry_base(&registry).parse().map_err(|_| ScanError::BadAnswer {
            host: registry.clone(),
            what: reference.to_string(),
            problem: "its name makes no address".to_owned(),
        })?;
        Ok(Self {
            transport,
            options: options.clone(),
            registry,
            repository: reference.registry_repository(),
            base,
        })
    }

    /// Gets a manifest by tag or digest and checks its digest: against the asked one, and against the one in the
    /// head of the answer.
    pub(crate) async fn manifest(
        &self,
        name: &str,
        expected: Option<&Digest>,
    ) -> Result<Option<FetchedManifest>, ScanError> {
        let what = format!("manifest `{}/{}:{name}`", self.registry, self.repository);
        let Some(answer) = self.get("manifests", name, ACCEPT_MANIFEST, ByteSpan::default(), &what).await?
        else {
            return Ok(None);
        };
        let headers = answer.response.headers();
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let stated = match headers.get(CONTENT_DIGEST) {
            Some(value) => Some(self.parse_stated_digest(value, &what)?),
            None => None,
        };
        let bytes = self.transport.read_document(answer.response, MANIFEST_BYTES_MAX, &what).await?;
        for promised in expected.into_iter().chain(stated.as_ref()) {
            check_digest(&bytes, promised, &what)?;
        }
        let digest = match expected {
            Some(expected) => expected.clone(),
            None => stated.unwrap_or_else(|| digest_of(&bytes, DigestAlgorithm::Sha256)),
        };
        Ok(Some(FetchedManifest { bytes, digest, media_type }))
    }

    fn parse_stated_digest(&self, value: &http::HeaderValue, what: &str) -> Result<Digest, ScanError> {
        value.to_str().ok().and_then(|text| text.trim().parse().ok()).ok_or_else(|| ScanError::BadAnswer {
            host: self.registry.clone(),
            what: what.to_owned(),
            problem: "`Docker-Content-Digest` is not a digest".to_owned(),
        })
    }

    /// Gets a small blob and checks it; `None` if the registry has none.
    pub(crate) async fn small_blob(
        &self,
        digest: &Digest,
        size: u64,
        limit: u64,
        what: &str,
    ) -> Result<Option<Vec<u8>>, ScanError> {
        if size > limit {
            return Err(ScanError::TooLarge { what: what.to_owned(), actual: size, limit, unit: "bytes" });
        }
        let Some(response) = self.blob(digest, 0, what).await? else { return Ok(None) };
        let bytes = match self.transport.read_document(response, size, what).await {
            Err(ScanError::TooLarge { actual, .. }) => {
                return Err(ScanError::SizeMismatch { what: what.to_owned(), expected: size, actual });
            }
            other => other?,
        };
        if length(&bytes) != size {
            return Err(ScanError::SizeMismatch {
                what: what.to_owned(),
                expected: size,
                actual: length(&bytes),
            });
        }
        check_digest(&bytes, digest, what)?;
        Ok(Some(bytes))
    }

    /// Starts a blob at a byte. The caller reads at most what the descriptor promised and checks the digest.
    pub(crate) async fn blob(
        &self,
        digest: &Digest,
        start: u64,
        what: &str,
    ) -> Result<Option<Response>, ScanError> {
        self.blob_bytes(digest, ByteSpan { start, end: None }, what).await
    }

    /// Starts some bytes of a blob. A server without ranges answers with all of it.
    pub(crate) async fn blob_bytes(
        &self,
        digest: &Digest,
        bytes: ByteSpan,
        what: &str,
    ) -> Result<Option<Response>, ScanError> {
        let answer = self.get("blobs", &digest.to_string(), ACCEPT_ANYTHING, bytes, what).await?;
        Ok(answer.map(|answer| answer.response))
    }

    /// The whole of an answer of at most so many bytes.
    pub(crate) async fn read_document(
        &self,
        response: Response,
        limit: u64,
        what: &str,
    ) -> Result<Vec<u8>, ScanError> {
        self.transport.read_document(response, limit, what).await
    }

    pub(crate) async fn next_chunk(
        &self,
        response: &mut Response,
        what: &str,
    ) -> Result<Option<bytes::Bytes>, ScanError> {
        self.transport.next_chunk(response, what).await
    }

    /// How often a broken blob is continued.
    pub(crate) fn tries_max(&self) -> u32 {
        self.transport.retry.tries_max
    }

    pub(crate) fn registry(&self) -> &str {
        &self.registry
    }

    /// Asks, logs in when the registry wants it, and once more when the login has become stale; `None` is 404.
    async fn get(
        &self,
        kind: &str,
        name: &str,
        accept: &'static str,
        bytes: ByteSpan,
        what: &str,
    ) -> Result<Option<Answer>, ScanError> {
        let mut url = self.base.clone();
        url.set_path(&format!("/v2/{}/{kind}/{name}", self.repository));
        self.get_address(url, accept, bytes, what).await
    }

    /// [`Self::get`] for an address of this repository.
    async fn get_address(
        &self,
        url: Url,
        accept: &'static str,
        bytes: ByteSpan,
        what: &str,
    ) -> Result<Option<Answer>, ScanError> {
        let key = AuthorizationKey {
            credentials: self.options.credentials.clone(),
            registry: self.registry.clone(),
            repository: self.repository.clone(),
        };
        let kept = self.options.connections.authorization(&key, Instant::now()).map(|kept| kept.header);
        let mut request =
            Request { url, what: what.to_owned(), accept, authorization: kept, bytes, form: None };
        let mut is_fresh = false;
        loop {
            let answer = self.transport.send(&request).await?;
            let status = answer.response.status().as_u16();
            match status {
                200 | 206 => return Ok(Some(answer)),
                404 => return Ok(None),
                401 if answer.is_from_asked_host && !is_fresh => {
                    self.options.connections.forget_authorization(&key);
                    request.authorization = Some(self.log_in(&answer.response, &key).await?);
                    is_fresh = true;
                }
                401 | 403 => {
                    return Err(ScanError::Unauthorized {
                        host: authority(answer.response.url()),
                        repository: self.repository.clone(),
                        reason: if status == 401 { "status 401" } else { "status 403" },
                    });
                }
                _ => {
                    let host = authority(answer.response.url());
                    return Err(ScanError::UnexpectedStatus { host, what: shorten(what), status });
                }
            }
        }
    }

    async fn log_in(&self, response: &Response, key: &AuthorizationKey) -> Result<Secret, ScanError> {
        let headers = response.headers().get_all(WWW_AUTHENTICATE);
        let challenge = parse_challenges(headers.iter().filter_map(|value| value.to_str().ok()));
        let Some(challenge) = challenge else {
            return Err(ScanError::Unauthorized {
                host: self.registry.clone(),
                repository: self.repository.clone(),
                reason: "status 401 without a challenge for a token or a password",
            });
        };
        let timeout = self.options.timeouts.helper;
        let identity =
            credentials::find_identity(&self.options.credentials, &self.registry, &self.repository, timeout)
                .await?;
        let authorization =
            token::answer_challenge(&self.transport, challenge, &identity, &self.registry, &self.repository)
                .await?;
        self.options.connections.keep_authorization(key.clone(), authorization.clone());
        Ok(authorization.header)
    }
}

/// Whether the value of a header is a challenge or the link to a next page.
pub(crate) fn is_some_header(value: &str) -> bool {
    parse_challenges(std::iter::once(value)).is_some() | tags::is_next(value)
}

/// Whether a body is a token, a page of tags, a login or the settings of a user.
pub(crate) fn is_some_body(body: &[u8]) -> bool {
    token::is_token_answer(body) | tags::is_page(body) | ecr::is_login(body) | credentials::is_config(body)
}

/// The digest of some bytes.
pub(crate) fn digest_of(bytes: &[u8], algorithm: DigestAlgorithm) -> Digest {
    match algorithm {
        DigestAlgorithm::Sha256 => Digest::from_sha256(&Sha256::digest(bytes).into()),
        DigestAlgorithm::Sha512 => Digest::from_sha512(&Sha512::digest(bytes).into()),
    }
}

/// Compares bytes with the digest that names them.
pub(crate) fn check_digest(bytes: &[u8], expected: &Digest, what: &str) -> Result<(), ScanError> {
    let actual = digest_of(bytes, expected.algorithm());
    if actual != *expected {
        return Err(ScanError::DigestMismatch { what: what.to_owned(), expected: expected.clone(), actual });
    }
    Ok(())
}
