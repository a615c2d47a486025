//! Images, and bundles about them, that want to do harm: the answer is bounded, and never a pass without a look.

use model::{
    Action, FileEntry, FileKind, ImageContents, OwnedFile, Package, PackageFeed, PackageFeeds, PackageKind,
    PatternMatch, PublishedPackage, RetrievedFile,
};
use policy::Bundle;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{
    RuleParts, Subject, always, check_refused, document, file, judge_document, package, rule,
};

/// Goes back exponentially on a row of `a` that does not end there.
const HOSTILE: &str = r"(?=(a+))(?:a|aa|\1)+$";
const LIMIT: (&str, &str) = ("EvaluationLimitError", "");

fn victim() -> String {
    format!("{}b", "a".repeat(60))
}

fn files(count: usize) -> Vec<FileEntry> {
    (0..count).map(|number| file(FileKind::File, &format!("/usr/lib/file-{number:07}"), 0o644)).collect()
}

#[test]
fn every_expression_is_bounded() {
    let path = file(FileKind::File, &victim(), 0o644);
    let found = |name: &str| PatternMatch { path: victim(), name: name.to_owned(), pattern: "p".to_owned() };
    let mut subject = Subject::with_contents(ImageContents {
        files: vec![path],
        secret_matches: vec![found("n")],
        retrieved: vec![RetrievedFile { path: "/f".to_owned(), content: victim().into_bytes() }],
        ..ImageContents::default()
    });
    subject.image.platform.architecture = victim();
    let rows: [RuleParts; 4] = [
        ("files", "name_match", &[("regex", HOSTILE)]),
        ("secret_scans", "content_regex_checks", &[("filename_regex", HOSTILE)]),
        ("retrieved_files", "content_regex", &[("path", "/f"), ("regex", HOSTILE), ("check", "match")]),
        ("metadata", "attribute", &[("attribute", "architecture"), ("check", "like"), ("value", HOSTILE)]),
    ];
    for (gate, trigger, params) in rows {
        check_refused((gate, trigger), params, &subject, LIMIT);
    }
}

#[test]
fn many_files_are_matched_and_too_many_rows_refuse_the_image() {
    let subject = Subject::with_files(files(60_000));
    let check = |regex: &str, rows: usize| {
        let decision = judge_document(
            &document(vec![rule("WARN", "files", "name_match", &[("regex", regex)])]),
            &subject,
        );
        assert_eq!((decision.rows.len(), decision.problems), (rows, Vec::new()), "{regex}");
    };
    check(r".*\.pem", 0);
    check(".*file-00000", 100);
    // Expressions with look-around, too.
    check(r"/(?!usr/)", 0);
    check(r"/usr/lib/(?=file)file-00000\d1(?<!99)", 10);
    for regex in [".*", "(?=/)"] {
        let rules = vec![rule("WARN", "files", "name_match", &[("regex", regex)]); 4];
        let decision = judge_document(&document(rules), &subject);
        assert_eq!((decision.is_pass(), decision.rows.len()), (false, 0), "{regex}");
        assert_eq!(decision.problems[0].problem_type, LIMIT.0);
    }
}

#[test]
fn many_rules_about_many_packages_refuse_the_image() {
    let packages = (0..1_000).map(|number| Package {
        licenses: vec!["MIT AND BSD-3-clause".repeat(5)],
        ..package(PackageKind::Deb, &format!("p{number}"), "1")
    });
    let subject = Subject::with_packages(packages.collect());
    let licenses: Vec<String> = (0..200).map(|number| format!("license-{number}")).collect();
    let licenses = licenses.join(",");
    let partial = rule("WARN", "licenses", "blacklist_partial_match", &[("licenses", &licenses)]);
    let missing = rule("WARN", "packages", "required_package", &[("name", "none")]);
    for (rules, times, is_finished) in [
        (vec![missing.clone(); 100], 1, true),
        (vec![missing; 10_000], 1, true),
        (vec![partial.clone(); 1], 1, true),
        (vec![partial; 100], 1, false),
        (vec![rule("WARN", "packages", "blacklist", &[("name", "p1")]); 10_000], 6, false),
    ] {
        let count = rules.len();
        let mut bundle = document(rules);
        bundle["mappings"][0]["policy_ids"] = json!(vec!["p"; times]);
        let decision = judge_document(&bundle, &subject);
        assert_eq!(decision.problems.is_empty(), is_finished, "{count}: {:?}", decision.problems);
        assert_eq!(decision.is_pass(), is_finished, "{count}");
    }
}

