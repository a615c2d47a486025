//! Spans at a collector: what is in them, whose trace they belong to, and that a dead collector does no harm.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_LOGIN, ADMIN_PASSWORD, Exchange, address_in, exchange, http_status};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use testkit::{ImageBuilder, Layer, Program, Registry, RegistryMode, RunningProgram, Scratch, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";
const HEADER_SECRET: &str = "collector-secret";

/// What a collector was sent.
#[derive(Default)]
struct Received {
    heads: Vec<String>,
    requests: Vec<ExportTraceServiceRequest>,
    bytes: Vec<u8>,
}

/// A collector on this machine; its threads end with the test's process.
struct Collector {
    url: String,
    received: Arc<Mutex<Received>>,
}

impl Collector {
    fn start() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let received = Arc::<Mutex<Received>>::default();
        let shared = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || while take(&stream, &shared).is_ok() {});
            }
        });
        Ok(Self { url, received })
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().expect("no holder panics");
        let resources = received.requests.iter().flat_map(|request| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    fn wait_for(&self, name: &str) -> Result<Span> {
        wait_until(DEADLINE, name, || self.spans().into_iter().find(|span| span.name == name))
    }
}

/// One request of a connection.
fn take(mut stream: &TcpStream, shared: &Mutex<Received>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        ensure!(reader.read_line(&mut head)? > 0, "the connection ended");
    }
    let length = head.to_lowercase();
    let (_, length) = length.split_once("content-length: ").context("a length")?;
    let length: usize = length.split("\r\n").next().unwrap_or_default().parse()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut received = shared.lock().expect("no holder panics");
    received.requests.push(ExportTraceServiceRequest::decode(&body[..])?);
    received.bytes.extend_from_slice(&body);
    received.heads.push(head);
    drop(received);
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")?;
    Ok(())
}

