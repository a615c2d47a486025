//! `check-packages`: what Lazaret lists in images, against what the package managers themselves list in them.

mod compare;
mod differences;
mod images;
mod judges;
mod listed;
mod report;

use anyhow::{Result, bail};
use testkit::Scratch;

use crate::image_archive;
use crate::progress::{say, step};
use crate::run::{cargo, command, output};
use crate::setup;
use images::Image;
use judges::Judge;
use listed::ListedByLazaret;
use report::{Report, Row};

/// Compares, prints the tables; true when every difference is explained. Without names, all images.
pub(crate) fn check_packages(names: &[String]) -> Result<bool> {
    let images = select(names)?;
    setup::setup_for_images()?;
    step("building lazaret", || {
        output(command(cargo()).args(["build", "--quiet", "--package", "lazaret"])).map(drop)
    })?;
    let mut report = Report::default();
    for image in images {
        match check(&image) {
            Ok(rows) => rows.into_iter().for_each(|row| report.add(row)),
            Err(error) => report.add_failure(format!("`{}` was not compared: {error:#}", image.name)),
        }
    }
    report.print();
    Ok(report.is_explained())
}

fn select(names: &[String]) -> Result<Vec<Image>> {
    let known = images::all();
    if let Some(unknown) = names.iter().find(|name| !known.iter().any(|image| image.name == **name)) {
        let known: Vec<&str> = known.iter().map(|image| image.name).collect();
        bail!("unknown image `{unknown}`: known are `{}`", known.join("`, `"));
    }
    Ok(known
        .into_iter()
        .filter(|image| names.is_empty() || names.iter().any(|name| name == image.name))
        .collect())
}

/// Asks everybody who has something to say about an image.
fn check(image: &Image) -> Result<Vec<Row>> {
    let archive = image.find_or_make()?;
    let scratch = Scratch::new("check-packages")?;
    step(&format!("asking about `{}`", image.name), || {
        let root = image_archive::unpack(&archive, scratch.path())?;
        let ours = ListedByLazaret::load(&archive)?;
        let mut rows = Vec::new();
        let mut judged = Vec::new();
        for judge in Judge::ALL {
            let theirs = judge.list(&root, scratch.path())?;
            let Some(theirs) = theirs else { continue };
            judged.push(judge.kind);
            let comparison = compare::compare(&theirs, &ours.of_kind(&judge));
            rows.push(Row { image: image.name, judge: judge.name, kind: judge.kind, comparison });
        }
        let not_judged = ours.kinds_without(&judged);
        if !not_judged.is_empty() {
            say(&format!("`{}` has packages that nobody there can judge: {not_judged}", image.name));
        }
        Ok(rows)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_twelve_images_with_names_of_their_own() {
        let mut names: Vec<&str> = images::all().iter().map(|image| image.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), images::all().len());
        assert!(names.len() >= 12, "{names:?}");
        for rule in differences::RULES {
            assert!(rule.images.iter().all(|image| names.contains(image)), "{rule:?}");
        }
    }

    #[test]
    fn unknown_images_are_told_with_those_that_are_known() {
        let error = select(&["debian-99".to_owned()]).err().unwrap().to_string();
        assert!(error.starts_with("unknown image `debian-99`: known are `debian-12`, "), "{error}");
        assert_eq!(select(&["debian-12".to_owned()]).unwrap().len(), 1);
    }
}
