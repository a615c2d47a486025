//! The built program `lazaret`, run as a user runs it.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{Output, run};
use crate::environment::{environment_variable, is_executable};
use crate::process::{GuardedChild, send_signal};

const STOP_DEADLINE: Duration = Duration::from_secs(20);
const KILL_DEADLINE: Duration = Duration::from_secs(20);

/// A program and the arguments and environment it will get.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    folder: Option<PathBuf>,
}

impl Program {
    /// The `lazaret` that was built beside the running test.
    ///
    /// Errors: it was not built; the text says with which command to build it.
    pub fn lazaret() -> Result<Self> {
        let path = match environment_variable("CARGO_BIN_EXE_lazaret") {
            Some(path) => PathBuf::from(path),
            None => beside_this_test("lazaret")?,
        };
        ensure!(is_executable(&path), "`{}` does not exist: run `cargo build -p lazaret`", path.display());
        // Nothing that a test starts asks the internet: not for vulnerability data, and what is elsewhere is behind a proxy that
        // is not there.
        Ok(Self::at(&path)
            .environment("LAZARET_FEEDS_FETCH", "false")
            .environment("HTTPS_PROXY", "http://127.0.0.1:9")
            .environment("http_proxy", "http://127.0.0.1:9")
            .environment("NO_PROXY", "127.0.0.1,localhost")
            // What one test has read must not change what another one sees.
            .environment("LAZARET_CACHE_FOLDER", "off"))
    }

    /// Another program.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), arguments: Vec::new(), environment: Vec::new(), folder: None }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn arguments(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// Sets an environment variable; the test's own environment is inherited otherwise.
    #[must_use]
    pub fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Runs it in a folder.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Runs it to its end, with `stdin` as its standard input. An exit code is no error here.
    pub fn run(&self, stdin: &[u8]) -> Result<Output> {
        run(&self.path, stdin, |command| self.prepare(command))
    }

    /// Starts it as a server: see [`RunningProgram`].
    pub fn start(&self) -> Result<RunningProgram> {
        let mut process = GuardedChild::spawn(&self.path, |command| {
            self.prepare(command);
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        })?;
        let (stdout, stderr) = process.take_pipes();
        let lines = Arc::new(Lines::default());
        let readers = [stdout.map(|pipe| collect(pipe, &lines)), stderr.map(|pipe| collect(pipe, &lines))];
        Ok(RunningProgram { process, lines, readers: readers.into_iter().flatten().collect() })
    }

    fn prepare(&self, command: &mut std::process::Command) {
        command.args(&self.arguments).envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
    }
}

/// A program that runs beside the test; killed when dropped, and when the test dies.
///
/// One that is dropped by a panicking test prints what it had said.
#[derive(Debug)]
pub struct RunningProgram {
    process: GuardedChild,
    lines: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

impl RunningProgram {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line of standard output or standard error that contains `pattern`, and returns the whole line.
    ///
    /// Lines said before the call count too. Errors: the deadline passed, or the program ended without such a line.
    pub fn wait_for_line(&self, pattern: &str, deadline: Duration) -> Result<String> {
        match self.lines.wait_for(pattern, deadline) {
            Some(line) => Ok(line),
            None => {
                bail!("no line with `{pattern}` within {deadline:?}; the program said:\n{}", self.output())
            }
        }
    }

    /// Everything said so far, standard output and standard error mixed as they came.
    pub fn output(&self) -> String {
        self.lines.lock().text.join("\n")
    }

    /// Sends a signal by name: `HUP`, `INT`, `STOP`, `CONT`, …
    pub fn signal(&self, name: &str) -> Result<()> {
        send_signal(name, self.process.id())
    }

    /// How it ended, if it did.
    pub fn find_exit_status(&mut self) -> Option<ExitStatus> {
        self.process.find_exit_status()
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.process.wait(deadline).with_context(|| format!("the program said:\n{}", self.output()))
    }

