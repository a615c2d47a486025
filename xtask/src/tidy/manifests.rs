//! Every crate has the workspace's lints.

use super::Problem;

/// Checks one crate's `Cargo.toml`.
pub(super) fn check(path: &str, manifest: &str) -> Vec<Problem> {
    let mut lines = manifest.lines().enumerate().skip_while(|(_, line)| line.trim() != "[lints]");
    let Some((index, _)) = lines.next() else {
        return vec![Problem::new(path, 1, "has no `[lints]` with `workspace = true`")];
    };
    let mut section = lines.map(|(_, line)| line.trim()).take_while(|line| !line.starts_with('['));
    if section.any(|line| line == "workspace = true") {
        return Vec::new();
    }
    vec![Problem::new(path, index + 1, "`[lints]` does not say `workspace = true`")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lints_of_the_workspace_are_taken() {
        let cases = [
            ("[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n", None),
            ("[package]\nworkspace = true\n", Some("Cargo.toml:1: has no `[lints]` with `workspace = true`")),
            (
                "[package]\n[lints]\n\n[dependencies]\nworkspace = true\n",
                Some("Cargo.toml:2: `[lints]` does not say `workspace = true`"),
            ),
            (
                "[lints.clippy]\nall = \"allow\"\n[lints]\n",
                Some("Cargo.toml:3: `[lints]` does not say `workspace = true`"),
            ),
        ];
        for (manifest, expected) in cases {
            let problems: Vec<String> =
                check("Cargo.toml", manifest).iter().map(Problem::to_string).collect();
            assert_eq!(problems, expected.as_slice(), "{manifest}");
        }
    }
}
