//! Waiting for something to become true, with a deadline and a name for what was awaited.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Short enough that nobody notices, long enough that a poll which starts a process does not eat the machine.
const POLL_INTERVAL: Duration = Duration::from_millis(25);

/// Calls `attempt` until it returns `Some`, and returns that value.
///
/// Errors: the deadline passed; the text names `description`. At least one attempt is made, and one more after the deadline,
/// so a slow machine never fails something that did become true.
pub fn wait_until<T>(
    deadline: Duration,
    description: &str,
    mut attempt: impl FnMut() -> Option<T>,
) -> Result<T> {
    let end = Instant::now() + deadline;
    loop {
        let is_last = Instant::now() >= end;
        if let Some(value) = attempt() {
            return Ok(value);
        }
        if is_last {
            bail!("waited {deadline:?} in vain: {description}");
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// [`wait_until`] for tests that run their own servers on the current asynchronous runtime.
///
/// Errors: as [`wait_until`].
pub async fn wait_until_async<T, F>(
    deadline: Duration,
    description: &str,
    mut attempt: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        let is_last = Instant::now() >= end;
        if let Some(value) = attempt().await {
            return Ok(value);
        }
        if is_last {
            bail!("waited {deadline:?} in vain: {description}");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_the_value_or_names_what_was_awaited() {
        let mut count = 0;
        let value = wait_until(Duration::from_secs(10), "three attempts", || {
            count += 1;
            (count == 3).then_some("done")
        });
        assert_eq!((value.unwrap(), count), ("done", 3));

        let error = wait_until::<()>(Duration::from_millis(40), "the sea to be sweet", || None).unwrap_err();
        assert_eq!(error.to_string(), "waited 40ms in vain: the sea to be sweet");
    }

    #[tokio::test]
    async fn the_asynchronous_form_does_the_same() {
        let mut count = 0;
        let value = wait_until_async(Duration::from_secs(10), "two attempts", || {
            count += 1;
            std::future::ready((count == 2).then_some(count))
        });
        assert_eq!(value.await.unwrap(), 2);
        let error = wait_until_async::<(), _>(Duration::ZERO, "nothing", || std::future::ready(None))
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "waited 0ns in vain: nothing");
    }
}
