//! Why a vulnerability is, or is not, a finding: every outcome in words and under its schema.

use model::{
    Answer, AnswerOutcome, Comparison, Ecosystem, ExplainedPackage, ExplainedRecord, Explanation, FeedKind,
    FindingState, MatchedBy, PackageKind, SuppressionReason,
};
use report_formats::{EXPLANATION_SCHEMA, explanation_json, explanation_text};
use serde_json::Value;

use super::example::HOSTILE;

fn ecosystem() -> Ecosystem {
    Ecosystem { family: "debian".into(), release: Some("12".into()) }
}

fn explanation(outcome: AnswerOutcome, is_empty: bool) -> Explanation {
    let record = ExplainedRecord {
        id: "DSA-1-1".into(),
        feed: FeedKind::DebianTracker,
        ecosystem: Some(ecosystem()),
        package: "openssl".into(),
        says: "< 3.0.11-2".into(),
    };
    let package = ExplainedPackage {
        kind: PackageKind::Deb,
        name: "libssl3".into(),
        version: Some("3.0.11-1".into()),
        purl: "pkg:deb/debian/libssl3@3.0.11-1".into(),
        path: "/var/lib/dpkg/status".into(),
    };
    let comparison = Comparison {
        matched_by: MatchedBy::SourcePackage,
        name: "openssl".into(),
        version: "3.0.11-1".into(),
        scheme: "dpkg",
    };
    let answer = match is_empty {
        true => Answer { record: None, package: None, comparison: None, outcome },
        false => {
            Answer { record: Some(record), package: Some(package), comparison: Some(comparison), outcome }
        }
    };
    Explanation {
        id: "CVE-2024-0001".into(),
        names: vec!["CVE-2024-0001".into(), "DSA-1-1".into()],
        summary: Some("A flaw.".into()),
        url: None,
        answers: vec![answer],
        answers_left_out: 2,
    }
}

fn outcomes() -> Vec<AnswerOutcome> {
    let reported = |state| AnswerOutcome::Reported {
        finding: "CVE-2024-0001".into(),
        state,
        range: "< 3.0.11-2".into(),
        fixed_in: vec!["3.0.11-2".into()],
    };
    let owner = SuppressionReason::OwnerIsCovered { owner: "python3".into(), ecosystem: ecosystem() };
    vec![
        reported(FindingState::Fixed),
        reported(FindingState::NotFixed),
        reported(FindingState::WillNotFix),
        reported(FindingState::Undecided),
        AnswerOutcome::Suppressed(owner),
        AnswerOutcome::Overruled { by: vec!["DSA-2-1".into()] },
        AnswerOutcome::Fixed { fixed_in: "3.0.11-2".into() },
        AnswerOutcome::OutsideRange,
        AnswerOutcome::NotAffected,
        AnswerOutcome::Undecidable { problem: "`x` is no version".into() },
        AnswerOutcome::Undetermined,
        AnswerOutcome::Withdrawn,
        AnswerOutcome::OtherModule { wanted: Some("nodejs:18".into()) },
        AnswerOutcome::OtherModule { wanted: None },
        AnswerOutcome::OtherEcosystem,
        AnswerOutcome::NotInstalled,
        AnswerOutcome::NoVersion,
        AnswerOutcome::ThirdParty,
        AnswerOutcome::NoRecordOfPackage,
        AnswerOutcome::NoDataForPackage,
        AnswerOutcome::NoSuchPackage,
        AnswerOutcome::NotInDatabase,
    ]
}

#[test]
fn every_outcome_is_told_in_words_and_in_valid_json() {
    let schema = serde_json::from_str::<Value>(EXPLANATION_SCHEMA).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for outcome in outcomes() {
        for is_empty in [true, false] {
            let name = outcome.name();
            let explanation = explanation(outcome.clone(), is_empty);
            let value = serde_json::from_str::<Value>(&explanation_json(&explanation, "app:1")).unwrap();
            let errors = validator.iter_errors(&value).map(|error| error.to_string()).collect::<Vec<_>>();
            assert!(errors.is_empty(), "{name}: {errors:#?}");
            let text = explanation_text(&explanation, "app:1");
            let sentence = value["answers"][0]["sentence"].as_str().unwrap();
            assert!(text.contains(sentence) && text.contains(name), "{text}");
            let verdict =
                if name == "reported" { "is reported for app:1" } else { "is not reported for app:1" };
            assert!(text.contains(verdict) && text.contains("also DSA-1-1"), "{text}");
            assert_eq!(text.contains("source package openssl 3.0.11-1"), !is_empty, "{text}");
        }
    }
}

#[test]
fn names_cannot_steer_the_terminal() {
    let mut explanation = explanation(AnswerOutcome::Overruled { by: vec![HOSTILE.into()] }, false);
    explanation.summary = Some(HOSTILE.into());
    explanation.answers[0].package.as_mut().unwrap().path = HOSTILE.into();
    let text = explanation_text(&explanation, HOSTILE);
    assert!(text.chars().all(|it| it == '\n' || !it.is_control()) && !text.contains('\u{202e}'), "{text:?}");
}
