//! A mirror on a disk: the same rules, without a line in between.

use std::io::Read as _;

use jiff::Timestamp;
use reqwest::Url;

use super::body::{Encoding, Receiver};
use super::{FeedRequest, FetchError, FetchLimits, FetchOutcome, Validators, shown};

const CHUNK_BYTES: usize = 256 * 1024;

pub(super) async fn fetch(
    url: &Url,
    request: &FeedRequest<'_>,
    limits: &FetchLimits,
) -> Result<FetchOutcome, FetchError> {
    let bad = |problem: String| FetchError::BadAnswer { url: shown(url), problem };
    let path = url.to_file_path().map_err(|()| bad("it names no path on this machine".to_owned()))?;
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => FetchError::Refused { url: shown(url), status: 404 },
        _ => FetchError::Disk { path: path.clone(), source },
    };
    // Before opening: a pipe would wait for a writer.
    let metadata = fs_err::metadata(&path).map_err(failed)?;
    if !metadata.is_file() {
        return Err(bad("it is no regular file".to_owned()));
    }
    let validators = validators_of(&metadata);
    if validators == request.validators {
        return Ok(FetchOutcome::NotModified);
    }
    let mut file = fs_err::File::open(&path).map_err(failed)?;
    let mut receiver = Receiver::new(url, request, Encoding::Plain, limits.bytes_max)?;
    loop {
        // One piece at a time, away from the threads that answer requests.
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK_BYTES];
            let read = file.read(&mut chunk).map(|length| {
                chunk.truncate(length);
                chunk
            });
            (file, read)
        });
        let (again, chunk) = read.await.map_err(|error| bad(error.to_string()))?;
        file = again;
        let chunk = chunk.map_err(failed)?;
        if chunk.is_empty() {
            break;
        }
        receiver.add(&chunk).await?;
    }
    receiver.finish(Some(metadata.len()), validators).await.map(FetchOutcome::Fetched)
}

/// What changes with the file: replaced, written to or cut.
fn validators_of(metadata: &std::fs::Metadata) -> Validators {
    use std::os::unix::fs::MetadataExt as _;
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    Validators {
        etag: Some(format!("{}-{}", metadata.ino(), metadata.len())),
        last_modified: modified.map(|time| time.to_string()),
    }
}
