//! What `scan` and `policy test` share: an image is read, looked up and judged.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use model::{
    Decision, DistroCoverage, ImageFacts, ImageReference, Inventory, MatchReport, NamedBase, NoDataReason,
    Platform, PolicyException, Severity,
};
use policy::{Bundle, EvaluationInput, Explanation};
use report_formats::Sbom;
use scanner::ImageSource;

use super::base::Bases;
use super::source::{Loaded, Source};
use crate::arguments::ImageArguments;
use crate::config::{self, ImageConfig};
use crate::exit::Exit;
use crate::timing::Timing;

/// An image and by what it is judged.
#[derive(Debug)]
pub(super) struct Question<'a> {
    /// The image as typed.
    pub(super) image: &'a str,
    pub(super) db: Option<&'a Path>,
    pub(super) platform: &'a Platform,
    pub(super) images: &'a ImageArguments,
    /// Images that it was built on, as typed.
    pub(super) bases: &'a [String],
    pub(super) bundle: Option<&'a Bundle>,
    /// The name that mappings see; `None`: the image's own.
    pub(super) reference: Option<&'a ImageReference>,
    pub(super) exceptions: &'a [PolicyException],
    /// Who takes the time.
    pub(super) timing: Option<&'a Arc<Timing>>,
}

/// What there is to say about the image.
#[derive(Debug)]
pub(super) struct Judged {
    image_name: String,
    pub(super) reference: ImageReference,
    /// `None`: the packages come from a list that does not say of which image.
    facts: Option<ImageFacts>,
    inventory: Inventory,
    bases: Vec<NamedBase>,
    pub(super) report: MatchReport,
    /// With a bundle.
    pub(super) explanation: Option<Explanation>,
}

/// The name that mappings see of what comes from no registry: only a wildcard matches it.
const NAME_OF_ARCHIVES: &str = "localbuild/archive:latest";

/// Reads the image, looks its packages up and judges it.
///
/// Errors: among others a bundle for a package list. A policy also asks about the image itself, and no answer is no pass.
pub(super) fn judge(question: &Question<'_>) -> anyhow::Result<Judged> {
    // What can fail at once fails before the image is fetched.
    let database = super::database::open(question.db)?;
    let source = Source::parse(question.image)?;
    if let (Some(what), Some(_)) = (source.not_an_image(), question.bundle) {
        bail!("a policy judges images, and `{}` is {what}; leave the policy out", question.image);
    }
    let bases = Bases::parse(question.bases, &source, question.image)?;
    let reference = match (question.reference, &source) {
        (Some(reference), _) | (None, Source::Image(ImageSource::Registry(reference))) => reference.clone(),
        (None, _) => NAME_OF_ARCHIVES.parse()?,
    };
    let images =
        ImageConfig { timing: question.timing.cloned(), ..ImageConfig::load(question.images.clone()) };
    let wanted = question.bundle.and_then(super::bundle::wanted_contents);
    let loaded = source.load(question.image, question.platform, &images, wanted)?;
    let bases = bases.hold_against(&loaded, question.platform, &images)?;
    let Loaded { name, facts, inventory, contents } = loaded;
    if let Some(timing) = question.timing {
        timing.begin("matching");
    }
    let report = vulnerability_db::matching::match_inventory(&inventory, &database)?;
    let explanation = question.bundle.zip(facts.as_ref()).map(|(bundle, facts)| {
        let input = EvaluationInput {
            contents: contents.as_ref(),
            exceptions: question.exceptions,
            ..EvaluationInput::new(&reference, facts, &inventory, &report, config::now())
        };
        policy::explain(bundle, &input)
    });
    Ok(Judged { image_name: name, reference, facts, inventory, bases, report, explanation })
}

impl Judged {
    /// The image and its packages, for reports.
    pub(super) fn sbom(&self) -> Sbom<'_> {
        let Self { image_name, facts, inventory, bases, .. } = self;
        Sbom { image_name, image: facts.as_ref(), inventory, bases }
    }

    /// What the user says that the image was built on.
    pub(super) fn bases(&self) -> &[NamedBase] {
        &self.bases
    }

    pub(super) fn decision(&self) -> Option<&Decision> {
        self.explanation.as_ref().map(|explanation| &explanation.decision)
    }

    /// How the command ends; says on standard error why nothing is known.
    pub(super) fn exit(&self, fail_on: Option<Severity>) -> Exit {
        let exit = decide_exit(&self.report, self.decision(), fail_on);
        if exit == Exit::Error {
            crate::terminal::error_line(match self.report.coverage {
                DistroCoverage::NoData(NoDataReason::PackagesNotRead) => {
                    "error: not all packages could be read, so what was found is not all there is: the system's package \
                     database is missing, or the warnings of the report say what was not read"
                }
                _ => {
                    "error: the packages of this image could not be looked up, so nothing is known about them; \
                     build a database with a feed of its distribution (`lazaret db build --help`)"
                }
            });
        }
        exit
    }
}

/// Refused wins; then an image that nothing is known about is not clean.
fn decide_exit(report: &MatchReport, decision: Option<&Decision>, fail_on: Option<Severity>) -> Exit {
    let is_refused = decision.is_some_and(|decision| !decision.is_pass());
    let is_above =
        fail_on.is_some_and(|bound| report.findings.iter().any(|finding| finding.severity >= bound));
    if is_refused || is_above {
        Exit::Refused
    } else if report.is_covered() {
        Exit::Clean
    } else {
        Exit::Error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_nothing_is_known_about_is_not_clean() {
        let unknown = MatchReport::without_database();
        assert_eq!(decide_exit(&unknown, None, None), Exit::Error);
        let known = MatchReport { coverage: DistroCoverage::NotNeeded, ..unknown };
        assert_eq!(decide_exit(&known, None, Some(Severity::Low)), Exit::Clean);
    }
}
