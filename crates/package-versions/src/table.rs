//! Tables of known answers: pairs of versions and the order that they must have.

use std::cmp::Ordering;

use crate::{ParseVersionError, VersionScheme};

/// One pair of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line in the table, from 1.
    pub line: usize,
    /// The one version.
    pub a: String,
    /// The other version.
    pub b: String,
    /// How `a` stands to `b`.
    pub expected: Ordering,
}

/// A line that is not a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} `{text}` is not `a`, `b` and one of -1, 0, 1 with tabs between them")]
pub struct ParseTableError {
    /// Which line, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
}

/// A pair that is ordered otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFailure {
    /// The pair.
    pub row: Row,
    /// How `a` was found to stand to `b`.
    pub found: Result<Ordering, ParseVersionError>,
    /// How `b` was found to stand to `a`.
    pub found_reversed: Result<Ordering, ParseVersionError>,
}

/// What a table says about a scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableReport {
    /// How many pairs are ordered as they must be, in both directions.
    pub held: usize,
    /// The others.
    pub failures: Vec<RowFailure>,
}

/// Parses a table.
///
/// Shape:  text, one pair per line: `a`, `b` and `-1`, `0` or `1` with tabs between them.
///         Empty lines, lines that begin with `#` and a first line whose third word is `expected` are skipped;
///         what that line names behind it may stand behind each pair, too.
/// Errors: the first line that has another shape.
pub fn parse(text: &str) -> Result<Vec<Row>, ParseTableError> {
    let mut rows = Vec::new();
    let mut is_first = true;
    let mut words = 3;
    for (index, content) in text.lines().enumerate() {
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let is_header = std::mem::take(&mut is_first) && content.split('\t').nth(2) == Some("expected");
        if is_header {
            words = content.split('\t').count();
            continue;
        }
        let line = index + 1;
        let row = parse_row(line, content).filter(|_| content.split('\t').count() <= words);
        rows.push(row.ok_or_else(|| ParseTableError { line, text: content.to_owned() })?);
    }
    Ok(rows)
}

fn parse_row(line: usize, content: &str) -> Option<Row> {
    let mut words = content.split('\t');
    let (a, b, expected) = (words.next()?, words.next()?, words.next()?);
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let expected = match expected {
        "-1" => Ordering::Less,
        "0" => Ordering::Equal,
        "1" => Ordering::Greater,
        _ => return None,
    };
    Some(Row { line, a: a.to_owned(), b: b.to_owned(), expected })
}

/// Checks every pair of a table in both directions.
pub fn check_table(scheme: VersionScheme, text: &str) -> Result<TableReport, ParseTableError> {
    let mut report = TableReport::default();
    for row in parse(text)? {
        let found = scheme.compare(&row.a, &row.b);
        let found_reversed = scheme.compare(&row.b, &row.a);
        if found == Ok(row.expected) && found_reversed == Ok(row.expected.reverse()) {
            report.held += 1;
        } else {
            report.failures.push(RowFailure { row, found, found_reversed });
        }
    }
    Ok(report)
}
