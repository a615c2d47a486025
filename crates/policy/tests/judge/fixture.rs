//! An image and a bundle from few words.

use jiff::Timestamp;
use model::{
    CvssScore, DatabaseIdentity, Decision, Digest, Distro, DistroCoverage, DockerfileMode, Ecosystem,
    Evidence, FeedKind, FileEntry, FileKind, Finding, FindingState, FindingTimes, ImageContents, ImageFacts,
    ImageReference, Inventory, MatchReport, MatchedBy, Package, PackageFeeds, PackageKind, Platform,
    PolicyException, Severity, SignatureCheck,
};
use policy::{Bundle, BundleError, EvaluationInput, judge};
use serde_json::{Value, json};

pub(crate) const NOW: &str = "2026-06-15T12:00:00Z";

/// Gate, trigger, parameters.
pub(crate) type RuleParts = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// All that is judged, with a clean image of Debian 12 as the start.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) reference: ImageReference,
    pub(crate) image: ImageFacts,
    pub(crate) inventory: Inventory,
    pub(crate) report: MatchReport,
    pub(crate) finding_times: Vec<FindingTimes>,
    pub(crate) signatures: Option<SignatureCheck>,
    pub(crate) exceptions: Vec<PolicyException>,
    pub(crate) now: Timestamp,
    pub(crate) contents: Option<ImageContents>,
    pub(crate) package_feeds: PackageFeeds,
}

pub(crate) fn digest(letter: char) -> Digest {
    format!("sha256:{}", letter.to_string().repeat(64)).parse().unwrap()
}

pub(crate) fn timestamp(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Subject {
    pub(crate) fn new() -> Self {
        let image = ImageFacts {
            digest: digest('a'),
            parent_digest: digest('b'),
            image_id: digest('c'),
            platform: Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None },
            layers: Vec::new(),
            base: None,
            size_bytes: 1000,
            created: None,
            user: None,
            exposed_ports: Vec::new(),
            environment: Vec::new(),
            entrypoint: Vec::new(),
            command: Vec::new(),
            working_directory: None,
            labels: Vec::new(),
            has_health_check: false,
            history: Vec::new(),
            dockerfile_mode: DockerfileMode::Guessed,
            dockerfile: "FROM scratch\nADD file:1 in /\nCMD [\"bash\"]\n".to_owned(),
            manifest: String::new(),
        };
        let ecosystem = Ecosystem { family: "debian".to_owned(), release: Some("12".to_owned()) };
        let synced_at = timestamp("2026-06-15T00:00:00Z");
        Self {
            reference: "docker.io/library/nginx:1.25".parse().unwrap(),
            image,
            inventory: Inventory {
                distro: Some(Distro {
                    id: "debian".to_owned(),
                    version_id: Some("12".to_owned()),
                    ..Distro::default()
                }),
                ..Inventory::default()
            },
            report: MatchReport {
                database: Some(DatabaseIdentity { revision: "r1".to_owned(), built_at: synced_at }),
                coverage: DistroCoverage::Covered { ecosystem, synced_at },
                findings: Vec::new(),
                suppressed: Vec::new(),
                suppressed_left_out: 0,
                diagnostics: Vec::new(),
            },
            finding_times: Vec::new(),
            signatures: None,
            exceptions: Vec::new(),
            now: timestamp(NOW),
            contents: None,
            package_feeds: PackageFeeds::default(),
        }
    }

    pub(crate) fn named(reference: &str) -> Self {
        Self { reference: reference.parse().unwrap(), ..Self::new() }
    }

    pub(crate) fn with_dockerfile(mode: DockerfileMode, text: &str) -> Self {
        let mut subject = Self::new();
        subject.image.dockerfile_mode = mode;
        subject.image.dockerfile = text.to_owned();
        subject
    }

    pub(crate) fn with_findings(findings: Vec<Finding>) -> Self {
        let mut subject = Self::new();
        subject.report.findings = findings;
        subject
    }

    pub(crate) fn with_contents(contents: ImageContents) -> Self {
        Self { contents: Some(contents), ..Self::new() }
    }

    pub(crate) fn with_files(mut files: Vec<FileEntry>) -> Self {
        files.sort();
        Self::with_contents(ImageContents { files, ..ImageContents::default() })
    }

    pub(crate) fn with_packages(packages: Vec<Package>) -> Self {
        let mut subject = Self::new();
        subject.inventory.packages = packages;
        subject
    }

    pub(crate) fn input(&self) -> EvaluationInput<'_> {
        EvaluationInput {
            finding_times: &self.finding_times,
            signatures: self.signatures.as_ref(),
            exceptions: &self.exceptions,
            contents: self.contents.as_ref(),
            package_feeds: &self.package_feeds,
            ..EvaluationInput::new(&self.reference, &self.image, &self.inventory, &self.report, self.now)
        }
    }
}

/// An empty file, or something else of this kind.
pub(crate) fn file(kind: FileKind, path: &str, permissions: u32) -> FileEntry {
    FileEntry {
        path: path.to_owned(),
        kind,
        permissions,
        user_id: 0,
        group_id: 0,
        size_bytes: 0,
        sha256: (kind == FileKind::File).then_some([0xab; 32]),
        link_target: None,
    }
}

pub(crate) fn package(kind: PackageKind, name: &str, version: &str) -> Package {
    Package {
        purl: format!("pkg:{}/{name}@{version}", kind.purl_type()),
        ..Package::new(kind, name.to_owned(), Some(version.to_owned()))
    }
}

