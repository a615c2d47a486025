//! The settings of webhooks: common ones, and four for each of them.

use std::collections::BTreeSet;
use std::path::PathBuf;

use engine::{EventLevel, NotificationKind, Webhook, WebhookSettings, WebhookTarget};
use scanner::Secret;

use super::layers::Values;
use super::setting::{Kind, Setting};
use super::table::row;

/// Rows of one webhook.
macro_rules! webhook {
    ($name:literal, $about:literal) => {
        [
            row(
                concat!("webhooks.", $name, "-url"),
                Kind::Secret,
                "",
                concat!("Address that is told about ", $about),
            ),
            row(concat!("webhooks.", $name, "-user"), Kind::Text, "", "User there").unset("webhooks.user"),
            row(concat!("webhooks.", $name, "-password"), Kind::Secret, "", "Password there")
                .unset("webhooks.password"),
            row(
                concat!("webhooks.", $name, "-verify"),
                Kind::OneOf(&["as-all", "true", "false"]),
                "as-all",
                "Whether its certificate is checked",
            ),
        ]
    };
}

const COMMON: &[Setting] = &[
    row("webhooks.user", Kind::Text, "", "User at webhooks that have none of their own"),
    row("webhooks.password", Kind::Secret, "", "Password at webhooks that have none of their own"),
    row("webhooks.verify", Kind::Switch, "true", "Whether certificates are checked"),
    row("webhooks.ca-certificates", Kind::Words, "", "Files with more certificate authorities, PEM"),
    row(
        "webhooks.retry-window",
        Kind::Duration(0, 30 * 86_400),
        "30s",
        "How long a delivery is tried again; the first try is made however late it is",
    ),
    row("webhooks.time-max", Kind::Duration(1, 300), "10s", "Longest time for one delivery"),
    row(
        "webhooks.private-addresses",
        Kind::Switch,
        "true",
        "Whether webhooks may be at loopback and private addresses; those of the link and of metadata services never are",
    ),
    row("webhooks.event-levels", Kind::Words, "", "Levels of events that are sent too: info, error"),
];

const GENERAL: [Setting; 4] = webhook!("general", "everything");
const TAG_UPDATE: [Setting; 4] = webhook!("tag-update", "tags that moved");
const VULN_UPDATE: [Setting; 4] = webhook!("vuln-update", "changed vulnerabilities");
const POLICY_EVAL: [Setting; 4] = webhook!("policy-eval", "changed verdicts");
const ANALYSIS_UPDATE: [Setting; 4] = webhook!("analysis-update", "analyses");
const EVENT_LOG: [Setting; 4] = webhook!("event-log", "events");
const RUNNING_PODS: [Setting; 4] =
    webhook!("running-pods", "Pods that run and are judged differently than before");
const IMAGE_SCAN: [Setting; 4] =
    webhook!("image-scan", "what the policy says about images that were just analyzed");

/// All of them.
pub(super) static ROWS: [&[Setting]; 9] = [
    COMMON,
    &GENERAL,
    &TAG_UPDATE,
    &VULN_UPDATE,
    &POLICY_EVAL,
    &ANALYSIS_UPDATE,
    &EVENT_LOG,
    &RUNNING_PODS,
    &IMAGE_SCAN,
];

