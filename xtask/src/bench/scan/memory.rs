//! Time and memory of a program that runs to its end.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How often the kernel is asked. What it answers never falls: only what a program takes in its last moments is missed.
const INTERVAL: Duration = Duration::from_millis(2);

/// What a run took.
pub(super) struct Run {
    pub(super) status: ExitStatus,
    pub(super) time: Duration,
    /// The most main memory that the process itself had at once, without its children.
    pub(super) peak_kib: u64,
}

impl Run {
    /// As a table has it.
    pub(super) fn text(&self) -> String {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let megabytes = self.peak_kib as f64 * 1024.0 / 1e6;
        let failed = if self.status.success() { String::new() } else { format!(" ({})", self.status) };
        format!("{:.2} s, {megabytes:.0} MB{failed}", self.time.as_secs_f64())
    }
}

/// Runs a program whose output nobody needs.
pub(super) fn run(command: &mut Command) -> Result<Run> {
    let began = Instant::now();
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child =
        command.spawn().with_context(|| format!("failed to start {:?}", command.get_program()))?;
    let mut peak_kib = 0;
    loop {
        peak_kib = peak_kib.max(peak_of(&child));
        if let Some(status) = child.try_wait()? {
            return Ok(Run { status, time: began.elapsed(), peak_kib });
        }
        std::thread::sleep(INTERVAL);
    }
}

/// 0 for a process that has ended.
fn peak_of(child: &Child) -> u64 {
    let status = fs_err::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shell has its variable for as long as it waits for a line.
    #[test]
    fn memory_of_a_running_program_is_seen() {
        let script = "x=$(head -c 30000000 /dev/zero | tr '\\0' a); echo ready; read line";
        let mut shell = Command::new("sh");
        let mut child =
            shell.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        let stdout = child.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut ready).unwrap();
        assert!(peak_of(&child) > 25_000, "{} KiB", peak_of(&child));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(peak_of(&child), 0);
        assert!(run(Command::new("sh").args(["-c", "exit 3"])).unwrap().text().contains(" s, "));
    }
}
