//! A webhook on this machine that keeps what it is told and answers as the test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

/// How a webhook answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Takes,
    Refuses,
    /// 500 for the first call, 200 afterwards.
    RefusesOnce,
    Hangs,
    /// To its own path `/elsewhere`.
    Redirects,
    /// 200 with a body without end.
    Babbles,
}

/// What a webhook was told.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Told {
    pub(crate) fn kind(&self) -> &str {
        self.body["queueId"].as_str().unwrap()
    }

    pub(crate) fn payload(&self) -> &Value {
        &self.body["data"]["notification_payload"]
    }
}

#[derive(Default)]
struct Shared {
    told: Mutex<Vec<Told>>,
    moods: Mutex<BTreeMap<String, Mood>>,
}

pub(crate) struct Receiver {
    pub(crate) url: String,
    shared: Arc<Shared>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(take).with_state(shared.clone());
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared }
    }

    /// How it answers on paths that begin so.
    pub(crate) fn set(&self, path: &str, mood: Mood) {
        self.shared.moods.lock().unwrap().insert(path.to_owned(), mood);
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.shared.told.lock().unwrap().clone()
    }

    /// Everything that was told on paths that begin so.
    pub(crate) fn told_at(&self, path: &str) -> Vec<Told> {
        self.told().into_iter().filter(|told| told.path.starts_with(path)).collect()
    }

    /// Waits until so many calls came that fit.
    pub(crate) async fn wait(&self, count: usize, what: &str, fits: impl Fn(&Told) -> bool) -> Vec<Told> {
        let look = || {
            let found: Vec<Told> = self.told().into_iter().filter(|told| fits(told)).collect();
            std::future::ready((found.len() >= count).then_some(found))
        };
        let found = testkit::wait_until_async(Duration::from_secs(60), what, look).await;
        found.unwrap_or_else(|error| panic_with(&format!("{error}; told: {:#?}", self.told())))
    }
}

#[expect(clippy::panic, reason = "a test that waits in vain shows what came instead")]
fn panic_with(text: &str) -> Vec<Told> {
    panic!("{text}")
}

async fn take(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 64 * 1024 * 1024).await.unwrap();
    let path = parts.uri.path().to_owned();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    shared.told.lock().unwrap().push(Told {
        method: parts.method.to_string(),
        path: path.clone(),
        headers: parts.headers,
        body,
    });
    let mood = {
        let mut moods = shared.moods.lock().unwrap();
        let found = moods.iter_mut().find(|(start, _)| path.starts_with(start.as_str()));
        match found {
            Some((_, mood @ Mood::RefusesOnce)) => {
                *mood = Mood::Takes;
                Mood::Refuses
            }
            Some((_, mood)) => *mood,
            None => Mood::Takes,
        }
    };
    match mood {
        Mood::Takes | Mood::RefusesOnce => StatusCode::OK.into_response(),
        Mood::Refuses => (StatusCode::INTERNAL_SERVER_ERROR, "no").into_response(),
        Mood::Hangs => std::future::pending().await,
        Mood::Redirects => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response()
        }
        Mood::Babbles => {
            let endless = futures_util::stream::repeat_with(|| {
                Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[b'x'; 65536]))
            });
            axum::body::Body::from_stream(endless).into_response()
        }
    }
}
