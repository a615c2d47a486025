//! The table that is printed at the end.

use std::time::Duration;

use crate::progress::print;

const HEAD: [&str; 5] = ["figure", "target", "measured", "baseline", "ratio"];

/// Figures, each with its target and what it is compared with.
#[derive(Default)]
pub(super) struct Table {
    rows: Vec<[String; 5]>,
}

impl Table {
    pub(super) fn add(
        &mut self,
        figure: &str,
        target: &str,
        measured: String,
        baseline: String,
        ratio: String,
    ) {
        self.rows.push([figure.to_owned(), target.to_owned(), measured, baseline, ratio]);
    }

    pub(super) fn print(&self) {
        let head = HEAD.map(str::to_owned);
        let rows = || std::iter::once(&head).chain(&self.rows);
        let width = |column: usize| rows().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3, 4].map(width);
        for row in rows() {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
            print(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
    }
}

/// `1.23 ms`.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
