//! Ending on purpose: the first SIGTERM or Ctrl-C asks everything to finish, the second does not wait.

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Cancels `stop` on the first signal, and lets the next one end the process at once.
pub(super) fn on_signal(stop: CancellationToken) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (Ok(mut terminate), Ok(mut interrupt)) =
            (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            tracing::error!("signals cannot be received; stopping");
            stop.cancel();
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping; a second signal does not wait");
        stop.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        end_at_once();
    })
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the operator asked twice; nothing is lost by a kill"
)]
fn end_at_once() {
    std::process::exit(1);
}
