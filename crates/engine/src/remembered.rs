//! What was read from the tables lately, for as long as nothing is committed.
//!
//! A request for a verdict reads the user, the image, its tags, the bundle and the exceptions; most requests find all of it
//! as the one before left it. So what is read is kept with the [`Mark`] of the state it was read in, and used only while the
//! database gives an equal mark: whatever is committed, by this process or by another one on the same server, is seen by
//! the next request. Only what the tables say is kept, never what follows from it and the clock.

use std::hash::Hash;
use std::time::Duration;

use moka::sync::Cache;
use storage::Mark;

/// A program that changes the file of a database behind our back makes no mark; it is seen after this time.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// Values of one kind.
pub(crate) struct Remembered<K, V> {
    values: Cache<K, (Mark, V)>,
}

impl<K, V> Remembered<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Keeps values that weigh so much together.
    pub(crate) fn new(weight_max: u64, weigh: impl Fn(&K, &V) -> u32 + Send + Sync + 'static) -> Self {
        let values = Cache::builder()
            .max_capacity(weight_max)
            .weigher(move |key, (_, value): &(Mark, V)| weigh(key, value))
            .time_to_live(KEPT_FOR);
        Self { values: values.build() }
    }

    /// The value, if it was read in the state that this mark names; else it is read. The mark must be older than the reading.
    pub(crate) async fn or_read<E>(
        &self,
        mark: Option<&Mark>,
        key: &K,
        read: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let Some(mark) = mark else { return read.await };
        if let Some((of, value)) = self.values.get(key)
            && of == *mark
        {
            return Ok(value);
        }
        let value = read.await?;
        self.values.insert(key.clone(), (mark.clone(), value.clone()));
        Ok(value)
    }

    /// For changes that make no mark.
    pub(crate) fn forget(&self, key: &K) {
        self.values.invalidate(key);
    }
}
