//! What is compiled in: no second crypto library, permissive licences only.

use std::collections::BTreeMap;

use super::Problem;

/// aws-lc-rs is the one crypto library; `rsa` has a known timing leak (RUSTSEC-2023-0071).
const FORBIDDEN: &[&str] = &["ring", "openssl-sys", "native-tls", "rsa"];

/// Licences that ask for no more than their own text to be kept.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // The list of certificate authorities that browsers trust: data, not code.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks the lines of `cargo tree`: `name vVERSION …<tab>licence`.
pub(super) fn check(tree: &str, lock: &str) -> Vec<Problem> {
    let crates: BTreeMap<&str, &str> = tree
        .lines()
        .filter_map(|line| {
            let (package, licence) = line.split_once('\t')?;
            // A crate that was shown before is marked so.
            Some((package.split_whitespace().next()?, licence.trim_end_matches("(*)").trim()))
        })
        .collect();
    let mut problems = Vec::new();
    for (name, licence) in crates {
        let line = find_line(lock, name);
        if FORBIDDEN.contains(&name) {
            problems.push(Problem::new(
                "Cargo.lock",
                line,
                format!("`{name}` is compiled in: see `cargo tree -i {name}`"),
            ));
        }
        if !is_permissive(licence) {
            let text =
                format!("`{name}` has the licence `{licence}`, which is not on the list of permissive ones");
            problems.push(Problem::new("Cargo.lock", line, text));
        }
    }
    problems
}

fn find_line(lock: &str, name: &str) -> usize {
    let wanted = format!("name = \"{name}\"");
    lock.lines().position(|line| line == wanted).map_or(1, |index| index + 1)
}

/// Evaluates an SPDX licence expression: of alternatives one must be permissive, of requirements all.
///
/// Shape:  names joined by `AND` and `OR`, with parentheses; `AND` binds closer; the old `/` means `OR`.
/// Result: false for anything else, such as an empty text.
fn is_permissive(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut position = 0;
    alternatives(&words, &mut position) == Some(true) && position == words.len()
}

fn alternatives(words: &[&str], position: &mut usize) -> Option<bool> {
    let mut is_good = requirements(words, position)?;
    while words.get(*position) == Some(&"OR") {
        *position += 1;
        // Both sides must be read, whatever the first one is.
        is_good |= requirements(words, position)?;
    }
    Some(is_good)
}

fn requirements(words: &[&str], position: &mut usize) -> Option<bool> {
    let mut is_good = licence(words, position)?;
    while words.get(*position) == Some(&"AND") {
        *position += 1;
        is_good &= licence(words, position)?;
    }
    Some(is_good)
}

fn licence(words: &[&str], position: &mut usize) -> Option<bool> {
    let word = *words.get(*position)?;
    *position += 1;
    match word {
        "(" => {
            let is_good = alternatives(words, position)?;
            let is_closed = words.get(*position) == Some(&")");
            *position += 1;
            is_closed.then_some(is_good)
        }
        ")" | "AND" | "OR" | "WITH" => None,
        name if words.get(*position) == Some(&"WITH") => {
            let exception = *words.get(*position + 1)?;
            *position += 2;
            Some(PERMISSIVE.contains(&format!("{name} WITH {exception}").as_str()))
        }
        name => Some(PERMISSIVE.contains(&name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_crates_and_licences_are_found_where_they_are_locked() {
        let lock = "version = 4\n\n[[package]]\nname = \"ring\"\n\n[[package]]\nname = \"strict\"\n";
        let tree = "model v0.0.0 (/x/model)\tApache-2.0\n\nserde v1.0.0\tMIT OR Apache-2.0\nserde v1.0.0\tMIT OR Apache-2.0 (*)\n\
            serde_derive v1.0.0 (proc-macro)\tMIT\nring v0.17.14\tApache-2.0 AND ISC\nstrict v1.0.0\tGPL-3.0-only\nstrings v1.0.0\t\n";
        let problems: Vec<String> = check(tree, lock).iter().map(Problem::to_string).collect();
        let expected = [
            "Cargo.lock:4: `ring` is compiled in: see `cargo tree -i ring`",
            "Cargo.lock:7: `strict` has the licence `GPL-3.0-only`, which is not on the list of permissive ones",
            "Cargo.lock:1: `strings` has the licence ``, which is not on the list of permissive ones",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn licence_expressions_are_evaluated() {
        let cases = [
            ("MIT", true),
            ("MIT OR GPL-3.0-only", true),
            ("GPL-3.0-only OR MIT", true),
            ("MIT AND GPL-3.0-only", false),
            ("MIT/Apache-2.0", true),
            ("Apache-2.0 / MIT", true),
            ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
            ("(MIT OR GPL-2.0-only) AND GPL-2.0-only", false),
            ("MIT OR GPL-2.0-only AND GPL-3.0-only", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0 WITH LLVM-exception OR GPL-2.0-only", true),
            ("MIT WITH LLVM-exception", false),
            ("GPL-2.0-only WITH Classpath-exception-2.0", false),
            ("", false),
            ("MIT OR", false),
            ("(MIT", false),
            ("MIT)", false),
            ("MIT Apache-2.0", false),
            ("mit", false),
        ];
        for (expression, expected) in cases {
            assert_eq!(is_permissive(expression), expected, "{expression}");
        }
    }
}
