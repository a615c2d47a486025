//! Requests of somebody else, passed on as they are but for who asks.

use axum::body::{Body, Bytes};
use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use serde_json::Value;
use tokio::time::Instant;

use crate::transport::{Request, Transport, Way};
use crate::{Client, ClientError};

/// A request to pass on.
#[derive(Debug)]
pub struct ForwardRequest<'a> {
    /// Its method.
    pub method: Method,
    /// The segments of its path below `/v1`, not encoded. None may be empty, `.` or `..`.
    pub path: &'a [&'a str],
    /// Its query, as it was sent.
    pub query: Option<&'a str>,
    /// What the engine has to know about the body and the answer; nothing about who asks.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Client {
    /// Passes a request on, as this client's user. The answer is whatever the engine says, whichever status it has; its body
    /// comes in as it is read, and how long and how large it may be is the caller's to say.
    pub async fn forward(
        &self,
        request: ForwardRequest<'_>,
        deadline: Instant,
    ) -> Result<axum::http::Response<Body>, ClientError> {
        let transport = &self.transport;
        let url = transport.url(request.path, request.query)?;
        let sent = async {
            match &transport.way {
                Way::Network(connections) => transport.forward_over(connections, request, url).await,
                Way::InProcess(router) => transport.forward_inside(router, request, &url).await,
            }
        };
        let timed_out = |_| ClientError::Timeout { url: transport.base_url.to_string() };
        tokio::time::timeout_at(deadline, sent).await.map_err(timed_out)?
    }

    /// Any call that answers JSON, for those who hand records on without looking into them.
    pub async fn call_json(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        deadline: Instant,
    ) -> Result<Value, ClientError> {
        self.transport.call(&Request { method, path, query, body }, deadline).await
    }
}

impl Transport {
    async fn forward_over(
        &self,
        connections: &reqwest::Client,
        request: ForwardRequest<'_>,
        url: Url,
    ) -> Result<axum::http::Response<Body>, ClientError> {
        let mut builder = connections.request(request.method, url).headers(request.headers);
        if !request.body.is_empty() {
            builder = builder.body(request.body);
        }
        if let Some((user, password)) = &self.credentials {
            builder = builder.basic_auth(user, Some(&password.0));
        }
        let response = builder.send().await.map_err(|source| self.failed(source))?;
        Ok(axum::http::Response::from(response).map(Body::new))
    }

    async fn forward_inside(
        &self,
        router: &axum::Router,
        request: ForwardRequest<'_>,
        url: &Url,
    ) -> Result<axum::http::Response<Body>, ClientError> {
        let mut builder = self.request_inside(&request.method, url);
        if let Some(headers) = builder.headers_mut() {
            headers.extend(request.headers);
        }
        self.answer_inside(router, builder, Body::from(request.body)).await
    }
}
