//! Images of programs on this machine: Docker and Podman write an image as one stream, containerd is asked for blobs.

mod containerd;
mod known;
mod saved;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use image_layers::{ImageTree, Layer, MissingBody, ReadBudget, squash_tracing};
use reqwest::StatusCode;

use crate::archive::DockerImage;
use crate::contents::LayerFindings;
use crate::error::ScanError;
use crate::identity::ImageIdentity;
use crate::interest::Interest;
use crate::layers::wanted_of;
use crate::load::{ScannedImage, on_thread, report, to_facts};
use crate::manifest::CONFIG_BYTES_MAX;
use crate::open::open_docker;
use crate::options::ScanOptions;
use crate::pipe::{BlobSender, pipe};
use crate::progress::Stage;
use crate::registry::length;
use crate::source::DaemonKind;
use known::{InspectedImage, Lookup, parse_inspected};
use saved::{SavedImage, SavedReader};

pub(crate) use containerd::{Containerd, is_some_message};

/// A configuration is smaller.
const INSPECTED_BYTES_MAX: u64 = CONFIG_BYTES_MAX;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// Reads an image that Docker or Podman has. The stream is read as it comes: nothing is written to disk.
pub(crate) async fn load(
    kind: DaemonKind,
    name: &str,
    options: &ScanOptions,
) -> Result<ScannedImage, ScanError> {
    let daemon = Daemon::new(kind, options)?;
    let Some(lookup) = Lookup::new(&daemon, name, options).await? else {
        return Ok(daemon.read_image(name, options).await?.0);
    };
    match lookup.find().await? {
        Some(known) => Ok(known),
        None => {
            let (read, config) = daemon.read_image(name, options).await?;
            lookup.keep(&daemon, name, read, config).await
        }
    }
}

/// Reads a stream as [`load`] does that somebody else has opened.
pub(crate) fn read_saved(
    stream: impl Read,
    options: &ScanOptions,
    interest: &Arc<Interest>,
    budget: &ReadBudget,
) -> Result<(DockerImage, Vec<(Layer, LayerFindings)>), ScanError> {
    let reader = SavedReader {
        source: PathBuf::from("stream"),
        wanted: Arc::new(package_catalog::is_wanted),
        interest: Some(Arc::clone(interest)),
        limits: options.limits.clone(),
        budget: budget.clone(),
    };
    reader.read(stream)?.choose()
}

/// What Docker and Podman say about an image, as far as it identifies it.
pub(crate) async fn identify(
    kind: DaemonKind,
    name: &str,
    options: &ScanOptions,
) -> Result<ImageIdentity, ScanError> {
    Ok(Daemon::new(kind, options)?.inspect(name).await?.identity)
}

fn builder(socket: &Path) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .unix_socket(socket)
        .no_proxy()
        .connect_timeout(CONNECT_TIME_MAX)
        .redirect(reqwest::redirect::Policy::none())
}

/// A connection to one of them.
struct Daemon {
    kind: DaemonKind,
    socket: PathBuf,
    connections: reqwest::Client,
}

impl Daemon {
    fn new(kind: DaemonKind, options: &ScanOptions) -> Result<Self, ScanError> {
        let socket = match kind {
            DaemonKind::Docker => &options.daemons.docker,
            DaemonKind::Podman => &options.daemons.podman,
            DaemonKind::Containerd => &options.daemons.containerd,
        };
        let failed = |source| ScanError::Unreachable {
            host: kind.name().to_owned(),
            what: "a connection".to_owned(),
            source,
        };
        let connections = builder(socket).build().map_err(failed)?;
        Ok(Self { kind, socket: socket.clone(), connections })
    }

    /// For messages.
    fn shown(&self) -> PathBuf {
        self.socket.clone()
    }

    fn host(&self) -> String {
        format!("{} ({})", self.kind.name(), self.socket.display())
    }

    fn unreachable(&self, name: &str, source: reqwest::Error) -> ScanError {
        ScanError::Unreachable { host: self.host(), what: format!("image `{name}`"), source }
    }

