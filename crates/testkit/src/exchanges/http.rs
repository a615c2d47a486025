//! One HTTP request to a server of this machine, sent exactly as given: libraries tidy up what tests want to send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use base64::Engine as _;

const TIMEOUT: Duration = Duration::from_secs(60);
const HEAD_BYTES_MAX: usize = 64 << 10;
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names, in lower case, and values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

/// The value of `authorization` for a user.
pub fn basic(user: &str, password: &str) -> String {
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {credentials}")
}

/// Sends a request to `address` (`127.0.0.1:PORT`) and reads the whole answer. Adds `host`, `connection` and, where there is
/// a body or the method wants one, `content-length`.
pub fn send(
    address: &str,
    method: &str,
    target: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("failed to reach `{address}`"))?;
    stream.set_read_timeout(Some(TIMEOUT)).context("failed to set a deadline")?;
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        head += &format!("content-length: {}\r\n", body.len());
    }
    let request = [head.as_bytes(), b"\r\n", body].concat();
    // A server may answer and close before it has read everything.
    let _ = stream.write_all(&request);
    let bytes = read_all(&mut stream).with_context(|| format!("no answer to `{method} {target}`"))?;
    parse(&bytes, method).with_context(|| format!("`{method} {target}` was answered with no HTTP"))
}

fn read_all(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let (mut bytes, mut part) = (Vec::new(), [0; 16 << 10]);
    loop {
        let count = match stream.read(&mut part) {
            Ok(count) => count,
            Err(_) if !bytes.is_empty() => 0,
            Err(error) => return Err(error).context("failed to read"),
        };
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&part[..count]);
        if bytes.len() > ANSWER_BYTES_MAX {
            bail!("the answer has more than {ANSWER_BYTES_MAX} bytes");
        }
    }
}

fn parse(bytes: &[u8], method: &str) -> Result<Answer> {
    let begin = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let end = begin.windows(4).position(|window| window == b"\r\n\r\n").context("the head does not end")?;
    let head = std::str::from_utf8(&bytes[..end]).context("the head is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("there is no status")?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let is_chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
    let body = if method == "HEAD" || !is_chunked { rest.to_vec() } else { join_chunks(rest)? };
    Ok(Answer { status: status.parse().context("the status is no number")?, headers, body })
}

fn join_chunks(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n").context("a chunk has no length")?;
        let length = std::str::from_utf8(&rest[..end])?.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(length, 16).context("a chunk's length is no number")?;
        if length == 0 {
            return Ok(body);
        }
        let chunk = rest.get(end + 2..end + 2 + length).context("a chunk is cut")?;
        body.extend_from_slice(chunk);
        rest = rest.get(end + 4 + length..).context("the answer is cut behind a chunk")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_with_and_without_chunks() {
        let plain = parse(b"HTTP/1.1 404 Not Found\r\nContent-Type: a/b\r\n\r\nbody", "GET").unwrap();
        assert_eq!(
            (plain.status, plain.header("content-type"), &plain.body[..]),
            (404, Some("a/b"), &b"body"[..])
        );
        let chunked =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(parse(chunked, "GET").unwrap().body, b"abcde");
        assert!(parse(b"HTTP/1.1 200 OK\r\n", "GET").is_err());
    }
}
