//! The entries of a layer, counted against the budget that all layers of an image share.

use crate::limits::{ImageLimits, LimitBreach, ReadBudget};

/// So many entries are counted at once where no limit is near: threads that share counters wait for each other.
const ENTRIES_AT_ONCE: u64 = 64;

/// What one layer has taken.
pub(crate) struct Counting<'a> {
    budget: &'a ReadBudget,
    limits: &'a ImageLimits,
    entries: u64,
    text_bytes: u64,
    /// So many entries may come before all are counted.
    entries_free: u64,
}

impl<'a> Counting<'a> {
    pub(crate) fn new(budget: &'a ReadBudget, limits: &'a ImageLimits) -> Self {
        Self { budget, limits, entries: 0, text_bytes: 0, entries_free: 0 }
    }

    /// One more entry. A limit is passed with the entry that is too much, whatever was not counted before.
    pub(crate) fn add_entry(&mut self) -> Result<(), LimitBreach> {
        self.entries += 1;
        match self.entries_free.checked_sub(1) {
            Some(free) => {
                self.entries_free = free;
                Ok(())
            }
            None => {
                self.settle()?;
                let has_room = self.budget.has_room(ENTRIES_AT_ONCE, self.limits);
                self.entries_free = if has_room { ENTRIES_AT_ONCE } else { 0 };
                Ok(())
            }
        }
    }

    /// Text of the entry: its path and what it links to, neither longer than a path may be.
    pub(crate) fn add_text(&mut self, bytes: u64) -> Result<(), LimitBreach> {
        self.text_bytes += bytes;
        if self.entries_free > 0 { Ok(()) } else { self.settle() }
    }

    /// Counts what was not counted yet.
    pub(crate) fn settle(&mut self) -> Result<(), LimitBreach> {
        let (entries, text_bytes) = (std::mem::take(&mut self.entries), std::mem::take(&mut self.text_bytes));
        if entries > 0 {
            self.budget.spend_entries(entries, self.limits)?;
        }
        if text_bytes > 0 {
            self.budget.spend_index(text_bytes, self.limits)?;
        }
        Ok(())
    }
}
