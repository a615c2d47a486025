//! `lazaret admission install` and `uninstall`.

use std::path::Path;

use admission::certificate_store;
use admission::manifests::DEFAULT_NAME;
use admission::{
    CertificateSource, EngineAccess, FailurePolicy, InstallOptions, Removal, ServiceOptions, WebhookEndpoint,
};
use anyhow::{Context as _, bail};

use super::arguments::{DryRun, FailurePolicyArgument, InstallArguments, ManifestFormat, UninstallArguments};
use super::engine_access;
use crate::config;
use crate::exit::Exit;
use crate::terminal;

/// Applies the objects, or prints them.
pub(super) async fn install(arguments: InstallArguments) -> anyhow::Result<Exit> {
    let options = options(&arguments).await?;
    if arguments.dry_run == DryRun::Client {
        let text = match arguments.output {
            ManifestFormat::Yaml => admission::render_yaml(&options)?,
        };
        terminal::print(&text)?;
        return Ok(Exit::Clean);
    }
    let client = super::connect(&arguments.cluster).await?;
    admission::install(&client, &options).await?;
    let mut text = format!("webhook `{}` is installed\n", options.name);
    if let WebhookEndpoint::Service(service) = &options.endpoint {
        text.push_str(&format!(
            "it reads the engine's user and password from the Secret `{secret}`; if that is not there yet:\n  \
             kubectl create secret generic {secret} --namespace {namespace} \\\n    \
             --from-literal=username=admin --from-literal=password=…\n",
            secret = service.engine.credentials_secret,
            namespace = service.namespace,
        ));
    }
    terminal::print(&text)?;
    Ok(Exit::Clean)
}

/// Takes the objects out of the cluster.
pub(super) async fn uninstall(arguments: UninstallArguments) -> anyhow::Result<Exit> {
    let client = super::connect(&arguments.cluster).await?;
    // Every object has the same name however the webhook was reached, so the options of a service name them all.
    let endpoint = service_endpoint(&arguments.namespace, String::new(), String::new(), false);
    let removal = if arguments.remove_resources { Removal::RemoveResources } else { Removal::KeepResources };
    admission::uninstall(&client, &InstallOptions::new(endpoint), removal).await?;
    let kept = match removal {
        Removal::KeepResources => "; audits and exemptions are kept (--remove-resources removes them)",
        Removal::RemoveResources => ", and with it all audits and exemptions",
    };
    terminal::print(&format!("webhook `{DEFAULT_NAME}` is removed{kept}\n"))?;
    Ok(Exit::Clean)
}

async fn options(arguments: &InstallArguments) -> anyhow::Result<InstallOptions> {
    let endpoint = match (&arguments.url, &arguments.state_dir, &arguments.image) {
        (Some(url), Some(state_dir), _) => url_endpoint(url, state_dir).await?,
        (None, _, Some(image)) => {
            let Some(engine) = engine_access::find_address(&arguments.engine) else {
                bail!("a webhook inside the cluster needs the address of an engine: give --engine-url");
            };
            service_endpoint(&arguments.namespace, image.clone(), engine.url, engine.is_insecure)
        }
        _ => bail!(
            "give --url with --state-dir for a webhook outside the cluster, or --image for one inside it"
        ),
    };
    let mut options = InstallOptions::new(endpoint);
    options.failure_policy = match arguments.failure_policy {
        FailurePolicyArgument::Ignore => FailurePolicy::Ignore,
        FailurePolicyArgument::Fail => FailurePolicy::Fail,
    };
    Ok(options)
}

/// The certificate authority is made here if the webhook has not done so yet; both take the same folder.
async fn url_endpoint(url: &str, state_dir: &Path) -> anyhow::Result<WebhookEndpoint> {
    let Some(rest) = url.strip_prefix("https://") else {
        bail!("the API server asks webhooks over TLS only: --url {url} must begin with https://");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if host.is_empty() {
        bail!("--url {url} names no host");
    }
    let source = CertificateSource::Folder { path: state_dir.to_owned(), host_names: vec![host.to_owned()] };
    let served = certificate_store::ensure(&source, None, config::now())
        .await
        .with_context(|| format!("failed to prepare the certificates in `{}`", state_dir.display()))?;
    let ca_bundle = served.authorities.context("a folder always has its authorities")?;
    Ok(WebhookEndpoint::Url { url: url.to_owned(), ca_bundle })
}

fn service_endpoint(
    namespace: &str,
    image: String,
    engine_url: String,
    is_insecure: bool,
) -> WebhookEndpoint {
    let arguments = ["admission", "--namespace", namespace, "--state-dir", "/var/lib/lazaret"];
    WebhookEndpoint::Service(ServiceOptions {
        namespace: namespace.to_owned(),
        image,
        arguments: arguments.map(str::to_owned).into(),
        replicas: 2,
        engine: EngineAccess {
            url: engine_url,
            credentials_secret: format!("{DEFAULT_NAME}-engine"),
            is_insecure,
        },
    })
}
