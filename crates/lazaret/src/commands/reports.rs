//! What `scan` and `sbom` share: one report, written in several formats to several places.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use model::NamedBase;
use report_formats::{ChosenFormat, GithubJob, Report, TableOptions, Template, WriteError, WriteOptions};

use crate::arguments::ReportArguments;
use crate::config;
use crate::scan_arguments::TimeArgument;
use crate::terminal;

/// Formats and places, checked before an image is read.
#[derive(Debug)]
pub(super) struct Outputs {
    /// What goes to standard output.
    printed: Option<ChosenFormat>,
    files: Vec<(ChosenFormat, PathBuf)>,
    /// Name and text.
    template: Option<(String, String)>,
    has_files: bool,
    written_at: Option<jiff::Timestamp>,
    github: config::GithubVariables,
}

/// Larger templates are mistakes.
const TEMPLATE_BYTES_MAX: u64 = 1 << 20;

impl Outputs {
    /// Checks what was asked for.
    ///
    /// Errors: a format that needs findings where there are none, more than one result for standard output or for one file, a
    /// file in a folder that is not there.
    pub(super) fn check(arguments: &ReportArguments, has_findings: bool) -> anyhow::Result<Self> {
        let mut outputs = Self {
            printed: None,
            files: Vec::new(),
            template: arguments.template.as_deref().map(load_template).transpose()?,
            has_files: arguments.with_files,
            written_at: match arguments.timestamp {
                Some(TimeArgument::Now) => Some(config::now()),
                Some(TimeArgument::At(time)) => Some(time),
                None => config::source_date_epoch()?,
            },
            github: config::github_variables(),
        };
        let wants_template = arguments.outputs.iter().any(|output| output.format.format.name == "template");
        if wants_template != outputs.template.is_some() {
            bail!("`-o template` and `--template FILE` belong together");
        }
        if arguments.outputs.is_empty() {
            outputs.printed = Some(ChosenFormat::parse("table")?);
        }
        let mut places = BTreeSet::new();
        for output in &arguments.outputs {
            output.format.check(has_findings)?;
            let Some(file) = &output.file else {
                if let Some(other) = outputs.printed.replace(output.format) {
                    bail!(
                        "`{other}` and `{0}` cannot both go to standard output; give one a file, as `-o {0}=FILE`",
                        output.format
                    );
                }
                continue;
            };
            let place = resolve(file)?;
            if !places.insert(place.clone()) {
                bail!("two formats go to the file `{}`", file.display());
            }
            outputs.files.push((output.format, place));
        }
        Ok(outputs)
    }

    /// Writes what is no report everywhere, as the one function for people or the other for programs says.
    ///
    /// Errors: among others a format besides `table` and `json`.
    pub(super) fn write_either(
        &self,
        table: &dyn Fn() -> String,
        json: &dyn Fn() -> String,
    ) -> anyhow::Result<()> {
        let text = |format: &ChosenFormat| match format.format.name {
            "table" => Ok(table()),
            "json" => Ok(json()),
            other => bail!("an explanation is written as `table` or `json`, not as `{other}`"),
        };
        for (format, file) in &self.files {
            replace(file, &text(format)?).with_context(|| format!("failed to write `{}`", file.display()))?;
        }
        self.printed.iter().try_for_each(|format| terminal::print(&text(format)?))
    }

    /// Says on standard error which images are no base, where standard output does not say it in words.
    pub(super) fn tell_bases(&self, bases: &[NamedBase]) {
        if self.printed.as_ref().is_some_and(|format| format.format.name == "table") {
            return;
        }
        for base in bases {
            if let Some(objection) = &base.objection {
                terminal::error_line(&format!("warning: {} is not the base image: {objection}", base.name));
            }
        }
    }

    /// Writes the report everywhere.
    pub(super) fn write(&self, report: &Report<'_>, shows_suppressed: bool) -> anyhow::Result<()> {
        for (format, file) in &self.files {
            let table = TableOptions { shows_suppressed, ..TableOptions::default() };
            match format.write(report, &self.options(table)) {
                Err(error @ WriteError::NothingSuppressed) => withhold(&error, file),
                text => replace(file, &text?),
            }
            .with_context(|| format!("failed to write `{}`", file.display()))?;
        }
        if let Some(format) = &self.printed {
            let table =
                TableOptions { width: terminal::width(), has_color: terminal::has_color(), shows_suppressed };
            match format.write(report, &self.options(table)) {
                Err(error @ WriteError::NothingSuppressed) => terminal::error_line(&error.to_string()),
                text => terminal::print(&text?)?,
            }
        }
        Ok(())
    }

