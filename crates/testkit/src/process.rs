//! Child processes that never outlive the test: not on drop, on panic, on Ctrl-C, nor when the test is killed with SIGKILL.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::environment::require_program;
use crate::wait::wait_until;

type SpawnRequest = (Command, Sender<io::Result<Child>>);

/// A running child; killed and waited for when dropped.
#[derive(Debug)]
pub(crate) struct GuardedChild {
    child: Child,
}

impl GuardedChild {
    /// Starts `program`; `prepare` adds arguments, environment and streams. Nothing is inherited but the environment.
    ///
    /// `setpriv` asks the kernel to kill the child when the *thread* that started it ends, so all children are started by one
    /// thread that lives as long as the process. The own process group keeps a terminal's Ctrl-C from reaching the child
    /// before the test has seen it.
    pub(crate) fn spawn(program: &Path, prepare: impl FnOnce(&mut Command)) -> Result<Self> {
        Self::spawn_with(&["--pdeathsig", "KILL"], program, prepare)
    }

    /// As [`GuardedChild::spawn`], with other arguments of `setpriv`: another signal, another user.
    pub(crate) fn spawn_with(
        setpriv: &[&str],
        program: &Path,
        prepare: impl FnOnce(&mut Command),
    ) -> Result<Self> {
        let mut command = Command::new(require_program("setpriv")?);
        command.args(setpriv).arg("--").arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        prepare(&mut command);
        let child = spawn_on_the_lasting_thread(command)
            .with_context(|| format!("failed to start `{}`", program.display()))?;
        Ok(Self { child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The streams it writes to, where they are pipes; to be taken once.
    pub(crate) fn take_pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// How it ended, if it did.
    pub(crate) fn find_exit_status(&mut self) -> Option<ExitStatus> {
        // An error here means that somebody else waited for the child, which nobody does.
        self.child.try_wait().ok().flatten()
    }

    /// Waits for the child to end by itself.
    pub(crate) fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        wait_until(deadline, "the end of the process", || self.find_exit_status())
    }

    /// Sends SIGTERM and waits; kills the child when the deadline passes. Returns how it ended.
    pub(crate) fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.find_exit_status() {
            return Ok(status);
        }
        send_signal("TERM", self.id())?;
        match self.wait(deadline) {
            Ok(status) => Ok(status),
            Err(_) => {
                self.kill();
                self.child.wait().context("failed to wait for a killed process")
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for GuardedChild {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal by name (`TERM`, `HUP`, `STOP`, …). The shell's own `kill` needs no package.
pub(crate) fn send_signal(name: &str, process: u32) -> Result<()> {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$1\" \"$2\"", "kill", name, &process.to_string()])
        .stderr(Stdio::null())
        .status()
        .context("failed to run `sh`")?;
    anyhow::ensure!(status.success(), "failed to send SIG{name} to process {process}");
    Ok(())
}

/// True while a process with this id exists and is not a zombie.
pub fn is_process_alive(process: u32) -> bool {
    // Third field of the line, behind the parenthesized name, which may itself hold parentheses.
    fs_err::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X'])))
}

/// The last lines of a log file, for the text of an error.
pub(crate) fn tail(file: &Path, lines_max: usize) -> String {
    let text =
        fs_err::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let shown = lines[lines.len().saturating_sub(lines_max)..].join("\n");
    format!("--- end of {} ---\n{shown}\n", file.display())
}

fn spawn_on_the_lasting_thread(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Mutex<Sender<SpawnRequest>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, receiver) = channel::<SpawnRequest>();
        std::thread::spawn(move || {
            for (mut command, answer) in receiver {
                let _ = answer.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (answer, child) = channel();
    let is_sent = spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, answer)).is_ok();
    match child.recv() {
        Ok(child) if is_sent => child,
        _ => Err(io::Error::other("the thread that starts processes is gone")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeping() -> GuardedChild {
        GuardedChild::spawn(Path::new("/bin/sleep"), |command| {
            command.arg("1000");
        })
        .unwrap()
    }

    #[test]
    fn a_child_lives_after_the_thread_that_asked_for_it() {
        let mut child = std::thread::spawn(sleeping).join().unwrap();
        assert!(is_process_alive(child.id()));
        assert_eq!(child.find_exit_status(), None);
    }

    #[test]
    fn a_dropped_child_is_gone() {
        let child = sleeping();
        let id = child.id();
        assert!(is_process_alive(id));
        drop(child);
        assert!(!is_process_alive(id));
    }

    #[test]
    fn terminate_ends_the_obedient_and_kills_the_stubborn() {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(sleeping().terminate(Duration::from_secs(20)).unwrap().signal(), Some(15));

        let scratch = crate::Scratch::new("stubborn").unwrap();
        let ready = scratch.path().join("ready");
        let mut stubborn = GuardedChild::spawn(Path::new("/bin/sh"), |command| {
            command.args(["-c", "trap '' TERM; : >\"$1\"; while :; do sleep 0.1; done", "sh"]).arg(&ready);
        })
        .unwrap();
        wait_until(Duration::from_secs(20), "the trap", || ready.exists().then_some(())).unwrap();
        assert_eq!(stubborn.terminate(Duration::from_millis(100)).unwrap().signal(), Some(9));
    }

    #[test]
    fn tail_keeps_the_last_lines() {
        let scratch = crate::Scratch::new("tail").unwrap();
        let file = scratch.path().join("log");
        fs_err::write(&file, "one\ntwo\nthree\n").unwrap();
        let name = file.display();
        for (lines_max, expected) in
            [(0, ""), (2, "two\nthree"), (3, "one\ntwo\nthree"), (4, "one\ntwo\nthree")]
        {
            assert_eq!(tail(&file, lines_max), format!("--- end of {name} ---\n{expected}\n"));
        }
        assert!(tail(&scratch.path().join("absent"), 3).ends_with("---\n\n"));
    }
}
