//! A real provider of OpenID Connect on this machine: Dex, with everything in memory.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rcgen::{CertificateParams, KeyPair};
use serde::Serialize;
use serde_json::json;

use crate::go_tool::GoTool;
use crate::ports::free_port;
use crate::process::{GuardedChild, tail};
use crate::scratch::Scratch;
use crate::wait::wait_until;

const READY_DEADLINE: Duration = Duration::from_secs(60);
/// Another process may take the chosen port before Dex binds it.
const ATTEMPTS_MAX: usize = 3;

/// Whom Dex gives tokens for.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DexClient {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where browsers may be sent back to; none, and public: any port of `localhost`.
    pub redirect_uris: Vec<String>,
    /// Whether it runs on people's machines.
    pub public: bool,
}

/// Somebody whom Dex knows.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DexPerson {
    /// What he is called inside; Dex makes another text of it.
    pub subject: String,
    /// What he types.
    pub login: String,
    /// The same.
    pub password: String,
    /// His name.
    pub name: String,
    /// His address.
    pub email: String,
    /// Whether it was verified.
    pub email_verified: bool,
    /// What he is in.
    pub groups: Vec<String>,
}

/// A running Dex; it and what it knows are gone when it is dropped.
#[derive(Debug)]
pub struct DexServer {
    /// None once a test has stopped it.
    process: Option<GuardedChild>,
    port: u16,
    people: Vec<DexPerson>,
    now: Option<String>,
    is_tls: bool,
    scratch: Scratch,
}

impl DexServer {
    /// Chooses a port of 127.0.0.1, and starts nothing: clients have addresses that depend on each other.
    ///
    /// `now` is the time that its clock begins with, RFC 3339; `None`: that of the machine.
    pub fn new(people: &[DexPerson], now: Option<String>) -> Result<Self> {
        let scratch = Scratch::new("dex")?;
        Ok(Self { process: None, port: free_port()?, people: people.to_vec(), now, is_tls: false, scratch })
    }

    /// The same over HTTPS, with a certificate that only [`DexServer::certificate`] vouches for.
    pub fn new_with_tls(people: &[DexPerson], now: Option<String>) -> Result<Self> {
        let server = Self { is_tls: true, ..Self::new(people, now)? };
        let key = KeyPair::generate().context("failed to generate a key")?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).context("failed to describe Dex's certificate")?;
        let certificate = params.self_signed(&key).context("failed to sign Dex's certificate")?;
        fs_err::write(server.certificate(), certificate.pem())?;
        fs_err::write(server.key_file(), key.serialize_pem())?;
        Ok(server)
    }

    /// What it calls itself.
    pub fn issuer(&self) -> String {
        format!("{}://127.0.0.1:{}/dex", if self.is_tls { "https" } else { "http" }, self.port)
    }

    /// The file with the certificate to trust, where it has one.
    pub fn certificate(&self) -> PathBuf {
        self.scratch.path().join("dex.crt")
    }

    fn key_file(&self) -> PathBuf {
        self.scratch.path().join("dex.key")
    }

    /// Starts it, with these clients and with new keys, and waits until it answers.
    pub fn start(&mut self, clients: &[DexClient]) -> Result<()> {
        self.stop();
        let mut attempt = 1;
        loop {
            match self.start_once(clients) {
                Err(error)
                    if attempt < ATTEMPTS_MAX && format!("{error:#}").contains("address already in use") =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn start_once(&mut self, clients: &[DexClient]) -> Result<()> {
        let program = GoTool::DEX.find()?;
        let folder = self.scratch.path();
        let [config, ready_file, log] = ["dex.json", "ready", "dex.log"].map(|name| folder.join(name));
        if ready_file.exists() {
            fs_err::remove_file(&ready_file)?;
        }
        let tls = |path: PathBuf| if self.is_tls { path.display().to_string() } else { String::new() };
        let mut text = json!({
            "listen": format!("127.0.0.1:{}", self.port),
            "issuer": self.issuer(),
            "tls_certificate": tls(self.certificate()),
            "tls_key": tls(self.key_file()),
            "clients": clients,
            "people": self.people,
        });
        if let (Some(now), Some(text)) = (&self.now, text.as_object_mut()) {
            text.insert("now".to_owned(), json!(now));
        }
        fs_err::write(&config, text.to_string())?;
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let (stdout, stderr) = (open()?, open()?);
        let mut process = GuardedChild::spawn(&program, |command| {
            command.arg("-config").arg(&config).arg("-ready-file").arg(&ready_file);
            command.stdout(stdout).stderr(stderr);
        })?;
        let answer = wait_until(READY_DEADLINE, "Dex to answer", || match process.find_exit_status() {
            Some(status) => Some(Err(anyhow!("Dex ended with {status}\n{}", tail(&log, 10)))),
            None => ready_file.exists().then_some(Ok(())),
        });
        answer.and_then(|ready| ready).context("failed to start a test Dex")?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it; its port refuses connections until it is started again.
    pub fn stop(&mut self) {
        self.process = None;
    }
}