    fn options(&self, table: TableOptions) -> WriteOptions<'_> {
        let config::GithubVariables { sha, reference, id, correlator } = &self.github;
        WriteOptions {
            table,
            program_version: config::VERSION,
            written_at: self.written_at,
            github: GithubJob {
                sha: sha.as_deref(),
                reference: reference.as_deref(),
                id: id.as_deref(),
                correlator: correlator.as_deref(),
            },
            has_files: self.has_files,
            template: self.template.as_ref().map(|(name, text)| Template { name, text }),
            ..WriteOptions::default()
        }
    }
}

/// Says that there is no report, and leaves none of an earlier run in its place.
fn withhold(reason: &WriteError, file: &Path) -> anyhow::Result<()> {
    terminal::error_line(&format!("`{}` is not written: {reason}", file.display()));
    if fs_err::symlink_metadata(file).is_ok_and(|metadata| metadata.is_file()) {
        fs_err::remove_file(file)?;
    }
    Ok(())
}

fn load_template(file: &Path) -> anyhow::Result<(String, String)> {
    let text = config::load_text(file, TEMPLATE_BYTES_MAX).context("failed to read the template")?;
    Ok((file.display().to_string(), text))
}

/// The file that a path means: links are followed, so that writing does not put a file in place of a link.
fn resolve(file: &Path) -> anyhow::Result<PathBuf> {
    if let Ok(existing) = fs_err::canonicalize(file) {
        if existing.is_dir() {
            bail!("`{}` is a folder; name a file in it", file.display());
        }
        return Ok(existing);
    }
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let (Ok(folder), Some(name)) = (fs_err::canonicalize(folder), file.file_name()) else {
        bail!("there is no folder `{}` for the file `{}`", folder.display(), file.display());
    };
    Ok(folder.join(name))
}

/// Replaces a file in one step, so that nobody reads half a report. Pipes and devices are written to as they are.
fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let is_special = fs_err::metadata(file).is_ok_and(|metadata| !metadata.is_file());
    if is_special {
        let mut special = fs_err::OpenOptions::new().write(true).open(file)?;
        return Ok(special.write_all(text.as_bytes())?);
    }
    let folder = file.parent().context("a file lies in a folder")?;
    // The file mode that any program gives a new file; what is taken away from it is the user's setting.
    let mode = std::fs::Permissions::from_mode(0o666);
    let mut temporary = tempfile::Builder::new().prefix(".lazaret-").permissions(mode).tempfile_in(folder)?;
    temporary.write_all(text.as_bytes())?;
    temporary.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan_arguments::OutputArgument;

    fn arguments(outputs: &[(&str, Option<&Path>)]) -> ReportArguments {
        let output = |(format, file): &(&str, Option<&Path>)| OutputArgument {
            format: ChosenFormat::parse(format).unwrap(),
            file: file.map(Path::to_owned),
        };
        ReportArguments { outputs: outputs.iter().map(output).collect(), ..ReportArguments::default() }
    }

    #[test]
    fn outputs_are_checked_before_anything_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, missing) = (folder.path().join("a"), folder.path().join("missing/a"));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("a", &link).unwrap();
        fs_err::write(&file, "").unwrap();
        for (outputs, word) in [
            (vec![("json", None), ("csv", None)], "both go to standard output"),
            (vec![("json", Some(&*file)), ("csv", Some(&*file))], "two formats"),
            (vec![("json", Some(&*file)), ("csv", Some(&*link))], "two formats"),
            (vec![("json", Some(&*missing))], "no folder"),
            (vec![("json", Some(folder.path()))], "is a folder"),
        ] {
            let error = Outputs::check(&arguments(&outputs), true).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
        let outputs = Outputs::check(&arguments(&[("json", Some(&*file)), ("csv", None)]), true).unwrap();
        assert_eq!(outputs.printed.unwrap().to_string(), "csv");
        let outputs = Outputs::check(&arguments(&[]), true).unwrap();
        assert_eq!(outputs.printed.unwrap().to_string(), "table");
    }

    #[test]
    fn a_report_without_content_leaves_nothing_of_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        fs_err::write(&file, "old").unwrap();
        for _ in 0..2 {
            withhold(&WriteError::NothingSuppressed, &file).unwrap();
            assert!(!file.exists());
        }
    }

    #[test]
    fn a_file_is_replaced_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        for text in ["one", "two"] {
            replace(&file, text).unwrap();
            assert_eq!(fs_err::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 1);
        replace(Path::new("/dev/null"), "three").unwrap();
        assert!(!fs_err::metadata("/dev/null").unwrap().is_file());
    }
}
