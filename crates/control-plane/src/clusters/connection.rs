//! The client of one cluster, whose API server may be anybody's.
//!
//! The ready-made client of the library resolves names by itself, waits for ever and reads whatever comes. This one connects
//! where the rule allows, waits a bounded time and reads a bounded number of bytes.

use std::time::Duration;

use http_body_util::Limited;
use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::Client;
use kube::client::{ClientBuilder, ConfigExt as _};
use tower::{BoxError, ServiceBuilder};

use crate::addresses::{AddressRule, guard};

/// Time to connect.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
/// Time until an answer begins.
pub(crate) const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// Time between two pieces of an answer. A watch is silent for about a minute where nothing happens.
const SILENCE_MAX: Duration = Duration::from_secs(150);
/// Bytes of one answer. A page of 500 large objects is smaller; a watch that reaches it begins again.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Makes the client. Nothing is connected yet.
pub(super) fn connect(config: &kube::Config, rule: AddressRule) -> Result<Client, kube::Error> {
    let mut connector = HttpConnector::new_with_resolver(guard(rule));
    connector.enforce_http(false);
    connector.set_connect_timeout(Some(CONNECT_TIME_MAX));
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(connector)?);
    connector.set_connect_timeout(Some(CONNECT_TIME_MAX));
    connector.set_read_timeout(Some(SILENCE_MAX));
    connector.set_write_timeout(Some(SILENCE_MAX));
    connector.set_reset_reader_on_write(true);
    let client = hyper_util::client::legacy::Builder::new(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .map_response(limited)
        .timeout(ANSWER_TIME_MAX)
        .map_err(BoxError::from)
        .service(client);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

fn limited<B>(response: http::Response<B>) -> http::Response<Limited<B>> {
    response.map(|body| Limited::new(body, ANSWER_BYTES_MAX))
}
