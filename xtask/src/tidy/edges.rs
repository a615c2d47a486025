//! Which crate of the workspace may use which: the direction of the design, as a table.
//!
//! A new edge needs a line here, so that it is seen in review; ARCHITECTURE.md says why each edge is what it is.

use super::{Member, Problem};

/// A crate and what it may use.
struct Row {
    name: &'static str,
    may_use: &'static [&'static str],
}

const fn row(name: &'static str, may_use: &'static [&'static str]) -> Row {
    Row { name, may_use }
}

const TABLE: &[Row] = &[
    row("model", &[]),
    row("package-versions", &["model"]),
    row("regex-bounds", &[]),
    row("outbound-guard", &[]),
    row("private-files", &[]),
    row("source-fingerprint", &[]),
    row("image-layers", &["model"]),
    row("package-catalog", &["model", "image-layers", "source-fingerprint"]),
    row("advisory-feeds", &["model", "package-versions"]),
    row("vulnerability-db", &["model", "package-versions"]),
    row("policy", &["model", "package-versions", "regex-bounds"]),
    row("report-formats", &["model"]),
    row(
        "scanner",
        &[
            "model",
            "regex-bounds",
            "outbound-guard",
            "source-fingerprint",
            "image-layers",
            "package-catalog",
            "vulnerability-db",
        ],
    ),
    row("storage", &[]),
    row("telemetry", &[]),
    row(
        "engine",
        &[
            "model",
            "outbound-guard",
            "scanner",
            "advisory-feeds",
            "vulnerability-db",
            "policy",
            "report-formats",
            "storage",
            "telemetry",
        ],
    ),
    row("engine-client", &["model", "outbound-guard"]),
    row("pipeline-client", &["private-files"]),
    row(
        "control-plane",
        &[
            "model",
            "policy",
            "outbound-guard",
            "private-files",
            "engine-client",
            "storage",
            "admission",
            "telemetry",
        ],
    ),
    row("admission", &["model", "policy", "private-files", "engine-client", "telemetry"]),
    row(
        "lazaret",
        &[
            "model",
            "package-versions",
            "outbound-guard",
            "private-files",
            "image-layers",
            "package-catalog",
            "advisory-feeds",
            "vulnerability-db",
            "policy",
            "report-formats",
            "scanner",
            "storage",
            "engine",
            "engine-client",
            "pipeline-client",
            "control-plane",
            "admission",
            "telemetry",
        ],
    ),
    row("testkit", &["model"]),
    row(
        "fuzz",
        &[
            "model",
            "package-versions",
            "image-layers",
            "package-catalog",
            "advisory-feeds",
            "vulnerability-db",
            "policy",
            "report-formats",
            "scanner",
        ],
    ),
    row("xtask", &["testkit", "package-versions", "storage"]),
];

/// Tests from end to end are there to use everything, and nothing uses them.
const UNLIMITED: &str = "e2e";

/// Tests may use what the crate may use, and these.
const IN_TESTS: &[&str] = &["testkit"];

/// Compares a crate's edges with the table.
pub(super) fn check(member: &Member, manifest: &str) -> Vec<Problem> {
    if member.name == UNLIMITED {
        return Vec::new();
    }
    let Some(row) = TABLE.iter().find(|row| row.name == member.name) else {
        return vec![Problem::new(
            &member.manifest,
            1,
            format!("crate `{}` is not in the table of `xtask/src/tidy/edges.rs`", member.name),
        )];
    };
    let problem = |used: &String, what: &str| {
        let line = find_line(manifest, used);
        Problem::new(&member.manifest, line, format!("`{}` may not use `{used}`{what}", member.name))
    };
    let normal = member.normal.iter().filter(|used| !row.may_use.contains(&used.as_str()));
    let may_test_with = |used: &str| row.may_use.contains(&used) || IN_TESTS.contains(&used);
    let dev = member.dev.iter().filter(|used| !may_test_with(used));
    normal.map(|used| problem(used, "")).chain(dev.map(|used| problem(used, " in tests"))).collect()
}

/// The line that declares a dependency.
fn find_line(manifest: &str, name: &str) -> usize {
    let declares = |line: &str| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest.lines().position(declares).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn texts(name: &str, normal: &[&str], dev: &[&str]) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let manifest = "[dependencies]\nmodel.workspace = true\nengine-client.workspace = true\nengine.workspace = true\n";
        let member = Member {
            name: name.into(),
            manifest: "Cargo.toml".into(),
            normal: owned(normal),
            dev: owned(dev),
        };
        check(&member, manifest).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn edges_outside_of_the_table_are_problems() {
        assert!(texts("scanner", &["model", "image-layers"], &["testkit"]).is_empty());
        assert_eq!(
            texts("scanner", &["model", "engine"], &[]),
            ["Cargo.toml:4: `scanner` may not use `engine`"]
        );
        assert_eq!(texts("scanner", &["testkit"], &[]), ["Cargo.toml:1: `scanner` may not use `testkit`"]);
        assert_eq!(
            texts("policy", &[], &["engine"]),
            ["Cargo.toml:4: `policy` may not use `engine` in tests"]
        );
        assert_eq!(texts("storage", &["model"], &[]), ["Cargo.toml:2: `storage` may not use `model`"]);
        assert!(texts("e2e", &["testkit"], &["engine"]).is_empty());
        assert_eq!(texts("lazaret", &["e2e"], &[]), ["Cargo.toml:1: `lazaret` may not use `e2e`"]);
        assert_eq!(
            texts("new", &[], &[]),
            ["Cargo.toml:1: crate `new` is not in the table of `xtask/src/tidy/edges.rs`"]
        );
    }

    #[test]
    fn the_table_names_known_crates_and_has_no_circle() {
        let mut known = BTreeSet::from(["testkit"]);
        let mut left: Vec<&Row> = TABLE.iter().collect();
        while !left.is_empty() {
            let (ready, waiting): (Vec<&Row>, Vec<&Row>) =
                left.iter().partition(|row| row.may_use.iter().all(|used| known.contains(used)));
            assert!(!ready.is_empty(), "a circle, or a crate that does not exist");
            known.extend(ready.iter().map(|row| row.name));
            left = waiting;
        }
    }
}
