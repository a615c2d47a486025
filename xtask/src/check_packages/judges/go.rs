//! Go's own toolchain, asked about all programs.

use std::path::Path;

use anyhow::Result;

use super::place;
use crate::check_packages::compare::Listed;
use crate::run::{command, output};

pub(super) fn ask(root: &Path, _scratch: &Path) -> Result<Option<Vec<Listed>>> {
    let answer = output(command("go").args(["version", "-m"]).arg(root))?;
    let listed = parse(&answer, &|path| place(root, Path::new(path)));
    Ok((!listed.is_empty()).then_some(listed))
}

/// The version of Go is that of its library; what replaces a module takes its place.
fn parse(answer: &str, to_place: &dyn Fn(&str) -> String) -> Vec<Listed> {
    let mut listed: Vec<Listed> = Vec::new();
    let mut program = String::new();
    for line in answer.lines() {
        if let Some((path, version)) = line.split_once(": go").filter(|_| !line.starts_with('\t')) {
            program = to_place(path);
            let version = version.split([' ', '-']).next().unwrap_or_default();
            listed.push(Listed::new("stdlib", version, &program));
            continue;
        }
        match line.trim().split('\t').collect::<Vec<_>>()[..] {
            ["mod" | "dep", path, version, ..] => listed.push(Listed::new(path, version, &program)),
            ["=>", path, version, ..] => {
                listed.pop();
                listed.push(Listed::new(path, version, &program));
            }
            _ => {}
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_their_modules_and_replacements_are_read() {
        let answer = "/r/bin/a: go1.26.8 X:none\n\tpath\texample.org/a\n\tmod\texample.org/a\t(devel)\t\n\
            \tdep\texample.org/b\tv1.0.0\th1:x=\n\t=>\texample.org/c\tv1.2.0\th1:y=\n\tbuild\t-compiler=gc\n\
            /r/bin/b: go1.20\n";
        let lines: Vec<String> = parse(answer, &|path| path.replacen("/r", "", 1))
            .iter()
            .map(|listed| format!("{} {} {}", listed.name, listed.version, listed.place))
            .collect();
        let expected = [
            "stdlib 1.26.8 /bin/a",
            "example.org/a (devel) /bin/a",
            "example.org/c v1.2.0 /bin/a",
            "stdlib 1.20 /bin/b",
        ];
        assert_eq!(lines, expected);
    }
}
