//! Reading what `cargo test` prints.

use std::fmt;

/// The sums of the last line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

impl Tally {
    /// Counts a check that is no test.
    pub(super) fn count(&mut self, is_passed: bool) {
        if is_passed { self.passed += 1 } else { self.failed += 1 }
    }

    /// Adds what the tests gave.
    pub(super) fn add(&mut self, report: &Report) {
        self.passed += report.tally.passed;
        self.failed += report.tally.failed;
        self.skipped += report.tally.skipped;
    }

    /// Nothing may be skipped in silence, so what is skipped fails the run.
    pub(super) fn is_success(&self) -> bool {
        self.failed == 0 && self.skipped == 0 && self.passed > 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// What the lines read so far say.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) tally: Tally,
    /// The test target whose result has not come yet.
    target: Option<Target>,
    targets: usize,
}

#[derive(Debug)]
struct Target {
    name: String,
    lines: Vec<String>,
}

impl Report {
    /// Takes the next line; returns what the user should see, if anything.
    pub(super) fn read_line(&mut self, line: &str) -> Option<String> {
        if let Some(name) = parse_target(line) {
            let missing = self.close_without_result();
            self.target = Some(Target { name, lines: Vec::new() });
            self.targets += 1;
            return missing;
        }
        let target = self.target.as_mut()?;
        let Some(counts) = parse_result(line) else {
            target.lines.push(line.to_owned());
            return None;
        };
        let Target { name, lines } = self.target.take()?;
        self.tally.passed += counts.passed;
        self.tally.failed += counts.failed;
        self.tally.skipped += counts.skipped;
        let summary = format!("  {name}: {counts}");
        if counts.failed == 0 && counts.skipped == 0 {
            // Targets without tests would only be noise.
            return (counts.passed > 0).then_some(summary);
        }
        Some(format!("{summary}\n{}", explain(&lines)))
    }

    /// Takes the end; `is_success` is how `cargo test` ended.
    pub(super) fn finish(&mut self, is_success: bool) -> Option<String> {
        let missing = self.close_without_result();
        // Nothing may fail without being counted.
        let unexplained = match (is_success, self.tally.failed, self.targets) {
            (false, 0, _) => Some("`cargo test` failed, and no test says why"),
            (_, _, 0) => Some("`cargo test` ran no test target"),
            _ => None,
        };
        if unexplained.is_some() {
            self.tally.failed += 1;
        }
        let messages: Vec<String> = missing.into_iter().chain(unexplained.map(str::to_owned)).collect();
        (!messages.is_empty()).then(|| messages.join("\n"))
    }

    /// A target that crashed prints no result; that is one failure.
    fn close_without_result(&mut self) -> Option<String> {
        let Target { name, lines } = self.target.take()?;
        self.tally.failed += 1;
        Some(format!("  {name}: no result\n{}", lines.join("\n")))
    }
}

/// `     Running unittests src/lib.rs (target/debug/deps/model-0123)` or `   Doc-tests model`.
fn parse_target(line: &str) -> Option<String> {
    let words = line.strip_prefix(' ')?.trim_start();
    if let Some(name) = words.strip_prefix("Doc-tests ") {
        return Some(format!("{name} documentation"));
    }
    let (source, executable) = words.strip_prefix("Running ")?.rsplit_once(" (")?;
    let executable = executable.strip_suffix(')')?.rsplit('/').next()?;
    let name = executable.rsplit_once('-').map_or(executable, |(name, _)| name);
    Some(format!("{name} {source}"))
}

/// `test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s`.
fn parse_result(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let find = |word: &str| {
        let part = counts.split("; ").find_map(|part| part.strip_suffix(word));
        part?.trim().parse::<usize>().ok()
    };
    Some(Tally { passed: find("passed")?, failed: find("failed")?, skipped: find("ignored")? })
}

/// The part of a target's output that says what failed, and which tests were skipped.
fn explain(lines: &[String]) -> String {
    let ignored = lines.iter().filter(|line| line.starts_with("test ") && line.contains(" ... ignored"));
    let failures = lines.iter().skip_while(|line| *line != "failures:");
    ignored.chain(failures).map(String::as_str).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSED: &str =
        "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    const MIXED: &str =
        "test result: FAILED. 1 passed; 2 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    const EMPTY: &str =
        "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    const UNIT: &str = "     Running unittests src/lib.rs (target/debug/deps/image_layers-0123456789abcdef)";
    const DOCS: &str = "   Doc-tests image_layers";

    /// Reads lines; returns the sums, and all messages in one text.
    fn read(lines: &[&str], is_success: bool) -> (String, String) {
        let mut report = Report::default();
        let mut messages: Vec<String> = lines.iter().filter_map(|line| report.read_line(line)).collect();
        messages.extend(report.finish(is_success));
        (report.tally.to_string(), messages.join("\n"))
    }

    #[test]
    fn results_are_summed() {
        let (tally, messages) =
            read(&["   Compiling x", UNIT, "running 2 tests", PASSED, "", DOCS, EMPTY], true);
        assert_eq!(tally, "2 passed, 0 failed, 0 skipped");
        assert_eq!(messages, "  image_layers unittests src/lib.rs: 2 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn failures_and_skipped_tests_are_shown() {
        let lines =
            [UNIT, "test a ... ok", "test b ... ignored, slow", "failures:", "---- c stdout ----", MIXED];
        let (tally, messages) = read(&lines, false);
        assert_eq!(tally, "1 passed, 2 failed, 3 skipped");
        let expected = "  image_layers unittests src/lib.rs: 1 passed, 2 failed, 3 skipped\n\
            test b ... ignored, slow\nfailures:\n---- c stdout ----";
        assert_eq!(messages, expected);
    }

    #[test]
    fn a_target_without_a_result_is_a_failure() {
        let (tally, messages) = read(&[UNIT, "crashed", DOCS, PASSED, UNIT, "also crashed"], false);
        assert_eq!(tally, "2 passed, 2 failed, 0 skipped");
        assert!(
            messages.contains("no result\ncrashed") && messages.contains("no result\nalso crashed"),
            "{messages}"
        );
    }

    #[test]
    fn nothing_fails_without_being_counted() {
        assert_eq!(read(&[UNIT, PASSED], false).0, "2 passed, 1 failed, 0 skipped");
        assert_eq!(read(&["error: could not compile"], false).0, "0 passed, 1 failed, 0 skipped");
        assert_eq!(read(&[], true).0, "0 passed, 1 failed, 0 skipped");
        assert_eq!(read(&[PASSED], true).0, "0 passed, 1 failed, 0 skipped", "a result of no target");
    }

    #[test]
    fn only_a_run_in_which_everything_ran_is_a_success() {
        let cases = [((1, 0, 0), true), ((1, 1, 0), false), ((1, 0, 1), false), ((0, 0, 0), false)];
        for ((passed, failed, skipped), expected) in cases {
            assert_eq!(Tally { passed, failed, skipped }.is_success(), expected);
        }
    }
}
