//! The formats of reports: what each is called and good for, and the function that writes it.
//!
//! One row of [`FORMATS`] is all that a format needs to be known to `-o`, its help and the documentation's test.

use std::fmt;

use jiff::Timestamp;

use crate::github::{GithubJob, github_snapshot};
use crate::gitlab::gitlab;
use crate::grype_json::grype_json;
use crate::html::html;
use crate::junit::junit;
use crate::openvex::openvex;
use crate::sarif::sarif;
use crate::template::{Template, render};
use crate::{
    CycloneDxVersion, Meta, Sbom, Scan, TableOptions, cyclonedx_json, cyclonedx_xml, sbom_csv, sbom_json,
    sbom_markdown, sbom_table, scan_csv, scan_json, scan_markdown, scan_table, spdx_json, spdx_tag_value,
    syft_json,
};

/// What is reported.
#[derive(Debug, Clone, Copy)]
pub enum Report<'a> {
    /// Packages only.
    Sbom(Sbom<'a>),
    /// Packages, and what is known about them.
    Scan(Scan<'a>),
}

impl<'a> Report<'a> {
    /// The image and its packages.
    pub fn sbom(&self) -> &Sbom<'a> {
        match self {
            Self::Sbom(sbom) => sbom,
            Self::Scan(scan) => &scan.sbom,
        }
    }

    /// Findings, where they were asked for.
    pub fn scan(&self) -> Option<&Scan<'a>> {
        match self {
            Self::Sbom(_) => None,
            Self::Scan(scan) => Some(scan),
        }
    }
}

/// What some formats need besides the report.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteOptions<'a> {
    /// How a table is shown.
    pub table: TableOptions,
    /// Version of this program.
    pub program_version: &'a str,
    /// The time that reports with a time carry; `None`: one that the data has.
    pub written_at: Option<Timestamp>,
    /// The job that makes a snapshot for GitHub.
    pub github: GithubJob<'a>,
    /// The template, for the format `template`.
    pub template: Option<Template<'a>>,
    /// Version of the format, one of [`Format::versions`]; empty: the first.
    pub format_version: &'a str,
    /// Whether package lists name the files that packages own.
    pub has_files: bool,
}

/// One format.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for, in some words.
    pub about: &'static str,
    /// How names of such files usually end.
    pub file_ending: &'static str,
    /// Whether there is nothing to write without findings.
    pub needs_findings: bool,
    /// Versions that can be chosen with `@`, the usual one first; empty where there is one only.
    pub versions: &'static [&'static str],
    write: fn(&Report<'_>, &WriteOptions<'_>) -> Result<String, WriteError>,
}

