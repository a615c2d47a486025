//! An image with one package and one finding, for the tests of reports.

use model::{
    Action, CvssScore, DatabaseIdentity, Decision, DecisionReason, DecisionRow, Diagnostic, DiagnosticCode,
    Digest, Distro, DistroCoverage, DockerfileMode, Ecosystem, Evidence, FeedKind, Finding, FindingState,
    ImageFacts, Inventory, LayerFacts, Location, MatchReport, MatchedBy, NamedBase, NoDataReason, Package,
    PackageKind, Platform, Severity, SourcePackage, SuppressedFinding, SuppressionReason, VendorStatement,
};
use report_formats::{Sbom, Scan};

/// Everything that a reader of some kind would obey.
pub(crate) const HOSTILE: &str = "=cmd|'/C calc'!A0</script><script>alert(1)</script>`\"]]>-->@all\u{1b}[2J\r\n\u{9b}1A\u{202e}|{{ 7 * 7 }}";

/// Letters that take two columns each, one that is put together from several, and one beyond sixteen bits.
pub(crate) const WIDE: &str = "日本語の名前・パッケージ-한국어-e\u{301}👩\u{200d}🔬🦀";

/// What a report is made of.
pub(crate) struct Example {
    pub(crate) name: String,
    /// `None`: a list that does not know the image.
    pub(crate) image: Option<ImageFacts>,
    pub(crate) inventory: Inventory,
    pub(crate) report: MatchReport,
    pub(crate) decision: Option<Decision>,
    pub(crate) has_findings: bool,
    pub(crate) bases: Vec<NamedBase>,
}

impl Example {
    /// One package with one finding and one suppressed.
    pub(crate) fn plain() -> Self {
        let mut report = report(vec![finding(FindingState::Fixed)]);
        let reason = SuppressionReason::OwnerSpeaks {
            owner: "python3-jinja2".into(),
            ecosystem: Ecosystem { family: "debian".into(), release: Some("12".into()) },
            record: "CVE-2024-0009".into(),
            statement: VendorStatement::Fixed,
        };
        let suppressed = Finding { id: "CVE-2024-0009".into(), ..finding(FindingState::Fixed) };
        report.suppressed.push(SuppressedFinding { finding: suppressed, reason });
        Self {
            name: "app:1".into(),
            image: Some(image()),
            inventory: inventory(),
            report,
            decision: Some(refusal()),
            has_findings: true,
            bases: Vec::new(),
        }
    }

    /// The same with hostile names wherever the image or a feed chooses them.
    pub(crate) fn hostile() -> Self {
        let mut example = Self::plain();
        let hostile = || HOSTILE.to_owned();
        example.name = hostile();
        let package = &mut example.inventory.packages[0];
        (package.name, package.version, package.maintainer) = (hostile(), Some(hostile()), Some(hostile()));
        package.licenses = vec![hostile()];
        package.locations[0].path = hostile();
        let diagnostic = &mut example.inventory.diagnostics[0];
        (diagnostic.subject, diagnostic.message) = (hostile(), hostile());
        let distro = example.inventory.distro.as_mut().unwrap();
        (distro.pretty_name, distro.version_id) = (Some(hostile()), Some(hostile()));
        let suppressed = &mut example.report.suppressed[0];
        for finding in example.report.findings.iter_mut().chain([&mut suppressed.finding]) {
            (finding.package, finding.version, finding.package_path) = (hostile(), hostile(), hostile());
            (finding.summary, finding.fixed_in) = (Some(hostile()), vec![hostile()]);
            finding.url = Some(format!("javascript:alert(1)//{HOSTILE}"));
        }
        example.decision.as_mut().unwrap().rows[0].message = hostile();
        example
    }

    /// Nothing in it.
    pub(crate) fn empty() -> Self {
        let mut example = Self::plain();
        example.inventory = Inventory::default();
        example.report = MatchReport::without_database();
        example.decision = None;
        example
    }

    /// A list of packages of all kinds, of no image and no distro, with what somebody else has made and names in wide letters.
    pub(crate) fn list() -> Self {
        let mut example = Self::plain();
        let first = example.report.findings.remove(0);
        example.image = None;
        example.inventory = Inventory::default();
        for (number, kind) in PackageKind::ALL.into_iter().enumerate() {
            let version = (number % 5 != 0).then(|| format!("1.{number}"));
            let package = Package {
                purl: if number % 4 == 0 { String::new() } else { format!("pkg:{}/a@1", kind.purl_type()) },
                is_third_party: [None, Some(true), Some(false)][number % 3],
                licenses: vec!["MIT OR Apache-2.0".into(), "日本語".into()],
                cpes: vec!["cpe:2.3:a:a:a:1:*:*:*:*:*:*:*".into()],
                ..Package::new(kind, WIDE.into(), version)
            };
            example.report.findings.push(Finding {
                package_kind: kind,
                package: WIDE.into(),
                purl: package.purl.clone(),
                package_path: String::new(),
                url: Some(String::new()),
                summary: Some(String::new()),
                aliases: vec!["GHSA-35jh-r3h4-6jhm".into(), "no-dash".into(), String::new()],
                ..first.clone()
            });
            example.inventory.packages.push(package);
        }
        example.report.coverage =
            DistroCoverage::NoData(NoDataReason::NotInDatabase { namespace: WIDE.into() });
        let unmatched = |message: &str| Diagnostic {
            code: DiagnosticCode::UnmatchedEcosystem,
            subject: WIDE.into(),
            offset: None,
            message: message.into(),
        };
        example.report.diagnostics =
            vec![unmatched("2 packages of kind snap are not matched"), unmatched("")];
        example
    }

