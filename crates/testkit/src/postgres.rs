//! A real PostgreSQL server on this machine: Debian's, with its data in a temporary folder.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use crate::command::run;
use crate::environment::is_executable;
use crate::ports::free_port;
use crate::process::{GuardedChild, send_signal, tail};
use crate::scratch::Scratch;
use crate::wait::wait_until;

const READY_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(20);
/// Another process may take the chosen port before the server binds it.
const ATTEMPTS_MAX: usize = 3;
/// The user that Debian's package makes: the server refuses to run as root.
const SERVER_USER: &str = "postgres";
const USER: &str = "lazaret";
const PASSWORD: &str = "correct-horse";
/// Tests read what they wrote, and never after a power cut.
const SETTINGS: [&str; 6] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=32MB",
];

/// A running server; it and its databases are gone when it is dropped, and when the test dies.
///
/// Its one user has a password, so that clients prove who they are as they do elsewhere.
#[derive(Debug)]
pub struct PostgresServer {
    /// None while a test has stopped it.
    process: Option<GuardedChild>,
    programs: PathBuf,
    port: u16,
    database_count: AtomicU32,
    scratch: Scratch,
}

impl PostgresServer {
    /// Starts an empty server on a free port of 127.0.0.1 and waits until it answers; takes about a second.
    pub fn start() -> Result<Self> {
        let mut attempt = 1;
        loop {
            match Self::start_once() {
                Err(error) if attempt < ATTEMPTS_MAX && format!("{error:#}").contains("could not bind") => {
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    /// The folder with the programs of the newest version that is installed.
    pub fn find_programs() -> Option<PathBuf> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let folders = versions.filter_map(|entry| {
            let version = entry.file_name().to_str()?.parse::<u32>().ok()?;
            let folder = entry.path().join("bin");
            let is_complete =
                ["initdb", "postgres", "psql"].iter().all(|name| is_executable(&folder.join(name)));
            is_complete.then_some((version, folder))
        });
        folders.max().map(|(_, folder)| folder)
    }

    fn start_once() -> Result<Self> {
        let programs =
            Self::find_programs().context("PostgreSQL is not installed: run `cargo xtask setup`")?;
        let scratch = Scratch::new("postgres")?;
        let (data, password) = (scratch.path().join("data"), scratch.path().join("password"));
        fs_err::create_dir(&data)?;
        fs_err::write(&password, PASSWORD)?;
        if is_root()? {
            give_to_the_server_user(&[&data, &password], scratch.path())?;
        }
        let mut initdb = GuardedChild::spawn_with(&as_server_user()?, &programs.join("initdb"), |command| {
            command.arg("--pgdata").arg(&data).arg("--pwfile").arg(&password).args([
                "--username",
                USER,
                "--auth",
                "scram-sha-256",
                "--encoding",
                "UTF8",
                "--locale",
                "C",
                "--no-sync",
            ]);
        })?;
        let status = initdb.wait(READY_DEADLINE)?;
        ensure!(status.success(), "`initdb` ended with {status} in `{}`", data.display());
        let port = free_port()?;
        let mut server = Self { process: None, programs, port, database_count: AtomicU32::new(0), scratch };
        server.resume()?;
        Ok(server)
    }

    /// The address of the database that every server has; [`PostgresServer::create_database`] gives an empty one.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// Makes an empty database and returns its address, `postgres://USER:PASSWORD@127.0.0.1:PORT/NAME`.
    pub fn create_database(&self) -> Result<String> {
        let name = format!("test_{}", self.database_count.fetch_add(1, Ordering::Relaxed));
        self.query(&self.url(), &format!("CREATE DATABASE {name}"))?;
        Ok(self.url_of(&name))
    }

    /// Runs SQL in the database at an address of this server: what came, one line per row, `|` between the columns.
    pub fn query(&self, url: &str, sql: &str) -> Result<String> {
        let arguments = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"];
        run(&self.programs.join("psql"), sql.as_bytes(), |command| {
            command.args(arguments).arg(url);
        })?
        .success()
    }

    /// Stops the server at once; its port refuses connections and its databases stay.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut process) = self.process.take() else { return Ok(()) };
        // Not SIGTERM: the server would wait for its clients to leave.
        send_signal("INT", process.id())?;
        process.wait(STOP_DEADLINE)?;
        Ok(())
    }

    /// Starts the server again after [`PostgresServer::stop`], on the same port with the same databases.
    pub fn resume(&mut self) -> Result<()> {
        ensure!(self.process.is_none(), "PostgreSQL is running");
        let log = self.scratch.path().join("postgres.log");
        let open = || OpenOptions::new().create(true).append(true).open(&log);
        let (stdout, stderr) = (open()?, open()?);
        let program = self.programs.join("postgres");
        let mut process = GuardedChild::spawn_with(&as_server_user()?, &program, |command| {
            command.arg("-D").arg(self.scratch.path().join("data")).stdout(stdout).stderr(stderr);
            command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
            command.args(["-c", &format!("port={}", self.port)]);
        })?;
        let answer =
            wait_until(READY_DEADLINE, "PostgreSQL to answer", || match process.find_exit_status() {
                Some(status) => Some(Err(anyhow!("postgres ended with {status}\n{}", tail(&log, 10)))),
                None => self.query(&self.url(), "SELECT 1").is_ok().then_some(Ok(())),
            });
        answer.and_then(|ready| ready).context("failed to start PostgreSQL")?;
        self.process = Some(process);
        Ok(())
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // Ended in order, the server gives back its shared memory; a killed one could not.
        if let Some(process) = &mut self.process
            && send_signal("QUIT", process.id()).is_ok()
        {
            let _ = process.wait(STOP_DEADLINE);
        }
    }
}

/// An empty database on a server that the tests of one process share.
#[derive(Debug, Clone)]
pub struct PostgresDatabase {
    /// `postgres://USER:PASSWORD@127.0.0.1:PORT/NAME`.
    pub url: String,
    /// The server, which lives as long as one of its databases is used.
    pub server: Arc<PostgresServer>,
}

/// Makes an empty database; the server is started by the first that asks.
pub fn postgres_database() -> Result<PostgresDatabase> {
    static SERVER: Mutex<Weak<PostgresServer>> = Mutex::new(Weak::new());
    let mut shared = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let server = match shared.upgrade() {
        Some(server) => server,
        None => {
            let server = Arc::new(PostgresServer::start()?);
            *shared = Arc::downgrade(&server);
            server
        }
    };
    drop(shared);
    Ok(PostgresDatabase { url: server.create_database()?, server })
}

/// Arguments of `setpriv` that make a server end with the test, as a user that the server accepts.
fn as_server_user() -> Result<Vec<&'static str>> {
    let mut arguments = vec!["--pdeathsig", "QUIT"];
    if is_root()? {
        arguments.extend(["--reuid", SERVER_USER, "--regid", SERVER_USER, "--clear-groups"]);
    }
    Ok(arguments)
}

fn is_root() -> Result<bool> {
    Ok(id_of(&["-u"])? == 0)
}

fn id_of(arguments: &[&str]) -> Result<u32> {
    let text = run(Path::new("/usr/bin/id"), b"", |command| {
        command.args(arguments);
    })?
    .success()?;
    text.trim().parse().with_context(|| format!("`id` printed `{text}`"))
}

/// The data folder must be the server's own, and the folder above it must let it through.
fn give_to_the_server_user(paths: &[&Path], scratch: &Path) -> Result<()> {
    use std::os::unix::fs::{PermissionsExt, chown};
    let Ok(user) = id_of(&["-u", SERVER_USER]) else {
        bail!("there is no user `{SERVER_USER}` to run PostgreSQL as: run `cargo xtask setup`");
    };
    fs_err::set_permissions(scratch, std::fs::Permissions::from_mode(0o711))?;
    for path in paths {
        chown(path, Some(user), None)
            .with_context(|| format!("failed to give `{}` to `{SERVER_USER}`", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::is_process_alive;

    #[test]
    fn databases_are_empty_and_apart_and_the_server_goes_with_the_last() {
        let (one, other) = (postgres_database().unwrap(), postgres_database().unwrap());
        assert_ne!(one.url, other.url);
        let query = |database: &PostgresDatabase, sql| database.server.query(&database.url, sql);
        query(&one, "CREATE TABLE t (a BIGINT, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y')").unwrap();
        assert_eq!(query(&one, "SELECT a, b FROM t ORDER BY a").unwrap(), "1|x\n2|y\n");
        assert!(query(&other, "SELECT 1 FROM t").unwrap_err().to_string().contains("does not exist"));

        let id = one.server.process.as_ref().unwrap().id();
        drop(one);
        assert!(is_process_alive(id));
        drop(other);
        assert!(!is_process_alive(id));
    }

    #[test]
    fn a_stopped_server_refuses_and_a_resumed_one_has_kept_everything() {
        let mut server = PostgresServer::start().unwrap();
        let url = server.create_database().unwrap();
        server.query(&url, "CREATE TABLE t (a BIGINT)").unwrap();
        server.stop().unwrap();
        assert!(server.query(&url, "SELECT 1").is_err());
        server.resume().unwrap();
        assert_eq!(server.query(&url, "SELECT count(*) FROM t").unwrap(), "0\n");
        let wrong = url.replace(PASSWORD, "wrong");
        assert!(server.query(&wrong, "SELECT 1").unwrap_err().to_string().contains("password"));
    }
}
