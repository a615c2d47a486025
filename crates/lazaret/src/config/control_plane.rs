//! Settings of the control plane.

use control_plane::{AddressRule, ControlPlaneSettings, RunningSettings, ServiceSettings, SigningKey};

use super::layers::Values;
use super::setting::{Kind, Setting};
use super::table::row;
use super::{VERSION, now};

/// Its rows of the table.
pub(super) const ROWS: &[Setting] = &[
    row(
        "control-plane.base-path",
        Kind::Text,
        "/pipeline",
        "What comes before /api/v1 in addresses; without it the API answers as well",
    ),
    row(
        "control-plane.token-key",
        Kind::Secret,
        "",
        "Text of at least 32 characters that signs tokens; another one ends all tokens that were given out",
    )
    .unset("made on the first start and kept sealed"),
    row("control-plane.first-user", Kind::Text, "admin", "Login of the user that the first start makes"),
    row(
        "control-plane.first-organization",
        Kind::Text,
        "default",
        "Name of the organization that the first start makes",
    ),
    row(
        "control-plane.private-addresses",
        Kind::OneOf(&["auto", "true", "false"]),
        "auto",
        "Whether kubeconfigs and engines of services may be at loopback and private addresses; auto: while listeners.control-plane is a \
         loopback address, so that nobody elsewhere can ask",
    ),
    row(
        "control-plane.cluster-check",
        Kind::Duration(1, 86_400),
        "1m",
        "Pause between two questions to a cluster how it is",
    ),
    row(
        "control-plane.namespace",
        Kind::Text,
        "pipeline-system",
        "Namespace of what is installed in clusters; its Pods are never asked about",
    ),
    row(
        "control-plane.webhook-image",
        Kind::Text,
        "",
        "Image of this program for webhooks that run in clusters, REGISTRY/NAME:TAG",
    ),
    row(
        "control-plane.running-pods",
        Kind::Duration(1, 7 * 86_400),
        "1h",
        "Pause between two looks at the Pods that run in a cluster, when nothing says that another one is due",
    ),
    row(
        "control-plane.running-pods-check",
        Kind::Duration(1, 86_400),
        "10s",
        "Pause between two questions whether a policy, the data, a whitelist or Pods changed, so that Pods that run are judged",
    ),
    row(
        "control-plane.service-attempts",
        Kind::Count(1, 100),
        "8",
        "After so many failures in a row a service of a cluster is in error; the pauses between them double up to a minute",
    ),
    row(
        "control-plane.service-attempt-time",
        Kind::Duration(1, 86_400),
        "10m",
        "An attempt to bring a service of a cluster to what is wanted that takes longer is ended and counts as a failure",
    ),
];

pub(super) fn settings(
    values: &Values,
    engine: &engine::EngineSettings,
    listen: std::net::SocketAddr,
    problems: &mut Vec<String>,
) -> ControlPlaneSettings {
    let base_path = values.text("control-plane.base-path").unwrap_or_default();
    let base_path = base_path.trim_end_matches('/').to_owned();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/-_.".contains(letter);
    if !base_path.is_empty()
        && (!base_path.starts_with('/') || !base_path.chars().all(is_plain) || base_path.contains("//"))
    {
        let place = values.place("control-plane.base-path");
        problems.push(format!("{place}: `{base_path}` is no path, as /pipeline"));
    }
    let signing_key = values.text("control-plane.token-key").and_then(|text| {
        SigningKey::new(text)
            .map_err(|error| problems.push(format!("{}: {error}", values.place("control-plane.token-key"))))
            .ok()
    });
    let is_private_allowed = match values.text("control-plane.private-addresses").as_deref() {
        Some("true") => true,
        Some("false") => false,
        _ => listen.ip().is_loopback(),
    };
    ControlPlaneSettings {
        data_dir: engine.data_dir.clone(),
        base_path,
        signing_key,
        first_user: values.text("control-plane.first-user").unwrap_or_default(),
        first_organization: values.text("control-plane.first-organization").unwrap_or_default(),
        program_version: VERSION.to_owned(),
        engine_url: engine.base_url.clone(),
        login: super::login::settings(values, listen, problems),
        secrets: super::secrets::settings(values, problems),
        addresses: if is_private_allowed { AddressRule::PrivateToo } else { AddressRule::PublicOnly },
        registry_addresses: engine.scan.registry.addresses.clone(),
        cluster_check_every: values.duration("control-plane.cluster-check"),
        services: ServiceSettings {
            namespace: namespace(values, problems),
            image: values.text("control-plane.webhook-image").unwrap_or_default(),
            attempts: i64::try_from(values.number("control-plane.service-attempts")).unwrap_or(1),
            attempt_time: values.duration("control-plane.service-attempt-time"),
            ..ServiceSettings::default()
        },
        running: RunningSettings {
            every: values.duration("control-plane.running-pods"),
            check_every: values.duration("control-plane.running-pods-check"),
            ..RunningSettings::default()
        },
        clock: now,
    }
}

fn namespace(values: &Values, problems: &mut Vec<String>) -> String {
    let name = values.text("control-plane.namespace").unwrap_or_default();
    let is_inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if name.is_empty()
        || name.len() > 63
        || name.starts_with('-')
        || name.ends_with('-')
        || !name.chars().all(is_inner)
    {
        problems.push(format!(
            "{}: `{name}` is no name of a namespace, as pipeline-system",
            values.place("control-plane.namespace")
        ));
    }
    name
}
