//! The configuration of an image: what it runs, as whom, and how it was built.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::{Digest, HistoryEntry, Platform};
use serde::Deserialize;

use crate::error::{BadJson, ScanError};
use crate::manifest::{self, null_is_default};

/// What is used of a configuration; fields that are absent or `null` are empty.
#[derive(Debug, Clone)]
pub(crate) struct ImageConfig {
    pub(crate) platform: Platform,
    pub(crate) diff_ids: Vec<Digest>,
    pub(crate) created: Option<Timestamp>,
    pub(crate) user: Option<String>,
    pub(crate) exposed_ports: Vec<String>,
    pub(crate) environment: Vec<String>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) working_directory: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) health_check: Vec<String>,
    pub(crate) history: Vec<HistoryEntry>,
}

impl ImageConfig {
    /// Whether a health check is configured; `["NONE"]` switches an inherited one off.
    pub(crate) fn has_health_check(&self) -> bool {
        self.health_check.first().is_some_and(|word| !word.is_empty() && word != "NONE")
    }
}

#[derive(Deserialize)]
struct RawConfig {
    #[serde(default, deserialize_with = "null_is_default")]
    os: String,
    #[serde(default, deserialize_with = "null_is_default")]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    rootfs: Option<RawRootfs>,
    #[serde(default, deserialize_with = "null_is_default")]
    config: RawRun,
    #[serde(default, deserialize_with = "null_is_default")]
    history: Vec<RawHistory>,
}

#[derive(Deserialize)]
struct RawRootfs {
    #[serde(default, deserialize_with = "null_is_default")]
    diff_ids: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct RawRun {
    #[serde(deserialize_with = "null_is_default")]
    user: String,
    #[serde(deserialize_with = "null_is_default")]
    exposed_ports: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(deserialize_with = "null_is_default")]
    env: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    entrypoint: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    cmd: Vec<String>,
    #[serde(deserialize_with = "null_is_default")]
    working_dir: String,
    #[serde(deserialize_with = "null_is_default")]
    labels: BTreeMap<String, String>,
    healthcheck: Option<RawHealthcheck>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawHealthcheck {
    #[serde(default, deserialize_with = "null_is_default")]
    test: Vec<String>,
}

#[derive(Deserialize)]
struct RawHistory {
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    created_by: Option<String>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default, deserialize_with = "null_is_default")]
    empty_layer: bool,
}

/// Reads a configuration, Docker's or OCI's (they differ in nothing that is used here).
///
/// Errors: `Malformed` if it is not such a document, `NotAnImage` if it has no `rootfs`.
/// Source: <https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md>.
pub(crate) fn parse_config(bytes: &[u8]) -> Result<ImageConfig, ScanError> {
    const WHAT: &str = "image configuration";
    let raw: RawConfig = serde_json::from_slice(bytes).map_err(|error| ScanError::Malformed {
        what: WHAT.to_owned(),
        source: BadJson::new(&error, false),
    })?;
    let RawConfig { os, architecture, variant, created, rootfs, config, history } = raw;
    let Some(rootfs) = rootfs else {
        return Err(ScanError::NotAnImage { reason: "its configuration has no `rootfs`".to_owned() });
    };
    let diff_ids = rootfs.diff_ids.iter().map(|text| text.parse()).collect::<Result<Vec<Digest>, _>>();
    let diff_ids = diff_ids
        .map_err(|error| ScanError::Inconsistent { what: WHAT.to_owned(), problem: error.to_string() })?;
    let RawRun { user, exposed_ports, env, entrypoint, cmd, working_dir, labels, healthcheck } = config;
    let filled = |text: String| (!text.is_empty()).then_some(text);
    Ok(ImageConfig {
        platform: manifest::normalize(Platform { os, architecture, variant: variant.and_then(filled) }),
        diff_ids,
        created: parse_time(created.as_deref()),
        user: filled(user),
        exposed_ports: exposed_ports.into_keys().collect(),
        environment: env,
        entrypoint,
        command: cmd,
        working_directory: filled(working_dir),
        labels: labels.into_iter().collect(),
        health_check: healthcheck.map(|check| check.test).unwrap_or_default(),
        history: history.into_iter().map(to_history).collect(),
    })
}

