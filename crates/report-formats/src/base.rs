//! What came with the base image that a user named, for all formats.

use model::{BaseImage, BasePackages, Finding, NamedBase, Package};

use crate::{Sbom, Scan};

/// The nearest of the bases that were named, and what it brought.
#[derive(Debug)]
pub(crate) struct FoundBase<'a> {
    pub(crate) base: &'a NamedBase,
    packages: BasePackages<'a>,
}

impl<'a> FoundBase<'a> {
    /// `None`: nobody named one, or none of them is a base.
    pub(crate) fn of(sbom: &Sbom<'a>) -> Option<Self> {
        let base = NamedBase::nearest(sbom.bases)?;
        Some(Self { base, packages: BasePackages::new(sbom.inventory, base.layer_count) })
    }

    /// Whether the package of a finding came with it; `None`: the layer is not known.
    pub(crate) fn has_finding(&self, finding: &Finding) -> Option<bool> {
        self.packages.has_finding(finding)
    }

    /// Whether a package came with it.
    pub(crate) fn has(&self, package: &Package) -> Option<bool> {
        self.packages.has(package)
    }

    /// Where the package of these findings came from, which may be at several places of the image.
    pub(crate) fn origin<'f>(&self, findings: impl IntoIterator<Item = &'f Finding>) -> &'static str {
        let (mut of_base, mut of_own) = (false, false);
        for finding in findings {
            match self.has_finding(finding) {
                Some(true) => of_base = true,
                Some(false) => of_own = true,
                None => {}
            }
        }
        match (of_base, of_own) {
            (true, true) => "base, own",
            (true, false) => "base",
            (false, true) => "own",
            (false, false) => "",
        }
    }
}

/// The word for where a package came from; nothing where its layer is not known.
pub(crate) fn origin_word(of_base: Option<bool>) -> &'static str {
    of_base.map_or("", |of_base| if of_base { "base" } else { "own" })
}

/// Whether the image says of itself that it was built from this one; `None`: it names no digest, or this one has none.
pub(crate) fn is_stated(base: &NamedBase, sbom: &Sbom<'_>) -> Option<bool> {
    let stated = sbom.facts()?.base.as_ref()?.digest.as_ref()?;
    (!base.digests.is_empty()).then(|| base.digests.contains(stated))
}

/// Of findings, how much came with the base, and which of the named images is none; in lines for people.
pub(crate) fn finding_lines(scan: &Scan<'_>) -> Vec<String> {
    let of_base = |found: &FoundBase<'_>| {
        scan.report.findings.iter().map(|finding| found.has_finding(finding)).collect::<Vec<_>>()
    };
    match scan.report.findings.is_empty() {
        true => package_lines(&scan.sbom),
        false => lines(&scan.sbom, "finding", of_base),
    }
}

/// The same of packages.
pub(crate) fn package_lines(sbom: &Sbom<'_>) -> Vec<String> {
    lines(sbom, "package", |found| sbom.inventory.packages.iter().map(|package| found.has(package)).collect())
}

fn lines(sbom: &Sbom<'_>, what: &str, origins: impl Fn(&FoundBase<'_>) -> Vec<Option<bool>>) -> Vec<String> {
    let mut lines: Vec<String> = FoundBase::of(sbom)
        .map(|found| {
            let origins = origins(&found);
            let count = |wanted: Option<bool>| origins.iter().filter(|origin| **origin == wanted).count();
            let (all, of_base) = (origins.len(), count(Some(true)));
            let plural = if all == 1 { "" } else { "s" };
            let verb = if of_base == 1 { "comes" } else { "come" };
            let mut line = format!(
                "{of_base} of {all} {what}{plural} {verb} with the base image {}; {} from the image's own layers",
                found.base.name,
                count(Some(false))
            );
            if count(None) > 0 {
                line.push_str(&format!("; {} from a layer that is not known", count(None)));
            }
            line
        })
        .into_iter()
        .collect();
    lines.extend(stated_line(sbom));
    lines.extend(sbom.bases.iter().filter_map(objection));
    lines
}

/// What the image itself says, where that is not what the user says.
fn stated_line(sbom: &Sbom<'_>) -> Option<String> {
    let BaseImage { name, digest } = sbom.facts()?.base.as_ref()?;
    let found = NamedBase::nearest(sbom.bases).map(|base| is_stated(base, sbom));
    if sbom.bases.is_empty() || found == Some(Some(true)) {
        return None;
    }
    let name = [name.clone(), digest.as_ref().map(ToString::to_string)];
    let name = name.into_iter().flatten().collect::<Vec<_>>().join("@");
    Some(format!("the image itself says that it was built from {name}"))
}

/// Why a named image is no base.
pub(crate) fn objection(base: &NamedBase) -> Option<String> {
    Some(format!("{} is not the base image: {}", base.name, base.objection.as_ref()?))
}
