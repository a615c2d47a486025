//! A reader that ends with a named error where its limit is passed.

use std::io::{self, Read};

use crate::LimitBreach;

/// Passes bytes through until `maximum`; one byte more is an error that carries a [`LimitBreach`].
///
/// Unlike [`Read::take`] it never makes a longer input look complete.
#[derive(Debug)]
pub struct LimitedReader<R> {
    inner: R,
    limit: &'static str,
    maximum: u64,
    bytes_read: u64,
}

/// Why the whole of an input was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadAllError {
    /// There are more bytes than the limit.
    #[error("input has {0}")]
    Limit(LimitBreach),
    /// The input itself failed.
    #[error("input broke off")]
    Io(#[source] io::Error),
}

impl<R: Read> LimitedReader<R> {
    /// Wraps `inner`; `limit` is the plural noun that errors show, such as `manifest bytes`.
    pub fn new(inner: R, limit: &'static str, maximum: u64) -> Self {
        Self { inner, limit, maximum, bytes_read: 0 }
    }

    /// How many bytes were passed through.
    pub fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Reads the rest of the input.
    ///
    /// Errors: `Limit` when there are more bytes than the limit, `Io` when the input fails.
    pub fn read_all(mut self) -> Result<Vec<u8>, ReadAllError> {
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 32 * 1024];
        loop {
            match self.read(&mut chunk) {
                Ok(0) => return Ok(bytes),
                Ok(count) => bytes.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(match LimitBreach::from_io(&error) {
                        Some(breach) => ReadAllError::Limit(breach.clone()),
                        None => ReadAllError::Io(error),
                    });
                }
            }
        }
    }

    /// The reader inside.
    pub fn into_inner(self) -> R {
        self.inner
    }
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let left = self.maximum - self.bytes_read;
        if left == 0 {
            // Only a read tells a full input from one that goes on.
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(LimitBreach {
                    limit: self.limit,
                    value: self.maximum.saturating_add(1),
                    maximum: self.maximum,
                    path: None,
                }
                .into_io()),
            };
        }
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..room])?;
        self.bytes_read += count as u64;
        Ok(count)
    }
}
