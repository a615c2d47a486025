//! Staying until something is done, with one line that says how far it is.

use std::time::Duration;

use anyhow::{Context as _, bail};
use indicatif::{ProgressBar, ProgressDrawTarget};
use pipeline_client::CallError;
use report_formats::printable;

use super::cluster_arguments::Waiting;
use crate::terminal;

const INTERVAL: Duration = Duration::from_secs(1);

/// How something is.
pub(super) enum Outlook {
    /// Not done yet.
    Going(String),
    /// Done.
    Done(String),
    /// It will not be done.
    Failed(String),
}

/// Asks again and again how it is. A server that is away for a moment ends nothing.
///
/// Errors: it failed, or took longer than it may.
pub(super) async fn wait_until(
    waiting: &Waiting,
    subject: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Outlook>,
) -> anyhow::Result<()> {
    let line =
        terminal::shows_progress().then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()));
    if let Some(line) = &line {
        line.enable_steady_tick(Duration::from_millis(100));
    }
    let tell = |text: &str| match &line {
        Some(line) => line.set_message(printable(text).into_owned()),
        None => terminal::error_line(text),
    };
    let waited = tokio::time::timeout(waiting.wait_timeout, async {
        let mut told = String::new();
        loop {
            let text = match look().await {
                Ok(Outlook::Done(text)) => return Ok(text),
                Ok(Outlook::Failed(reason)) => bail!("{subject} failed: {reason}"),
                Ok(Outlook::Going(text)) => format!("{subject}: {text}"),
                Err(error) if is_momentary(&error) => format!("{subject}: {}", terminal::chain(&error)),
                Err(error) => return Err(error),
            };
            if text != told {
                tell(&text);
                told = text;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    })
    .await;
    if let Some(line) = &line {
        line.finish_and_clear();
    }
    let text = waited.with_context(|| {
        format!(
            "{subject} was not done within {} seconds; it goes on without you",
            waiting.wait_timeout.as_secs()
        )
    })??;
    terminal::error_line(&format!("{subject}: {text}"));
    Ok(())
}

fn is_momentary(error: &anyhow::Error) -> bool {
    error.downcast_ref::<CallError>().is_some_and(CallError::is_retryable)
}
