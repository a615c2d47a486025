//! The client of the benchmark: one request after the other on each of its connections, as little work beside it as can be.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::Value;

const ANSWER_TIME: Duration = Duration::from_secs(120);
/// Every so many answers the body is looked at; of all others the status.
const LOOK_EVERY: usize = 64;

/// One connection that stays open.
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// One answer.
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a [u8],
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        Ok(Self { stream, buffer: vec![0; 256 * 1024] })
    }

    pub(super) fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request)?;
        let mut filled = 0;
        let (head, length) = loop {
            filled += self.read(filled)?;
            let head = self.buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(head) = head {
                break (head, content_length(&self.buffer[..head])?);
            }
        };
        let end = head + 4 + length;
        while filled < end {
            filled += self.read(filled)?;
        }
        let status = std::str::from_utf8(self.buffer.get(9..12).unwrap_or_default())?.parse()?;
        Ok(Answer { status, body: &self.buffer[head + 4..end] })
    }

    fn read(&mut self, filled: usize) -> Result<usize> {
        if filled == self.buffer.len() {
            self.buffer.resize(filled * 2, 0);
        }
        match self.stream.read(&mut self.buffer[filled..])? {
            0 => bail!("the server hung up"),
            count => Ok(count),
        }
    }

    /// Asks, and reads the body of a good answer.
    pub(super) fn json(&mut self, request: &[u8]) -> Result<Value> {
        let answer = self.ask(request)?;
        let text = String::from_utf8_lossy(answer.body);
        ensure!(answer.status == 200, "status {} instead of 200: {}", answer.status, beginning(&text));
        serde_json::from_slice(answer.body).with_context(|| format!("no JSON: {}", beginning(&text)))
    }
}

/// As much of an answer as a person reads.
pub(super) fn beginning(text: &str) -> &str {
    text.char_indices().nth(1000).map_or(text, |(end, _)| &text[..end])
}

fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.trim().parse().ok())
        .ok_or_else(|| anyhow!("an answer without a length:\n{head}"))
}

/// A request as it goes over the wire.
pub(super) fn request(method: &str, path: &str, authorization: &str, body: Option<(&str, &str)>) -> Vec<u8> {
    let (kind, body) = body.unwrap_or_default();
    let content = match kind {
        "" => String::new(),
        kind => format!("content-type: {kind}\r\ncontent-length: {}\r\n", body.len()),
    };
    let credentials = match authorization {
        "" => String::new(),
        authorization => format!("authorization: {authorization}\r\n"),
    };
    format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{credentials}{content}\r\n{body}").into_bytes()
}

/// How fast a server answered.
pub(super) struct Load {
    /// Answers in a second, over all connections.
    pub(super) rate: f64,
    /// Sorted.
    latencies: Vec<Duration>,
}

impl Load {
    /// The time within which this part of all answers came: `0.99`.
    pub(super) fn percentile(&self, part: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list"
        )]
        let place = (self.latencies.len() as f64 * part) as usize;
        self.latencies.get(place.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

/// What is asked, over how many connections, for how long, and what each answer holds.
pub(super) struct Plan<'a> {
    pub(super) requests: &'a [Vec<u8>],
    pub(super) connections: usize,
    pub(super) time: Duration,
    /// Text that every body has.
    pub(super) holds: &'a str,
}

/// Asks all requests in turns. An answer that is not the wanted one is an error.
pub(super) fn load(address: SocketAddr, plan: &Plan<'_>) -> Result<Load> {
    let began = Instant::now();
    let each: Vec<Result<Vec<Duration>>> = std::thread::scope(|scope| {
        let one = |number: usize| scope.spawn(move || ask_on_one(address, plan, number, began));
        let clients: Vec<_> = (0..plan.connections).map(one).collect();
        let ended = |client: std::thread::ScopedJoinHandle<'_, _>| {
            client.join().unwrap_or_else(|_| Err(anyhow!("a client panicked")))
        };
        clients.into_iter().map(ended).collect()
    });
    let took = began.elapsed().as_secs_f64();
    let mut latencies = Vec::new();
    for some in each {
        latencies.extend(some?);
    }
    latencies.sort();
    #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
    let rate = latencies.len() as f64 / took;
    Ok(Load { rate, latencies })
}

fn ask_on_one(address: SocketAddr, plan: &Plan<'_>, number: usize, began: Instant) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(address)?;
    let mut latencies = Vec::new();
    let first = number * plan.requests.len() / plan.connections;
    for turn in 0.. {
        let begin = Instant::now();
        if begin - began >= plan.time {
            break;
        }
        let answer = connection.ask(&plan.requests[(first + turn) % plan.requests.len()])?;
        latencies.push(begin.elapsed());
        let is_looked_at = turn % LOOK_EVERY == 0;
        let is_wanted = answer.status == 200
            && (!is_looked_at || String::from_utf8_lossy(answer.body).contains(plan.holds));
        if !is_wanted {
            let text = String::from_utf8_lossy(answer.body);
            bail!("status {}, without `{}`: {}", answer.status, plan.holds, beginning(&text));
        }
    }
    Ok(latencies)
}
