//! Ctrl-C, SIGTERM and the end of the terminal, as something that is waited for: what runs is then ended in order.

use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

/// Knows whether somebody wants this program to end.
#[derive(Debug)]
pub(crate) struct Interruption {
    signals: Receiver<()>,
}

impl Interruption {
    /// From now on, signals that ask the program to end do not end it at once.
    pub(crate) fn watch() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("failed to prepare for signals")?;
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let (sender, signals) = channel();
        let [mut interrupt, mut terminate, mut hangup] = {
            let _runtime = runtime.enter();
            let [interrupt, terminate, hangup] = kinds.map(signal);
            [interrupt?, terminate?, hangup?]
        };
        std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    tokio::select! {
                        _ = interrupt.recv() => {}
                        _ = terminate.recv() => {}
                        _ = hangup.recv() => {}
                    }
                    if sender.send(()).is_err() {
                        return;
                    }
                }
            });
        });
        Ok(Self { signals })
    }

    /// Errors: there was a signal. Called between two steps, so that a long beginning can be given up.
    pub(crate) fn check(&self) -> Result<()> {
        if self.signals.try_recv().is_ok() {
            bail!("interrupted before everything ran");
        }
        Ok(())
    }

    /// Waits for a signal; calls `look` now and then, whose error ends the waiting.
    pub(crate) fn wait(&self, every: Duration, mut look: impl FnMut() -> Result<()>) -> Result<()> {
        loop {
            match self.signals.recv_timeout(every) {
                Ok(()) => return Ok(()),
                Err(RecvTimeoutError::Timeout) => look()?,
                Err(RecvTimeoutError::Disconnected) => bail!("the thread that waits for signals is gone"),
            }
        }
    }
}
