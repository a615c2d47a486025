//! The bundles that are shipped inside.

use model::{Action, DistroCoverage, DockerfileMode, NoDataReason, Severity};
use policy::{Bundle, PredefinedBundle, default_bundle, judge, predefined_bundles};

use crate::fixture::{Subject, finding};

fn parse(bundle: &PredefinedBundle) -> Bundle {
    Bundle::parse(&serde_json::from_str(bundle.json).unwrap()).unwrap()
}

#[test]
fn shipped_bundles_are_valid_and_named() {
    let all: Vec<&PredefinedBundle> = predefined_bundles().iter().chain([default_bundle()]).collect();
    let ids: Vec<&str> = all.iter().map(|bundle| bundle.id).collect();
    assert_eq!(
        ids,
        [
            "allow_all_and_warn",
            "reject_critical",
            "reject_high",
            "block_root",
            "deny_all",
            "2c53a13c-1765-11e8-82ef-23527761d060",
        ]
    );
    for bundle in all {
        let parsed = parse(bundle);
        assert_eq!((parsed.id(), parsed.name()), (bundle.id, Some(bundle.name)));
        assert!(parsed.comment().is_some());
        assert_eq!(parsed.mapping(0).unwrap()["registry"], "*");
        assert_eq!(parsed.mapping(1), None);
        assert_eq!(parsed.document()["id"], bundle.id);
    }
}

#[test]
fn shipped_bundles_decide_as_their_names_say() {
    let clean = Subject::with_dockerfile(DockerfileMode::Guessed, "FROM a\nHEALTHCHECK CMD true\nUSER app");
    let with = |severity| {
        let mut subject = clean.clone();
        subject.report.findings = vec![finding("CVE-1", "p", severity, &[])];
        subject
    };
    let (medium, high, critical) = (with(Severity::Medium), with(Severity::High), with(Severity::Critical));
    let root = Subject::with_dockerfile(DockerfileMode::Guessed, "FROM a\nHEALTHCHECK CMD true");
    let ssh = Subject::with_dockerfile(
        DockerfileMode::Guessed,
        "FROM a\nHEALTHCHECK CMD true\nUSER app\nEXPOSE 22",
    );
    let mut no_data = clean.clone();
    no_data.report.coverage = DistroCoverage::NoData(NoDataReason::NoDatabase);
    let subjects = [&clean, &medium, &high, &critical, &root, &ssh, &no_data];
    use Action::{Go, Stop, Warn};
    let rows = [
        ("allow_all_and_warn", [Go, Go, Warn, Warn, Go, Warn, Warn]),
        ("reject_critical", [Go, Go, Go, Stop, Go, Stop, Stop]),
        ("reject_high", [Go, Go, Stop, Stop, Go, Warn, Stop]),
        ("block_root", [Go, Go, Warn, Warn, Stop, Stop, Go]),
        ("deny_all", [Stop; 7]),
        ("2c53a13c-1765-11e8-82ef-23527761d060", [Go, Warn, Stop, Stop, Go, Stop, Warn]),
    ];
    for (id, expected) in rows {
        let bundle =
            predefined_bundles().iter().chain([default_bundle()]).find(|bundle| bundle.id == id).unwrap();
        let bundle = parse(bundle);
        let found = subjects.map(|subject| judge(&bundle, &subject.input()).final_action);
        assert_eq!(found, expected, "{id}");
    }
}

#[test]
fn bundles_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Bundle>();
}
