//! `lazaret admission`: the webhook itself.

use std::sync::Arc;
use std::time::Duration;

use admission::audit_writer::AuditLimits;
use admission::cache::VerdictLimits;
use admission::index::UndecidedMode;
use admission::manifests::DEFAULT_NAME;
use admission::settings::DecisionSettings;
use admission::{Admission, CertificateSource, Settings, VerdictSource};
use anyhow::{Context as _, bail};
use tokio_util::sync::CancellationToken;

use super::arguments::{RunArguments, UndecidedArgument};
use super::engine_access;
use super::own_engine::OwnEngine;
use crate::commands::running::RunningEngine;
use crate::commands::{bundle, data_folder, shutdown};
use crate::config;
use crate::config::server::{ServerConfig, Surroundings};
use crate::exit::Exit;
use crate::{logging, terminal};

/// Runs until SIGTERM or Ctrl-C.
pub(super) async fn run(mut arguments: RunArguments) -> anyhow::Result<Exit> {
    let mut surroundings = Surroundings { is_webhook: true, ..Surroundings::here() };
    if engine_access::find_address(&arguments.engine).is_some() {
        // Nothing is stored here, and a container may have no home.
        surroundings.data_dir.get_or_insert_default();
    }
    let config = ServerConfig::load(std::mem::take(&mut arguments.settings), surroundings)?;
    let logging = logging::start(&config.logging, config.tracing.as_ref())?;
    let result = serve(&arguments, config).await;
    // It waits on a thread.
    tokio::task::spawn_blocking(|| logging.end()).await?;
    result
}

async fn serve(arguments: &RunArguments, config: ServerConfig) -> anyhow::Result<Exit> {
    let _lock = arguments.state_dir.as_deref().map(data_folder::lock_state).transpose()?;
    let client = super::connect(&arguments.cluster).await?;
    let stop = CancellationToken::new();
    let (source, own_engine) = source(arguments, config, &stop).await?;
    let admission = Admission::bind(settings(arguments)?, source, client).await?;
    terminal::print(&format!(
        "Lazaret {} admission\nwebhook    https://{}/imagecheck\nhealth     http://{}\n",
        config::VERSION,
        admission.review_address()?,
        admission.health_address()?
    ))?;
    let signals = shutdown::on_signal(stop.clone());
    let result = admission.run(stop.clone()).await;
    stop.cancel();
    signals.abort();
    if let Some((running, _lock)) = own_engine {
        running.end().await?;
    }
    result?;
    Ok(Exit::Clean)
}

async fn source(
    arguments: &RunArguments,
    config: ServerConfig,
    stop: &CancellationToken,
) -> anyhow::Result<(Arc<dyn VerdictSource>, Option<(RunningEngine, std::fs::File)>)> {
    if let Some(address) = engine_access::find_address(&arguments.engine) {
        let password = engine_access::load_password(&arguments.engine)?;
        let source = engine_access::client_source(&address, &password)?;
        return Ok((Arc::new(source), None));
    }
    let lock = data_folder::lock(&config.engine.data_dir)?;
    let running = RunningEngine::start(config.engine, true, stop).await?;
    let engine = &running.engine;
    terminal::print(&format!("vulnerability data: {}\n", engine.database_state().describe()))?;
    if let Some(policy) = &arguments.policy {
        let bundle = bundle::load(policy)?;
        engine.add_policy(engine::ADMIN, bundle.document()).await?;
        engine
            .update_policy(engine::ADMIN, bundle.id(), bundle.document(), Some(true))
            .await
            .with_context(|| format!("failed to make the bundle `{policy}` active"))?;
    }
    let source = Arc::new(OwnEngine {
        engine: Arc::clone(engine),
        account: engine::ADMIN.to_owned(),
        urgency: engine::Urgency::Waited,
    });
    Ok((source, Some((running, lock))))
}

fn settings(arguments: &RunArguments) -> anyhow::Result<Settings> {
    let mut settings = Settings::new(certificate_source(arguments)?, config::now);
    settings.listen = arguments.listen;
    settings.health_listen = arguments.health_listen;
    settings.decision = DecisionSettings {
        undecided: match arguments.undecided {
            UndecidedArgument::Deny => UndecidedMode::Deny,
            UndecidedArgument::Allow => UndecidedMode::Allow,
        },
        wait: Duration::from_secs(arguments.wait),
        ..DecisionSettings::default()
    };
    settings.verdicts =
        VerdictLimits { tag_ttl: Duration::from_secs(arguments.tag_ttl), ..VerdictLimits::default() };
    settings.audits = AuditLimits {
        keep_for: Duration::from_secs(arguments.audit_ttl),
        spool: arguments.state_dir.as_ref().map(|folder| folder.join("audits.json")),
        ..AuditLimits::default()
    };
    Ok(settings)
}

/// Outside the cluster the API server calls a name that only the operator knows; inside, the Service's.
fn certificate_source(arguments: &RunArguments) -> anyhow::Result<CertificateSource> {
    if arguments.names.is_empty() {
        let namespace = config::variable("POD_NAMESPACE").unwrap_or_else(|| arguments.namespace.clone());
        let host = format!("{DEFAULT_NAME}.{namespace}.svc");
        return Ok(CertificateSource::Secret {
            namespace,
            name: format!("{DEFAULT_NAME}-tls"),
            host_names: vec![format!("{host}.cluster.local"), host],
        });
    }
    let Some(path) = arguments.state_dir.clone() else {
        bail!("a webhook outside the cluster (--name) needs --state-dir for its certificates");
    };
    Ok(CertificateSource::Folder { path, host_names: arguments.names.clone() })
}
