//! Reading all layers of an image, several at a time.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use crate::error::ScanError;

/// Works on all places, `at_once` of them at a time, and returns what came of each, in their order.
///
/// The largest begin: one of them that began last would run alone at the end. A place is free again as soon as its work is done,
/// whichever that is.
///
/// Errors: that of the first place, in their order, that has one, however fast the others were. What is behind it does not begin any
/// more, and nobody waits for it.
pub(crate) async fn read_all<T, W: Future<Output = Result<T, ScanError>>>(
    sizes: &[u64],
    at_once: usize,
    work: impl Fn(usize) -> W,
) -> Result<Vec<T>, ScanError> {
    let mut waiting: Vec<usize> = (0..sizes.len()).collect();
    waiting.sort_by_key(|&index| Reverse(sizes[index]));
    let mut waiting = waiting.into_iter();
    let mut running = FuturesUnordered::new();
    let mut running_places = BTreeSet::new();
    let mut done: Vec<Option<T>> = sizes.iter().map(|_| None).collect();
    let mut first_error: Option<(usize, ScanError)> = None;
    loop {
        let end = first_error.as_ref().map_or(sizes.len(), |(index, _)| *index);
        while running.len() < at_once.max(1)
            && let Some(index) = waiting.find(|index| *index < end)
        {
            let work = work(index);
            running.push(async move { (index, work.await) });
            running_places.insert(index);
        }
        if running_places.first().is_none_or(|index| *index >= end) {
            break;
        }
        let Some((index, result)) = running.next().await else { break };
        running_places.remove(&index);
        match result {
            Ok(read) => done[index] = Some(read),
            Err(error) if index < end => first_error = Some((index, error)),
            Err(_) => {}
        }
    }
    match first_error {
        Some((_, error)) => Err(error),
        None => Ok(done.into_iter().flatten().collect()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;

    use super::*;

    fn too_large(index: usize) -> ScanError {
        ScanError::TooLarge { what: index.to_string(), actual: 2, limit: 1, unit: "bytes" }
    }

    #[tokio::test]
    async fn the_largest_begin_and_what_came_is_in_order() {
        let began = Mutex::new(Vec::new());
        let work = |index| {
            began.lock().unwrap().push(index);
            async move { Ok(index * 10) }
        };
        let read = read_all(&[5, 7, 1, 9], 1, work).await.unwrap();
        assert_eq!(read, [0, 10, 20, 30]);
        assert_eq!(*began.lock().unwrap(), [3, 1, 0, 2]);
        assert_eq!(read_all(&[], 2, |_| async { Ok(1) }).await.unwrap(), [0; 0]);
    }

    /// The first one ends only when all others have.
    #[tokio::test]
    async fn whoever_is_done_makes_room() {
        let others = Semaphore::new(0);
        let work = async |index: usize| {
            match index {
                0 => others.acquire_many(3).await.unwrap().forget(),
                _ => others.add_permits(1),
            }
            Ok(index)
        };
        assert_eq!(read_all(&[9, 1, 1, 1], 2, work).await.unwrap(), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn the_error_is_that_of_the_first_place() {
        // The second place fails last, the third one at once; the fourth never ends.
        let failed = Semaphore::new(0);
        let began = Mutex::new(BTreeSet::new());
        let work = |index: usize| {
            began.lock().unwrap().insert(index);
            let failed = &failed;
            async move {
                match index {
                    1 => failed.acquire().await.unwrap().forget(),
                    2 => failed.add_permits(1),
                    3 => std::future::pending().await,
                    _ => return Ok(index),
                }
                Err(too_large(index))
            }
        };
        let error = read_all(&[1, 8, 9, 10, 2], 3, work).await.unwrap_err();
        assert!(matches!(&error, ScanError::TooLarge { what, .. } if what == "1"), "{error}");
        // The last one is behind what was wrong; the first one is not.
        assert_eq!(*began.lock().unwrap(), BTreeSet::from([0, 1, 2, 3]));
    }
}
