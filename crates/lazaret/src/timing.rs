//! `--timing`: where the time of a scan went. It is written to standard error; no report has any of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use scanner::{CatalogerTime, LayerStart, Progress, Stage};
use serde_json::{Value, json};

use crate::arguments::OutputFormat;
use crate::config;
use crate::process_metrics;
use crate::terminal;

const STATUS_BYTES_MAX: u64 = 1 << 16;

/// Takes the time of what it is told, and passes it on.
pub(crate) struct Timing {
    format: OutputFormat,
    began: Instant,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    /// Name and beginning of each stage.
    stages: Vec<(&'static str, Instant)>,
    layers: Vec<Layer>,
    catalogers: BTreeMap<&'static str, CatalogerTime>,
}

struct Layer {
    start: LayerStart,
    is_known: bool,
    /// Why it was not read in parts, where that was asked for and might have been.
    whole: Option<String>,
    done: Option<Instant>,
}

impl Timing {
    /// Begins, if the user wants it.
    pub(crate) fn start(format: Option<OutputFormat>) -> Option<Arc<Self>> {
        let timing = |format| Self { format, began: Instant::now(), taken: Mutex::default() };
        format.map(timing).map(Arc::new)
    }

    /// Another stage begins.
    pub(crate) fn begin(&self, name: &'static str) {
        self.with(|taken| taken.stages.push((name, Instant::now())));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Taken) -> T) -> T {
        act(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells it all.
    pub(crate) fn print(&self) {
        let end = Instant::now();
        let text = self.with(|taken| {
            let sums = Sums { total: end - self.began, ..Sums::of_process() };
            match self.format {
                OutputFormat::Table => table(taken, &sums, end),
                OutputFormat::Json => document(taken, &sums, end).to_string(),
            }
        });
        terminal::error_line(&text);
    }

    /// What of it a scan tells: this and, where there is one, the drawing.
    pub(crate) fn beside(self: &Arc<Self>, other: Option<Arc<dyn Progress>>) -> Arc<dyn Progress> {
        Arc::new(Both { timing: Arc::clone(self), other })
    }
}

/// What the process as a whole took.
#[derive(Default)]
struct Sums {
    total: Duration,
    processor: Duration,
    peak_memory_bytes: u64,
}

impl Sums {
    fn of_process() -> Self {
        let load = |name: &str| config::load_text(Path::new(name), STATUS_BYTES_MAX).unwrap_or_default();
        let status = load("/proc/self/status");
        let peak = process_metrics::kibibytes(&status, "VmHWM:").saturating_mul(1024);
        let (processor, _) = process_metrics::times(&load("/proc/self/stat"));
        Self {
            total: Duration::ZERO,
            processor: Duration::try_from_secs_f64(processor).unwrap_or_default(),
            peak_memory_bytes: u64::try_from(peak).unwrap_or_default(),
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

/// Each stage with how long it took: until the next one began.
fn stages(taken: &Taken, end: Instant) -> impl Iterator<Item = (&'static str, Instant, f64)> {
    let ends = taken.stages.iter().skip(1).map(|(_, began)| *began).chain([end]);
    taken.stages.iter().zip(ends).map(|((name, began), end)| (*name, *began, milliseconds(end - *began)))
}

const READING: &str = "reading layers";
const CATALOGING: &str = "cataloging";

fn table(taken: &Taken, sums: &Sums, end: Instant) -> String {
    let mut text = String::new();
    let mut line = |name: &str, time: f64, rest: &str| {
        let _ = writeln!(text, "{}", format!("{name:<32}{time:>10.1} ms  {rest}").trim_end());
    };
    for (name, began, time) in stages(taken, end) {
        line(name, time, "");
        if name == READING {
            for (number, layer) in taken.layers.iter().enumerate() {
                let short = layer.start.diff_id.hex().get(..12).unwrap_or_default();
                let megabytes = layer.start.size_bytes as f64 / 1e6;
                let how = if layer.is_known { "known" } else { "read" };
                let done = layer.done.map_or(0.0, |done| milliseconds(done - began));
                let whole =
                    layer.whole.as_ref().map(|why| format!(", as a whole: {why}")).unwrap_or_default();
                let rest = format!("{how}, {megabytes:.1} MB{whole}");
                line(&format!("  layer {} {short}", number + 1), done, &rest);
            }
        }
        if name == CATALOGING {
            for (name, CatalogerTime { time, package_count }) in &taken.catalogers {
                line(&format!("  {name}"), milliseconds(*time), &format!("{package_count} packages"));
            }
        }
    }
    let megabytes = sums.peak_memory_bytes as f64 / 1e6;
    line("all", milliseconds(sums.total), &format!("peak memory {megabytes:.1} MB"));
    line("processor", milliseconds(sums.processor), "");
    text
}

fn document(taken: &Taken, sums: &Sums, end: Instant) -> Value {
    let reading = taken.stages.iter().find(|(name, _)| *name == READING).map(|(_, began)| *began);
    let stages = stages(taken, end).map(|(name, _, time)| json!({"name": name, "milliseconds": time}));
    let layers = taken.layers.iter().map(|layer| {
        let done = layer.done.zip(reading).map(|(done, began)| milliseconds(done - began));
        let LayerStart { diff_id, size_bytes } = &layer.start;
        json!({"diff_id": diff_id.to_string(), "bytes": size_bytes, "is_known": layer.is_known, "whole_because": layer.whole, "done_after_milliseconds": done})
    });
    let catalogers = taken.catalogers.iter().map(|(name, CatalogerTime { time, package_count })| {
        json!({"name": name, "milliseconds": milliseconds(*time), "packages": package_count})
    });
    json!({
        "stages": stages.collect::<Vec<_>>(),
        "layers": layers.collect::<Vec<_>>(),
        "catalogers": catalogers.collect::<Vec<_>>(),
        "milliseconds": milliseconds(sums.total),
        "processor_milliseconds": milliseconds(sums.processor),
        "peak_memory_bytes": sums.peak_memory_bytes,
    })
}

/// Tells two.
struct Both {
    timing: Arc<Timing>,
    other: Option<Arc<dyn Progress>>,
}

impl Progress for Both {
    fn stage(&self, stage: Stage) {
        self.timing.begin(match stage {
            Stage::Resolving => "resolving",
            Stage::ReadingLayers => READING,
            Stage::Squashing => "squashing",
            Stage::ReadingLinked => "reading linked files",
            Stage::Cataloging => CATALOGING,
        });
        if let Some(other) = &self.other {
            other.stage(stage);
        }
    }

    fn layers(&self, layers: &[LayerStart]) {
        let layer =
            |start: &LayerStart| Layer { start: start.clone(), is_known: false, whole: None, done: None };
        self.timing.with(|taken| taken.layers = layers.iter().map(layer).collect());
        if let Some(other) = &self.other {
            other.layers(layers);
        }
    }

    fn layer_bytes(&self, layer_index: usize, bytes: u64) {
        if let Some(other) = &self.other {
            other.layer_bytes(layer_index, bytes);
        }
    }

    fn layer_known(&self, layer_index: usize) {
        self.timing.with(|taken| taken.layers.get_mut(layer_index).map(|layer| layer.is_known = true));
    }

    fn layer_whole(&self, layer_index: usize, reason: &str) {
        let whole = Some(reason.to_owned());
        self.timing.with(|taken| taken.layers.get_mut(layer_index).map(|layer| layer.whole = whole));
    }

    fn catalogers(&self, times: &BTreeMap<&'static str, CatalogerTime>) {
        self.timing.with(|taken| taken.catalogers.clone_from(times));
    }

    fn layer_done(&self, layer_index: usize) {
        // A layer that is read once more for linked files was done before.
        let now = Instant::now();
        self.timing.with(|taken| {
            taken.layers.get_mut(layer_index).map(|layer| layer.done.get_or_insert(now)).is_some()
        });
        if let Some(other) = &self.other {
            other.layer_done(layer_index);
        }
    }
}

/// Only itself.
impl PartialEq for Timing {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Timing {}

impl std::fmt::Debug for Timing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Timing").field("format", &self.format).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_layers_and_catalogers_are_told_in_both_forms() {
        let timing = Timing::start(Some(OutputFormat::Table)).unwrap();
        let progress = timing.beside(None);
        progress.stage(Stage::ReadingLayers);
        let diff_id = model::Digest::from_sha256(&[7; 32]);
        let start = LayerStart { diff_id, size_bytes: 2_500_000 };
        progress.layers(&[start.clone(), start]);
        progress.layer_known(0);
        progress.layer_done(0);
        progress.layer_done(1);
        progress.stage(Stage::Cataloging);
        let time = CatalogerTime { time: Duration::from_millis(12), package_count: 3 };
        progress.catalogers(&BTreeMap::from([("dpkg", time)]));
        timing.begin("matching");
        let (end, sums) = (Instant::now(), Sums::of_process());
        let text = timing.with(|taken| table(taken, &sums, end));
        for words in
            ["known, 2.5 MB", "read, 2.5 MB", "layer 2 070707070707", "12.0 ms  3 packages", "matching"]
        {
            assert!(text.contains(words), "{words}:\n{text}");
        }
        let document = timing.with(|taken| document(taken, &sums, end));
        assert_eq!(document["stages"][2]["name"], "matching");
        assert_eq!(document["layers"][0]["is_known"], true);
        assert_eq!(document["catalogers"][0], json!({"name": "dpkg", "milliseconds": 12.0, "packages": 3}));
        assert!(document["peak_memory_bytes"].as_u64() > Some(1_000_000));
        assert!(Timing::start(None).is_none());
    }
}
