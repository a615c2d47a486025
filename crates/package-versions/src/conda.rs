//! Versions of conda packages: `[epoch!]version[+local]`, components of digits and letters.
//!
//! Dots, dashes and underscores divide components; an underscore at the end belongs to the last one, so that `1.0.1_` comes
//! before `1.0.1a`. Letters come before numbers, except `post`, which is above all numbers; `dev` is below all letters. What is missing
//! is zero.
//!
//! Source: the documentation of `conda.models.version.VersionOrder`, read 2026-11.

use std::cmp::Ordering;

use crate::digits::{Number, is_number, split_digits, split_run};

/// A run inside of a component. The order of the variants is the order of versions that differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Run<'a> {
    Dev,
    Letters(&'a str),
    Number(Number<'a>),
    Post,
}

/// A version in lower case, in its parts.
struct Version<'a> {
    epoch: Number<'a>,
    components: Vec<Vec<Run<'a>>>,
    local: Vec<Vec<Run<'a>>>,
}

impl<'a> Version<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // Either of them divides, but not both in one version.
        if text.contains('-') && text.contains('_') {
            return None;
        }
        let (epoch, text) = match text.split_once('!') {
            Some((epoch, text)) => (is_number(epoch).then_some(epoch)?, text),
            None => ("", text),
        };
        let (version, local) = match text.split_once('+') {
            Some((version, local)) => (version, to_components(local)?),
            None => (text, Vec::new()),
        };
        let components = match version.strip_suffix(['_', '-']) {
            None => to_components(version)?,
            Some(start) => {
                let mut components = to_components(start)?;
                let last = components.last_mut()?;
                match last.last_mut() {
                    // The letters take the underscore in; it is below all letters of the alphabet.
                    Some(Run::Number(_) | Run::Post | Run::Dev) => last.push(Run::Letters("_")),
                    _ => return None,
                }
                components
            }
        };
        Some(Self { epoch: Number::new(epoch), components, local })
    }
}

fn to_components(text: &str) -> Option<Vec<Vec<Run<'_>>>> {
    text.split(['.', '-', '_']).map(to_runs).collect()
}

/// A component begins with a number, so that numbers and letters are in step.
fn to_runs(component: &str) -> Option<Vec<Run<'_>>> {
    let is_known = component.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase());
    (is_known && !component.is_empty()).then_some(())?;
    let mut runs = Vec::new();
    if split_digits(component).is_none() {
        runs.push(Run::Number(Number::new("")));
    }
    let mut rest = component;
    while !rest.is_empty() {
        let (digits, after) = split_run(rest, |byte| byte.is_ascii_digit());
        if !digits.is_empty() {
            runs.push(Run::Number(Number::new(digits)));
        }
        let (letters, next) = split_run(after, |byte| byte.is_ascii_lowercase());
        match letters {
            "" => {}
            "dev" => runs.push(Run::Dev),
            "post" => runs.push(Run::Post),
            letters => runs.push(Run::Letters(letters)),
        }
        rest = next;
    }
    Some(runs)
}

/// Missing components and missing runs are zero.
fn compare_components(a: &[Vec<Run<'_>>], b: &[Vec<Run<'_>>]) -> Ordering {
    let orders = (0..a.len().max(b.len())).map(|place| {
        let a = a.get(place).map(Vec::as_slice).unwrap_or_default();
        let b = b.get(place).map(Vec::as_slice).unwrap_or_default();
        compare_runs(a, b)
    });
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn compare_runs(a: &[Run<'_>], b: &[Run<'_>]) -> Ordering {
    let at = |runs: &[_], place: usize| runs.get(place).copied().unwrap_or(Run::Number(Number::new("")));
    let orders = (0..a.len().max(b.len())).map(|place| at(a, place).cmp(&at(b, place)));
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Whether it is a version.
pub(crate) fn is_well_formed(text: &str) -> bool {
    Version::parse(&text.to_ascii_lowercase()).is_some()
}

/// The order of the package manager.
pub(crate) fn compare(a: &str, b: &str) -> Option<Ordering> {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let (a, b) = (Version::parse(&a)?, Version::parse(&b)?);
    let order = a.epoch.cmp(&b.epoch).then_with(|| compare_components(&a.components, &b.components));
    Some(order.then_with(|| compare_components(&a.local, &b.local)))
}
