//! Telling what goes on: a line at the start of a step, signs of life while it lasts, its duration at the end.

use std::io::{IsTerminal, Write, stderr};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Result;

/// How often a step that lasts shows that it lives: a terminal's line is rewritten, a log gets another line.
const ON_A_TERMINAL: Duration = Duration::from_secs(1);
const IN_A_LOG: Duration = Duration::from_secs(30);

/// Prints a line for humans, beside the results.
#[expect(clippy::print_stderr, reason = "the one place of this program that does")]
pub(crate) fn say(line: &str) {
    eprintln!("{line}");
}

/// Prints a line of results.
#[expect(clippy::print_stdout, reason = "the one place of this program that does")]
pub(crate) fn print(line: &str) {
    println!("{line}");
}

/// Does a step under a title, and tells how long it took.
pub(crate) fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let begin = Instant::now();
    let is_terminal = stderr().is_terminal();
    show(&format!("{title} …"), is_terminal, !is_terminal);
    let (done, is_done) = channel::<()>();
    let result = std::thread::scope(|scope| {
        scope.spawn(move || {
            let interval = if is_terminal { ON_A_TERMINAL } else { IN_A_LOG };
            while is_done.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                show(&format!("{title} … {} s", begin.elapsed().as_secs()), is_terminal, !is_terminal);
            }
        });
        let result = work();
        drop(done);
        result
    });
    let ending = if result.is_ok() { "done" } else { "FAILED" };
    show(&format!("{title}: {ending} in {:.1} s", begin.elapsed().as_secs_f64()), is_terminal, true);
    result
}

/// A terminal's line is replaced by the next one until a line is final.
fn show(line: &str, is_terminal: bool, is_final: bool) {
    let begin = if is_terminal { "\r\x1b[K" } else { "" };
    let end = if is_final { "\n" } else { "" };
    // Nobody listening is no reason to stop working.
    let _ = write!(stderr(), "{begin}{line}{end}");
}
