//! Fetches one file of a feed: conditional, bounded in bytes and time, repeated with patience, put in place whole.
//!
//! A file appears under its name when all of it has arrived and looks like such a file; until then, and after every
//! error, what was there before is untouched. Whether the *content* is a feed is decided by [`crate::read_feed`].

mod body;
mod error;
mod file_url;
mod http;
mod retry;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use model::FeedKind;
use reqwest::{Certificate, Client, Url};

pub use error::{BuildFetcherError, FetchError};

const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;

/// What one fetch may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchLimits {
    /// Bytes of the file, unpacked where the transport packs it.
    pub bytes_max: u64,
    /// Time for one attempt as a whole.
    pub attempt: Duration,
    /// Time for a connection.
    pub connect: Duration,
    /// Time until the answer begins.
    pub answer: Duration,
    /// Time between two pieces of the body.
    pub idle: Duration,
    /// Redirects that are followed.
    pub redirects_max: usize,
}

impl Default for FetchLimits {
    /// Several times what the largest public file needs on a slow line.
    fn default() -> Self {
        Self {
            bytes_max: 2 << 30,
            attempt: Duration::from_secs(30 * 60),
            connect: Duration::from_secs(10),
            answer: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            redirects_max: 5,
        }
    }
}

/// How a fetch is repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchRetry {
    /// Attempts in all.
    pub attempts_max: u32,
    /// Pause after the first failure; it doubles with each one.
    pub wait_first: Duration,
    /// Longest pause. Who asks for more is asked again by the next run.
    pub wait_max: Duration,
    /// No attempt begins later than this after the first.
    pub deadline: Duration,
}

impl Default for FetchRetry {
    fn default() -> Self {
        Self {
            attempts_max: 4,
            wait_first: Duration::from_secs(2),
            wait_max: Duration::from_secs(120),
            deadline: Duration::from_secs(15 * 60),
        }
    }
}

/// Through which proxies hosts are asked; addresses may hold a login and are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FetchProxy {
    /// For `http://`.
    pub http: Option<String>,
    /// For `https://`.
    pub https: Option<String>,
    /// Hosts that are asked directly, in the form of `NO_PROXY`.
    pub exceptions: Option<String>,
}

impl std::fmt::Debug for FetchProxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { http, https, exceptions } = self;
        let mut shown = formatter.debug_struct("FetchProxy");
        shown.field("http", &http.is_some()).field("https", &https.is_some());
        shown.field("exceptions", exceptions).finish()
    }
}

/// How feeds are fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FetchSettings {
    /// What one fetch may cost.
    pub limits: FetchLimits,
    /// How it is repeated.
    pub retry: FetchRetry,
    /// PEM files with certificates that are trusted beside the system's.
    pub ca_certificates: Vec<PathBuf>,
    /// Proxies.
    pub proxy: FetchProxy,
}

/// What a server said about a file, to be sent back with the next request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// The `ETag`, byte for byte.
    pub etag: Option<String>,
    /// The `Last-Modified`, byte for byte.
    pub last_modified: Option<String>,
}

/// One file to fetch.
#[derive(Debug, Clone)]
pub struct FeedRequest<'a> {
    /// Its address: `https`, `http`, or `file` for a mirror on a disk.
    pub url: &'a str,
    /// The form of the feed.
    pub kind: FeedKind,
    /// What was said about the file that is at the destination now; empty if there is none.
    pub validators: Validators,
    /// Where the file goes; its folder exists.
    pub destination: &'a Path,
}

/// A file that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedFile {
    /// For the next request.
    pub validators: Validators,
    /// Its size.
    pub bytes: u64,
    /// Its digest, lower-case hex.
    pub sha256: String,
}

/// How a fetch ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchOutcome {
    /// The file is as it was when the validators were made.
    NotModified,
    /// A new file is at the destination.
    Fetched(FetchedFile),
}

/// Fetches files; one for all sources, because it keeps connections.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    limits: FetchLimits,
    retry: FetchRetry,
    clock: fn() -> Timestamp,
}

impl Fetcher {
    /// Reads the certificate files and prepares connections. The clock is asked what a date in `Retry-After` means.
    pub fn new(settings: &FetchSettings, clock: fn() -> Timestamp) -> Result<Self, BuildFetcherError> {
        let mut builder = Client::builder()
            .user_agent("lazaret")
            // Redirects are followed by hand: counted, and never out of https.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(settings.limits.connect)
            .tcp_keepalive(Duration::from_secs(30));
        let FetchProxy { http, https, exceptions } = &settings.proxy;
        let http = http.as_ref().map(reqwest::Proxy::http);
        let https = https.as_ref().map(reqwest::Proxy::https);
        for proxy in [http, https].into_iter().flatten() {
            let exceptions = exceptions.as_deref().and_then(reqwest::NoProxy::from_string);
            let proxy = proxy
                .map_err(|error| BuildFetcherError::Connections(error.without_url()))?
                .no_proxy(exceptions);
            builder = builder.proxy(proxy);
        }
        for path in &settings.ca_certificates {
            builder = builder.tls_certs_merge(load_certificates(path)?);
        }
        let client = builder.build().map_err(BuildFetcherError::Connections)?;
        Ok(Self { client, limits: settings.limits.clone(), retry: settings.retry.clone(), clock })
    }

    /// Fetches a file, again and again within the limits while that may help.
    ///
    /// Errors: the last one. After every error the destination is as it was.
    pub async fn fetch(&self, request: &FeedRequest<'_>) -> Result<FetchOutcome, FetchError> {
        let url = parse_address(request.url)?;
        if url.scheme() == "file" {
            return file_url::fetch(&url, request, &self.limits).await;
        }
        retry::repeat(&self.retry, || self.fetch_once(&url, request)).await
    }
}

/// The address as it may be shown: without login, query and fragment, which may hold secrets.
pub(crate) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Only addresses without a host refuse these, and they have none of both.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// An address as it may be shown: without login, query and fragment.
pub fn shown_address(text: &str) -> String {
    parse_address(text).map_or_else(|_| "(unreadable)".to_owned(), |url| shown(&url))
}

/// Reads an address of a feed.
pub(crate) fn parse_address(text: &str) -> Result<Url, FetchError> {
    // What cannot be parsed is not shown: nobody can say where in it a password is.
    let url = Url::parse(text).map_err(|_| FetchError::BadAddress {
        url: "(unreadable)".to_owned(),
        problem: "it is no URL, as in `https://host/path`",
    })?;
    let bad = |problem| FetchError::BadAddress { url: shown(&url), problem };
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        "file" => match url.to_file_path() {
            Ok(_) => Ok(url),
            Err(()) => Err(bad("a path on this machine is written `file:///path`")),
        },
        _ => Err(bad("it begins with none of `https://`, `http://`, `file:///`")),
    }
}

fn load_certificates(path: &Path) -> Result<Vec<Certificate>, BuildFetcherError> {
    let failed = |source| BuildFetcherError::ReadCertificates { path: path.to_owned(), source };
    let bad = |problem: String| BuildFetcherError::BadCertificates { path: path.to_owned(), problem };
    let file = fs_err::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    let mut bounded = file.take(CERTIFICATES_BYTES_MAX + 1);
    std::io::copy(&mut bounded, &mut bytes).map_err(failed)?;
    if bounded.limit() == 0 {
        return Err(bad(format!("is larger than {CERTIFICATES_BYTES_MAX} bytes")));
    }
    let certificates = Certificate::from_pem_bundle(&bytes).map_err(|error| bad(error.to_string()))?;
    if certificates.is_empty() { Err(bad("holds no certificate".to_owned())) } else { Ok(certificates) }
}