    /// Asks it to end (SIGTERM), kills it if it has not after 20 s, and returns how it ended and all it said.
    pub fn stop(mut self) -> Result<(ExitStatus, String)> {
        let status = self.process.terminate(STOP_DEADLINE)?;
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        Ok((status, self.output()))
    }

    /// Kills it (SIGKILL), as a crash would, and waits until it is gone.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill();
        self.process.wait(KILL_DEADLINE).map(drop)
    }
}

impl Drop for RunningProgram {
    #[expect(clippy::print_stderr, reason = "a failed test shows why")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the program said ---\n{}", self.output());
        }
    }
}

#[derive(Debug, Default)]
struct Lines {
    state: Mutex<LinesState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LinesState {
    text: Vec<String>,
    ended_readers: usize,
}

impl Lines {
    fn lock(&self) -> std::sync::MutexGuard<'_, LinesState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, pattern: &str, deadline: Duration) -> Option<String> {
        let end = Instant::now() + deadline;
        let mut state = self.lock();
        let mut seen = 0;
        loop {
            if let Some(line) = state.text[seen..].iter().find(|line| line.contains(pattern)) {
                return Some(line.clone());
            }
            seen = state.text.len();
            let left = end.saturating_duration_since(Instant::now());
            // Both streams ended: nothing will come any more.
            if left.is_zero() || state.ended_readers == 2 {
                return None;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn collect(pipe: impl Read + Send + 'static, lines: &Arc<Lines>) -> JoinHandle<()> {
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            lines.lock().text.push(text);
            lines.changed.notify_all();
            line.clear();
        }
        lines.lock().ended_readers += 1;
        lines.changed.notify_all();
    })
}

/// Test executables lie in `target/PROFILE/deps`, programs in `target/PROFILE`.
fn beside_this_test(name: &str) -> Result<PathBuf> {
    let test = std::env::current_exe().context("failed to find the path of this test")?;
    let folder = test.parent().and_then(Path::parent).context("this test does not lie in a target folder")?;
    Ok(folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::is_process_alive;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Program {
        Program::at(Path::new("/bin/sh")).arguments(["-c", script])
    }

    #[test]
    fn lines_of_both_streams_are_found_early_and_late() {
        let script = "echo listening on 127.0.0.1:80; sleep 0.1; echo ready >&2; exec sleep 1000";
        let program = shell(script).start().unwrap();
        assert_eq!(program.wait_for_line("ready", DEADLINE).unwrap(), "ready");
        assert_eq!(program.wait_for_line("listening on", DEADLINE).unwrap(), "listening on 127.0.0.1:80");
        let error = program.wait_for_line("never", Duration::from_millis(50)).unwrap_err().to_string();
        assert!(error.contains("`never`") && error.contains("listening on"), "{error}");
        let id = program.id();
        drop(program);
        assert!(!is_process_alive(id));
    }

    #[test]
    fn a_program_that_ended_is_not_waited_for() {
        let begin = Instant::now();
        let mut program = shell("echo bad argument >&2; exit 2").start().unwrap();
        let error = program.wait_for_line("ready", Duration::from_secs(1000)).unwrap_err().to_string();
        assert!(error.contains("bad argument"), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(500));
        assert_eq!(program.wait(DEADLINE).unwrap().code(), Some(2));
    }

    #[test]
    fn stop_lets_the_program_say_goodbye() {
        let script = "trap 'echo goodbye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
        let program = shell(script).start().unwrap();
        program.wait_for_line("ready", DEADLINE).unwrap();
        let (status, output) = program.stop().unwrap();
        assert!(status.success());
        assert_eq!(output, "ready\ngoodbye");
    }

    #[test]
    fn arguments_environment_folder_and_input_arrive() {
        let scratch = crate::Scratch::new("program").unwrap();
        let program =
            shell("echo $0 $V; pwd; cat").argument("zero").environment("V", "v").in_folder(scratch.path());
        let folder = fs_err::canonicalize(scratch.path()).unwrap();
        let output = program.run(b"input").unwrap().success().unwrap();
        assert_eq!(output, format!("zero v\n{}\ninput", folder.display()));
    }
}