/// All formats, in the order in which help shows them.
pub static FORMATS: &[Format] = &[
    Format {
        name: "table",
        about: "for people, as wide as the terminal",
        file_ending: "txt",
        needs_findings: false,
        versions: &[],
        write: |report, options| {
            Ok(match report {
                Report::Sbom(sbom) => sbom_table(sbom, options.table.width),
                Report::Scan(scan) => scan_table(scan, options.table),
            })
        },
    },
    Format {
        name: "json",
        about: "everything, for programs; has a published schema",
        file_ending: "json",
        needs_findings: false,
        versions: &[],
        write: |report, _| {
            Ok(match report {
                Report::Sbom(sbom) => sbom_json(sbom),
                Report::Scan(scan) => scan_json(scan),
            })
        },
    },
    Format {
        name: "csv",
        about: "for spreadsheets",
        file_ending: "csv",
        needs_findings: false,
        versions: &[],
        write: |report, _| {
            Ok(match report {
                Report::Sbom(sbom) => sbom_csv(sbom),
                Report::Scan(scan) => scan_csv(scan),
            })
        },
    },
    Format {
        name: "markdown",
        about: "for comments and wikis",
        file_ending: "md",
        needs_findings: false,
        versions: &[],
        write: |report, _| {
            Ok(match report {
                Report::Sbom(sbom) => sbom_markdown(sbom),
                Report::Scan(scan) => scan_markdown(scan),
            })
        },
    },
    Format {
        name: "cyclonedx-json",
        about: "CycloneDX; reads back as the same packages",
        file_ending: "cdx.json",
        needs_findings: false,
        versions: &["1.6", "1.4", "1.5", "1.7"],
        write: |report, options| {
            let version = CycloneDxVersion::from_name(options.format_version).unwrap_or_default();
            let found = report.scan().map(|scan| scan.report);
            Ok(cyclonedx_json(report.sbom(), found, version, &meta_of_list(report, options)?))
        },
    },
    Format {
        name: "cyclonedx-xml",
        about: "the same in XML",
        file_ending: "cdx.xml",
        needs_findings: false,
        versions: &["1.6", "1.4", "1.5", "1.7"],
        write: |report, options| {
            let version = CycloneDxVersion::from_name(options.format_version).unwrap_or_default();
            let found = report.scan().map(|scan| scan.report);
            Ok(cyclonedx_xml(report.sbom(), found, version, &meta_of_list(report, options)?))
        },
    },
    Format {
        name: "spdx-json",
        about: "SPDX 2.3; reads back as the same packages",
        file_ending: "spdx.json",
        needs_findings: false,
        versions: &[],
        write: |report, options| Ok(spdx_json(report.sbom(), &meta_of_list(report, options)?)),
    },
    Format {
        name: "spdx-tag-value",
        about: "the same in lines of tag and value",
        file_ending: "spdx",
        needs_findings: false,
        versions: &[],
        write: |report, options| Ok(spdx_tag_value(report.sbom(), &meta_of_list(report, options)?)),
    },
    Format {
        name: "syft-json",
        about: "syft's own; reads back as the same packages",
        file_ending: "syft.json",
        needs_findings: false,
        versions: &[],
        write: |report, options| Ok(syft_json(report.sbom(), &meta_of_list(report, options)?)),
    },
    Format {
        name: "html",
        about: "one page for a browser, to filter and to print",
        file_ending: "html",
        needs_findings: false,
        versions: &[],
        write: |report, options| Ok(html(report, options)),
    },
    Format {
        name: "sarif",
        about: "SARIF 2.1.0, for the security pages of code hosts",
        file_ending: "sarif.json",
        needs_findings: true,
        versions: &[],
        write: |report, options| of_findings(report, |scan| sarif(scan, options)),
    },
    Format {
        name: "gitlab",
        about: "GitLab's container scanning report",
        file_ending: "json",
        needs_findings: true,
        versions: &[],
        write: |report, options| of_findings(report, |scan| gitlab(scan, options)),
    },
    Format {
        name: "github",
        about: "snapshot for GitHub's dependency submission API",
        file_ending: "json",
        needs_findings: false,
        versions: &[],
        write: |report, options| Ok(github_snapshot(report, options)),
    },
    Format {
        name: "junit",
        about: "JUnit's XML, for any CI system",
        file_ending: "xml",
        needs_findings: true,
        versions: &[],
        write: |report, _| of_findings(report, junit),
    },
    Format {
        name: "grype-json",
        about: "JSON in grype's shape, for programs that read that",
        file_ending: "json",
        needs_findings: true,
        versions: &[],
        write: |report, options| of_findings(report, |scan| grype_json(scan, options)),
    },
    Format {
        name: "openvex",
        about: "OpenVEX of what is suppressed, for other scanners",
        file_ending: "json",
        needs_findings: true,
        versions: &[],
        write: |report, options| {
            let scan = report.scan().ok_or(WriteError::NeedsFindings { format: "openvex" })?;
            openvex(scan, options).ok_or(WriteError::NothingSuppressed)
        },
    },
    Format {
        name: "template",
        about: "as the file of --template says, in the language of Jinja",
        file_ending: "txt",
        needs_findings: false,
        versions: &[],
        write: |report, options| render(report, options.template.ok_or(WriteError::NoTemplate)?),
    },
];

/// Most files of packages that are written when asked for: each takes some hundred bytes of a document and a kilobyte of memory.
const WRITTEN_FILES_MAX: usize = 500_000;

/// For formats that list files when asked to.
fn meta_of_list(report: &Report<'_>, options: &WriteOptions<'_>) -> Result<Meta, WriteError> {
    let found = report.sbom().inventory.packages.iter().map(|package| package.files.len()).sum();
    if options.has_files && found > WRITTEN_FILES_MAX {
        return Err(WriteError::TooManyFiles { found, limit: WRITTEN_FILES_MAX });
    }
    Ok(Meta { created: options.written_at, has_files: options.has_files })
}

fn of_findings(report: &Report<'_>, write: impl FnOnce(&Scan<'_>) -> String) -> Result<String, WriteError> {
    Ok(write(report.scan().ok_or(WriteError::NeedsFindings { format: "this" })?))
}

/// A format, and the version of it that is wanted.
#[derive(Debug, Clone, Copy)]
pub struct ChosenFormat {
    /// The format.
    pub format: &'static Format,
    /// One of its versions; empty where there is one only.
    pub version: &'static str,
}

/// Why a format cannot be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChooseFormatError {
    /// No format has this name.
    #[error("`{name}` is no format; formats are {}", names(FORMATS.iter().map(|it| it.name)))]
    UnknownFormat {
        /// What was asked for.
        name: String,
    },
    /// The format has no such version.
    #[error("`{format}` has no version `{version}`; {}", if versions.is_empty() { "it is written without `@`".to_owned() } else { format!("it has {}", names(versions.iter().copied())) })]
    UnknownVersion {
        /// The format.
        format: &'static str,
        /// What was asked for.
        version: String,
        /// What there is.
        versions: &'static [&'static str],
    },
}

