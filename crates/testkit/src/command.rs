//! Running other people's programs to their end, and saying well what went wrong.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, bail};

/// What a program answered.
#[derive(Debug, Clone)]
pub struct Output {
    /// What was run, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// True when the program ended with exit code 0.
    pub fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Standard output of a program that succeeded; otherwise an error with everything it said.
    pub fn success(self) -> Result<String> {
        if !self.is_success() {
            bail!("`{}` ended with {}\n{}{}", self.command, self.status, self.stdout, self.stderr);
        }
        Ok(self.stdout)
    }

    /// Standard error of a program that failed; otherwise an error: the caller wanted a refusal.
    pub fn failure(self) -> Result<String> {
        if self.is_success() {
            bail!("`{}` succeeded, and should have failed\n{}{}", self.command, self.stdout, self.stderr);
        }
        Ok(self.stderr)
    }
}

/// Runs a program to its end, with `stdin` as its standard input. An exit code is no error here: see [`Output::success`].
pub fn run(program: &Path, stdin: &[u8], prepare: impl FnOnce(&mut Command)) -> Result<Output> {
    let mut command = Command::new(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    prepare(&mut command);
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy();
    let arguments = command.get_args().map(|argument| format!(" {}", argument.to_string_lossy()));
    let text = arguments.fold(name.into_owned(), |text, argument| text + &argument);

    let mut child = command.spawn().with_context(|| format!("failed to start `{text}`"))?;
    let pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // Written beside reading: a program that answers before it has read everything must not block both sides.
        // One that ends without reading is no error of ours, so neither is the broken pipe.
        scope.spawn(move || pipe.map(|mut pipe| pipe.write_all(stdin)));
        child.wait_with_output()
    })
    .with_context(|| format!("failed to wait for `{text}`"))?;
    Ok(Output {
        command: text,
        status: output.status,
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn success_and_failure_are_both_told() {
        let run = |script: &str| {
            run(Path::new("/bin/sh"), b"from stdin", |command| {
                command.args(["-c", script]);
            })
            .unwrap()
        };
        assert_eq!(run("cat").success().unwrap(), "from stdin");
        assert_eq!(run("echo no >&2; exit 3").failure().unwrap(), "no\n");
        let error = run("echo out; echo no >&2; exit 3").success().unwrap_err().to_string();
        assert_eq!(error, "`sh -c echo out; echo no >&2; exit 3` ended with exit status: 3\nout\nno\n");
        assert!(run("exit 0").failure().is_err());
    }

    #[test]
    fn a_program_that_reads_nothing_is_no_error() {
        let large = vec![b'x'; 1 << 20];
        let output = run(Path::new("/bin/true"), &large, |_| {}).unwrap();
        assert!(output.is_success());
        let output = run(Path::new("/bin/cat"), &large, |_| {}).unwrap();
        assert_eq!(output.stdout.len(), large.len());
    }
}