pub(crate) fn finding(id: &str, package: &str, severity: Severity, fixed_in: &[&str]) -> Finding {
    Finding {
        id: id.to_owned(),
        aliases: Vec::new(),
        severity,
        severity_source: None,
        cvss: Vec::new(),
        summary: None,
        url: Some(format!("https://example.org/{id}")),
        published: None,
        is_known_exploited: None,
        epss: None,
        state: if fixed_in.is_empty() { FindingState::NotFixed } else { FindingState::Fixed },
        fixed_in: fixed_in.iter().map(|version| (*version).to_owned()).collect(),
        package_kind: PackageKind::Deb,
        package: package.to_owned(),
        version: "1.0-1".to_owned(),
        purl: format!("pkg:deb/debian/{package}@1.0-1"),
        package_path: "/var/lib/dpkg/status".to_owned(),
        evidence: Evidence {
            feed: FeedKind::DebianTracker,
            record: id.to_owned(),
            ecosystem: Ecosystem { family: "debian".to_owned(), release: Some("12".to_owned()) },
            matched_by: MatchedBy::SourcePackage,
            matched_name: package.to_owned(),
            matched_version: "1.0-1".to_owned(),
            range: "all versions".to_owned(),
        },
    }
}

/// A finding of another package manager.
pub(crate) fn language_finding(kind: PackageKind, package: &str, path: &str) -> Finding {
    Finding {
        package_kind: kind,
        package_path: path.to_owned(),
        ..finding("GHSA-1", package, Severity::High, &[])
    }
}

pub(crate) fn cvss(source: &str, vector: &str, score: f64) -> CvssScore {
    CvssScore { source: source.to_owned(), vector: vector.to_owned(), score }
}

pub(crate) fn rule(action: &str, gate: &str, trigger: &str, params: &[(&str, &str)]) -> Value {
    let params: Vec<Value> =
        params.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({"id": "r", "gate": gate, "trigger": trigger, "action": action, "params": params})
}

pub(crate) fn always(action: &str) -> Value {
    rule(action, "always", "always", &[])
}

pub(crate) fn mapping(
    name: &str,
    registry: &str,
    repository: &str,
    kind: &str,
    value: &str,
    policy_id: &str,
) -> Value {
    json!({"name": name, "registry": registry, "repository": repository, "image": {"type": kind, "value": value},
        "policy_ids": [policy_id], "whitelist_ids": []})
}

/// A bundle with one policy `p` that holds for every image.
pub(crate) fn document(rules: Vec<Value>) -> Value {
    json!({"id": "b", "version": "1_0", "name": "Bundle",
        "policies": [{"id": "p", "version": "1_0", "name": "Policy", "rules": rules}],
        "whitelists": [],
        "mappings": [mapping("all", "*", "*", "tag", "*", "p")],
        "whitelisted_images": [], "blacklisted_images": []})
}

pub(crate) fn judge_document(document: &Value, subject: &Subject) -> Decision {
    judge(&Bundle::parse(document).unwrap(), &subject.input())
}

/// Judges with one rule and compares the rows: trigger id and message.
pub(crate) fn check_rule(
    (gate, trigger): (&str, &str),
    params: &[(&str, &str)],
    subject: &Subject,
    expected: &[(&str, &str)],
) {
    let decision = judge_document(&document(vec![rule("STOP", gate, trigger, params)]), subject);
    let rows: Vec<(&str, &str)> =
        decision.rows.iter().map(|row| (row.trigger_id.as_str(), row.message.as_str())).collect();
    assert_eq!(rows, expected, "{gate}/{trigger} {params:?}");
    assert_eq!(decision.is_pass(), expected.is_empty());
    assert!(decision.rows.iter().all(|row| row.gate == gate && row.trigger == trigger));
}

/// Like [`check_rule`], for triggers whose identifiers are the MD5 of gate, trigger and message.
pub(crate) fn check_messages(
    (gate, trigger): (&str, &str),
    params: &[(&str, &str)],
    subject: &Subject,
    messages: &[&str],
) {
    let ids: Vec<String> =
        messages.iter().map(|message| policy::trigger_id(gate, trigger, message)).collect();
    let expected: Vec<(&str, &str)> = ids.iter().map(String::as_str).zip(messages.iter().copied()).collect();
    check_rule((gate, trigger), params, subject, &expected);
}

/// A stored bundle with one rule must refuse the image with this problem, and nothing else.
pub(crate) fn check_refused(
    (gate, trigger): (&str, &str),
    params: &[(&str, &str)],
    subject: &Subject,
    (problem_type, details): (&str, &str),
) {
    let decision = judge_document(&document(vec![rule("WARN", gate, trigger, params)]), subject);
    assert!(!decision.is_pass() && decision.rows.is_empty(), "{gate}/{trigger} {params:?}");
    let [problem] = decision.problems.as_slice() else {
        panic!("{:?}", decision.problems);
    };
    assert_eq!(problem.problem_type, problem_type);
    assert!(problem.details.contains(details), "{problem:?}");
}

/// The upload must be refused with one problem about the value of a parameter.
pub(crate) fn check_bad_value((gate, trigger): (&str, &str), params: &[(&str, &str)], details: &str) {
    match Bundle::parse(&document(vec![rule("STOP", gate, trigger, params)])) {
        Err(BundleError::Invalid(problems)) => {
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].problem_type, "ParameterValueInvalidError");
            assert!(problems[0].details.contains(details), "{problems:?}");
        }
        other => panic!("{gate}/{trigger} {params:?}: {other:?}"),
    }
}

/// Trigger ids of the rows.
pub(crate) fn ids(decision: &Decision) -> Vec<&str> {
    decision.rows.iter().map(|row| row.trigger_id.as_str()).collect()
}
