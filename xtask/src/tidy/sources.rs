//! Rules for single files: their length, their first line, and what may not be in them.

use super::Problem;

/// Rust files are read by people.
const LINES_MAX: usize = 500;

/// Files made by tools, which name where they got things.
const GENERATED: &[&str] = &["Cargo.lock", "go.sum", "go.mod"];

/// What ties the repository to somebody's machine or network, written so that this file does not hold it.
const BANNED: &[(&str, &str)] = &[
    (concat!("/ro", "ot/"), "a path of somebody's machine"),
    (concat!("/wo", "rk/"), "a path of somebody's machine"),
    (concat!("index.crates", ".io"), "a registry's host"),
    (concat!("static.crates", ".io"), "a registry's host"),
    (concat!("deb.debian", ".org"), "a mirror's host"),
    (concat!("security.debian", ".org"), "a mirror's host"),
    (concat!("snapshot.debian", ".org"), "a mirror's host"),
    (concat!("ftp.debian", ".org"), "a mirror's host"),
    (concat!("proxy.golang", ".org"), "a registry's host"),
    (concat!("registry.npmjs", ".org"), "a registry's host"),
    (concat!("files.pythonhosted", ".org"), "a registry's host"),
];

/// Checks one file of the repository.
pub(super) fn check(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let name = path.rsplit('/').next().unwrap_or(path);
    if name == "clippy.toml" && path != "clippy.toml" {
        problems.push(Problem::new(path, 1, "replaces the root's `clippy.toml` instead of adding to it"));
    }
    if name.ends_with(".rs") {
        problems.extend(check_rust(path, text));
    }
    if !GENERATED.contains(&name) {
        problems.extend(check_words(path, text));
    }
    problems
}

fn check_rust(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !text.starts_with("//!") {
        problems.push(Problem::new(path, 1, "does not begin with `//!` and what the file is for"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        problems.push(Problem::new(path, LINES_MAX + 1, format!("has {lines} lines (limit {LINES_MAX})")));
    }
    problems
}

fn check_words(path: &str, text: &str) -> Vec<Problem> {
    let lines = text.lines().enumerate();
    let hits = lines.flat_map(|(index, line)| {
        let words = BANNED.iter().filter(|(word, _)| is_there(line, word));
        words.map(move |(word, what)| Problem::new(path, index + 1, format!("names `{word}`, {what}")))
    });
    hits.collect()
}

/// A path must begin where the word does: the middle of a longer path is something else.
fn is_there(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(index, _)| {
        let before = line[..index].chars().next_back();
        !word.starts_with('/')
            || !before.is_some_and(|before| before.is_alphanumeric() || "_.-/*}".contains(before))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<String> {
        check(path, text).iter().map(Problem::to_string).collect()
    }

    #[test]
    fn rust_files_say_what_they_are_for() {
        assert!(texts("a.rs", "//! For this.\n").is_empty());
        for text in ["", "\n//! For this.\n", "// For this.\n", "fn main() {}\n"] {
            assert_eq!(texts("a.rs", text), ["a.rs:1: does not begin with `//!` and what the file is for"]);
        }
        assert!(texts("a.txt", "anything").is_empty());
    }

    #[test]
    fn rust_files_have_at_most_500_lines() {
        let file = |lines: usize| "//!\n".repeat(lines);
        for lines in [1, 499, 500] {
            assert!(texts("a.rs", &file(lines)).is_empty(), "{lines}");
        }
        assert_eq!(texts("x/a.rs", &file(501)), ["x/a.rs:501: has 501 lines (limit 500)"]);
        assert!(texts("a.toml", &"\n".repeat(501)).is_empty());
    }

    #[test]
    fn only_the_root_has_settings_for_clippy() {
        assert!(texts("clippy.toml", "").is_empty());
        let expected = ["crates/a/clippy.toml:1: replaces the root's `clippy.toml` instead of adding to it"];
        assert_eq!(texts("crates/a/clippy.toml", ""), expected);
    }

    #[test]
    fn nobodys_machine_is_named() {
        for (word, what) in BANNED {
            let text = format!("fine\nsee {word}x\n");
            assert_eq!(texts("README.md", &text), [format!("README.md:2: names `{word}`, {what}")]);
            assert!(texts("Cargo.lock", &text).is_empty());
            assert!(texts("tools/x/go.sum", &text).is_empty());
        }
        let inside = format!("merge/base{}queue", BANNED[1].0);
        assert!(texts("README.md", &inside).is_empty(), "{inside}");
    }
}
