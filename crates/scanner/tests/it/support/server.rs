//! An HTTP server that answers exactly what a test says, lies and silences included. One request per connection.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::image::TestImage;

/// How an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The connection is closed.
    Close,
    /// Nothing more comes and the connection stays.
    Silence,
    /// Zeros come for ever.
    Endless,
}

/// One answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
    /// What `Content-Length` says; `None` leaves it out.
    pub(crate) stated_length: Option<usize>,
    pub(crate) ending: Ending,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let stated_length = Some(body.len());
        Self { status, headers: Vec::new(), body, stated_length, ending: Ending::Close }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn stated_length(mut self, length: Option<usize>) -> Self {
        self.stated_length = length;
        self
    }

    pub(crate) fn ending(mut self, ending: Ending) -> Self {
        self.ending = ending;
        self
    }
}

/// What was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

type Handler = Arc<dyn Fn(&Asked) -> Reply + Send + Sync>;

/// A running server; gone when dropped.
pub(crate) struct Server {
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start(handler: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, handler): (_, Handler) = (Arc::clone(&asked), Arc::new(handler));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                // Connections end with their client: the tests drop theirs.
                tokio::spawn(serve(stream, Arc::clone(&handler), Arc::clone(&log)));
            }
        });
        Self { host, asked, task }
    }

    /// A registry with one image, whatever the repository and tag; `change` may replace any answer.
    pub(crate) async fn with_image(
        image: &TestImage,
        change: impl Fn(&Asked, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let blobs: Vec<(String, Vec<u8>)> =
            image.blobs().map(|blob| (super::image::digest(blob).to_string(), blob.clone())).collect();
        let manifest = image.manifest.clone();
        let count = Mutex::new(0);
        Self::start(move |asked| {
            let number = {
                let mut count = count.lock().unwrap();
                *count += 1;
                *count
            };
            if let Some(reply) = change(asked, number) {
                return reply;
            }
            if asked.target.contains("/manifests/") {
                return Reply::new(200, manifest.clone()).header("Content-Type", super::image::OCI_MANIFEST);
            }
            let path = asked.target.split('?').next().unwrap_or_default();
            match blobs.iter().find(|(digest, _)| path.ends_with(digest.as_str())) {
                Some((_, blob)) => Reply::new(200, blob.clone()),
                None => Reply::new(404, ""),
            }
        })
        .await
    }

    /// Everything that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(stream: TcpStream, handler: Handler, log: Arc<Mutex<Vec<Asked>>>) {
    // A client that gives up makes writing fail: that is the point of many tests.
    let _ = serve_or_fail(stream, handler, log).await;
}

async fn serve_or_fail(
    stream: TcpStream,
    handler: Handler,
    log: Arc<Mutex<Vec<Asked>>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut asked = Asked::default();
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut words = line.split_whitespace().map(str::to_owned);
    asked.method = words.next().unwrap_or_default();
    asked.target = words.next().unwrap_or_default();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => asked.headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let length = asked.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    log.lock().unwrap().push(asked.clone());

    // Some wait for other requests: on a thread of the runtime they would hold up whatever was to run there next.
    let reply = tokio::task::spawn_blocking(move || handler(&asked)).await?;
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", reply.status);
    if let Some(length) = reply.stated_length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&reply.body).await?;
    stream.flush().await?;
    match reply.ending {
        Ending::Close => stream.shutdown().await,
        Ending::Silence => stream.read_u8().await.map(|_| ()),
        Ending::Endless => loop {
            stream.write_all(&[0; 64 << 10]).await?;
        },
    }
}
