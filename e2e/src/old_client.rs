//! The old client `anchore-cli` on a terminal, and sessions with it as text.
//!
//! A session is a file of commands and of what they print:
//!
//! ```text
//! # why, or how the live engine differs
//! $+ image list
//! Full Tag  Image Digest  Analysis Status
//! {host}/lib/app:1.0  {app}  analyzed
//! [rc=0]
//! ```
//!
//! Two or more blanks count as two, empty lines do not count. `{name}` stands for a value the test knows, `<time>`, `<id>` and
//! `<number>` for what differs from run to run, `…` for anything inside a line and a line `...` for any lines. `$+` runs the
//! command once more with `--json`, whose output must be JSON with the same exit code. Behind ` < ` is what is typed.
//! `> name = begin` keeps the word that follows `begin` in the output of the command above, without JSON's punctuation, as
//! `{name}`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use testkit::{Output, Program, PythonTool};

/// `anchore-cli` for one engine.
#[derive(Debug)]
pub struct OldClient {
    program: PathBuf,
    url: String,
    password: String,
    hub: Option<String>,
    folder: PathBuf,
    names: BTreeMap<String, String>,
}

/// One command of a session.
#[derive(Debug, Default)]
struct Command {
    line: usize,
    arguments: String,
    typed: String,
    with_json: bool,
    expected: Vec<String>,
    exit: Option<i32>,
    kept: Vec<(String, String)>,
}

impl OldClient {
    /// A client of the engine at `url`, as `admin`; files are named relative to `folder`.
    pub fn new(url: &str, password: &str, folder: &Path, names: BTreeMap<String, String>) -> Result<Self> {
        Ok(Self {
            program: PythonTool::ANCHORE_CLI.find()?,
            url: format!("{}/v1", url.trim_end_matches('/')),
            password: password.to_owned(),
            hub: None,
            folder: folder.to_owned(),
            names,
        })
    }

    /// Names the policy hub.
    #[must_use]
    pub fn hub(mut self, url: &str) -> Self {
        self.hub = Some(url.to_owned());
        self
    }

    /// Runs a command.
    pub fn run(&self, arguments: &[&str], typed: &str) -> Result<Output> {
        let mut program = Program::at(&self.program)
            .arguments(arguments)
            .environment("ANCHORE_CLI_URL", &self.url)
            .environment("ANCHORE_CLI_USER", "admin")
            .environment("ANCHORE_CLI_PASS", &self.password)
            .environment("COLUMNS", "200")
            .environment("PYTHONWARNINGS", "ignore")
            .in_folder(&self.folder);
        if let Some(hub) = &self.hub {
            program = program.environment("ANCHORE_CLI_HUB_URL", hub);
        }
        program.run(typed.as_bytes())
    }

    /// Plays a session; the error lists every command that printed something else.
    pub fn play(&mut self, session: &str) -> Result<()> {
        let commands = parse(session)?;
        ensure!(!commands.is_empty(), "the session has no commands");
        let mut problems = Vec::new();
        for command in &commands {
            if let Some(problem) = self.take(command)? {
                problems.push(problem);
            }
        }
        ensure!(
            problems.is_empty(),
            "{} of {} commands:\n\n{}",
            problems.len(),
            commands.len(),
            problems.join("\n")
        );
        Ok(())
    }

    fn take(&mut self, command: &Command) -> Result<Option<String>> {
        let filled = self.fill(&command.arguments);
        let arguments = words(&filled);
        let output = self.run(&arguments, &command.typed)?;
        let text = format!("{}{}", output.stdout, output.stderr);
        let lines = normalized(&text);
        for (name, begin) in &command.kept {
            let begin = self.fill(begin);
            let found = lines.iter().find_map(|line| line.split_once(begin.as_str()));
            let (_, rest) =
                found.with_context(|| format!("line {}: no `{begin}` in:\n{text}", command.line))?;
            let value =
                rest.split_whitespace().next().unwrap_or_default().trim_matches(['"', ',']).to_owned();
            self.names.insert(name.clone(), value);
        }
        let expected: Vec<String> = command.expected.iter().map(|line| self.fill(line)).collect();
        let code = output.status.code();
        let mut problem = String::new();
        if code != command.exit || !are_like(&expected, &lines) {
            let _ = writeln!(problem, "line {}: $ {filled}", command.line);
            for line in &lines {
                let _ = writeln!(problem, "{}", self.unfill(line));
            }
            let _ = writeln!(problem, "[rc={}]", code.unwrap_or(-1));
        }
        if command.with_json {
            let output = self.run(&[&["--json"], arguments.as_slice()].concat(), &command.typed)?;
            let is_json = serde_json::from_str::<serde_json::Value>(&output.stdout).is_ok();
            if !is_json || output.status.code() != command.exit {
                let code = output.status.code().unwrap_or(-1);
                let _ = writeln!(
                    problem,
                    "line {}: $ --json {filled}\n{}{}[rc={code}]",
                    command.line, output.stdout, output.stderr
                );
            }
        }
        Ok((!problem.is_empty()).then_some(problem))
    }

