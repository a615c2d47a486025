//! What clusters get from `serve`: webhooks on a listener of this process, and the engine beside it.

use std::sync::Arc;

use admission::{CertificateSource, Settings, SharedWebhook, VerdictSource};
use anyhow::Context as _;
use control_plane::{EngineAccess, NotifyRunning, Urgency, WebhookHere};
use engine::Engine;

use super::admission::own_engine::OwnEngine;
use crate::config;
use crate::config::server::ServerConfig;

/// Folder of the certificates and of audits that wait, in the data folder.
const FOLDER: &str = "webhooks";

/// Takes the address of the webhooks, if there shall be some.
pub(super) async fn bind(config: &ServerConfig) -> anyhow::Result<Option<WebhookHere>> {
    let Some(webhooks) = &config.webhooks else { return Ok(None) };
    let folder = config.engine.data_dir.join(FOLDER);
    let source = CertificateSource::Folder { path: folder.clone(), host_names: vec![webhooks.host()] };
    let mut settings = Settings::new(source, config::now);
    settings.listen = webhooks.listen;
    let shared = SharedWebhook::bind(settings, folder)
        .await
        .with_context(|| format!("failed to prepare the webhooks on {}", webhooks.listen))?;
    let url = webhooks.url.clone().unwrap_or_else(|| format!("https://{}", shared.address()));
    Ok(Some(WebhookHere { shared, url }))
}

/// The engine of this process, as the control plane uses it; clusters reach it under this address.
pub(super) async fn engine_access(engine: &Arc<Engine>, url: String) -> anyhow::Result<EngineAccess> {
    let router = engine::http::trusted_router(Arc::clone(engine))
        .await
        .context("failed to read the administrator of the engine")?;
    let telling = Arc::clone(engine);
    let notify_running: NotifyRunning = Arc::new(move |tx, account, payload| {
        let engine = Arc::clone(&telling);
        Box::pin(async move { Ok(engine.notify_running_pods(tx, account, payload).await?) })
    });
    let engine = Arc::clone(engine);
    let verdicts = Arc::new(move |account: &str, urgency: Urgency| {
        let urgency = match urgency {
            Urgency::Waited => engine::Urgency::Waited,
            Urgency::Unhurried => engine::Urgency::Unhurried,
        };
        let source = OwnEngine { engine: Arc::clone(&engine), account: account.to_owned(), urgency };
        Arc::new(source) as Arc<dyn VerdictSource>
    });
    Ok(EngineAccess { router, url, verdicts, notify_running })
}