fn attributes(span: &Span) -> BTreeMap<String, String> {
    let text = |value: &Option<_>| format!("{value:?}");
    span.attributes.iter().map(|attribute| (attribute.key.clone(), text(&attribute.value))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A server that sends its spans there.
fn serve(data: &Scratch, collector: &str) -> Result<Program> {
    Ok(Program::lazaret()?
        .arguments(["serve", "--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0"])
        .arguments(["--metrics-listen", "127.0.0.1:0", "--otlp-endpoint", collector, "--data-dir"])
        .argument(data.path())
        .environment("LAZARET_TRACING_OTLP_HEADERS", format!("authorization=Bearer%20{HEADER_SECRET}"))
        .environment("LAZARET_TRACING_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .environment("LAZARET_ADMIN_PASSWORD", ADMIN_PASSWORD))
}

fn address(program: &RunningProgram, line: &str) -> Result<String> {
    address_in(&program.wait_for_line(line, DEADLINE)?, "http://")
}

/// Asks as part of the caller's trace.
fn ask(address: &str, request: &str, body: &str) -> Result<Exchange> {
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let headers =
        [("authorization", ADMIN_LOGIN), ("traceparent", &parent), ("content-type", "application/json")];
    exchange(address, request, &headers, body)
}

fn request_id(answer: &Exchange) -> Result<String> {
    let id = answer.header("x-request-id").with_context(|| format!("no request id in {answer:?}"))?;
    Ok(id.to_owned())
}

#[test]
fn a_request_and_the_analysis_that_it_causes_are_one_trace() -> Result<()> {
    let (registry, collector, data) =
        (Registry::start(RegistryMode::Open)?, Collector::start()?, Scratch::new("tracing")?);
    let status =
        "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\nDescription: a\n\n";
    let layer = Layer::new().file("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n");
    let image = ImageBuilder::new().layer(layer.file("var/lib/dpkg/status", status)).build();
    registry.push_image(&image, "app:1")?;
    let server =
        serve(&data, &collector.url)?.arguments(["--insecure-registry", &registry.host()]).start()?;
    let engine = address(&server, "engine API")?;
    let body = format!("{{\"tag\": \"{}\"}}", registry.reference("app:1"));
    let answer = ask(&engine, "POST /v1/images?tag=hidden-in-query", &body)?;
    ensure!(answer.status == 200, "{answer:?}");

    let request = collector.wait_for("POST /images")?;
    let found = attributes(&request);
    ensure!(hex(&request.trace_id) == TRACE && hex(&request.parent_span_id) == CALLER, "{request:#?}");
    ensure!(found["request.id"].contains(&request_id(&answer)?), "{found:?}");
    ensure!(found["http.response.status_code"].contains("200"), "{found:?}");
    ensure!(found["http.route"].contains("/images"), "{found:?}");
    for name in [
        "analysis",
        "pull_image",
        "open_image",
        "read_layer",
        "catalog_packages",
        "match_packages",
        "store_analysis",
    ] {
        let span = collector.wait_for(name)?;
        ensure!(hex(&span.trace_id) == TRACE, "`{name}` is in another trace: {span:#?}");
    }
    let analysis = collector.wait_for("analysis")?;
    ensure!(analysis.parent_span_id == request.span_id, "the request has caused it: {analysis:#?}");
    ensure!(collector.wait_for("pull_image")?.parent_span_id == analysis.span_id);

    for (listener, path) in [("control plane", "/version"), ("monitoring  ", "/healthz")] {
        let id = request_id(&ask(&address(&server, listener)?, &format!("GET {path}"), "")?)?;
        let span = collector.wait_for(&format!("GET {path}"))?;
        ensure!(attributes(&span)["request.id"].contains(&id), "{span:#?}");
    }
    // What has just happened is sent before the end.
    let last = request_id(&ask(&engine, "GET /v1/nosuchroute", "")?)?;
    let (status, output) = server.stop()?;
    ensure!(status.success(), "{status}:\n{output}");
    let is_last = |span: &Span| attributes(span).get("request.id").is_some_and(|id| id.contains(&last));
    ensure!(collector.spans().iter().any(is_last), "the last span is lost");

    let received = collector.received.lock().expect("no holder panics");
    ensure!(received.heads.iter().all(|head| head.starts_with("POST /v1/traces ")), "{:?}", received.heads);
    ensure!(received.heads.iter().all(|head| head.contains(HEADER_SECRET)), "the header is missing");
    let sent = String::from_utf8_lossy(&received.bytes);
    ensure!(sent.contains("deployment.environment.name") && sent.contains("service.name"));
    for secret in [ADMIN_PASSWORD, "YWRtaW46ZTJlLXBhc3N3b3Jk", HEADER_SECRET, "hidden-in-query"] {
        ensure!(!sent.contains(secret), "`{secret}` is in a span");
        ensure!(!output.contains(secret), "`{secret}` is in the log:\n{output}");
    }
    Ok(())
}

#[test]
fn a_collector_that_is_dead_or_silent_does_no_harm() -> Result<()> {
    let closed = format!("http://{}", TcpListener::bind("127.0.0.1:0")?.local_addr()?);
    let silent = TcpListener::bind("127.0.0.1:0")?;
    for url in [closed, format!("http://{}", silent.local_addr()?)] {
        let data = Scratch::new("tracing")?;
        let server = serve(&data, &url)?.start()?;
        let engine = address(&server, "engine API")?;
        for _ in 0..200 {
            ensure!(http_status(&engine, "/health")? == 200);
        }
        server.wait_for_line("spans cannot be sent", DEADLINE)?;
        ensure!(http_status(&engine, "/health")? == 200);
        let began = Instant::now();
        let (status, output) = server.stop()?;
        ensure!(status.success() && began.elapsed() < Duration::from_secs(15), "{status}:\n{output}");
        ensure!(output.matches("spans cannot be sent").count() == 1, "said more than once:\n{output}");
        ensure!(!output.contains(HEADER_SECRET), "{output}");
    }
    Ok(())
}
