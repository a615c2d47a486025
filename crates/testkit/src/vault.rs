//! A real Vault on this machine, with everything in memory.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rcgen::{CertificateParams, KeyPair};
use serde::Deserialize;

use crate::go_tool::GoTool;
use crate::ports::free_port;
use crate::process::{GuardedChild, tail};
use crate::scratch::Scratch;
use crate::wait::wait_until;

const READY_DEADLINE: Duration = Duration::from_secs(60);
/// Another process may take the chosen port before Vault binds it.
const ATTEMPTS_MAX: usize = 3;

/// A running Vault, unsealed and with nothing mounted; it and its content are gone when it is dropped.
#[derive(Debug)]
pub struct VaultServer {
    /// None once a test has stopped it.
    process: Option<GuardedChild>,
    port: u16,
    is_tls: bool,
    ready: Ready,
    scratch: Scratch,
}

/// What the program writes when it answers.
#[derive(Debug, Deserialize)]
struct Ready {
    root_token: String,
    unseal_key: String,
}

impl VaultServer {
    /// Starts one on a free port of 127.0.0.1, plain HTTP, and waits until it answers.
    pub fn start() -> Result<Self> {
        Self::start_as(false)
    }

    /// The same over HTTPS, with a certificate that only [`VaultServer::certificate`] vouches for.
    pub fn start_with_tls() -> Result<Self> {
        Self::start_as(true)
    }

    fn start_as(is_tls: bool) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::start_once(is_tls) {
                Err(error)
                    if attempt < ATTEMPTS_MAX && format!("{error:#}").contains("address already in use") =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn start_once(is_tls: bool) -> Result<Self> {
        let program = GoTool::VAULT.find()?;
        let scratch = Scratch::new("vault")?;
        let port = free_port()?;
        let (ready_file, log) = (scratch.path().join("ready.json"), scratch.path().join("vault.log"));
        let mut arguments = vec![
            "-listen".to_owned(),
            format!("127.0.0.1:{port}"),
            "-ready-file".to_owned(),
            ready_file.display().to_string(),
        ];
        if is_tls {
            arguments.extend(make_certificate(&scratch)?);
        }
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let (stdout, stderr) = (open()?, open()?);
        let mut process = GuardedChild::spawn(&program, |command| {
            command.args(arguments).stdout(stdout).stderr(stderr);
        })?;
        let answer = wait_until(READY_DEADLINE, "Vault to answer", || match process.find_exit_status() {
            Some(status) => Some(Err(anyhow!("Vault ended with {status}\n{}", tail(&log, 10)))),
            None => ready_file.exists().then_some(Ok(())),
        });
        answer.and_then(|ready| ready).context("failed to start a test Vault")?;
        let ready = serde_json::from_str(&fs_err::read_to_string(&ready_file)?)
            .context("failed to read what Vault wrote when it answered")?;
        Ok(Self { process: Some(process), port, is_tls, ready, scratch })
    }

    /// Its address, without a path.
    pub fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.is_tls { "https" } else { "http" }, self.port)
    }

    /// The token that may do everything.
    pub fn root_token(&self) -> &str {
        &self.ready.root_token
    }

    /// What `sys/unseal` takes after somebody sealed it.
    pub fn unseal_key(&self) -> &str {
        &self.ready.unseal_key
    }

    /// The file with the certificate to trust, where it was started with TLS.
    pub fn certificate(&self) -> Option<PathBuf> {
        self.is_tls.then(|| self.scratch.path().join("vault.crt"))
    }

    /// Ends it for good; its port refuses connections.
    pub fn stop(&mut self) {
        self.process = None;
    }
}

fn make_certificate(scratch: &Scratch) -> Result<[String; 4]> {
    let key = KeyPair::generate().context("failed to generate a key")?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).context("failed to describe Vault's certificate")?;
    let certificate = params.self_signed(&key).context("failed to sign Vault's certificate")?;
    let (certificate_file, key_file) = (scratch.path().join("vault.crt"), scratch.path().join("vault.key"));
    fs_err::write(&certificate_file, certificate.pem())?;
    fs_err::write(&key_file, key.serialize_pem())?;
    let (certificate, key) = (certificate_file.display().to_string(), key_file.display().to_string());
    Ok(["-tls-certificate".to_owned(), certificate, "-tls-key".to_owned(), key])
}
