//! One HTTP exchange as it is on the wire, for what no typed client says.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result};

const ANSWER_TIME: Duration = Duration::from_secs(60);
/// What `Authorization` says of `admin` with [`crate::ADMIN_PASSWORD`].
pub const ADMIN_LOGIN: &str = "Basic YWRtaW46ZTJlLXBhc3N3b3Jk";

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Its status.
    pub status: u16,
    /// Status line and headers, in small letters.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Exchange {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Asks `POST /v1/images` or the like, with these headers.
pub fn exchange(address: &str, request: &str, headers: &[(&str, &str)], body: &str) -> Result<Exchange> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_TIME))?;
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut buffer)? {
            0 => break,
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
    let answer = String::from_utf8(answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("no answer to {request}"))?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    Ok(Exchange { status, head: head.to_lowercase(), body: body.to_owned() })
}
