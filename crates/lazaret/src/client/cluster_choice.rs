//! Which cluster a command is about.

use anyhow::{Context as _, bail};
use pipeline_client::{Call, Client, wire};

use super::ask;
use super::cluster_arguments::ClusterChoice;
use super::session::{Session, number_variable};
use crate::config;
use crate::name::program_name;
use crate::terminal;

/// A cluster, and a client that may ask about it.
pub(super) struct Chosen {
    pub(super) client: Client,
    pub(super) organization: i64,
    pub(super) cluster: wire::Cluster,
}

/// The path of something below a cluster, as it is sent.
pub(super) struct ClusterPath(Vec<String>);

impl Chosen {
    /// The path of something below the cluster.
    pub(super) fn path(&self, below: &[&str]) -> ClusterPath {
        let organization = self.organization.to_string();
        let cluster = self.cluster.id.to_string();
        let segments = ["api", "v1", "orgs", &organization, "clusters", &cluster];
        ClusterPath(segments.into_iter().chain(below.iter().copied()).map(str::to_owned).collect())
    }
}

impl ClusterPath {
    pub(super) fn segments(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}

/// The cluster of the flags, else of the cluster shell that one is in, else of the configuration, else the only one.
///
/// In a cluster shell the flags may name that cluster only: otherwise a command would hit the one that nobody looks at.
pub(super) async fn choose(session: &Session, choice: &ClusterChoice) -> anyhow::Result<Chosen> {
    let client = session.client()?;
    let organization = session.organization(&client).await?;
    let of_shell = number_variable("BANZAI_CURRENT_CLUSTER_ID")?;
    let is_named = choice.cluster.is_some() || choice.cluster_name.is_some();
    let cluster = match (of_shell, choice) {
        (Some(id), choice) => {
            let cluster = get(&client, organization, id).await?;
            let is_other = choice.cluster.is_some_and(|other| other != id)
                || choice.cluster_name.as_ref().is_some_and(|name| *name != cluster.name);
            if is_other {
                let shell =
                    config::variable("BANZAI_CURRENT_CLUSTER_NAME").unwrap_or_else(|| cluster.name.clone());
                bail!(
                    "this is a shell of cluster \"{shell}\" (BANZAI_CURRENT_CLUSTER_ID is {id}), and another cluster was named: \
                     leave it first, or `unset BANZAI_CURRENT_CLUSTER_ID`"
                );
            }
            cluster
        }
        (None, ClusterChoice { cluster: Some(id), .. }) => get(&client, organization, *id).await?,
        (None, _) => {
            let id = session.config.number("cluster.id").filter(|_| !is_named);
            match id {
                Some(id) => get(&client, organization, id).await?,
                None => find(session, &client, organization, choice.cluster_name.as_deref()).await?,
            }
        }
    };
    Ok(Chosen { client, organization, cluster })
}

async fn get(client: &Client, organization: i64, id: i64) -> anyhow::Result<wire::Cluster> {
    let (organization, id) = (organization.to_string(), id.to_string());
    let path = ["api", "v1", "orgs", &organization, "clusters", &id];
    client.get(&path).await.with_context(|| format!("failed to find cluster {id}"))
}

async fn find(
    session: &Session,
    client: &Client,
    organization: i64,
    name: Option<&str>,
) -> anyhow::Result<wire::Cluster> {
    let organization = organization.to_string();
    let path = ["api", "v1", "orgs", &organization, "clusters"];
    let clusters: Vec<wire::Cluster> =
        client.read(&Call::get(&path)).await.context("failed to list clusters")?;
    let names: Vec<String> = clusters.iter().map(|cluster| cluster.name.clone()).collect();
    let index = match (name, names.as_slice()) {
        (_, []) => bail!(
            "there are no clusters in the organization: bring one with `{} cluster import`",
            program_name()
        ),
        (Some(name), names) => names
            .iter()
            .position(|known| known == name)
            .with_context(|| format!("could not find cluster named \"{name}\"{}", similar(name, names)))?,
        (None, [only]) => {
            terminal::error_line(&format!("cluster {only}"));
            0
        }
        (None, names) if session.is_interactive => ask::select("Cluster:", names, 0)?,
        (None, names) => {
            bail!("there are several clusters ({}): say which with --cluster-name", names.join(", "))
        }
    };
    clusters.into_iter().nth(index).context("no cluster was chosen")
}

/// What was probably meant.
fn similar(name: &str, names: &[String]) -> String {
    let nearest = names.iter().max_by(|a, b| strsim::jaro(name, a).total_cmp(&strsim::jaro(name, b)));
    match nearest.filter(|nearest| strsim::jaro(name, nearest) > 0.8) {
        Some(nearest) => format!("; did you mean \"{nearest}\"?"),
        None => format!("; there are {}", names.join(", ")),
    }
}
