//! Servers in their roles, each started as a user starts it and known by the lines it prints.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use engine_client::{Client, ClientSettings};
use testkit::{Cluster, Program, RunningProgram, Scratch, wait_until};

use crate::terminal::{build_database, build_database_from, run_lazaret};

/// The password that every engine here is given for its first user.
pub const ADMIN_PASSWORD: &str = "e2e-password";

const START_DEADLINE: Duration = Duration::from_secs(60);
const ANSWER_DEADLINE: Duration = Duration::from_secs(20);

/// How an engine is started.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Registries that are spoken to without TLS.
    pub insecure_registries: Vec<String>,
    /// The bundle that is made active.
    pub active_policy: Option<String>,
    /// Whether there is a vulnerability database.
    pub with_database: bool,
    /// Feeds, by kind and file, that the vulnerability database is built from.
    pub feeds: Vec<(&'static str, PathBuf)>,
    /// Settings, as `key=value`.
    pub settings: Vec<String>,
    /// PostgreSQL instead of SQLite.
    pub storage_url: Option<String>,
    /// More variables.
    pub environment: Vec<(String, String)>,
}

/// `lazaret serve`, with its data in a temporary folder.
#[derive(Debug)]
pub struct Engine {
    program: Option<RunningProgram>,
    options: EngineOptions,
    address: String,
    is_tls: bool,
    scratch: Scratch,
}

impl Engine {
    /// Starts it on free ports.
    pub fn start(options: EngineOptions) -> Result<Self> {
        let scratch = Scratch::new("engine")?;
        let mut engine = Self {
            program: None,
            options: options.clone(),
            address: "127.0.0.1:0".to_owned(),
            is_tls: options.settings.iter().any(|setting| setting.starts_with("listeners.tls-")),
            scratch,
        };
        if options.with_database {
            build_database(&engine.data_folder().join("vulnerability.db"))?;
        }
        if !options.feeds.is_empty() {
            build_database_from(&options.feeds, &engine.data_folder().join("vulnerability.db"))?;
        }
        engine.resume()?;
        if let Some(policy) = &options.active_policy {
            engine.activate(policy)?;
        }
        Ok(engine)
    }

    /// Its data folder.
    pub fn data_folder(&self) -> &Path {
        self.scratch.path()
    }

    /// `http://127.0.0.1:PORT`, or `https://` where the settings have a certificate.
    pub fn url(&self) -> String {
        format!("{}{}", self.scheme(), self.address)
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        self.program.as_ref().map(RunningProgram::output).unwrap_or_default()
    }

    /// Ends it at once, as a power cut would.
    pub fn kill(&mut self) -> Result<()> {
        self.program.take().context("the engine is not running")?.kill()
    }

    /// Asks it to end, and says how it ended.
    pub fn stop(&mut self) -> Result<()> {
        let (status, output) = self.program.take().context("the engine is not running")?.stop()?;
        anyhow::ensure!(status.success(), "the engine ended with {status}:\n{output}");
        Ok(())
    }

    /// Adds settings, `key=value`, for the next start.
    pub fn add_settings(&mut self, settings: &[&str]) {
        self.options.settings.extend(settings.iter().map(|setting| (*setting).to_owned()));
    }

    /// Starts it again at the address and on the data it had.
    pub fn resume(&mut self) -> Result<()> {
        let program = Program::lazaret()?;
        let with_variable =
            |program: Program, (name, value): &(String, String)| program.environment(name, value);
        let program = self.options.environment.iter().fold(program, with_variable);
        let program = program
            .argument("serve")
            .argument("--data-dir")
            .argument(self.data_folder())
            .arguments(["--listen", "127.0.0.1:0", "--engine-listen", &self.address])
            .arguments(self.options.insecure_registries.iter().flat_map(|host| ["--insecure-registry", host]))
            .arguments(self.options.settings.iter().flat_map(|setting| ["--set", setting]))
            .environment("LAZARET_ADMIN_PASSWORD", ADMIN_PASSWORD);
        let program = match &self.options.storage_url {
            Some(url) => program.environment("LAZARET_STORAGE_URL", url),
            None => program,
        };
        let program = program.start()?;
        let line = program.wait_for_line("engine API", START_DEADLINE)?;
        self.address = address_in(&line, self.scheme())?;
        self.program = Some(program);
        Ok(())
    }

    fn scheme(&self) -> &'static str {
        if self.is_tls { "https://" } else { "http://" }
    }

    /// Makes a bundle the active one.
    pub fn activate(&self, policy: &str) -> Result<()> {
        let client = self.client()?;
        runtime()?
            .block_on(async { client.activate_policy(policy, deadline()).await })
            .with_context(|| format!("failed to activate `{policy}`"))?;
        Ok(())
    }

    /// The bundle that is active.
    pub fn active_policy(&self) -> Result<String> {
        let client = self.client()?;
        let policies = runtime()?.block_on(async { client.list_policies(deadline()).await })?;
        policies
            .into_iter()
            .find(|policy| policy.active)
            .map(|policy| policy.id)
            .context("no policy is active")
    }

    fn client(&self) -> Result<Client> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Ok(Client::new(&ClientSettings::new(self.url(), "admin", ADMIN_PASSWORD))?)
    }
}

