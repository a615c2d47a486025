//! A real image registry on this machine: Debian's `docker-registry` with its storage in a temporary folder.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use model::Digest;
use rcgen::{CertificateParams, KeyPair};

use crate::command::{Output, run};
use crate::environment::require_program;
use crate::image::Image;
use crate::ports::{free_port, is_listening};
use crate::process::{GuardedChild, tail};
use crate::scratch::Scratch;
use crate::wait::wait_until;

const READY_DEADLINE: Duration = Duration::from_secs(30);
/// Another process may take the chosen port before the registry binds it.
const ATTEMPTS_MAX: usize = 3;
const PASSWORDS: &str = "htpasswd";
const CERTIFICATE: &str = "registry.crt";

/// Who may talk to a registry, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryMode {
    /// Plain HTTP, for everybody.
    Open,
    /// Plain HTTP, for one user.
    Htpasswd {
        /// The name.
        user: String,
        /// The password, at most 72 bytes.
        password: String,
    },
    /// HTTPS for everybody, with a certificate that only [`Registry::certificate`] vouches for.
    Tls,
    /// The same for one user.
    HtpasswdTls {
        /// The name.
        user: String,
        /// The password, at most 72 bytes.
        password: String,
    },
}

impl RegistryMode {
    fn login(&self) -> Option<(&str, &str)> {
        match self {
            Self::Open | Self::Tls => None,
            Self::Htpasswd { user, password } | Self::HtpasswdTls { user, password } => {
                Some((user, password))
            }
        }
    }

    fn is_tls(&self) -> bool {
        matches!(self, Self::Tls | Self::HtpasswdTls { .. })
    }
}

/// A running registry; it and its content are gone when it is dropped, and when the test dies.
#[derive(Debug)]
pub struct Registry {
    /// None while a test has stopped it.
    process: Option<GuardedChild>,
    port: u16,
    mode: RegistryMode,
    scratch: Scratch,
}

