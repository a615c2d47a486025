//! The Go of this machine.

use anyhow::{Context, Result, bail};

use crate::run::output;

/// Refuses a machine whose Go is older than what is to be built needs.
pub(super) fn check_go(required: &str, what: &str) -> Result<()> {
    let Some(go) = testkit::find_program("go") else {
        bail!(
            "Go {required} or newer is needed to build {what}, and there is no `go` on this machine's PATH"
        );
    };
    let answer = output(crate::run::command(go).arg("version").env("GOTOOLCHAIN", "local"))?;
    let version =
        parse_go_version(&answer).with_context(|| format!("`go version` said `{}`", answer.trim()))?;
    if numbers(version) < numbers(required) {
        bail!("Go {required} or newer is needed to build {what}, this machine has {version}");
    }
    Ok(())
}

/// `go version go1.26.8 linux/amd64`.
fn parse_go_version(answer: &str) -> Option<&str> {
    answer.split_whitespace().nth(2)?.strip_prefix("go")
}

/// The numbers of a version; a release candidate counts as its release, so that `1.26rc1` is taken.
fn numbers(version: &str) -> Vec<u32> {
    let digits = version.split(|character: char| !character.is_ascii_digit() && character != '.').next();
    let mut numbers: Vec<u32> =
        digits.unwrap_or_default().split('.').map(|part| part.parse().unwrap_or(0)).collect();
    numbers.resize(3, 0);
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_are_compared_as_numbers() {
        assert_eq!(parse_go_version("go version go1.26.8 linux/amd64\n"), Some("1.26.8"));
        assert_eq!(parse_go_version("something else"), None);
        let cases = [
            ("1.26.0", "1.26.0", true),
            ("1.26", "1.26.0", true),
            ("1.26.8", "1.26.0", true),
            ("1.26rc1", "1.26.0", true),
            ("1.100.0", "1.26.0", true),
            ("1.25.9", "1.26.0", false),
            ("1.9.0", "1.26.0", false),
        ];
        for (version, required, is_enough) in cases {
            assert_eq!(numbers(version) >= numbers(required), is_enough, "{version} for {required}");
        }
    }
}
