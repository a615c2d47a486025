//! `check-versions`: the order of versions against a table of known answers.

use std::cmp::Ordering;
use std::path::Path;

use anyhow::{Context, Result, bail};
use package_versions::{ParseVersionError, VersionScheme, table};

use crate::progress::print;

/// Prints each row that fails and how many hold; true when all do.
pub(crate) fn check_versions(scheme: &str, file: &Path) -> Result<bool> {
    let Some(scheme) = VersionScheme::from_name(scheme) else {
        let known = VersionScheme::ALL.map(VersionScheme::name).join("`, `");
        bail!("unknown scheme `{scheme}`: known are `{known}`");
    };
    let text = fs_err::read_to_string(file)?;
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
    print(&format!("{}: {} rows held, {} failed", scheme.name(), report.held, report.failures.len()));
    // A table without rows proves nothing, and is probably not the file that was meant.
    Ok(report.failures.is_empty() && report.held > 0)
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
        check_versions(scheme, &file)
    }

    #[test]
    fn tables_pass_fail_or_are_no_tables() {
        assert!(check("dpkg", "# source\na\tb\texpected\n1.0\t1.1\t-1\n").unwrap());
        assert!(!check("dpkg", "1.0\t1.1\t-1\n1.0\t1.1\t1\n").unwrap());
        assert!(!check("dpkg", "# nothing\n").unwrap());
        assert!(check("dpkg", "1.0 1.1 -1\n").is_err());
        assert!(check_versions("dpkg", Path::new("/nonexistent")).is_err());
        let error = check("dpgk", "").unwrap_err().to_string();
        assert_eq!(error, "unknown scheme `dpgk`: known are `dpkg`, `apk`");
    }
}