/// Why a report cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The format is about findings, and there are only packages.
    #[error("`{format}` is about findings: use `lazaret scan`")]
    NeedsFindings {
        /// The format.
        format: &'static str,
    },
    /// There is nothing that a document of OpenVEX could state, and without statements it is none.
    #[error("nothing is suppressed: OpenVEX documents need a statement, so there is none to write")]
    NothingSuppressed,
    /// The packages own more files than a document takes.
    #[error("packages own {found} files (limit {limit}): write the list without --with-files")]
    TooManyFiles {
        /// Files of all packages.
        found: usize,
        /// Most that are written.
        limit: usize,
    },
    /// The format needs a template.
    #[error("`template` needs a file: --template FILE")]
    NoTemplate,
    /// The template is wrong.
    #[error("template `{name}`: {problem}")]
    Template {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

impl ChosenFormat {
    /// Reads `NAME` or `NAME@VERSION`.
    ///
    /// Errors: names all formats, or all versions of the format.
    pub fn parse(text: &str) -> Result<Self, ChooseFormatError> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let format = FORMATS
            .iter()
            .find(|format| format.name == name)
            .ok_or_else(|| ChooseFormatError::UnknownFormat { name: name.to_owned() })?;
        let versions = format.versions;
        let chosen = match version {
            None => Some(versions.first().copied().unwrap_or_default()),
            Some(version) => versions.iter().copied().find(|it| *it == version),
        };
        let unknown = || ChooseFormatError::UnknownVersion {
            format: format.name,
            version: version.unwrap_or_default().to_owned(),
            versions,
        };
        Ok(Self { format, version: chosen.ok_or_else(unknown)? })
    }

    /// Whether a report of this kind can be written so.
    pub fn check(&self, has_findings: bool) -> Result<(), WriteError> {
        if self.format.needs_findings && !has_findings {
            return Err(WriteError::NeedsFindings { format: self.format.name });
        }
        Ok(())
    }

    /// Writes the report.
    pub fn write(&self, report: &Report<'_>, options: &WriteOptions<'_>) -> Result<String, WriteError> {
        self.check(report.scan().is_some())?;
        (self.format.write)(report, &WriteOptions { format_version: self.version, ..*options })
    }
}

impl PartialEq for ChosenFormat {
    fn eq(&self, other: &Self) -> bool {
        (self.format.name, self.version) == (other.format.name, other.version)
    }
}

impl Eq for ChosenFormat {}

impl fmt::Display for ChosenFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            "" => formatter.write_str(self.format.name),
            version => write!(formatter, "{}@{version}", self.format.name),
        }
    }
}

/// The formats as lines of help: name, versions and use. `has_findings`: also those that are about findings.
pub fn formats_help(has_findings: bool) -> String {
    let formats = || FORMATS.iter().filter(|format| has_findings || !format.needs_findings);
    let width = formats().map(|format| format.name.len()).max().unwrap_or_default();
    let line = |format: &Format| {
        let versions = match format.versions {
            [] => String::new(),
            versions => format!("; versions {}", names(versions.iter().copied())),
        };
        format!("  {:width$}  {}{versions}\n", format.name, format.about)
    };
    formats().map(line).collect()
}

#[cfg(test)]
mod tests {
    use model::{Inventory, OwnedFile};

    use super::*;

    #[test]
    fn only_what_lists_files_refuses_too_many_of_them() {
        let package = model::Package::new(model::PackageKind::Deb, "a".to_owned(), None);
        let files = vec![OwnedFile::default(); WRITTEN_FILES_MAX + 1];
        let packages = vec![model::Package { files, ..package }];
        let inventory = Inventory { packages, ..Inventory::default() };
        let report =
            Report::Sbom(Sbom { image_name: "app:1", image: None, inventory: &inventory, bases: &[] });
        let options = WriteOptions { has_files: true, ..WriteOptions::default() };
        for (name, is_list) in [
            ("table", false),
            ("csv", false),
            ("markdown", false),
            ("html", false),
            ("github", false),
            ("cyclonedx-json", true),
            ("cyclonedx-xml", true),
            ("spdx-json", true),
            ("spdx-tag-value", true),
            ("syft-json", true),
        ] {
            let written = ChosenFormat::parse(name).unwrap().write(&report, &options);
            let is_refused = matches!(written, Err(WriteError::TooManyFiles { .. }));
            assert_eq!((is_refused, written.is_ok()), (is_list, !is_list), "{name}");
        }
    }

    #[test]
    fn each_format_is_found_by_its_name_and_no_other() {
        for format in FORMATS {
            let chosen = ChosenFormat::parse(format.name).unwrap();
            assert_eq!(chosen.version, format.versions.first().copied().unwrap_or_default());
            for version in format.versions {
                let text = format!("{}@{version}", format.name);
                assert_eq!(ChosenFormat::parse(&text).unwrap().to_string(), text);
            }
            assert!(formats_help(true).contains(&format!("  {} ", format.name)), "{}", format.name);
            assert_eq!(formats_help(false).contains(&format!("  {} ", format.name)), !format.needs_findings);
        }
        let error = ChosenFormat::parse("jsn").unwrap_err().to_string();
        assert!(FORMATS.iter().all(|format| error.contains(format.name)), "{error}");
        let error = ChosenFormat::parse("csv@2").unwrap_err().to_string();
        assert!(error.contains("without `@`"), "{error}");
    }
}