impl Registry {
    /// Starts an empty registry on a free port of 127.0.0.1 and waits until it answers.
    pub fn start(mode: RegistryMode) -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::start_once(mode.clone()) {
                Err(error)
                    if attempt < ATTEMPTS_MAX && format!("{error:#}").contains("address already in use") =>
                {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    fn start_once(mode: RegistryMode) -> Result<Self> {
        let scratch = Scratch::new("registry")?;
        let port = free_port()?;
        let folder = scratch.path();
        // The configuration is YAML; JSON is YAML too.
        let mut config = serde_json::json!({
            "version": "0.1",
            "log": { "level": "info", "accesslog": { "disabled": false } },
            "storage": { "filesystem": { "rootdirectory": folder.join("storage") }, "delete": { "enabled": true } },
            "http": { "addr": format!("127.0.0.1:{port}") },
        });
        if let Some((user, password)) = mode.login() {
            let file = folder.join(PASSWORDS);
            fs_err::write(&file, password_line(user, password)?)?;
            config["auth"] = serde_json::json!({ "htpasswd": { "realm": "test registry", "path": file } });
        }
        if mode.is_tls() {
            let (certificate, key) = make_certificate(folder)?;
            config["http"]["tls"] = serde_json::json!({ "certificate": certificate, "key": key });
        }
        fs_err::write(folder.join("config.yml"), config.to_string())?;
        let mut registry = Self { process: None, port, mode, scratch };
        registry.resume()?;
        Ok(registry)
    }

    /// `127.0.0.1:PORT`, the registry's part of an image reference.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The whole reference of an image in this registry: `reference("library/nginx:1")`.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host())
    }

    /// The file with the certificate to trust, in the modes with TLS.
    pub fn certificate(&self) -> Option<PathBuf> {
        self.mode.is_tls().then(|| self.scratch.path().join(CERTIFICATE))
    }

    /// Copies an OCI archive, with all its platforms and its digests unchanged, to `NAME:TAG`.
    pub fn push(&self, oci_archive: &Path, name: &str) -> Result<()> {
        self.push_from(&format!("oci-archive:{}", oci_archive.display()), name)
    }

    /// Copies an image made by this kit to `NAME:TAG`.
    pub fn push_image(&self, image: &Image, name: &str) -> Result<()> {
        let scratch = Scratch::new("push")?;
        let layout = scratch.path().join("layout");
        image.write_oci_layout(&layout, "pushed")?;
        self.push_from(&format!("oci:{}:pushed", layout.display()), name)
    }

    /// Copies from anywhere `skopeo` can read (`oci:`, `docker-archive:`, …) to `NAME:TAG`.
    pub fn push_from(&self, source: &str, name: &str) -> Result<()> {
        let target = format!("docker://{}", self.reference(name));
        let arguments = ["copy", "--all", "--preserve-digests", "--dest-tls-verify=false", source, &target];
        self.skopeo(&arguments, "--dest-creds")?.success().map(drop)
    }

    /// The digest that the registry gives for `NAME:TAG`.
    pub fn find_digest(&self, name: &str) -> Result<Digest> {
        let target = format!("docker://{}", self.reference(name));
        let arguments = ["inspect", "--tls-verify=false", "--no-tags", "--format={{.Digest}}", &target];
        let digest = self.skopeo(&arguments, "--creds")?.success()?;
        digest
            .trim()
            .parse()
            .map_err(|error| anyhow!("`skopeo` printed `{digest}`, which is no digest: {error}"))
    }

    /// The file in which the registry keeps a blob or manifest: a test may damage it.
    pub fn blob_file(&self, digest: &Digest) -> PathBuf {
        let (algorithm, hex) = (digest.algorithm().name(), digest.hex());
        let blobs = self.scratch.path().join("storage/docker/registry/v2/blobs");
        blobs.join(algorithm).join(&hex[..2]).join(hex).join("data")
    }

    /// What the registry has logged, one line for each request it answered.
    pub fn log(&self) -> Result<String> {
        let bytes = fs_err::read(self.log_file())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Gives the one user of a registry with a password another password, which alone counts from then on.
    pub fn change_password(&mut self, new: &str) -> Result<()> {
        let (RegistryMode::Htpasswd { user, password } | RegistryMode::HtpasswdTls { user, password }) =
            &mut self.mode
        else {
            bail!("the registry asks for no password");
        };
        new.clone_into(password);
        fs_err::write(self.scratch.path().join(PASSWORDS), password_line(user, new)?)?;
        self.stop();
        self.resume()
    }

    /// Stops the server; its port refuses connections and its content stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts the server again after [`Registry::stop`], on the same port with the same content.
    pub fn resume(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "the registry is running");
        let log = self.log_file();
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let (stdout, stderr) = (open()?, open()?);
        let program = require_program("docker-registry")?;
        let mut process = GuardedChild::spawn(&program, |command| {
            command.arg("serve").arg(self.scratch.path().join("config.yml")).stdout(stdout).stderr(stderr);
        })?;
        let answer =
            wait_until(READY_DEADLINE, "the registry to listen", || match process.find_exit_status() {
                Some(status) => Some(Err(anyhow!("docker-registry ended with {status}\n{}", tail(&log, 10)))),
                None => is_listening(self.port).then_some(Ok(())),
            });
        answer.and_then(|ready| ready).context("failed to start a test registry")?;
        self.process = Some(process);
        Ok(())
    }

    fn log_file(&self) -> PathBuf {
        self.scratch.path().join("registry.log")
    }

    fn skopeo(&self, arguments: &[&str], credentials_option: &str) -> Result<Output> {
        run(&require_program("skopeo")?, b"", |command| {
            // A policy file is a matter of the machine; what is copied here was made by the test.
            command.arg("--insecure-policy").arg("--tmpdir").arg(self.scratch.path()).args(arguments);
            if let Some((user, password)) = self.mode.login() {
                command.arg(credentials_option).arg(format!("{user}:{password}"));
            }
        })
    }
}

/// A certificate that signs itself, and its key, in files.
fn make_certificate(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let key = KeyPair::generate().context("failed to generate a key")?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let params = CertificateParams::new(names).context("failed to describe the registry's certificate")?;
    let certificate = params.self_signed(&key).context("failed to sign the registry's certificate")?;
    let (certificate_file, key_file) = (folder.join(CERTIFICATE), folder.join("registry.key"));
    fs_err::write(&certificate_file, certificate.pem())?;
    fs_err::write(&key_file, key.serialize_pem())?;
    Ok((certificate_file, key_file))
}

fn password_line(user: &str, password: &str) -> Result<String> {
    Ok(format!("{user}:{}\n", bcrypt(password)?))
}

/// The bcrypt hash of a password, the only form `docker-registry` takes. The C library's own function makes it, called through
/// the Perl that every Debian system has; the cost is the least one, because it is paid at each request.
fn bcrypt(password: &str) -> Result<String> {
    ensure!(password.len() <= 72, "a bcrypt password has at most 72 bytes, this one has {}", password.len());
    let script = "local $/; print crypt(<STDIN>, q($2y$04$lazaretlazaretlazaretu))";
    let hash = run(&require_program("perl")?, password.as_bytes(), |command| {
        command.args(["-e", script]);
    })?;
    let hash = hash.success()?;
    ensure!(
        hash.starts_with("$2y$04$") && hash.len() == 60,
        "this system's `crypt` made no bcrypt hash: `{hash}`"
    );
    Ok(hash)
}
