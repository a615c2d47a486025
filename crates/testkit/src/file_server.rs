//! An HTTP server for files that also behaves as badly as servers on the internet do.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::digest_of;

const HEAD_BYTES_MAX: u64 = 64 * 1024;
const HELD_PAUSE: Duration = Duration::from_millis(20);

/// How the server answers a request for a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// With the file, or with 304 if the request has its `ETag`.
    Honest,
    /// The same, packed with gzip by the transport.
    Packed,
    /// With a status and headers, and no file.
    Status(u16, Vec<(&'static str, String)>),
    /// Announces the whole file, sends so many bytes of it, and goes away.
    CutAfter(usize),
    /// Announces no length, sends so many bytes, and goes away.
    UnannouncedCutAfter(usize),
    /// Announces another length than that of the file, and sends the file.
    Announce(usize),
    /// Sends pieces of so many bytes with pauses between them.
    Trickle(usize, Duration),
    /// Accepts the request and says nothing until the client goes away.
    Silent,
    /// Accepts the request, and answers as [`FileServer::behave`] says once that is something else.
    Held,
}

/// One request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    /// Its path.
    pub path: String,
    /// Its headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    behaviours: BTreeMap<String, Behaviour>,
    next: BTreeMap<String, VecDeque<Behaviour>>,
    seen: Vec<SeenRequest>,
}

struct Shared {
    state: Mutex<State>,
    is_closed: AtomicBool,
}

/// Serves files on a free port of 127.0.0.1 until it is dropped.
pub struct FileServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<std::thread::JoinHandle<()>>,
}

impl FileServer {
    /// Starts a server without files.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("failed to listen")?;
        let address = listener.local_addr().context("failed to read the listener's port")?;
        let shared = Arc::new(Shared { state: Mutex::default(), is_closed: AtomicBool::new(false) });
        let for_thread = Arc::clone(&shared);
        let accepting = std::thread::spawn(move || accept(&listener, &for_thread));
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// The address of a path that begins with `/`; without one, that of the server.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Puts a file under a path, or another one in its place.
    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.state().files.insert(path.to_owned(), bytes.into());
    }

    /// Takes a file away.
    pub fn remove(&self, path: &str) {
        self.state().files.remove(path);
    }

    /// Says how requests for a path are answered from now on.
    pub fn behave(&self, path: &str, behaviour: Behaviour) {
        self.state().behaviours.insert(path.to_owned(), behaviour);
    }

    /// Says how the next requests for a path are answered, before what [`FileServer::behave`] says.
    pub fn behave_next(&self, path: &str, behaviours: impl IntoIterator<Item = Behaviour>) {
        self.state().next.entry(path.to_owned()).or_default().extend(behaviours);
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<SeenRequest> {
        std::mem::take(&mut self.state().seen)
    }

    /// From now on nobody can connect.
    pub fn stop(&mut self) {
        self.shared.is_closed.store(true, Ordering::SeqCst);
        // The listener waits for a connection.
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming() {
        if shared.is_closed.load(Ordering::SeqCst) {
            return;
        }
        if let Ok(stream) = connection {
            let shared = Arc::clone(shared);
            // Whoever goes away early has what he wanted.
            std::thread::spawn(move || drop(serve(stream, &shared)));
        }
    }
}

/// Notes a request, and says with what it is answered, and how.
fn take_request(shared: &Shared, request: &SeenRequest) -> (Option<Vec<u8>>, Behaviour) {
    shared.state().seen.push(request.clone());
    let queued = shared.state().next.get_mut(&request.path).and_then(VecDeque::pop_front);
    loop {
        let state = shared.state();
        let usual = || state.behaviours.get(&request.path).cloned().unwrap_or(Behaviour::Honest);
        let behaviour = queued.clone().filter(|it| *it != Behaviour::Held).unwrap_or_else(usual);
        if behaviour != Behaviour::Held || shared.is_closed.load(Ordering::SeqCst) {
            return (state.files.get(&request.path).cloned(), behaviour);
        }
        drop(state);
        std::thread::sleep(HELD_PAUSE);
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let Some(request) = read_request(&stream)? else { return Ok(()) };
    let (file, behaviour) = take_request(shared, &request);
    if let Behaviour::Status(status, headers) = &behaviour {
        return send_head(&mut stream, *status, headers, Some(0));
    }
    let Some(file) = file else { return send_head(&mut stream, 404, &[], Some(0)) };
    let etag = format!("\"{}\"", digest_of(&file));
    let tag = [("ETag", etag.clone())];
    match behaviour {
        Behaviour::Honest if request.headers.get("if-none-match") == Some(&etag) => {
            send_head(&mut stream, 304, &tag, None)
        }
        Behaviour::Packed => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&file)?;
            let packed = encoder.finish()?;
            let headers = [("ETag", etag), ("Content-Encoding", "gzip".to_owned())];
            send_head(&mut stream, 200, &headers, Some(packed.len()))?;
            stream.write_all(&packed)
        }
        Behaviour::Honest | Behaviour::Status(..) => {
            send_head(&mut stream, 200, &tag, Some(file.len()))?;
            stream.write_all(&file)
        }
        Behaviour::CutAfter(bytes) => {
            send_head(&mut stream, 200, &tag, Some(file.len()))?;
            stream.write_all(&file[..bytes.min(file.len())])?;
            stream.shutdown(Shutdown::Both)
        }
        Behaviour::UnannouncedCutAfter(bytes) => {
            send_head(&mut stream, 200, &tag, None)?;
            stream.write_all(&file[..bytes.min(file.len())])
        }
        Behaviour::Announce(length) => {
            send_head(&mut stream, 200, &tag, Some(length))?;
            stream.write_all(&file)
        }
        Behaviour::Trickle(bytes, pause) => {
            send_head(&mut stream, 200, &tag, Some(file.len()))?;
            for piece in file.chunks(bytes.max(1)) {
                stream.write_all(piece)?;
                std::thread::sleep(pause);
            }
            Ok(())
        }
        Behaviour::Silent | Behaviour::Held => stream.read(&mut [0; 1]).map(drop),
    }
}

fn send_head(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    length: Option<usize>,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} x\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())
}

fn read_request(stream: &TcpStream) -> std::io::Result<Option<SeenRequest>> {
    let mut lines = BufReader::new(stream.take(HEAD_BYTES_MAX)).lines();
    let Some(first) = lines.next().transpose()? else { return Ok(None) };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    Ok(Some(SeenRequest { path, headers }))
}
