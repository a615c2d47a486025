//! Who is told what, and how.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use scanner::Secret;

/// What a notification tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotificationKind {
    /// A tag moved to another image.
    TagUpdate,
    /// Other vulnerabilities are known in an image.
    VulnerabilityUpdate,
    /// The verdict about an image changed.
    PolicyEvaluation,
    /// The analysis of an image went on.
    AnalysisUpdate,
    /// An event was recorded.
    EventLog,
    /// Pods that run in a cluster are judged differently than before.
    RunningPods,
    /// What the active policy says about an image that was just analyzed, also for the first time.
    ImageScan,
}

impl NotificationKind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::TagUpdate,
        Self::VulnerabilityUpdate,
        Self::PolicyEvaluation,
        Self::AnalysisUpdate,
        Self::EventLog,
        Self::RunningPods,
        Self::ImageScan,
    ];

    /// The word on the wire, in the table and in addresses.
    pub fn name(self) -> &'static str {
        match self {
            Self::TagUpdate => "tag_update",
            Self::VulnerabilityUpdate => "vuln_update",
            Self::PolicyEvaluation => "policy_eval",
            Self::AnalysisUpdate => "analysis_update",
            Self::EventLog => "event_log",
            Self::RunningPods => "running_pods",
            Self::ImageScan => "image_scan",
        }
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Which webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WebhookTarget {
    /// The one that is told everything.
    General,
    /// The one for this kind only.
    Kind(NotificationKind),
}

impl WebhookTarget {
    /// The word in the table and in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::General => "general",
            Self::Kind(kind) => kind.name(),
        }
    }

    /// The webhook of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "general" => Some(Self::General),
            name => NotificationKind::from_name(name).map(Self::Kind),
        }
    }
}

/// Which events are sent to webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventLevel {
    /// Those about what happened.
    Info,
    /// Those about what should not have happened.
    Error,
}

/// One webhook.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its address; `<userId>` and `<notification_type>` in it are replaced. It may hold a secret, so it is not shown.
    pub url: Secret,
    /// User and password for this webhook; `None`: those for all webhooks.
    pub login: Option<(String, Secret)>,
    /// Whether its certificate is checked; `None`: as for all webhooks.
    pub is_verified: Option<bool>,
}

impl Webhook {
    /// A webhook without settings of its own.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: Secret::new(url), login: None, is_verified: None }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Webhook")
            .field("has_login", &self.login.is_some())
            .field("is_verified", &self.is_verified)
            .finish_non_exhaustive()
    }
}

/// Who is told, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookSettings {
    /// The webhooks; none: nobody is told.
    pub targets: BTreeMap<WebhookTarget, Webhook>,
    /// User and password for webhooks that have none of their own.
    pub login: Option<(String, Secret)>,
    /// Whether certificates are checked.
    pub is_verified: bool,
    /// PEM files with certificate authorities that are trusted besides those of the system.
    pub ca_certificates: Vec<PathBuf>,
    /// How long a delivery is tried again; the first try is made however late it is.
    pub retry_window: Duration,
    /// Longest time for one delivery.
    pub call_time_max: Duration,
    /// Whether webhooks may be at private addresses: loopback and those of private networks. Those of the link and of metadata
    /// services are refused in any case.
    pub private_addresses: bool,
    /// Events of these levels are sent too.
    pub event_levels: BTreeSet<EventLevel>,
}

impl Default for WebhookSettings {
    /// No webhook, checked certificates, 30 s, 10 s, private addresses allowed, no events.
    ///
    /// The window of 30 s is that of Anchore Engine: a receiver that was away for long is not flooded with what is no longer
    /// true, and the events stay to be asked for. Who wants more says so. Private addresses are allowed because the operator
    /// writes the addresses, no tenant does, and most receivers are in the same cluster.
    fn default() -> Self {
        Self {
            targets: BTreeMap::new(),
            login: None,
            is_verified: true,
            ca_certificates: Vec::new(),
            retry_window: Duration::from_secs(30),
            call_time_max: Duration::from_secs(10),
            private_addresses: true,
            event_levels: BTreeSet::new(),
        }
    }
}

impl WebhookSettings {
    /// Those who are told about this kind: the webhook of the kind, and the general one.
    ///
    /// Results of scans go to their own only: who is told everything knows of each analysis already, and clients of Anchore do not
    /// know this kind.
    pub(crate) fn targets_of(&self, kind: NotificationKind) -> Vec<WebhookTarget> {
        [WebhookTarget::Kind(kind), WebhookTarget::General]
            .into_iter()
            .filter(|target| self.targets.contains_key(target))
            .filter(|target| kind != NotificationKind::ImageScan || *target != WebhookTarget::General)
            .collect()
    }
}
