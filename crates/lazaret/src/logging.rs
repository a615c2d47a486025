//! Logs go to standard error; results never mix with them.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::arguments::LogFormat;
use crate::config::server::LoggingConfig;

/// Starts logging for the servers. The filter has the syntax `info,scanner=debug`.
///
/// Errors: the filter cannot be read, or logging was started before.
pub(crate) fn start(config: &LoggingConfig) -> anyhow::Result<()> {
    let LoggingConfig { filter, format } = config;
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| anyhow::anyhow!("log filter `{filter}` is not understood: {error}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(crate::terminal::shows_progress()).try_init(),
        LogFormat::Json => builder.json().try_init(),
    }
    .map_err(|error| anyhow::anyhow!("failed to start logging: {error}"))
}