    /// Looked up, and nothing found.
    pub(crate) fn clean() -> Self {
        let mut example = Self::plain();
        example.report.findings.clear();
        example.report.suppressed.clear();
        example.decision = None;
        example
    }

    pub(crate) fn sbom(&self) -> Sbom<'_> {
        Sbom {
            image_name: &self.name,
            image: self.image.as_ref(),
            inventory: &self.inventory,
            bases: &self.bases,
        }
    }

    pub(crate) fn scan(&self) -> Scan<'_> {
        Scan { sbom: self.sbom(), report: &self.report, decision: self.decision.as_ref(), hidden_count: 0 }
    }
}

fn digest(byte: u8) -> Digest {
    Digest::from_sha256(&[byte; 32])
}

pub(crate) fn image() -> ImageFacts {
    ImageFacts {
        digest: digest(1),
        parent_digest: digest(1),
        image_id: digest(2),
        platform: Platform { os: "linux".into(), architecture: "arm64".into(), variant: Some("v8".into()) },
        layers: vec![LayerFacts {
            digest: Some(digest(3)),
            diff_id: digest(4),
            size_bytes: 10,
            unpacked_bytes: 20,
        }],
        base: None,
        size_bytes: 12,
        created: None,
        user: None,
        exposed_ports: vec![],
        environment: vec![],
        entrypoint: vec![],
        command: vec![],
        working_directory: None,
        labels: vec![],
        has_health_check: false,
        history: vec![],
        dockerfile_mode: DockerfileMode::Unknown,
        dockerfile: String::new(),
        manifest: String::new(),
    }
}

pub(crate) fn inventory() -> Inventory {
    Inventory {
        distro: Some(Distro {
            id: "debian".into(),
            version_id: Some("12".into()),
            version_codename: Some("bookworm".into()),
            id_like: vec![],
            pretty_name: Some("Debian GNU/Linux 12 (bookworm)".into()),
            channel: None,
        }),
        packages: vec![Package {
            kind: PackageKind::Deb,
            name: "libssl3".into(),
            version: Some("3.0.11-1".into()),
            architecture: Some("arm64".into()),
            source: Some(SourcePackage { name: "openssl".into(), version: "3.0.11-1".into() }),
            purl: "pkg:deb/debian/libssl3@3.0.11-1?arch=arm64".into(),
            licenses: vec![],
            maintainer: None,
            installed_size_bytes: Some(5),
            locations: vec![Location { path: "/var/lib/dpkg/status".into(), layer: Some(digest(4)) }],
            files: vec![],
            java: None,
            is_third_party: None,
            owner: None,
            modularity: None,
            cpes: Vec::new(),
        }],
        diagnostics: vec![Diagnostic {
            code: DiagnosticCode::BrokenRecord,
            subject: "/var/lib/dpkg/status".into(),
            offset: Some(7),
            message: "paragraph without a name".into(),
        }],
        layers: vec![digest(4)],
    }
}

pub(crate) fn finding(state: FindingState) -> Finding {
    Finding {
        id: "CVE-2024-0001".into(),
        aliases: vec!["DSA-1-1".into()],
        severity: Severity::High,
        severity_source: Some("debian".into()),
        cvss: vec![CvssScore { source: "nvd".into(), vector: "CVSS:3.1/…".into(), score: 7.5 }],
        summary: Some("A flaw.".into()),
        url: None,
        published: None,
        is_known_exploited: None,
        epss: None,
        state,
        fixed_in: if state == FindingState::Fixed { vec!["3.0.11-2".into()] } else { vec![] },
        package_kind: PackageKind::Deb,
        package: "libssl3".into(),
        version: "3.0.11-1".into(),
        purl: "pkg:deb/debian/libssl3@3.0.11-1".into(),
        package_path: "/var/lib/dpkg/status".into(),
        evidence: Evidence {
            feed: FeedKind::DebianTracker,
            record: "CVE-2024-0001".into(),
            ecosystem: Ecosystem { family: "debian".into(), release: Some("12".into()) },
            matched_by: MatchedBy::SourcePackage,
            matched_name: "openssl".into(),
            matched_version: "3.0.11-1".into(),
            range: "< 3.0.11-2".into(),
        },
    }
}

pub(crate) fn report(findings: Vec<Finding>) -> MatchReport {
    MatchReport {
        database: Some(DatabaseIdentity { revision: "ab".repeat(32), built_at: jiff::Timestamp::UNIX_EPOCH }),
        coverage: DistroCoverage::Covered {
            ecosystem: Ecosystem { family: "debian".into(), release: Some("12".into()) },
            synced_at: jiff::Timestamp::UNIX_EPOCH,
        },
        findings,
        suppressed: Vec::new(),
        suppressed_left_out: 0,
        diagnostics: vec![],
    }
}

pub(crate) fn refusal() -> Decision {
    Decision {
        policy_id: "reject_high".into(),
        final_action: Action::Stop,
        reason: DecisionReason::PolicyEvaluation,
        policy_action: Action::Stop,
        rows: vec![DecisionRow {
            trigger_id: "CVE-2024-0001+libssl3".into(),
            gate: "vulnerabilities".into(),
            trigger: "package".into(),
            message: "HIGH Vulnerability found".into(),
            action: Action::Stop,
            whitelisted: None,
            policy_id: "p".into(),
            finding: Some(0),
        }],
        matched_mapping: Some(0),
        matched_whitelisted_image: None,
        matched_blacklisted_image: None,
        exceptions: vec![],
        problems: vec![],
    }
}