/// Keys of one webhook: address, user, password, check.
const TARGETS: [(WebhookTarget, [&str; 4]); 8] = [
    (
        WebhookTarget::General,
        [
            "webhooks.general-url",
            "webhooks.general-user",
            "webhooks.general-password",
            "webhooks.general-verify",
        ],
    ),
    (
        WebhookTarget::Kind(NotificationKind::TagUpdate),
        [
            "webhooks.tag-update-url",
            "webhooks.tag-update-user",
            "webhooks.tag-update-password",
            "webhooks.tag-update-verify",
        ],
    ),
    (
        WebhookTarget::Kind(NotificationKind::VulnerabilityUpdate),
        [
            "webhooks.vuln-update-url",
            "webhooks.vuln-update-user",
            "webhooks.vuln-update-password",
            "webhooks.vuln-update-verify",
        ],
    ),
    (
        WebhookTarget::Kind(NotificationKind::PolicyEvaluation),
        [
            "webhooks.policy-eval-url",
            "webhooks.policy-eval-user",
            "webhooks.policy-eval-password",
            "webhooks.policy-eval-verify",
        ],
    ),
    (
        WebhookTarget::Kind(NotificationKind::AnalysisUpdate),
        [
            "webhooks.analysis-update-url",
            "webhooks.analysis-update-user",
            "webhooks.analysis-update-password",
            "webhooks.analysis-update-verify",
        ],
    ),
    (
        WebhookTarget::Kind(NotificationKind::EventLog),
        [
            "webhooks.event-log-url",
            "webhooks.event-log-user",
            "webhooks.event-log-password",
            "webhooks.event-log-verify",
        ],
    ),
    (
        WebhookTarget::Kind(NotificationKind::RunningPods),
        [
            "webhooks.running-pods-url",
            "webhooks.running-pods-user",
            "webhooks.running-pods-password",
            "webhooks.running-pods-verify",
        ],
    ),
    (
        WebhookTarget::Kind(NotificationKind::ImageScan),
        [
            "webhooks.image-scan-url",
            "webhooks.image-scan-user",
            "webhooks.image-scan-password",
            "webhooks.image-scan-verify",
        ],
    ),
];

/// The checked settings.
pub(super) fn settings(values: &Values, problems: &mut Vec<String>) -> WebhookSettings {
    let mut settings = WebhookSettings::default();
    for (target, [url, user, password, verify]) in TARGETS {
        let login = login(values, user, password, problems);
        let is_verified = match values.text(verify).as_deref() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        match values.text(url) {
            Some(address) if address.starts_with("http://") || address.starts_with("https://") => {
                settings.targets.insert(target, Webhook { url: Secret::new(address), login, is_verified });
            }
            Some(_) => {
                problems.push(format!("{}: an address begins with http:// or https://", values.place(url)));
            }
            None if login.is_some() => {
                problems.push(format!("{} is of no use without `{url}`", values.place(user)));
            }
            None => {}
        }
    }
    settings.login = login(values, "webhooks.user", "webhooks.password", problems);
    settings.is_verified = values.is_on("webhooks.verify");
    settings.ca_certificates =
        values.words("webhooks.ca-certificates").into_iter().map(PathBuf::from).collect();
    for path in &settings.ca_certificates {
        super::server::check_file(values, "webhooks.ca-certificates", Some(path.clone()), problems);
    }
    settings.retry_window = values.duration("webhooks.retry-window");
    settings.call_time_max = values.duration("webhooks.time-max");
    settings.private_addresses = values.is_on("webhooks.private-addresses");
    settings.event_levels = event_levels(values, problems);
    settings
}

fn login(
    values: &Values,
    user: &'static str,
    password: &'static str,
    problems: &mut Vec<String>,
) -> Option<(String, Secret)> {
    match (values.text(user), values.text(password)) {
        (Some(user), Some(password)) => return Some((user, Secret::new(password))),
        (None, None) => {}
        (Some(_), None) => problems.push(format!("{} needs `{password}`", values.place(user))),
        (None, Some(_)) => problems.push(format!("{} needs `{user}`", values.place(password))),
    }
    None
}

fn event_levels(values: &Values, problems: &mut Vec<String>) -> BTreeSet<EventLevel> {
    let mut levels = BTreeSet::new();
    for word in values.words("webhooks.event-levels") {
        match word.as_str() {
            "info" => levels.insert(EventLevel::Info),
            "error" => levels.insert(EventLevel::Error),
            other => {
                let place = values.place("webhooks.event-levels");
                problems.push(format!("{place}: `{other}` is no level: info, error"));
                false
            }
        };
    }
    levels
}
