//! Asking many registries at the same time, each of them one question after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{FutureExt as _, StreamExt as _};
use model::ImageReference;
use scanner::ScanOptions;

use crate::{AddImageError, Engine};

/// Registries that are asked at the same time.
const REGISTRIES_AT_ONCE: usize = 4;
/// After so many failures in a row that are the registry's own, it is left alone until the next turn.
const FAILURES_MAX: usize = 3;
/// Longest time for one question.
const QUESTION_TIME_MAX: Duration = Duration::from_secs(60);

/// Whether a registry is worth asking on in this turn.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: usize,
}

impl Patience {
    /// Takes note of how a question ended.
    pub(super) fn note(&mut self, error: Option<&AddImageError>) {
        match error {
            Some(error) if error.is_of_registry() => self.failures += 1,
            _ => self.failures = 0,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.failures >= FAILURES_MAX
    }
}

/// Asks a registry about one thing.
pub(super) type Ask<T> =
    for<'a> fn(&'a Engine, &'a ImageReference, &'a T, &'a mut Patience) -> BoxFuture<'a, ()>;

/// Goes through all that is to be asked, by registry.
pub(super) async fn by_registry<T: Send + Sync>(
    engine: &Engine,
    things: Vec<(ImageReference, T)>,
    ask: Ask<T>,
) {
    let mut registries: BTreeMap<String, Vec<(ImageReference, T)>> = BTreeMap::new();
    for (reference, thing) in things {
        registries.entry(reference.registry().to_owned()).or_default().push((reference, thing));
    }
    let turns: Vec<BoxFuture<'_, ()>> =
        registries.iter().map(|(registry, things)| ask_all(engine, registry, things, ask).boxed()).collect();
    futures_util::stream::iter(turns).buffer_unordered(REGISTRIES_AT_ONCE).collect::<()>().await;
}

async fn ask_all<T>(engine: &Engine, registry: &str, things: &[(ImageReference, T)], ask: Ask<T>) {
    let mut patience = Patience::default();
    for (position, (reference, thing)) in things.iter().enumerate() {
        if patience.is_over() {
            let left = things.len() - position;
            tracing::warn!(registry.name = registry, watch.left = left, "a registry is left alone for now");
            return;
        }
        ask(engine, reference, thing, &mut patience).await;
    }
}

/// The limits of one question.
pub(super) fn question_options(engine: &Engine) -> ScanOptions {
    let base = &engine.settings.scan;
    ScanOptions { time_max: base.time_max.min(QUESTION_TIME_MAX), ..base.clone() }
}