#[test]
fn links_that_go_round_do_not_hold_anybody_up() {
    let link = |path: String, target: String| FileEntry {
        link_target: Some(target),
        ..file(FileKind::SymbolicLink, &path, 0o777)
    };
    let mut entries =
        vec![link("/a".to_owned(), "b".to_owned()), link("/b".to_owned(), "/a/../a".to_owned())];
    // Each one makes the path longer.
    entries.push(link("/long".to_owned(), "/long/".repeat(500)));
    entries.extend((0..100).map(|number| link(format!("/l{number}"), format!("l{}", number + 1))));
    let mut subject = Subject::with_files(entries);
    let owned = ["/a/x", "/b/x", "/long/x", "/l0/x"].iter().cycle().take(20_000);
    subject.inventory.packages = vec![Package {
        files: owned.map(|path| OwnedFile { path: (*path).to_owned(), ..OwnedFile::default() }).collect(),
        ..package(PackageKind::Deb, "p", "1")
    }];
    check_refused(("packages", "verify"), &[], &subject, LIMIT);
    subject.inventory.packages[0].files.truncate(100);
    let decision = judge_document(&document(vec![rule("STOP", "packages", "verify", &[])]), &subject);
    assert_eq!((decision.rows.len(), decision.problems.len()), (100, 0));
}

#[test]
fn long_lists_of_versions_are_bounded() {
    let versions: Vec<String> = (0..20_000).map(|number| format!("1.0.{number}")).collect();
    let names = (0..2_000).map(|number| format!("gem-{number}"));
    let published = PublishedPackage { latest: None, versions };
    let mut subject = Subject::with_packages(
        names.clone().map(|name| package(PackageKind::Gem, &name, "9")).collect::<Vec<_>>(),
    );
    let one = PackageFeed::from([("gem-0".to_owned(), published.clone())]);
    subject.package_feeds = PackageFeeds { gem: Some(one), npm: None };
    let gate = ("ruby_gems", "version_not_found_in_feed");
    let decision = judge_document(&document(vec![rule("STOP", gate.0, gate.1, &[])]), &subject);
    assert_eq!(decision.rows.len(), 1);
    let all: PackageFeed = names.take(300).map(|name| (name, published.clone())).collect();
    subject.package_feeds = PackageFeeds { gem: Some(all), npm: None };
    check_refused(gate, &[], &subject, LIMIT);
}

#[test]
fn what_is_refused_is_never_a_pass() {
    let rules = vec![always("GO"), rule("GO", "files", "suid_or_guid_set", &[])];
    let decision = judge_document(&document(rules), &Subject::new());
    assert_eq!((decision.final_action, decision.policy_action), (Action::Stop, Action::Stop));
}

fn any_path() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["/a", "/a/b", "/lib", "/lib/c", "", "relative"]).prop_map(str::to_owned),
        any::<String>(),
    ]
}

fn any_file() -> impl Strategy<Value = FileEntry> {
    let kind = prop::sample::select(FileKind::ALL.to_vec());
    (any_path(), kind, any::<u32>(), prop::option::of(any_path())).prop_map(
        |(path, kind, permissions, link_target)| FileEntry { link_target, ..file(kind, &path, permissions) },
    )
}

fn any_contents() -> impl Strategy<Value = ImageContents> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    let files = prop::collection::vec(any_file(), 0..20);
    (files, prop::option::of(bytes()), bytes(), any_path(), any::<String>()).prop_map(
        |(mut files, password_file, content, path, name)| {
            files.sort();
            let found = PatternMatch { path: path.clone(), name, pattern: "x".to_owned() };
            ImageContents {
                files,
                password_file,
                retrieved: vec![RetrievedFile { path, content }],
                secret_matches: vec![found.clone()],
                content_matches: vec![found],
                ..ImageContents::default()
            }
        },
    )
}

/// One rule for each trigger of the gates that look into the image, with all its parameters.
fn rules(text: &str) -> Vec<Value> {
    let all = policy::specification();
    let gates = all.as_array().unwrap().iter().filter(|gate| gate["state"] == "active");
    let mut rules = Vec::new();
    for gate in gates {
        for trigger in gate["triggers"].as_array().unwrap() {
            let params: Vec<(&str, &str)> = trigger["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parameter| {
                    let is_text = parameter["validator"]["type"] == "type";
                    let example = parameter["example"].as_str().unwrap();
                    (parameter["name"].as_str().unwrap(), if is_text { text } else { example })
                })
                .collect();
            rules.push(rule(
                "WARN",
                gate["name"].as_str().unwrap(),
                trigger["name"].as_str().unwrap(),
                &params,
            ));
        }
    }
    rules
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_image_is_judged_the_same_twice(
        contents in any_contents(),
        owned in prop::collection::vec(any_path(), 0..5),
        version in any::<String>(),
        text in any_path(),
    ) {
        let mut subject = Subject::with_contents(contents);
        let owned = owned.into_iter().map(|path| OwnedFile { path, ..OwnedFile::default() });
        subject.inventory.packages =
            vec![Package { files: owned.collect(), ..package(PackageKind::Deb, "libssl", &version) }];
        for rule in rules(&text) {
            let bundle = Bundle::load(&document(vec![rule])).unwrap();
            let decision = policy::judge(&bundle, &subject.input());
            prop_assert_eq!(&decision, &policy::judge(&bundle, &subject.input()));
            let is_refused = !bundle.problems().is_empty();
            prop_assert!(!is_refused || !decision.is_pass());
        }
    }
}
