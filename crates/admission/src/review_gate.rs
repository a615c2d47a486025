//! How many reviews may be open, and how many bytes of them be held: of all, of one source, of one cluster.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::{Held, Place, Places, Room, Source};
use crate::review::{REVIEW_BYTES_MAX, ReviewError};
use crate::settings::ServerLimits;

/// Bounds the reviews of one listener.
#[derive(Debug)]
pub struct ReviewGate {
    /// Bounds those that are worked on, all together.
    pub reviews: Semaphore,
    sources: Arc<Places<Source>>,
    room: Arc<Room>,
}

/// Bounds those of one cluster of several.
#[derive(Debug)]
pub(crate) struct ClusterGate {
    reviews: Semaphore,
    room: Arc<Room>,
}

/// Why a review is turned away before anybody has looked at it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    #[error("too many reviews are open")]
    Reviews,
    #[error("too many reviews of this cluster are open")]
    OfCluster,
    #[error("too many reviews from this address are open")]
    OfSource,
    #[error("too many bytes of reviews are waiting")]
    Bytes,
    #[error(transparent)]
    Unread(#[from] ReviewError),
}

/// What a review that is worked on holds, until it is dropped.
pub(crate) struct Admitted<'a> {
    pub(crate) body: Bytes,
    _held: Held,
    _permits: (SemaphorePermit<'a>, Option<SemaphorePermit<'a>>, Option<Place<Source>>),
}

impl ReviewGate {
    /// A gate with nothing open.
    pub fn new(limits: &ServerLimits) -> Self {
        Self {
            reviews: Semaphore::new(limits.reviews_max),
            sources: Places::new(limits.reviews_per_source_max),
            room: Room::new(limits.body_bytes_max),
        }
    }

    /// Reads a body, and then takes the places for its review: who sends slowly takes none from those who have sent.
    pub(crate) async fn admit<'a>(
        &'a self,
        cluster: Option<&'a ClusterGate>,
        source: Option<Source>,
        body: Body,
        time: Duration,
    ) -> Result<Admitted<'a>, GateError> {
        let rooms = std::iter::once(&self.room).chain(cluster.map(|cluster| &cluster.room));
        let mut held = Held::nothing(rooms.cloned().collect());
        let body = tokio::time::timeout(time, read(body, &mut held))
            .await
            .unwrap_or(Err(GateError::Unread(ReviewError::Unread)))?;
        let of_source = match source {
            Some(source) => Some(self.sources.take(source).ok_or(GateError::OfSource)?),
            None => None,
        };
        let of_cluster = match cluster {
            Some(cluster) => Some(cluster.reviews.try_acquire().map_err(|_| GateError::OfCluster)?),
            None => None,
        };
        let of_all = self.reviews.try_acquire().map_err(|_| GateError::Reviews)?;
        Ok(Admitted { body, _held: held, _permits: (of_all, of_cluster, of_source) })
    }
}

impl ClusterGate {
    pub(crate) fn new(limits: &ServerLimits) -> Self {
        Self {
            reviews: Semaphore::new(limits.reviews_per_cluster_max),
            room: Room::new(limits.body_bytes_per_cluster_max),
        }
    }
}

/// Bytes count from the moment they are here; a length that is only promised takes no room from others.
async fn read(body: Body, held: &mut Held) -> Result<Bytes, GateError> {
    let too_large = || GateError::Unread(ReviewError::TooLarge);
    let limit = u64::try_from(REVIEW_BYTES_MAX).unwrap_or(u64::MAX);
    if body.size_hint().lower() > limit {
        return Err(too_large());
    }
    let mut read = BytesMut::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| GateError::Unread(ReviewError::Unread))?;
        if read.len() + chunk.len() > REVIEW_BYTES_MAX {
            return Err(too_large());
        }
        if !held.grow(chunk.len()) {
            return Err(GateError::Bytes);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

impl GateError {
    pub(crate) fn is_overload(&self) -> bool {
        !matches!(self, Self::Unread(_))
    }

    pub(crate) fn into_response(self) -> Response {
        let status = match &self {
            Self::Unread(error) => error.status(),
            Self::Reviews | Self::OfCluster | Self::OfSource | Self::Bytes => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, self.to_string()).into_response()
    }
}
