//! The paragraphs of a dpkg status file.

use model::DiagnosticCode;

use crate::parse::{ParseInput, Problems, lines};

/// One paragraph, as written. Every field is trimmed and not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RawParagraph {
    /// Where it begins.
    pub(crate) offset: usize,
    pub(crate) package: String,
    pub(crate) status: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) architecture: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) maintainer: Option<String>,
    pub(crate) installed_size: Option<String>,
    pub(crate) license: Option<String>,
    /// Path and checksum of every configuration file that the package still has.
    pub(crate) conffiles: Vec<(String, String)>,
}

impl RawParagraph {
    /// Whether files of the package are there.
    ///
    /// The third word of `Status` is what is so, the first is only what somebody wants: a package that is selected for removal is
    /// installed until it is removed. Without a status, as in distroless images, the paragraph itself is the statement.
    pub(crate) fn is_installed(&self) -> bool {
        let state = self.status.as_deref().and_then(|status| status.split_whitespace().nth(2));
        !matches!(state, Some("not-installed" | "config-files"))
    }
}

/// Parses a dpkg status file.
///
/// Shape:  paragraphs split by empty lines; `Field: value` lines, continued by lines that begin with a blank. Field names in any case.
/// Limits: `packages_max` paragraphs, `value_bytes_max` for each value; the file itself is bounded by the reader of the layer.
/// Result: every paragraph with a `Package`. A bad line is told and left out, the rest of its paragraph counts. Never fails.
/// Source: deb-control(5), dpkg(1) "Package states", read 2026-08; dpkg 1.21.
pub(crate) fn parse(input: &ParseInput<'_>, problems: &mut Problems<'_>) -> Vec<RawParagraph> {
    let packages_left = input.packages_left();
    let mut reading =
        Reading { found: Vec::new(), current: None, field: Field::Ignored, conffiles_left: CONFFILES_MAX };
    for (offset, line) in lines(input.bytes) {
        if line.is_empty() {
            reading.close(problems);
        } else if line[0].is_ascii_whitespace() {
            reading.continue_field(offset, line, problems);
        } else {
            reading.start_field(offset, line, problems);
        }
        if reading.found.len() >= packages_left && reading.current.is_some() {
            let maximum = input.limits.packages_max;
            let message = format!("more than {maximum} packages: the others are not in this inventory");
            problems.add(DiagnosticCode::PackagesLeftOut, offset, message);
            return reading.found;
        }
    }
    reading.close(problems);
    reading.found
}

/// Configuration files of all packages of one database; an installation with every package there is has fewer.
const CONFFILES_MAX: usize = 100_000;
/// Longer than every name that is asked for.
const FIELD_NAME_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Conffiles,
    Ignored,
}

struct Reading {
    found: Vec<RawParagraph>,
    current: Option<RawParagraph>,
    /// What continuation lines belong to.
    field: Field,
    conffiles_left: usize,
}

impl Reading {
    fn start_field(&mut self, offset: usize, line: &[u8], problems: &mut Problems<'_>) {
        self.field = Field::Ignored;
        let Some(colon) = line.iter().position(|byte| *byte == b':').filter(|colon| is_name(&line[..*colon]))
        else {
            problems.add(DiagnosticCode::BrokenRecord, offset, "line is no field and continues none");
            self.current.get_or_insert_with(|| RawParagraph { offset, ..RawParagraph::default() });
            return;
        };
        let (name, value) =
            (line[..colon.min(FIELD_NAME_BYTES_MAX)].to_ascii_lowercase(), &line[colon + 1..]);
        let has_package = self.current.as_ref().is_some_and(|paragraph| !paragraph.package.is_empty());
        if name == b"package" && has_package {
            problems.add(DiagnosticCode::BrokenRecord, offset, "paragraphs are not split by an empty line");
            self.close(problems);
        }
        let paragraph =
            self.current.get_or_insert_with(|| RawParagraph { offset, ..RawParagraph::default() });
        let target = match name.as_slice() {
            b"package" => {
                paragraph.package = problems.value(offset, value);
                return;
            }
            b"conffiles" => {
                self.field = Field::Conffiles;
                return;
            }
            b"status" => &mut paragraph.status,
            b"version" => &mut paragraph.version,
            b"architecture" => &mut paragraph.architecture,
            b"source" => &mut paragraph.source,
            b"maintainer" => &mut paragraph.maintainer,
            b"installed-size" => &mut paragraph.installed_size,
            b"license" => &mut paragraph.license,
            _ => return,
        };
        if target.is_some() {
            problems.add(DiagnosticCode::BrokenRecord, offset, "field is there twice, the first counts");
        } else {
            *target = Some(problems.value(offset, value)).filter(|value| !value.is_empty());
        }
    }

    fn continue_field(&mut self, offset: usize, line: &[u8], problems: &mut Problems<'_>) {
        let (Field::Conffiles, Some(paragraph)) = (self.field, &mut self.current) else { return };
        let line = problems.value(offset, line);
        // ` /etc/a b.conf 0cc175b9c0f1b6a831c399e269772661 obsolete`: only the path may hold blanks.
        let (line, is_obsolete) =
            line.strip_suffix(" obsolete").map_or((line.as_str(), false), |rest| (rest, true));
        let line = line.strip_suffix(" remove-on-upgrade").unwrap_or(line);
        if let Some((path, checksum)) = line.rsplit_once(' ').filter(|_| !is_obsolete) {
            if self.conffiles_left == 0 {
                let message = format!("more than {CONFFILES_MAX} configuration files");
                problems.add(DiagnosticCode::FileTooLarge, offset, message);
                self.field = Field::Ignored;
                return;
            }
            self.conffiles_left -= 1;
            paragraph.conffiles.push((path.trim().to_owned(), checksum.to_owned()));
        }
    }

    fn close(&mut self, problems: &mut Problems<'_>) {
        self.field = Field::Ignored;
        let Some(paragraph) = self.current.take() else { return };
        if paragraph.package.is_empty() {
            problems.add(DiagnosticCode::BrokenRecord, paragraph.offset, "paragraph names no package");
        } else {
            self.found.push(paragraph);
        }
    }
}

/// A field name has no blanks: a line of running text with a colon in it is not a field.
fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_graphic)
}
