//! Credential helpers: programs `docker-credential-NAME` that know passwords.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::error::ScanError;
use crate::options::Secret;
use crate::registry::credentials::Identity;

const OUTPUT_BYTES_MAX: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawAnswer {
    username: String,
    secret: String,
}

/// Asks a helper for the credentials of a server.
///
/// The protocol: `docker-credential-NAME get`, the server on standard input, JSON on standard output; exit status 1 with
/// the text `credentials not found…` when it knows none. The program is killed at the deadline or when the caller gives up.
pub(crate) async fn ask(
    name: &str,
    folder: Option<&Path>,
    server: &str,
    timeout: Duration,
) -> Result<Identity, ScanError> {
    let failed = |reason: String| ScanError::CredentialHelper { helper: name.to_owned(), reason };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.is_empty() || !name.bytes().all(is_word) {
        return Err(failed("its name is not made of letters, digits, `-`, `_` and `.`".to_owned()));
    }
    let program = format!("docker-credential-{name}");
    let mut command = match folder {
        Some(folder) => Command::new(folder.join(program)),
        None => Command::new(program),
    };
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child =
        command.spawn().map_err(|error| failed(format!("it cannot be started: {}", error.kind())))?;
    let finished = tokio::time::timeout(timeout, talk(&mut child, server)).await;
    let (is_success, output) = match finished {
        Err(_) => return Err(failed(format!("no answer within {timeout:?}"))),
        Ok(Err(error)) => return Err(failed(format!("it cannot be spoken to: {}", error.kind()))),
        Ok(Ok(talked)) => talked,
    };
    if !is_success {
        let text = String::from_utf8_lossy(&output);
        if text.trim_start().starts_with("credentials not found") {
            return Ok(Identity::Anonymous);
        }
        return Err(failed("it ended with an error".to_owned()));
    }
    let answer: RawAnswer = serde_json::from_slice(&output)
        .map_err(|_| failed("its answer is not `Username` and `Secret`".to_owned()))?;
    let secret = Secret::new(answer.secret);
    Ok(match answer.username.as_str() {
        "<token>" => Identity::Refresh(secret),
        _ => Identity::User { user: answer.username, password: secret },
    })
}

async fn talk(child: &mut Child, server: &str) -> std::io::Result<(bool, Vec<u8>)> {
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input may close it early; what it prints decides.
        let _ = input.write_all(server.as_bytes()).await;
        let _ = input.shutdown().await;
    }
    let mut output = Vec::new();
    if let Some(pipe) = child.stdout.take() {
        pipe.take(OUTPUT_BYTES_MAX).read_to_end(&mut output).await?;
    }
    let status = child.wait().await?;
    Ok((status.success(), output))
}