fn to_history(raw: RawHistory) -> HistoryEntry {
    let RawHistory { created, created_by, comment, empty_layer } = raw;
    let filled = |text: &String| !text.is_empty();
    HistoryEntry {
        created: parse_time(created.as_deref()),
        created_by: created_by.filter(filled),
        comment: comment.filter(filled),
        is_empty_layer: empty_layer,
    }
}

/// A time that cannot be read is unknown; so is the zero of Go, year 1.
fn parse_time(text: Option<&str>) -> Option<Timestamp> {
    let time: Timestamp = text?.parse().ok()?;
    let zero: Timestamp = "0001-01-01T00:00:00Z".parse().ok()?;
    (time != zero).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_a_policy_asks_for_is_read() {
        let diff_id = format!("sha256:{}", "a".repeat(64));
        let text = format!(
            r#"{{"os":"linux","architecture":"aarch64","variant":"v8","created":"2024-05-01T10:00:00.123Z",
            "rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}},
            "config":{{"User":"app:app","ExposedPorts":{{"443/tcp":{{}},"80/tcp":{{}}}},"Env":["B=2","A=1"],
            "Entrypoint":["/run"],"Cmd":["-v"],"WorkingDir":"/srv","Labels":{{"z":"1","a":"2"}},
            "Healthcheck":{{"Test":["CMD","true"],"Interval":1000}}}},
            "history":[{{"created":"0001-01-01T00:00:00Z","created_by":"x","empty_layer":true}}]}}"#
        );
        let config = parse_config(text.as_bytes()).unwrap();
        assert_eq!(manifest::platform_name(&config.platform), "linux/arm64");
        assert_eq!(config.diff_ids[0].to_string(), diff_id);
        assert_eq!(config.created.unwrap().to_string(), "2024-05-01T10:00:00.123Z");
        assert_eq!(config.user.as_deref(), Some("app:app"));
        assert_eq!(config.exposed_ports, ["443/tcp", "80/tcp"]);
        assert_eq!(config.environment, ["B=2", "A=1"]);
        assert_eq!((config.entrypoint.len(), config.command.len()), (1, 1));
        assert_eq!(config.labels[0].0, "a");
        assert!(config.has_health_check());
        assert_eq!(config.history[0].created, None);
        assert!(config.history[0].is_empty_layer);
    }

    #[test]
    fn nulls_are_empty_and_other_documents_are_no_images() {
        let text = r#"{"os":"linux","architecture":"amd64","rootfs":{"diff_ids":null},"history":null,"created":null,
            "config":{"Env":null,"Cmd":null,"Labels":null,"ExposedPorts":null,"User":null,"Healthcheck":null}}"#;
        let config = parse_config(text.as_bytes()).unwrap();
        assert!(config.diff_ids.is_empty() && config.labels.is_empty() && !config.has_health_check());
        assert!(parse_config(br#"{"rootfs":{},"config":null}"#).unwrap().user.is_none());
        assert!(matches!(parse_config(b"{}"), Err(ScanError::NotAnImage { .. })));
        assert!(matches!(
            parse_config(br#"{"rootfs":{"diff_ids":["x"]}}"#),
            Err(ScanError::Inconsistent { .. })
        ));
        for text in [&b""[..], b"[1]", b"{\"os\":1}", b"\xff"] {
            assert!(matches!(parse_config(text), Err(ScanError::Malformed { .. })));
        }
        let off = parse_config(br#"{"rootfs":{},"config":{"Healthcheck":{"Test":["NONE"]}}}"#).unwrap();
        assert!(!off.has_health_check());
    }
}
