//! A login by browser: opens the address of the provider, waits for the browser to come back, and brings what it brings.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use pipeline_client::{BrowserLogin, Client, LoginProvider, Token};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config;
use crate::name::program_name;
use crate::terminal;

/// Passwords are looked for, second factors too.
const LOGIN_TIME_MAX: Duration = Duration::from_secs(300);
/// Programs that open an address, by what a desktop has.
const OPENERS: [&str; 3] = ["xdg-open", "open", "wslview"];

/// What a browser comes back with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ComesBack {
    code: String,
    state: String,
    error: String,
    error_description: String,
}

/// Logs somebody in. Returns a token of the server.
pub(super) async fn run(
    client: &Client,
    provider: LoginProvider,
    authorities: Option<&str>,
    opens_browser: bool,
) -> anyhow::Result<Token> {
    let listener = listen(provider.callback_port).await?;
    let port =
        listener.local_addr().context("failed to find the port that the browser comes back to")?.port();
    let login = BrowserLogin::begin(provider, client.endpoint(), port, authorities).await?;
    let (sender, receiver) = mpsc::channel(1);
    let serving = tokio::spawn(serve(listener, sender));
    // Heard from before the address is shown: whoever reads it may press Ctrl-C at once.
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for Ctrl-C")?;
    let is_open = opens_browser && open(login.address().as_str());
    terminal::error_line(&format!(
        "{} this address to log in{}:\n\n  {}\n",
        if is_open { "your browser opens" } else { "open" },
        if is_open { "; if it does not, open it yourself" } else { " in a browser on this machine" },
        login.address(),
    ));
    let came_back = tokio::select! {
        came_back = in_time(wait(&login, receiver)) => came_back,
        _ = interrupt.recv() => Err(anyhow::anyhow!("cancelled; nothing was changed")),
    };
    let token = match came_back {
        Ok(code) => exchange(client, &login, &code).await,
        Err(error) => Err(error),
    };
    serving.abort();
    token
}

/// What comes back, unless nobody does.
async fn in_time<T>(came_back: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::time::timeout(LOGIN_TIME_MAX, came_back).await.unwrap_or_else(|_| {
        bail!(
            "nobody came back from the browser within {} minutes; nothing was changed",
            LOGIN_TIME_MAX.as_secs() / 60
        )
    })
}

async fn exchange(client: &Client, login: &BrowserLogin, code: &str) -> anyhow::Result<Token> {
    let tokens = login.finish(code).await?;
    client.exchange_tokens(&tokens).await.context("failed to log in with what the provider gave")
}

async fn listen(port: u16) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "failed to wait for the browser at {address}: end the program that listens there, or give a token with \
             `{} login --token`",
            program_name()
        )
    })
}

/// The code of the first browser that was sent by us. Whatever else comes to this port changes nothing.
async fn wait(login: &BrowserLogin, mut receiver: mpsc::Receiver<ComesBack>) -> anyhow::Result<String> {
    while let Some(ComesBack { code, state, error, error_description }) = receiver.recv().await {
        if !login.is_ours(&state) {
            continue;
        }
        if !error.is_empty() || code.is_empty() {
            let text = terminal::shown(&format!("{error} {error_description}"));
            bail!("the provider of logins refuses: {}; nothing was changed", text.trim());
        }
        return Ok(code);
    }
    bail!("the browser could not come back; nothing was changed")
}

async fn serve(listener: TcpListener, sender: mpsc::Sender<ComesBack>) {
    let routes = Router::new().route("/callback", get(come_back)).with_state(sender);
    // It runs until somebody came back, and is ended then.
    if let Err(error) = axum::serve(listener, routes).await {
        terminal::error_line(&format!("failed to wait for the browser: {error}"));
    }
}

async fn come_back(
    State(sender): State<mpsc::Sender<ComesBack>>,
    Query(came_back): Query<ComesBack>,
) -> Response {
    const PAGE: &str = "<!doctype html><title>Lazaret</title><p>The rest happens in the terminal; this window can be closed.";
    match sender.send(came_back).await {
        Ok(()) => Html(PAGE).into_response(),
        Err(_) => StatusCode::GONE.into_response(),
    }
}

/// Opens an address in a browser. Returns whether a program was there for it.
fn open(address: &str) -> bool {
    let Some(program) = opener() else { return false };
    let mut command = Command::new(program);
    command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

fn opener() -> Option<PathBuf> {
    let path = config::variable("PATH").unwrap_or_default();
    let mut candidates =
        OPENERS.iter().flat_map(|name| std::env::split_paths(&path).map(move |folder| folder.join(name)));
    candidates.find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_late_is_not_waited_for() {
        let after = async |time: Duration| {
            let began = Instant::now();
            let came_back = in_time(async {
                sleep(time).await;
                Ok("code")
            });
            (came_back.await.map_err(|error| error.to_string()), began.elapsed().as_secs())
        };
        assert_eq!(after(LOGIN_TIME_MAX - Duration::from_millis(1)).await, (Ok("code"), 299));
        let (late, waited_s) = after(LOGIN_TIME_MAX + Duration::from_secs(60)).await;
        assert_eq!((late.is_err(), waited_s), (true, 300));
        assert!(late.is_err_and(|text| text.contains("within 5 minutes; nothing was changed")));
    }
}
