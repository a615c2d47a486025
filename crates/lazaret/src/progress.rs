//! Progress of a scan on a terminal: one line per layer, gone when it is done.

use std::sync::{Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use scanner::{LayerStart, Progress, Stage};

/// Draws to standard error.
#[derive(Debug)]
pub(crate) struct TerminalProgress {
    lines: MultiProgress,
    stage: ProgressBar,
    layers: Mutex<Vec<ProgressBar>>,
}

impl TerminalProgress {
    /// An empty drawing.
    pub(crate) fn new() -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let stage = lines.add(ProgressBar::new_spinner());
        Self { lines, stage, layers: Mutex::new(Vec::new()) }
    }

    /// Takes everything off the terminal.
    pub(crate) fn clear(&self) {
        self.stage.finish_and_clear();
        for layer in self.layers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            layer.finish_and_clear();
        }
    }

    fn with_layer(&self, layer_index: usize, act: impl FnOnce(&ProgressBar)) {
        if let Some(layer) = self.layers.lock().unwrap_or_else(PoisonError::into_inner).get(layer_index) {
            act(layer);
        }
    }
}

impl Progress for TerminalProgress {
    fn stage(&self, stage: Stage) {
        self.stage.set_message(match stage {
            Stage::Resolving => "asking for the image",
            Stage::ReadingLayers => "reading layers",
            Stage::Squashing => "laying layers over each other",
            Stage::ReadingLinked => "reading linked files",
            Stage::Cataloging => "listing packages",
        });
        self.stage.tick();
    }

    fn layers(&self, layers: &[LayerStart]) {
        let style = ProgressStyle::with_template("  {prefix} {wide_bar} {bytes:>10}/{total_bytes:10}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        *self.layers.lock().unwrap_or_else(PoisonError::into_inner) = layers
            .iter()
            .map(|layer| {
                let bar = self.lines.add(ProgressBar::new(layer.size_bytes).with_style(style.clone()));
                let short = layer.diff_id.hex().chars().take(12).collect::<String>();
                bar.with_prefix(short)
            })
            .collect();
    }

    fn layer_bytes(&self, layer_index: usize, bytes: u64) {
        self.with_layer(layer_index, |layer| layer.inc(bytes));
    }

    fn layer_done(&self, layer_index: usize) {
        self.with_layer(layer_index, ProgressBar::finish_and_clear);
    }
}
