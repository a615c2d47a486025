//! Telling whether anything was committed since something was read, so that what was read may be kept that long.
//!
//! On a server a mark is the server's own word for which transactions are done: equal words, equal content. A SQLite file has
//! one process that writes, which counts its commits here; all handles on one file share the count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// Names a state of a database: what was read after taking a mark holds as long as later marks are equal to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark(pub(crate) MarkKind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MarkKind {
    Counted(u64),
    Server(String),
}

/// The commits to one SQLite file.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    count: AtomicU64,
    /// Commits whose end nobody has seen yet.
    open: AtomicU64,
    /// Those of them for whose end nobody waits any more: they may still happen.
    abandoned: AtomicU64,
    /// Tables whose changes do not count.
    quiet: RwLock<BTreeSet<&'static str>>,
}

impl Commits {
    /// Those of a file that exists, shared by all who have it open.
    pub(crate) fn of(file: &Path) -> Arc<Self> {
        static FILES: Mutex<BTreeMap<PathBuf, Weak<Commits>>> = Mutex::new(BTreeMap::new());
        let file = fs_err::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|_, commits| commits.strong_count() > 0);
        if let Some(commits) = files.get(&file).and_then(Weak::upgrade) {
            return commits;
        }
        let commits = Arc::<Self>::default();
        files.insert(file, Arc::downgrade(&commits));
        commits
    }

    pub(crate) fn set_quiet(&self, tables: &[&'static str]) {
        self.quiet.write().unwrap_or_else(PoisonError::into_inner).extend(tables);
    }

    /// The mark of now; `None` while a commit is under way.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let count = self.count.load(Ordering::SeqCst);
        (self.open.load(Ordering::SeqCst) == 0).then_some(Mark(MarkKind::Counted(count)))
    }

    /// To be called by whoever has just become the one writer: every commit before him has ended, one way or the other.
    pub(crate) fn settle(&self) {
        let abandoned = self.abandoned.swap(0, Ordering::SeqCst);
        if abandoned > 0 {
            self.count.fetch_add(1, Ordering::SeqCst);
            self.open.fetch_sub(abandoned, Ordering::SeqCst);
        }
    }
}

/// What a transaction has changed, to be counted when it ends.
#[derive(Debug)]
pub(crate) struct Changes {
    commits: Arc<Commits>,
    is_counted: bool,
}

impl Changes {
    pub(crate) fn new(commits: Arc<Commits>) -> Self {
        Self { commits, is_counted: false }
    }

    /// Takes note of a statement that will run. What is not understood counts as a change of everything.
    pub(crate) fn note(&mut self, sql: &str) {
        if self.is_counted {
            return;
        }
        let quiet = self.commits.quiet.read().unwrap_or_else(PoisonError::into_inner);
        self.is_counted = match changed_table(sql) {
            Changed::Nothing => false,
            Changed::Table(table) => !quiet.contains(table),
            Changed::Unknown => true,
        };
    }

    /// To be held while the commit is under way.
    pub(crate) fn begin_commit(self) -> Option<OpenCommit> {
        if !self.is_counted {
            return None;
        }
        self.commits.open.fetch_add(1, Ordering::SeqCst);
        Some(OpenCommit { commits: self.commits, is_ended: false })
    }
}

/// A commit under way. Dropped before its end, it keeps marks from being given until the next writer has begun.
#[derive(Debug)]
pub(crate) struct OpenCommit {
    commits: Arc<Commits>,
    is_ended: bool,
}

impl OpenCommit {
    /// The database has answered: well or not, it may have happened.
    pub(crate) fn end(mut self) {
        self.is_ended = true;
        self.commits.count.fetch_add(1, Ordering::SeqCst);
        self.commits.open.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for OpenCommit {
    fn drop(&mut self) {
        if !self.is_ended {
            self.commits.abandoned.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Changed<'a> {
    Nothing,
    Table(&'a str),
    Unknown,
}

/// Which table a statement changes by itself; what foreign keys change with it is the business of who calls a table quiet.
fn changed_table(sql: &str) -> Changed<'_> {
    let mut words = sql.split_ascii_whitespace();
    let table = match (words.next(), words.next(), words.next()) {
        (Some("SELECT"), ..) => return Changed::Nothing,
        (Some("INSERT"), Some("INTO"), Some(table)) | (Some("DELETE"), Some("FROM"), Some(table)) => table,
        (Some("UPDATE"), Some(table), Some("SET")) => table,
        _ => return Changed::Unknown,
    };
    let is_name = table.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name { Changed::Table(table) } else { Changed::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_known_by_their_table() {
        for (sql, expected) in [
            ("SELECT 1", Changed::Nothing),
            ("INSERT INTO jobs (id) VALUES (1)", Changed::Table("jobs")),
            ("UPDATE jobs SET id = 1", Changed::Table("jobs")),
            ("DELETE FROM jobs WHERE id = 1", Changed::Table("jobs")),
            ("DELETE FROM \"jobs\"", Changed::Unknown),
            ("WITH a AS (SELECT 1) INSERT INTO jobs SELECT * FROM a", Changed::Unknown),
            ("UPDATE jobs AS j SET id = 1", Changed::Unknown),
            ("CREATE TABLE a (b BIGINT)", Changed::Unknown),
        ] {
            assert_eq!(changed_table(sql), expected, "{sql}");
        }
    }

    #[test]
    fn a_commit_that_nobody_waits_for_is_settled_by_the_next_writer() {
        let commits = Arc::<Commits>::default();
        let changed = || {
            let mut changes = Changes::new(commits.clone());
            changes.note("UPDATE things SET name = 'a'");
            changes.begin_commit().unwrap()
        };
        let first = commits.mark().unwrap();
        let open = changed();
        assert_eq!(commits.mark(), None);
        open.end();
        let second = commits.mark().unwrap();
        assert_ne!(first, second);

        drop(changed());
        assert_eq!(commits.mark(), None, "it may still happen");
        changed().end();
        assert_eq!(commits.mark(), None, "the other one may still happen");
        commits.settle();
        assert_ne!(commits.mark(), Some(second));
        assert!(commits.mark().is_some());
    }
}