    /// Asks for `/images/NAME/WHAT`.
    async fn ask(&self, name: &str, what: &str) -> Result<reqwest::Response, ScanError> {
        let mut url = reqwest::Url::parse("http://localhost/images").expect("an address of letters");
        url.path_segments_mut().expect("an address with a path").extend([name, what]);
        let response = self.connections.get(url).send().await;
        let response = response.map_err(|source| self.unreachable(name, source))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::NOT_FOUND => {
                Err(ScanError::ImageNotInDaemon { daemon: self.kind.name(), name: name.to_owned() })
            }
            status => Err(ScanError::UnexpectedStatus {
                host: self.host(),
                what: format!("image `{name}`"),
                status: status.as_u16(),
            }),
        }
    }

    /// Reads an image as it is exported; beside it its configuration as it is written.
    async fn read_image(
        &self,
        name: &str,
        options: &ScanOptions,
    ) -> Result<(ScannedImage, Vec<u8>), ScanError> {
        let interest = Arc::new(Interest::new(options)?);
        let budget = ReadBudget::new();
        report(options, Stage::ReadingLayers);
        let reader = SavedReader {
            source: self.shown(),
            wanted: Arc::new(package_catalog::is_wanted),
            interest: Some(Arc::clone(&interest)),
            limits: options.limits.clone(),
            budget: budget.clone(),
        };
        let (image, layers) = self.save(name, reader).await?.choose()?;
        let config = image.config_text.clone();
        let opened = open_docker(image);
        let unpacked_bytes: Vec<u64> = layers.iter().map(|(layer, _)| layer.unpacked_bytes()).collect();
        let (layers, findings): (Vec<_>, Vec<_>) = layers.into_iter().unzip();
        let single_layers = interest.single_layers(&layers);
        let tree = on_thread(move || squash_tracing(layers, &package_catalog::is_traced)).await?;
        let missing = interest.missing(&tree);
        let tree = self.fill_linked(name, tree, &missing, options, &budget).await?;
        report(options, Stage::Cataloging);
        let (inventory, contents) = {
            let progress = options.progress.clone();
            on_thread(move || interest.catalog(&tree, single_layers, &findings, progress.as_deref())).await?
        };
        let facts = to_facts(opened, &unpacked_bytes);
        Ok((ScannedImage { facts, inventory, contents }, config))
    }

    async fn inspect(&self, name: &str) -> Result<InspectedImage, ScanError> {
        let mut response = self.ask(name, "json").await?;
        let what = format!("what {} says about image `{name}`", self.kind.name());
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|source| self.unreachable(name, source))? {
            bytes.extend_from_slice(&piece);
            if length(&bytes) > INSPECTED_BYTES_MAX {
                let (actual, limit) = (length(&bytes), INSPECTED_BYTES_MAX);
                return Err(ScanError::TooLarge { what, actual, limit, unit: "bytes" });
            }
        }
        parse_inspected(&bytes).map_err(|problem| ScanError::Inconsistent { what, problem })
    }

    /// Has the image written and reads it as it comes.
    async fn save(&self, name: &str, reader: SavedReader) -> Result<SavedImage, ScanError> {
        let response = self.ask(name, "get").await?;
        let (sender, bytes) = pipe();
        let (sent, read) = tokio::join!(send(response, sender), on_thread(move || reader.read(bytes)));
        match (sent, read?) {
            (_, Ok(saved)) => Ok(saved),
            // The reader saw only that the stream stopped; the sender knows why.
            (Err(source), Err(_)) => Err(self.unreachable(name, source)),
            (Ok(()), Err(error)) => Err(error),
        }
    }

    /// Reads the image once more for files that only a link makes wanted.
    async fn fill_linked(
        &self,
        name: &str,
        mut tree: ImageTree,
        missing: &[MissingBody],
        options: &ScanOptions,
        budget: &ReadBudget,
    ) -> Result<ImageTree, ScanError> {
        if missing.is_empty() {
            return Ok(tree);
        }
        report(options, Stage::ReadingLinked);
        let reader = SavedReader {
            source: self.shown(),
            wanted: wanted_of(missing.iter().map(|body| body.archive_path.clone()).collect()),
            interest: None,
            limits: options.limits.clone(),
            budget: budget.clone(),
        };
        let (_, layers) = self.save(name, reader).await?.choose()?;
        for (index, (layer, _)) in layers.into_iter().enumerate() {
            tree.fill(index, layer);
        }
        Ok(tree)
    }
}

async fn send(mut response: reqwest::Response, sender: BlobSender) -> Result<(), reqwest::Error> {
    while let Some(bytes) = response.chunk().await? {
        if !sender.send(bytes).await {
            return Ok(());
        }
    }
    sender.finish().await;
    Ok(())
}
