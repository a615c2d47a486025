//! Logs go to standard error; results never mix with them. Spans go to a collector, where one is named.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt};

use crate::arguments::LogFormat;
use crate::config::server::LoggingConfig;
use crate::config::traces::TracingConfig;
use crate::{terminal, traces};

/// How long the last spans may take to be sent at the end.
const FLUSH_TIME: Duration = Duration::from_secs(5);

/// Running logs and traces.
pub(crate) struct Logging(Option<SdkTracerProvider>);

impl Logging {
    /// Sends what is left, for a bounded time. It waits on this thread, and the runtime must still run.
    pub(crate) fn end(self) {
        if let Some(provider) = self.0
            && let Err(error) = provider.shutdown_with_timeout(FLUSH_TIME)
        {
            tracing::warn!(error = error.to_string(), "the last spans were not sent");
        }
    }
}

/// Starts logging for the servers, inside their runtime. The filter has the syntax `info,scanner=debug`.
///
/// Errors: the filter cannot be read, the collector's settings cannot be used, or logging was started before.
pub(crate) fn start(config: &LoggingConfig, traces: Option<&TracingConfig>) -> anyhow::Result<Logging> {
    let LoggingConfig { filter, format } = config;
    let filter =
        EnvFilter::try_new(filter).with_context(|| format!("log filter `{filter}` is not understood"))?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => lines.with_ansi(terminal::shows_progress()).boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let provider = traces.map(traces::provider).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("lazaret"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(traces::filter())
    });
    tracing_subscriber::registry()
        .with(spans)
        .with(lines.with_filter(filter))
        .try_init()
        .context("failed to start logging")?;
    Ok(Logging(provider))
}