/// How a webhook is started.
#[derive(Debug, Clone, Default)]
pub struct WebhookOptions {
    /// The engine's address; none starts an engine in the webhook's process.
    pub engine_url: Option<String>,
    /// More arguments of `lazaret admission`.
    pub arguments: Vec<String>,
}

/// `lazaret admission` outside the cluster, installed by URL.
#[derive(Debug)]
pub struct Webhook {
    program: Option<RunningProgram>,
    options: WebhookOptions,
    kubeconfig: PathBuf,
    address: String,
    health_address: String,
    scratch: Scratch,
}

impl Webhook {
    /// Starts it, installs it into the cluster, and waits until the API server really asks it.
    pub fn start(cluster: &Cluster, options: WebhookOptions) -> Result<Self> {
        let mut webhook = Self {
            program: None,
            options,
            kubeconfig: cluster.kubeconfig("admin")?,
            address: "127.0.0.1:0".to_owned(),
            health_address: "127.0.0.1:0".to_owned(),
            scratch: Scratch::new("webhook")?,
        };
        webhook.launch()?;
        webhook.install()?;
        webhook.wait_until_ready()?;
        wait_until_asked(cluster)?;
        Ok(webhook)
    }

    /// Folder with its certificates.
    pub fn state_folder(&self) -> &Path {
        self.scratch.path()
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        self.program.as_ref().map(RunningProgram::output).unwrap_or_default()
    }

    /// Asks it to end; the cluster goes on calling the address.
    pub fn stop(&mut self) -> Result<()> {
        let (status, output) = self.program.take().context("the webhook is not running")?.stop()?;
        anyhow::ensure!(status.success(), "the webhook ended with {status}:\n{output}");
        Ok(())
    }

    /// Starts it again at the address it had.
    pub fn resume(&mut self) -> Result<()> {
        self.launch()?;
        self.wait_until_ready()
    }

    fn launch(&mut self) -> Result<()> {
        let mut program = Program::lazaret()?
            .argument("admission")
            .argument("--kubeconfig")
            .argument(&self.kubeconfig)
            .argument("--state-dir")
            .argument(self.state_folder())
            .arguments(["--listen", &self.address, "--health-listen", &self.health_address])
            .arguments(["--name", "127.0.0.1"])
            .arguments(&self.options.arguments)
            .environment("LAZARET_ENGINE_PASSWORD", ADMIN_PASSWORD);
        if let Some(url) = &self.options.engine_url {
            program = program.arguments(["--engine-url", url]);
        }
        let program = program.start()?;
        self.address = address_in(&program.wait_for_line("webhook  ", START_DEADLINE)?, "https://")?;
        self.health_address = address_in(&program.wait_for_line("health  ", START_DEADLINE)?, "http://")?;
        self.program = Some(program);
        Ok(())
    }

    fn install(&self) -> Result<()> {
        let url = format!("https://{}/imagecheck", self.address);
        let kubeconfig = self.kubeconfig.to_string_lossy();
        let state = self.state_folder().to_string_lossy();
        let arguments =
            ["admission", "install", "--kubeconfig", &kubeconfig, "--url", &url, "--state-dir", &state];
        run_lazaret(&arguments)?.success()?;
        Ok(())
    }

    fn wait_until_ready(&self) -> Result<()> {
        wait_until(START_DEADLINE, "the webhook to be ready", || {
            http_status(&self.health_address, "/readyz").is_ok_and(|status| status == 200).then_some(())
        })
        .with_context(|| format!("the webhook said:\n{}", self.output()))
    }
}

/// The API server takes a new webhook configuration over after a moment; a dry run is refused from then on.
fn wait_until_asked(cluster: &Cluster) -> Result<()> {
    wait_until(START_DEADLINE, "the API server to ask the webhook", || {
        let output = cluster
            .kubectl(&["run", "probe", "--image=127.0.0.1:1/no-such-image:0", "--dry-run=server"])
            .ok()?;
        (!output.is_success() && output.stderr.contains("Image failed policy check")).then_some(())
    })
}

/// The status of a plain GET.
pub fn http_status(address: &str, path: &str) -> Result<u16> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(std::str::from_utf8(&head[9..12])?.parse()?)
}

/// The `host:port` behind a scheme in a line that a server printed.
pub fn address_in(line: &str, scheme: &str) -> Result<String> {
    let Some((_, rest)) = line.split_once(scheme) else { bail!("no `{scheme}` address in `{line}`") };
    let end =
        rest.find(|character: char| character == '/' || character.is_whitespace()).unwrap_or(rest.len());
    Ok(rest[..end].to_owned())
}

fn deadline() -> tokio::time::Instant {
    tokio::time::Instant::now() + ANSWER_DEADLINE
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
