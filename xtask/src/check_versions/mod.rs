//! `check-versions`: the order of versions against tables of known answers.

mod ranges;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use package_versions::{ParseVersionError, VersionScheme, table};

use crate::progress::print;

/// The tables of this repository.
const OWN_TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/package-versions/testdata");

/// First words of the names of tables, where they are not the name of a scheme.
const TABLE_NAMES: [(&str, VersionScheme); 6] = [
    ("alpine", VersionScheme::Apk),
    ("debian", VersionScheme::Dpkg),
    ("redhat", VersionScheme::Rpm),
    ("rubygems", VersionScheme::Gem),
    ("pypi", VersionScheme::Pep440),
    ("packagist", VersionScheme::Composer),
];

/// What was found in a table.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Count {
    held: usize,
    failed: usize,
    /// Rows about the grammar of an installer's ranges, which is no part of the product.
    not_applicable: usize,
}

/// Prints each row that fails and how many hold; true when all do. Without a table, all tables of the repository.
pub(crate) fn check_versions(tables: &[String]) -> Result<bool> {
    let counts = match tables {
        [] => check_folder(Path::new(OWN_TABLES))?,
        [path] if Path::new(path).is_dir() => check_folder(Path::new(path))?,
        [path] => vec![check_named(Path::new(path))?],
        [scheme, file] => {
            let Some(scheme) = VersionScheme::from_name(scheme) else {
                let known = VersionScheme::ALL.map(VersionScheme::name).join("`, `");
                bail!("unknown scheme `{scheme}`: known are `{known}`");
            };
            vec![check_file(scheme, Path::new(file))?]
        }
        _ => bail!("more than a scheme and a table: give a folder to check many tables"),
    };
    if counts.len() > 1 {
        let sum = |of: fn(&Count) -> usize| counts.iter().map(of).sum::<usize>();
        let (held, failed) = (sum(|count| count.held), sum(|count| count.failed));
        print(&format!("{} tables: {held} rows held, {failed} failed", counts.len()));
    }
    // A table without rows proves nothing, and is probably not the file that was meant.
    let is_proof = |count: &Count| count.failed == 0 && count.held > 0;
    Ok(!counts.is_empty() && counts.iter().all(is_proof))
}

fn check_folder(folder: &Path) -> Result<Vec<Count>> {
    let mut tables: Vec<PathBuf> = fs_err::read_dir(folder)?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "tsv"))
        .collect();
    tables.sort();
    tables.iter().map(|table| check_named(table)).collect()
}

/// The scheme is the first word of the table's name.
fn check_named(table: &Path) -> Result<Count> {
    let name = table.file_name().unwrap_or_default().to_string_lossy();
    if name.starts_with("semver-npm") {
        return check_file(VersionScheme::Npm, table);
    }
    let word = name.split(['-', '.']).next().unwrap_or_default();
    let named = TABLE_NAMES.iter().find(|(known, _)| *known == word).map(|(_, scheme)| *scheme);
    let Some(scheme) = named.or_else(|| VersionScheme::from_name(word)) else {
        bail!("`{}` does not begin with the name of a scheme: give the scheme in front", table.display());
    };
    check_file(scheme, table)
}

fn check_file(scheme: VersionScheme, file: &Path) -> Result<Count> {
    let text = fs_err::read_to_string(file)?;
    let place = format!("{} {}", scheme.name(), file.display());
    if ranges::is_range_table(&text) {
        let count = ranges::check_ranges(scheme, file, &text)?;
        let Count { held, failed, not_applicable } = count;
        print(&format!(
            "{place}: {held} rows held, {failed} failed, {not_applicable} are about ranges of installers"
        ));
        return Ok(count);
    }
    let report =
        table::check_table(scheme, &text).with_context(|| format!("failed to read `{}`", file.display()))?;
    for failure in &report.failures {
        let row = &failure.row;
        let (forward, reversed) = (describe(&failure.found), describe(&failure.found_reversed));
        print(&format!(
            "{}:{}: `{}` and `{}` should be {}, are {forward}; reversed, they are {reversed}",
            file.display(),
            row.line,
            row.a,
            row.b,
            number(row.expected),
        ));
    }
    print(&format!("{place}: {} rows held, {} failed", report.held, report.failures.len()));
    Ok(Count { held: report.held, failed: report.failures.len(), not_applicable: 0 })
}

fn describe(found: &Result<Ordering, ParseVersionError>) -> String {
    match found {
        Ok(ordering) => number(*ordering).to_owned(),
        Err(error) => format!("not ordered ({error})"),
    }
}

fn number(ordering: Ordering) -> &'static str {
    match ordering {
        Ordering::Less => "-1",
        Ordering::Equal => "0",
        Ordering::Greater => "1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scheme: &str, table: &str) -> Result<bool> {
        let scratch = testkit::Scratch::new("table").unwrap();
        let file = scratch.path().join("table.tsv");
        fs_err::write(&file, table).unwrap();
        check_versions(&[scheme.to_owned(), file.display().to_string()])
    }

    #[test]
    fn tables_pass_fail_or_are_no_tables() {
        assert!(check("dpkg", "# source\na\tb\texpected\n1.0\t1.1\t-1\n").unwrap());
        assert!(!check("dpkg", "1.0\t1.1\t-1\n1.0\t1.1\t1\n").unwrap());
        assert!(!check("dpkg", "# nothing\n").unwrap());
        assert!(check("dpkg", "1.0 1.1 -1\n").is_err());
        assert!(check_versions(&["dpkg".to_owned(), "/nonexistent".to_owned()]).is_err());
        let error = check("dpgk", "").unwrap_err().to_string();
        assert!(error.starts_with("unknown scheme `dpgk`: known are `dpkg`, `apk`, `rpm`, "), "{error}");
    }

    #[test]
    fn a_folder_is_checked_by_the_names_of_its_tables() {
        let scratch = testkit::Scratch::new("tables").unwrap();
        let write = |name: &str, text: &str| fs_err::write(scratch.path().join(name), text).unwrap();
        let check = || check_versions(&[scratch.path().display().to_string()]);
        assert!(!check().unwrap());
        write("SOURCE.md", "no table");
        write("alpine-a.tsv", "1.2_rc1\t1.2\t-1\n");
        write("maven-b.tsv", "1.2-sp\t1.2\t1\n");
        assert!(check().unwrap());
        write("rubygems.tsv", "1.2.a\t1.2\t1\n");
        assert!(!check().unwrap());
        write("other.tsv", "1\t2\t-1\n");
        assert!(check().unwrap_err().to_string().contains("other.tsv"));
    }

    #[test]
    fn the_tables_of_this_repository_hold() {
        assert!(check_versions(&[]).unwrap());
    }
}
