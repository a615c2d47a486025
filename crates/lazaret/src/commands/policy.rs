//! `lazaret policy`: bundles are checked, described and tried on images.

use std::path::Path;

use anyhow::{Context as _, bail};
use model::PolicyException;
use report_formats::{
    PolicyTest, Scan, is_valid_bundle, policy_check_json, policy_check_table, policy_description,
    policy_test_json, policy_test_table, select_specification,
};

use super::judgement::{Question, judge};
use crate::arguments::{OutputFormat, PolicyCommand, PolicyTestArguments};
use crate::client::arguments::LeadingFlags;
use crate::exit::Exit;
use crate::terminal;
use crate::{client, config};

const EXCEPTIONS_BYTES_MAX: u64 = 32 << 20;
/// Mistakes in a file of exceptions that are listed.
const MISTAKES_SHOWN_MAX: usize = 50;

/// Runs one of the commands.
pub(super) fn run(leading: LeadingFlags, command: PolicyCommand) -> anyhow::Result<Exit> {
    match command {
        PolicyCommand::Remote(command) => client::run_policy(leading, command),
        _ if !leading.are_none() => bail!("flags of this command stand behind its name"),
        PolicyCommand::Check { bundle, output } => check(&bundle, output),
        PolicyCommand::Describe { gate, trigger, output } => {
            describe(gate.as_deref(), trigger.as_deref(), output)
        }
        PolicyCommand::Test(arguments) => test(&arguments),
    }
}

fn check(name: &str, output: OutputFormat) -> anyhow::Result<Exit> {
    let document = super::bundle::load_document(name)?;
    let problems = policy::review(&document, config::now());
    terminal::print(&match output {
        OutputFormat::Table => policy_check_table(name, &problems),
        OutputFormat::Json => policy_check_json(name, &problems),
    })?;
    Ok(if is_valid_bundle(&problems) { Exit::Clean } else { Exit::Error })
}

fn describe(gate: Option<&str>, trigger: Option<&str>, output: OutputFormat) -> anyhow::Result<Exit> {
    let selected = select_specification(&policy::specification(), gate, trigger)?;
    terminal::print(&match output {
        OutputFormat::Table => policy_description(&selected, terminal::width()),
        OutputFormat::Json => format!("{selected:#}\n"),
    })?;
    Ok(Exit::Clean)
}

fn test(arguments: &PolicyTestArguments) -> anyhow::Result<Exit> {
    let PolicyTestArguments { bundle, image, reference, exceptions, all, db, platform, output, images } =
        arguments;
    let bundle = super::bundle::load(bundle)?;
    let exceptions = match exceptions {
        Some(path) => load_exceptions(path)?,
        None => Vec::new(),
    };
    let judged = judge(&Question {
        image,
        db: db.as_deref(),
        platform,
        images,
        bases: &[],
        bundle: Some(&bundle),
        reference: reference.as_ref(),
        exceptions: &exceptions,
        timing: None,
    })?;
    let explanation = judged.explanation.as_ref().context("an image was judged without a bundle")?;
    let decision = &explanation.decision;
    let reference = judged.reference.to_string();
    let test = PolicyTest {
        scan: Scan { sbom: judged.sbom(), report: &judged.report, decision: Some(decision), hidden_count: 0 },
        decision,
        rules: &explanation.rules,
        bundle: bundle.document(),
        reference: &reference,
        exceptions: &exceptions,
    };
    terminal::print(&match output {
        OutputFormat::Table => policy_test_table(&test, *all),
        OutputFormat::Json => policy_test_json(&test),
    })?;
    Ok(judged.exit(None))
}

/// Reads a file of exceptions in the form in which the engine lists them.
fn load_exceptions(path: &Path) -> anyhow::Result<Vec<PolicyException>> {
    let shown = path.display();
    let text = config::load_text(path, EXCEPTIONS_BYTES_MAX)?;
    let document = serde_json::from_str(&text)
        .with_context(|| format!("`{shown}` is not JSON; it should hold what GET /v1/exceptions answers"))?;
    match policy::parse_exceptions(&document) {
        Ok(exceptions) => Ok(exceptions),
        Err(mistakes) => {
            let mut lines: Vec<String> = mistakes
                .iter()
                .take(MISTAKES_SHOWN_MAX)
                .map(|mistake| {
                    format!("  {}: {}", mistake.path.as_deref().unwrap_or("document"), mistake.details)
                })
                .collect();
            if let Some(more) = mistakes.len().checked_sub(MISTAKES_SHOWN_MAX).filter(|more| *more > 0) {
                lines.push(format!("  and {more} more"));
            }
            bail!("the exceptions in `{shown}` cannot be used:\n{}", lines.join("\n"))
        }
    }
}
