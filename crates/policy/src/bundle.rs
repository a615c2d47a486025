//! A policy bundle: the document as posted, and what it compiles to.

use model::EvaluationProblem;
use serde::Deserialize as _;
use serde_json::Value;

use crate::compile::{Compiled, compile};
use crate::problem;
use crate::raw::RawBundle;
use crate::schema;

/// Problems that one answer lists.
const PROBLEMS_MAX: usize = 500;

/// Why a document is not accepted as a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The document does not follow the request schema.
    #[error("policy bundle violates the request schema: {detail}")]
    Schema {
        /// What is wrong, in the words of the API, with the path behind ` - ` where there is one.
        detail: String,
        /// JSON path: `policies.0.rules.1`; empty for the document itself.
        path: String,
    },
    /// The document follows the schema but something that a mapping reaches makes no sense; all of it, at once.
    #[error("policy bundle has {} problems, the first is: {}", .0.len(), first_details(.0))]
    Invalid(Vec<EvaluationProblem>),
}

fn first_details(problems: &[EvaluationProblem]) -> &str {
    problems.first().map_or("", |problem| &problem.details)
}

/// A policy bundle, ready to judge images.
#[derive(Debug)]
pub struct Bundle {
    document: Value,
    id: String,
    name: Option<String>,
    comment: Option<String>,
    compiled: Compiled,
}

impl Bundle {
    /// Reads an upload: refuses a document with any mistake that a mapping reaches.
    ///
    /// Policies and whitelists that no mapping names are not looked at, as the language has it.
    ///
    /// Errors:
    /// - [`BundleError::Schema`] for the violation that is nearest to the root,
    /// - [`BundleError::Invalid`] with all other mistakes (the first 500).
    pub fn parse(document: &Value) -> Result<Self, BundleError> {
        let bundle = Self::load(document)?;
        let mut problems = bundle.compiled.problems();
        if problems.is_empty() {
            return Ok(bundle);
        }
        if problems.len() > PROBLEMS_MAX {
            let left_out = problems.len() - PROBLEMS_MAX;
            problems.truncate(PROBLEMS_MAX);
            problems
                .push(problem::error("ValidationError", format!("{left_out} more problems are not listed")));
        }
        Err(BundleError::Invalid(problems))
    }

    /// Reads a document that was accepted earlier, perhaps by another version or another engine.
    ///
    /// Mistakes are kept and count when an image is judged: it is refused if its mapping reaches one. Gates that have
    /// reached their end of life since then do nothing but leave a note.
    ///
    /// Errors: [`BundleError::Schema`] only.
    pub fn load(document: &Value) -> Result<Self, BundleError> {
        if let Some(violation) = schema::find_violation(document) {
            let schema::Violation { text, path } = violation;
            let detail = if path.is_empty() { text } else { format!("{text} - '{path}'") };
            return Err(BundleError::Schema { detail, path });
        }
        let raw = RawBundle::deserialize(document)
            .map_err(|error| BundleError::Schema { detail: error.to_string(), path: String::new() })?;
        let compiled = compile(&raw);
        Ok(Self { document: document.clone(), id: raw.id, name: raw.name, comment: raw.comment, compiled })
    }

    /// Its identifier.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its name, for people.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Its comment, for people.
    pub fn comment(&self) -> Option<&str> {
        self.comment.as_deref()
    }

    /// The document as posted, unknown members included.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The mapping at a position that a decision names, as written.
    pub fn mapping(&self, position: usize) -> Option<&Value> {
        self.document.get("mappings")?.get(position)
    }

    /// The allowed image at a position that a decision names, as written.
    pub fn whitelisted_image(&self, position: usize) -> Option<&Value> {
        self.document.get("whitelisted_images")?.get(position)
    }

    /// The denied image at a position that a decision names, as written.
    pub fn blacklisted_image(&self, position: usize) -> Option<&Value> {
        self.document.get("blacklisted_images")?.get(position)
    }

    /// Mistakes of a loaded document; empty for a parsed one.
    pub fn problems(&self) -> Vec<EvaluationProblem> {
        self.compiled.problems()
    }

    /// Whether a rule asks what the files of the image say, so that [`crate::EvaluationInput::contents`] must be loaded.
    pub fn needs_contents(&self) -> bool {
        self.compiled.needs_contents()
    }

    /// How many items of its whitelists have ended by this time: only forward, so that equal counts judge alike.
    pub fn count_ended_items(&self, now: jiff::Timestamp) -> usize {
        self.compiled.whitelists.iter().map(|whitelist| whitelist.count_ended(now)).sum()
    }

    /// The files whose content rules ask about (`retrieved_files`), sorted: whoever looks into the image must keep them.
    pub fn wanted_files(&self) -> impl Iterator<Item = &str> {
        self.compiled.wanted_files().into_iter()
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.compiled
    }
}
