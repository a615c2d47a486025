//! Running it: one database for several processes, monitoring, and ending on purpose.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_PASSWORD, address_in, http_status};
use engine_client::{Client, ClientSettings};
use model::Digest;
use testkit::{
    Image, ImageBuilder, Layer, PostgresDatabase, Program, Registry, RegistryMode, RunningProgram, Scratch,
    postgres_database, wait_until,
};

const DEADLINE: Duration = Duration::from_secs(60);

/// A role of the program on a database that others use too.
fn role(name: &str, data: &Scratch, database: &PostgresDatabase, registry: &str) -> Result<Program> {
    let program = Program::lazaret()?
        .arguments([name, "--metrics-listen", "127.0.0.1:0", "--insecure-registry", registry, "--data-dir"])
        .argument(data.path())
        .environment("LAZARET_STORAGE_URL", &database.url)
        .environment("LAZARET_ADMIN_PASSWORD", ADMIN_PASSWORD);
    Ok(match name {
        "serve" => {
            program.arguments(["--workers", "0", "--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0"])
        }
        _ => program,
    })
}

fn address(program: &RunningProgram, line: &str) -> Result<String> {
    address_in(&program.wait_for_line(line, DEADLINE)?, "http://")
}

fn metrics(program: &RunningProgram) -> Result<String> {
    let address = address(program, "monitoring  ")?;
    let mut stream = TcpStream::connect(&address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(String::from_utf8(text)?),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

fn image() -> Image {
    let status =
        "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nDescription: a\n\n";
    let release = "ID=debian\nVERSION_ID=\"12\"\n";
    ImageBuilder::new()
        .layer(Layer::new().file("etc/os-release", release).file("var/lib/dpkg/status", status))
        .build()
}

/// Adds an image by its tag, and returns its digest.
fn add(engine: &str, tag: &str) -> Result<Digest> {
    let record = ask(engine, async |client| client.add_image(tag, soon()).await)?;
    Ok(record.digest)
}

fn status(engine: &str, digest: &Digest) -> Result<String> {
    let record = ask(engine, async |client| client.get_image(digest, soon()).await)?;
    Ok(format!("{:?}", record.analysis_status))
}

fn ask<T>(
    engine: &str,
    question: impl AsyncFnOnce(Client) -> Result<T, engine_client::ClientError>,
) -> Result<T> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::new(&ClientSettings::new(format!("http://{engine}"), "admin", ADMIN_PASSWORD))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(question(client))?)
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + DEADLINE
}

#[test]
fn a_worker_elsewhere_does_the_work_of_a_server() -> Result<()> {
    let (registry, database) = (Registry::start(RegistryMode::Open)?, postgres_database()?);
    registry.push_image(&image(), "app:1")?;
    let (data, other_data) = (Scratch::new("serve")?, Scratch::new("work")?);
    let server = role("serve", &data, &database, &registry.host())?.start()?;
    let engine = address(&server, "engine API")?;
    let digest = add(&engine, &registry.reference("app:1"))?;
    ensure!(status(&engine, &digest)? == "NotAnalyzed");
    let numbers = metrics(&server)?;
    for line in [
        "lazaret_jobs{kind=\"analyze_image\",state=\"queued\"} 1",
        "lazaret_images{status=\"not_analyzed\"} 1",
        "lazaret_http_requests_total{route=\"/images\",method=\"POST\",status=\"200\"} 1",
        "lazaret_storage_up 1",
        "lazaret_vulnerability_database_loaded 0",
        "# EOF",
    ] {
        ensure!(numbers.contains(line), "`{line}` is missing in:\n{numbers}");
    }

    let worker = role("work", &other_data, &database, &registry.host())?.start()?;
    wait_until(DEADLINE, "the worker's analysis", || {
        (status(&engine, &digest).ok()? == "Analyzed").then_some(())
    })?;
    let numbers = metrics(&worker)?;
    ensure!(numbers.contains("lazaret_analyses_total{outcome=\"completed\"} 1"), "{numbers}");
    ensure!(numbers.contains("lazaret_analysis_duration_seconds_count 1"), "{numbers}");
    let monitoring = address(&worker, "monitoring  ")?;
    for (path, expected) in [("/healthz", 200), ("/readyz", 200), ("/v1/images", 404)] {
        ensure!(http_status(&monitoring, path)? == expected, "{path}");
    }
    for program in [worker, server] {
        let (status, output) = program.stop()?;
        ensure!(status.success(), "{status}:\n{output}");
        ensure!(!output.contains("correct-horse"), "the password of the database is shown:\n{output}");
    }
    Ok(())
}

#[test]
fn a_worker_needs_a_database_that_can_be_shared() -> Result<()> {
    let data = Scratch::new("work")?;
    let refused =
        Program::lazaret()?.arguments(["work", "--data-dir"]).argument(data.path()).run(b"")?.failure()?;
    ensure!(refused.contains("SQLite") && refused.contains("LAZARET_STORAGE_URL"), "{refused}");
    Ok(())
}