    fn fill(&self, text: &str) -> String {
        let names = self.names.iter();
        names.fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// What a person would write into the session.
    fn unfill(&self, text: &str) -> String {
        let names = self.names.iter();
        names.fold(text.to_owned(), |text, (name, value)| text.replace(value, &format!("{{{name}}}")))
    }
}

fn parse(session: &str) -> Result<Vec<Command>> {
    let mut commands: Vec<Command> = Vec::new();
    for (number, line) in session.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if let Some(rest) = line.strip_prefix('$') {
            let with_json = rest.starts_with('+');
            let rest = rest.trim_start_matches('+').trim();
            let (arguments, typed) = rest.split_once(" < ").unwrap_or((rest, ""));
            commands.push(Command {
                line: number + 1,
                arguments: arguments.to_owned(),
                typed: typed.to_owned(),
                with_json,
                ..Command::default()
            });
            continue;
        }
        let command = commands.last_mut().context("a session begins with a command")?;
        if let Some(kept) = line.strip_prefix("> ") {
            let (name, begin) = kept.split_once(" = ").context("`> name = begin`")?;
            command.kept.push((name.to_owned(), begin.to_owned()));
        } else if let Some(code) = line.strip_prefix("[rc=") {
            let code = code.trim_end_matches(']').parse().with_context(|| format!("line {}", number + 1))?;
            command.exit = Some(code);
        } else {
            ensure!(command.exit.is_none(), "line {}: output behind the exit code", number + 1);
            command.expected.push(collapsed(line));
        }
    }
    Ok(commands)
}

/// The words of a command; `'…'` keeps blanks.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| if at % 2 == 0 { part.split_whitespace().collect() } else { vec![part] })
        .collect()
}

fn normalized(text: &str) -> Vec<String> {
    text.lines().map(collapsed).filter(|line| !line.is_empty()).collect()
}

/// Two or more blanks as two, none at the end.
fn collapsed(line: &str) -> String {
    let mut text = String::new();
    let mut blanks = 0;
    for character in line.trim_end().chars() {
        blanks = if character == ' ' { blanks + 1 } else { 0 };
        if blanks <= 2 {
            text.push(character);
        }
    }
    text
}

fn are_like(expected: &[String], found: &[String]) -> bool {
    match (expected, found) {
        ([], []) => true,
        ([first, rest @ ..], _) if first == "..." => {
            (0..=found.len()).any(|skipped| are_like(rest, &found[skipped..]))
        }
        ([first, rest @ ..], [one, others @ ..]) => is_like(first, one) && are_like(rest, others),
        _ => false,
    }
}

fn is_like(expected: &str, found: &str) -> bool {
    if let Some(rest) = expected.strip_prefix('…') {
        let ends = found.char_indices().map(|(at, _)| at).chain([found.len()]);
        return ends.into_iter().any(|at| is_like(rest, &found[at..]));
    }
    for (mark, takes) in [
        (
            "<time>",
            (|character| character.is_ascii_digit() || "-:.TZ".contains(character)) as fn(char) -> bool,
        ),
        ("<id>", |character| character.is_ascii_hexdigit() || character == '-'),
        ("<number>", |character| character.is_ascii_digit()),
    ] {
        if let Some(rest) = expected.strip_prefix(mark) {
            let length = found.find(|character| !takes(character)).unwrap_or(found.len());
            return length > 0 && is_like(rest, &found[length..]);
        }
    }
    match (expected.chars().next(), found.chars().next()) {
        (None, None) => true,
        (Some(one), Some(other)) if one == other => {
            is_like(&expected[one.len_utf8()..], &found[other.len_utf8()..])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_compared_with_what_differs_left_open() {
        let cases = [
            ("a  b", "a  b", true),
            ("a  b", "a b", false),
            ("Created: <time>", "Created: 2026-11-22T04:08:46Z", true),
            ("Created: <time>", "Created: None", false),
            ("<id>  x", "57e6ccfd275840beabeade062c5e5509  x", true),
            ("a…z", "abcz", true),
            ("a…z", "abc", false),
            ("…", "", true),
        ];
        for (expected, found, is_same) in cases {
            assert_eq!(is_like(expected, found), is_same, "{expected} {found}");
        }
        let lines = |text: &str| normalized(text);
        assert!(are_like(&lines("a\n...\nd"), &lines("a\n\nb\nc\nd")));
        assert!(!are_like(&lines("a\n...\nd"), &lines("a\nb")));
        assert_eq!(collapsed("a      b c   "), "a  b c");
    }

    #[test]
    fn a_session_is_commands_with_what_they_print() {
        let commands =
            parse("# note\n$+ image list\nA    B\n[rc=0]\n\n$ account del x < n\n[rc=2]\n").unwrap();
        assert_eq!((commands.len(), commands[0].with_json, commands[0].exit), (2, true, Some(0)));
        assert_eq!((&*commands[1].arguments, &*commands[1].typed), ("account del x", "n"));
        assert_eq!(commands[0].expected, ["A  B"]);
        assert_eq!(words("a 'b c' d"), ["a", "b c", "d"]);
        assert!(parse("x").is_err());
    }
}
