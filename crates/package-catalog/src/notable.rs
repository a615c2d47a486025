//! The few entries of an image about which there is something to say, found by as many threads as there are processors.
//!
//! When all layers have been read, nothing else is left to do, and of a million entries every look takes milliseconds.

use std::ops::Range;
use std::thread;

use image_layers::{Entry, ImageTree};

/// So many entries are worth a thread.
const ENTRIES_OF_THREAD: usize = 1 << 16;

/// The entries of which `is_notable` says so, in the order of the tree.
pub(crate) fn entries<'a>(
    tree: &'a ImageTree,
    is_notable: &(dyn Fn(Entry<'a>) -> bool + Sync),
) -> Vec<Entry<'a>> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let length = tree.entries().len().div_ceil(threads).max(ENTRIES_OF_THREAD);
    entries_by(length, tree, is_notable)
}

/// The same, so many entries on each thread.
fn entries_by<'a>(
    length: usize,
    tree: &'a ImageTree,
    is_notable: &(dyn Fn(Entry<'a>) -> bool + Sync),
) -> Vec<Entry<'a>> {
    let count = tree.entries().len();
    let find = |places: Range<usize>| {
        tree.entries_within(places).filter(|entry| is_notable(*entry)).collect::<Vec<_>>()
    };
    let find = &find;
    thread::scope(|scope| {
        let others = (length..count).step_by(length).map(|start| {
            let places = start..count.min(start + length);
            let of_thread = places.clone();
            let thread = thread::Builder::new().name("catalog".to_owned());
            (thread.spawn_scoped(scope, move || find(of_thread)), places)
        });
        let others = others.collect::<Vec<_>>();
        let mut found = find(0..count.min(length));
        for (thread, places) in others {
            found.extend(match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // The system has no thread left.
                Err(_) => find(places),
            });
        }
        found
    })
}

#[cfg(test)]
mod tests {
    use super::entries_by;
    use crate::tests::tree_of_layers;

    #[test]
    fn however_many_threads_look_the_order_is_that_of_the_tree() {
        let paths: Vec<String> = (0..50).map(|number| format!("file-{number:02}")).collect();
        let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), &b"x"[..])).collect();
        let tree = tree_of_layers(&[&files]);
        for length in [1, 3, 25, 49, 50, 51, 1000] {
            let found = entries_by(length, &tree, &|entry| !entry.path().ends_with('7'));
            let found: Vec<&str> = found.iter().map(|entry| entry.path()).collect();
            let expected: Vec<&String> = paths.iter().filter(|path| !path.ends_with('7')).collect();
            assert_eq!(found, expected, "{length}");
        }
    }
}
