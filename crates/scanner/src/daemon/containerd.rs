//! containerd: images by name, blobs by digest, over gRPC on its socket. Only two calls are needed.
//!
//! Source: containerd's API, `services/images/v1/images.proto` and `services/content/v1/content.proto`; gRPC over HTTP/2.

use std::path::PathBuf;

use bytes::{Buf as _, Bytes, BytesMut};
use model::Digest;
use prost::Message;
use reqwest::StatusCode;

use crate::error::ScanError;
use crate::manifest::Descriptor;
use crate::options::ScanOptions;
use crate::pipe::BlobSender;
use crate::registry::length;

const GET_IMAGE: &str = "containerd.services.images.v1.Images/Get";
const READ_CONTENT: &str = "containerd.services.content.v1.Content/Read";
/// A flag and the length of the message that follows.
const FRAME_HEADER_BYTES: usize = 5;
/// Content comes in pieces of one MiB.
const MESSAGE_BYTES_MAX: usize = 8 << 20;
const NOT_FOUND: &str = "5";

#[derive(Clone, PartialEq, Message)]
struct GetImageRequest {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, Message)]
struct GetImageResponse {
    #[prost(message, optional, tag = "1")]
    image: Option<Image>,
}

#[derive(Clone, PartialEq, Message)]
struct Image {
    #[prost(message, optional, tag = "3")]
    target: Option<Target>,
}

#[derive(Clone, PartialEq, Message)]
struct Target {
    #[prost(string, tag = "1")]
    media_type: String,
    #[prost(string, tag = "2")]
    digest: String,
    #[prost(int64, tag = "3")]
    size: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ReadContentRequest {
    #[prost(string, tag = "1")]
    digest: String,
}

#[derive(Clone, PartialEq, Message)]
struct ReadContentResponse {
    #[prost(bytes = "bytes", tag = "2")]
    data: Bytes,
}

/// A connection to it.
pub(crate) struct Containerd {
    connections: reqwest::Client,
    socket: PathBuf,
    namespace: String,
}

/// Whether some bytes are a message, without what frames it.
pub(crate) fn is_some_message(bytes: &[u8]) -> bool {
    GetImageResponse::decode(bytes).is_ok_and(|answer| answer.image.is_some())
        | ReadContentResponse::decode(bytes).is_ok_and(|answer| !answer.data.is_empty())
}

/// The messages of one answer.
struct Answer<'a> {
    response: reqwest::Response,
    buffer: BytesMut,
    containerd: &'a Containerd,
    what: String,
}

impl Containerd {
    pub(crate) fn new(options: &ScanOptions) -> Result<Self, ScanError> {
        let socket = options.daemons.containerd.clone();
        let build = super::builder(&socket).http2_prior_knowledge().build();
        let failed = |source| ScanError::Unreachable {
            host: "containerd".to_owned(),
            what: "a connection".to_owned(),
            source,
        };
        Ok(Self {
            connections: build.map_err(failed)?,
            socket,
            namespace: options.daemons.containerd_namespace.clone(),
        })
    }

    /// What a name means: an image or an index.
    pub(crate) async fn image(&self, name: &str) -> Result<Descriptor, ScanError> {
        let what = format!("image `{name}` of namespace `{}`", self.namespace);
        let missing = || ScanError::ImageNotInDaemon { daemon: "containerd", name: name.to_owned() };
        let request = GetImageRequest { name: name.to_owned() };
        let mut answer = self.call(GET_IMAGE, &request, what).await?.ok_or_else(missing)?;
        let found: GetImageResponse = answer.next().await?.ok_or_else(missing)?;
        let target = found.image.and_then(|image| image.target).ok_or_else(missing)?;
        let bad = |problem: &str| answer.bad(problem.to_owned());
        Ok(Descriptor {
            digest: target.digest.parse().map_err(|_| bad("it names no digest"))?,
            size: u64::try_from(target.size).map_err(|_| bad("it names a negative size"))?,
            media_type: target.media_type,
            platform: None,
            annotations: std::collections::BTreeMap::new(),
        })
    }

