//! Lists of objects, page by page, in bounded time and number.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use kube::api::{ApiResource, DynamicObject, ListParams, ObjectList};
use kube::{Api, Client};
use serde::de::DeserializeOwned;

use crate::storage_error::chain;
use crate::{Cluster, ClusterError};

/// For one list, all pages together.
pub(super) const LISTING_TIME_MAX: Duration = Duration::from_secs(30);
const PAGE_OBJECTS: u32 = 500;
const OBJECTS_MAX: usize = 50_000;

/// Why there is no list.
#[derive(Debug)]
pub(crate) enum ListError {
    /// The cluster has no such kind.
    Absent(ClusterError),
    /// The user of the kubeconfig may not.
    Forbidden(ClusterError),
    /// All the rest.
    Failed(ClusterError),
}

impl From<ListError> for ClusterError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Absent(error) | ListError::Forbidden(error) | ListError::Failed(error) => error,
        }
    }
}

impl ListError {
    pub(super) fn new(cluster: &Cluster, error: kube::Error) -> Self {
        let code = match &error {
            kube::Error::Api(status) => status.code,
            _ => 0,
        };
        let error = ClusterError::unreachable(&cluster.name, error);
        match code {
            404 => Self::Absent(error),
            403 => Self::Forbidden(error),
            _ => Self::Failed(error),
        }
    }
}

/// What answers for one page.
pub(crate) type Page<T> = BoxFuture<'static, Result<ObjectList<T>, kube::Error>>;

/// All objects of a list; `keep` takes what is needed of each, so that whole objects are held for one page only.
pub(crate) async fn list<T, U>(
    cluster: &Cluster,
    what: &'static str,
    selection: ListParams,
    page: impl Fn(ListParams) -> Page<T>,
    keep: impl Fn(T) -> Option<U>,
) -> Result<Vec<U>, ListError>
where
    T: Clone,
{
    let pages = async {
        let mut kept = Vec::new();
        let mut seen = 0;
        let mut params = selection.limit(PAGE_OBJECTS);
        loop {
            let objects = page(params.clone()).await.map_err(|error| ListError::new(cluster, error))?;
            seen += objects.items.len();
            if seen > OBJECTS_MAX {
                let cluster = cluster.name.clone();
                return Err(ListError::Failed(ClusterError::TooMuch { cluster, what, limit: OBJECTS_MAX }));
            }
            kept.extend(objects.items.into_iter().filter_map(&keep));
            match objects.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(kept),
            }
        }
    };
    tokio::time::timeout(LISTING_TIME_MAX, pages)
        .await
        .unwrap_or_else(|_| Err(ListError::Failed(ClusterError::too_slow(&cluster.name, LISTING_TIME_MAX))))
}

/// All objects of a kind that a cluster may not have, which is then an empty list. An object that cannot be read hides no
/// other: it is logged and left out.
pub(super) async fn list_resources<K>(
    cluster: &Cluster,
    client: Client,
    what: &'static str,
) -> Result<Vec<K>, ClusterError>
where
    K: kube::Resource<DynamicType = ()> + DeserializeOwned,
{
    let api: Api<DynamicObject> = Api::all_with(client, &ApiResource::erase::<K>(&()));
    let page = move |params: ListParams| -> Page<DynamicObject> {
        let api = api.clone();
        async move { api.list(&params).await }.boxed()
    };
    let read = |object: DynamicObject| {
        let name = object.metadata.name.clone().unwrap_or_default();
        let read = serde_json::to_value(object).and_then(serde_json::from_value);
        read.inspect_err(|error| {
            tracing::warn!(
                object.kind = what,
                object.name = name,
                error = chain(error),
                "an object cannot be read"
            );
        })
        .ok()
    };
    match list(cluster, what, ListParams::default(), page, read).await {
        Err(ListError::Absent(_)) => Ok(Vec::new()),
        listed => Ok(listed?),
    }
}