#[test]
fn work_that_is_under_way_is_given_back_at_the_end() -> Result<()> {
    let (mut registry, database) = (Registry::start(RegistryMode::Open)?, postgres_database()?);
    registry.push_image(&image(), "app:1")?;
    let (data, other_data) = (Scratch::new("serve")?, Scratch::new("work")?);
    let server = role("serve", &data, &database, &registry.host())?.start()?;
    add(&address(&server, "engine API")?, &registry.reference("app:1"))?;
    registry.stop();
    // Takes connections and never answers.
    let _silent = TcpListener::bind(registry.host())?;
    let worker = role("work", &other_data, &database, &registry.host())?.start()?;
    worker.wait_for_line("analysis begins", DEADLINE)?;
    let began = Instant::now();
    let (status, output) = worker.stop()?;
    ensure!(status.success() && began.elapsed() < Duration::from_secs(15), "{status}:\n{output}");
    let jobs = database
        .server
        .query(&database.url, "SELECT state, attempts FROM jobs WHERE kind = 'analyze_image'")?;
    ensure!(jobs.trim() == "queued|0", "{jobs}");
    server.stop()?;
    Ok(())
}

#[test]
fn an_open_request_is_waited_for_and_a_second_signal_does_not_wait() -> Result<()> {
    let data = Scratch::new("serve")?;
    let mut server = Program::lazaret()?
        .arguments(["serve", "--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0", "--data-dir"])
        .argument(data.path())
        .environment("LAZARET_ADMIN_PASSWORD", ADMIN_PASSWORD)
        .start()?;
    let engine = address(&server, "engine API")?;
    server.wait_for_line("lazaret admission --engine-url", DEADLINE)?;
    let mut stream = TcpStream::connect(&engine)?;
    // admin:e2e-password; the body never comes.
    write!(
        stream,
        "POST /v1/images HTTP/1.1\r\nhost: h\r\nauthorization: Basic YWRtaW46ZTJlLXBhc3N3b3Jk\r\n\
         content-type: application/json\r\ncontent-length: 100\r\n\r\n{{"
    )?;
    wait_until(DEADLINE, "the server to listen", || http_status(&engine, "/health").ok())?;
    server.signal("TERM")?;
    server.wait_for_line("stopping", DEADLINE)?;
    wait_until(DEADLINE, "the listener to be closed", || TcpStream::connect(&engine).is_err().then_some(()))?;
    ensure!(server.find_exit_status().is_none(), "it does not wait for the request:\n{}", server.output());
    server.signal("TERM")?;
    let status = server.wait(Duration::from_secs(5)).context("the second signal waits")?;
    ensure!(status.code() == Some(1), "{status}");
    Ok(())
}

#[test]
fn a_running_server_is_backed_up_and_restored_into_postgres() -> Result<()> {
    let (data, other) = (Scratch::new("serve")?, Scratch::new("restored")?);
    let database = postgres_database()?;
    let start = |data: &Scratch, url: Option<&str>| -> Result<RunningProgram> {
        let program = Program::lazaret()?
            .arguments(["serve", "--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0", "--data-dir"])
            .argument(data.path())
            .environment("LAZARET_ADMIN_PASSWORD", ADMIN_PASSWORD);
        let program =
            url.into_iter().fold(program, |program, url| program.environment("LAZARET_STORAGE_URL", url));
        let server = program.start()?;
        server.wait_for_line("lazaret admission --engine-url", DEADLINE)?;
        Ok(server)
    };
    let server = start(&data, None)?;
    let activated = ask(&address(&server, "engine API")?, async |client| {
        client.activate_policy("deny_all", soon()).await
    })?;
    ensure!(activated.active);
    let file = other.path().join("lazaret.backup");
    let command = |name: &str, data: &Scratch| -> Result<Program> {
        Ok(Program::lazaret()?.arguments([name, "--data-dir"]).argument(data.path()).argument(&file))
    };
    let said = command("backup", &data)?.run(b"")?.success()?;
    ensure!(said.contains("tables"), "{said}");
    let refused = command("restore", &data)?.argument("--replace").run(b"")?.failure()?;
    ensure!(refused.contains("another server uses"), "{refused}");
    server.stop()?;

    let restored = Scratch::new("target")?;
    let restore = command("restore", &restored)?.environment("LAZARET_STORAGE_URL", &database.url);
    restore.run(b"")?.success()?;
    let refused = restore.run(b"")?.failure()?;
    ensure!(refused.contains("--replace") && !refused.contains("correct-horse"), "{refused}");
    let server = start(&restored, Some(&database.url))?;
    let policies = ask(&address(&server, "engine API")?, async |client| client.list_policies(soon()).await)?;
    ensure!(policies.iter().any(|policy| policy.active && policy.id == "deny_all"));
    server.stop()?;
    Ok(())
}
