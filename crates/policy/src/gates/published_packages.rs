//! What the gates `ruby_gems` and `npms` have in common: installed packages against the public registry of their language.
//!
//! Decisions where the language leaves room:
//! - Versions in a message are sorted: the original shows them in the order of its database.
//! - `feed_data_unavailable` fires only when there are such packages, as its message says.

use std::collections::{BTreeMap, BTreeSet};

use model::{PackageFeed, PackageFeeds, PackageKind, PublishedPackage};

use super::{Built, Check, Output};
use crate::budget::Failure;
use crate::judge::EvaluationInput;
use crate::parameter::{Parameter, ParameterValues, Validator};
use crate::python_text::repr_list;

/// One public registry, in the words of its gate.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) kind: PackageKind,
    pub(super) feed: fn(&PackageFeeds) -> Option<&PackageFeed>,
    /// `Gem`.
    pub(super) name: &'static str,
    /// `GEM`.
    pub(super) name_upper: &'static str,
    /// `gem`.
    pub(super) name_lower: &'static str,
    /// What stands before the message about a newer version.
    pub(super) newer_version_prefix: &'static str,
}

/// What is asked.
#[derive(Debug)]
enum Question {
    OtherThanLatest,
    UnknownName,
    UnknownVersion,
    MissingFeed,
    Refused { name: String, version: Option<String> },
}

#[derive(Debug)]
struct RegistryCheck {
    registry: &'static Registry,
    question: Question,
}

/// Parameters of the triggers that name a package.
pub(super) const REFUSED_PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "name",
        description: "Name of the package, exactly.",
        example: "time_diff",
        is_required: true,
        validator: Validator::Text,
    },
    Parameter {
        name: "version",
        description: "Only this version. Default: any.",
        example: "0.2.9",
        is_required: false,
        validator: Validator::Text,
    },
];

fn build(registry: &'static Registry, question: Question) -> Built {
    Ok(Box::new(RegistryCheck { registry, question }))
}

pub(super) fn build_not_latest(registry: &'static Registry) -> Built {
    build(registry, Question::OtherThanLatest)
}

pub(super) fn build_unknown(registry: &'static Registry) -> Built {
    build(registry, Question::UnknownName)
}

pub(super) fn build_unknown_version(registry: &'static Registry) -> Built {
    build(registry, Question::UnknownVersion)
}

pub(super) fn build_feed_missing(registry: &'static Registry) -> Built {
    build(registry, Question::MissingFeed)
}

pub(super) fn build_refused(registry: &'static Registry, values: &ParameterValues) -> Built {
    let text = |name| values.text(name).map(str::to_owned);
    let question = Question::Refused { name: text("name").unwrap_or_default(), version: text("version") };
    build(registry, question)
}

/// Versions by name.
type Installed<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

impl Check for RegistryCheck {
    fn run(&self, input: &EvaluationInput<'_>, output: &mut Output<'_>) -> Result<(), Failure> {
        output.budget.spend(input.inventory.packages.len() as u64)?;
        let mut installed = Installed::new();
        for package in &input.inventory.packages {
            if package.kind == self.registry.kind {
                installed.entry(&package.name).or_default().extend(package.version.as_deref());
            }
        }
        let feed = (self.registry.feed)(input.package_feeds);
        match &self.question {
            Question::Refused { name, version } => {
                self.push_refused(&installed, name, version.as_deref(), output)
            }
            Question::MissingFeed if feed.is_none() && !installed.is_empty() => {
                let Registry { name, name_lower, .. } = self.registry;
                output.push_message(format!(
                    "{name} packages are present but the anchore {name_lower} feed is not available - will be unable to perform checks that require feed data"
                ))
            }
            Question::MissingFeed => Ok(()),
            Question::OtherThanLatest | Question::UnknownName | Question::UnknownVersion => match feed {
                // A feed that knows none of them is taken for one that is not about them.
                Some(feed) if installed.keys().any(|name| feed.contains_key(*name)) => {
                    self.push_published(&installed, feed, output)
                }
                _ => Ok(()),
            },
        }
    }
}

impl RegistryCheck {
    fn push_refused(
        &self,
        installed: &Installed<'_>,
        name: &str,
        version: Option<&str>,
        output: &mut Output<'_>,
    ) -> Result<(), Failure> {
        let Some(versions) = installed.get(name) else {
            return Ok(());
        };
        let what = self.registry.name;
        match version {
            None => output.push_message(format!("{what} Package is blacklisted: {name}")),
            Some(version) if versions.contains(version) => {
                output.push_message(format!("{what} Package is blacklisted: {name}-{version}"))
            }
            Some(_) => Ok(()),
        }
    }

    fn push_published(
        &self,
        installed: &Installed<'_>,
        feed: &PackageFeed,
        output: &mut Output<'_>,
    ) -> Result<(), Failure> {
        let registry = self.registry.name_upper;
        for (name, versions) in installed {
            output.budget.spend(1 + versions.len() as u64)?;
            match (&self.question, feed.get(*name)) {
                (Question::UnknownName, None) => output.push_message(format!(
                    "{registry}NOTOFFICIAL Package ({name}) in container but not in official {registry} feed."
                ))?,
                (Question::OtherThanLatest, Some(PublishedPackage { latest: Some(latest), .. })) => {
                    for version in versions.iter().filter(|version| *version != latest) {
                        output.push_message(format!(
                            "{}Package ({name}) version ({version}) installed but is not the latest version ({latest})",
                            self.registry.newer_version_prefix
                        ))?;
                    }
                }
                (Question::UnknownVersion, Some(published)) => {
                    self.push_unknown_versions(name, versions, published, output)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn push_unknown_versions(
        &self,
        name: &str,
        versions: &BTreeSet<&str>,
        published: &PublishedPackage,
        output: &mut Output<'_>,
    ) -> Result<(), Failure> {
        output.budget.spend((versions.len() * published.versions.len()) as u64)?;
        let unknown: Vec<&str> = versions
            .iter()
            .copied()
            .filter(|version| !published.versions.iter().any(|known| known == version))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let sorted: BTreeSet<&str> = published.versions.iter().map(String::as_str).collect();
        let known = repr_list(sorted);
        for version in unknown {
            output.budget.spend(known.len() as u64)?;
            output.push_message(format!(
                "{}BADVERSION Package ({name}) version ({version}) installed but version is not in the official feed for this package ({known})",
                self.registry.name_upper
            ))?;
        }
        Ok(())
    }
}