    /// A small blob; `None` if there is none. The caller compares it with its digest.
    pub(crate) async fn small_blob(
        &self,
        digest: &Digest,
        limit: u64,
        what: &str,
    ) -> Result<Option<Vec<u8>>, ScanError> {
        let Some(mut answer) = self.content(digest, what.to_owned()).await? else { return Ok(None) };
        let mut bytes = Vec::new();
        while let Some(ReadContentResponse { data }) = answer.next().await? {
            bytes.extend_from_slice(&data);
            let actual = length(&bytes);
            if actual > limit {
                return Err(ScanError::TooLarge { what: what.to_owned(), actual, limit, unit: "bytes" });
            }
        }
        Ok(Some(bytes))
    }

    /// Sends a blob into a pipe. The reader compares it with its digest.
    pub(crate) async fn transfer(&self, digest: &Digest, sender: BlobSender) -> Result<(), ScanError> {
        let missing = || ScanError::BlobMissing { name: digest.to_string(), referrer: "manifest".to_owned() };
        let mut answer = self.content(digest, format!("layer `{digest}`")).await?.ok_or_else(missing)?;
        while let Some(ReadContentResponse { data }) = answer.next().await? {
            if !sender.send(data).await {
                return Ok(());
            }
        }
        sender.finish().await;
        Ok(())
    }

    async fn content(&self, digest: &Digest, what: String) -> Result<Option<Answer<'_>>, ScanError> {
        self.call(READ_CONTENT, &ReadContentRequest { digest: digest.to_string() }, what).await
    }

    /// Asks; `None` when there is no such thing.
    async fn call(
        &self,
        method: &str,
        request: &impl Message,
        what: String,
    ) -> Result<Option<Answer<'_>>, ScanError> {
        let message = request.encode_to_vec();
        let size = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let body = [&[0], size.to_be_bytes().as_slice(), &message].concat();
        let sent = self
            .connections
            .post(format!("http://localhost/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("containerd-namespace", &self.namespace)
            .body(body)
            .send()
            .await;
        let response =
            sent.map_err(|source| ScanError::Unreachable { host: self.host(), what: what.clone(), source })?;
        if response.status() != StatusCode::OK {
            let status = response.status().as_u16();
            return Err(ScanError::UnexpectedStatus { host: self.host(), what, status });
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        match header("grpc-status").map(str::to_owned) {
            Some(status) if status == NOT_FOUND => Ok(None),
            Some(status) if status != "0" => {
                let said: String = header("grpc-message").unwrap_or_default().chars().take(200).collect();
                let problem = format!("status {status} {said}");
                Err(ScanError::BadAnswer { host: self.host(), what, problem })
            }
            _ => Ok(Some(Answer { response, buffer: BytesMut::new(), containerd: self, what })),
        }
    }

    fn host(&self) -> String {
        format!("containerd ({})", self.socket.display())
    }
}

impl Answer<'_> {
    /// The next message; `None` at the end.
    async fn next<M: Message + Default>(&mut self) -> Result<Option<M>, ScanError> {
        while self.frame_bytes()?.is_none_or(|bytes| self.buffer.len() < bytes) {
            let read = self.response.chunk().await.map_err(|source| ScanError::Unreachable {
                host: self.containerd.host(),
                what: self.what.clone(),
                source,
            })?;
            match read {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(self.bad("it ends in the middle of a message".to_owned())),
            }
        }
        let bytes = self.frame_bytes()?.unwrap_or_default();
        let mut frame = self.buffer.split_to(bytes).freeze();
        frame.advance(FRAME_HEADER_BYTES.min(bytes));
        M::decode(frame).map(Some).map_err(|error| self.bad(error.to_string()))
    }

    /// Bytes of the frame that the buffer begins with; `None` when not even its header is there.
    fn frame_bytes(&self) -> Result<Option<usize>, ScanError> {
        let Some((header, _)) = self.buffer.split_first_chunk::<FRAME_HEADER_BYTES>() else {
            return Ok(None);
        };
        let [flag, size @ ..] = *header;
        let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
        if flag != 0 || size > MESSAGE_BYTES_MAX {
            let problem =
                format!("a message of {size} bytes (limit {MESSAGE_BYTES_MAX}), or a compressed one");
            return Err(self.bad(problem));
        }
        Ok(Some(size + FRAME_HEADER_BYTES))
    }

    fn bad(&self, problem: String) -> ScanError {
        ScanError::BadAnswer { host: self.containerd.host(), what: self.what.clone(), problem }
    }
}
