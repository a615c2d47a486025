//! The package managers themselves as judges of the order: those that `cargo xtask setup` installs, and those of Node, of
//! Maven and of pacman where they are on this machine.
//!
//! Each is asked about versions of real advisories (`testdata/samples`) and about generated ones. What we refuse is not
//! compared, but it must be little; what a judge refuses we must refuse, too, except where we are lenient on purpose.

use std::cmp::Ordering;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use package_versions::VersionScheme;
use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

type Pair = (String, String);

/// How a judge orders the pairs; `None` for those that it refuses. All of it is `None` when the judge is not here.
type Judge = fn(&[Pair]) -> Option<Vec<Option<Ordering>>>;

/// Pairs of a sample, and generated ones.
fn pairs(sample: &str, grammar: &'static str) -> Vec<Pair> {
    let sample: Vec<&str> = sample.lines().collect();
    let of_sample = (0..sample.len()).flat_map(|place| {
        // Neighbours, which begin alike, and two from anywhere.
        [place + 1, place * 7 + 3, place * 31 + 11]
            .map(|other| (sample[place].to_owned(), sample[other % sample.len()].to_owned()))
    });
    let seed = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), seed);
    let strategy = string_regex(grammar).expect("the grammars below are regular expressions");
    let mut version = || strategy.new_tree(&mut runner).map(|tree| tree.current()).unwrap_or_default();
    let mut all: Vec<Pair> = of_sample.collect();
    all.extend((0..600).map(|_| (version(), version())));
    all
}

/// Compares ours with the judge's; `is_lenient`: we may order what the judge refuses.
fn check(scheme: VersionScheme, judge: Judge, pairs: &[Pair], is_lenient: bool) {
    if judge(&[("1".to_owned(), "2".to_owned())]) != Some(vec![Some(Ordering::Less)]) {
        use VersionScheme::{Maven, Npm, Pacman, Semver};
        let is_optional = matches!(scheme, Npm | Semver | Maven | Pacman);
        assert!(is_optional, "the judge of {} is missing or broken: run `cargo xtask setup`", scheme.name());
        return;
    }
    let found = judge(pairs).expect("the judge has just answered");
    assert_eq!(found.len(), pairs.len(), "{}", scheme.name());
    let mut agreed = 0;
    let mut differences = Vec::new();
    for ((a, b), expected) in pairs.iter().zip(found) {
        let ours = scheme.compare_strictly(a, b);
        match (&ours, expected) {
            (Ok(order), Some(expected)) if *order == expected => agreed += 1,
            (Err(_), None) => agreed += 1,
            (Ok(_), None) if is_lenient || a == b => {}
            (Err(_), Some(_)) => {}
            _ => differences.push(format!("`{a}` and `{b}`: ours {ours:?}, the judge's {expected:?}")),
        }
    }
    assert!(differences.is_empty(), "{}: {}\n{}", scheme.name(), differences.len(), differences.join("\n"));
    assert!(agreed * 10 > pairs.len() * 9, "{}: only {agreed} of {}", scheme.name(), pairs.len());
}

/// Gives the pairs to a program, one a line with a tab between, and reads -1, 0, 1 or something else for each.
fn ask(program: &str, arguments: &[&str], pairs: &[Pair]) -> Option<Vec<Option<Ordering>>> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let text: String = pairs.iter().map(|(a, b)| format!("{a}\t{b}\n")).collect();
    let mut input = child.stdin.take()?;
    // All judges read while they write, so a thread keeps both ends going.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().ok()?;
    let _ = writer.join();
    output.status.success().then_some(())?;
    let answers = String::from_utf8(output.stdout).ok()?;
    let read = |line: &str| match line.trim() {
        "-1" => Some(Ordering::Less),
        "0" => Some(Ordering::Equal),
        "1" => Some(Ordering::Greater),
        _ => None,
    };
    Some(answers.lines().filter(|line| !line.is_empty()).map(read).collect())
}

macro_rules! sample {
    ($name:literal) => {
        include_str!(concat!("../testdata/samples/", $name, ".txt"))
    };
}

#[test]
fn dpkg_itself_agrees() {
    let judge: Judge = |pairs| {
        let is = |a: &str, relation: &str, b: &str| {
            let arguments = ["--compare-versions", a, relation, b];
            Command::new("dpkg").args(arguments).output().ok().map(|output| output.status.success())
        };
        let order = |(a, b): &Pair| {
            Some(match (is(a, "lt", b)?, is(a, "eq", b)?) {
                (true, _) => Ordering::Less,
                (_, true) => Ordering::Equal,
                _ => Ordering::Greater,
            })
        };
        Some(pairs.iter().map(order).collect())
    };
    // It answers one question each time it is started, so only neighbours of the sample are asked, and half of the others.
    let pairs = pairs(sample!("dpkg"), "([01]:)?[0-2][0-2a~+.]{0,5}(-[0-1a~+.]{1,3})?");
    let of_sample: Vec<Pair> = pairs[..pairs.len() - 600].iter().step_by(3).cloned().collect();
    check(VersionScheme::Dpkg, judge, &of_sample, false);
    check(VersionScheme::Dpkg, judge, &pairs[pairs.len() - 300..], false);
}

#[test]
fn rpm_itself_agrees() {
    let judge: Judge = |pairs| {
        let program = "%{lua: for line in io.lines() do local a, b = line:match('([^\\t]*)\\t(.*)') \
            print(rpm.vercmp(a, b) .. '\\n') end}";
        ask("rpm", &["--eval", program], pairs)
    };
    let pairs = pairs(sample!("rpm"), "([01]:)?[0-2a][0-2ab~^._+]{0,5}(-[0-2a][0-2a~^.]{0,3})?");
    check(VersionScheme::Rpm, judge, &pairs, false);
}

#[test]
fn packaging_of_python_agrees() {
    let judge: Judge = |pairs| {
        let program = "
import sys
from packaging.version import Version, InvalidVersion
for line in sys.stdin:
    a, b = line.rstrip('\\n').split('\\t')
    try:
        a, b = Version(a), Version(b)
        print((a > b) - (a < b))
    except InvalidVersion:
        print('x')
";
        ask("/usr/bin/python3", &["-c", program], pairs)
    };
    let grammar = "v?([01]!)?[0-1](\\.[0-1]){0,2}([._-]?(a|b|rc|alpha|preview|C)[._-]?[01]?)?(-[01]|[._-]?(post|r)[01]?)?(\\.?dev[01]?)?(\\+[a0]([._-][0a1]{1,2})?)?";
    check(VersionScheme::Pep440, judge, &pairs(sample!("pep440"), grammar), false);
}

#[test]
fn rubygems_agree() {
    let judge: Judge = |pairs| {
        let program = "STDIN.each_line do |line|
            a, b = line.chomp.split(\"\\t\")
            known = [a, b].all? { |it| Gem::Version.correct?(it) }
            puts known ? Gem::Version.new(a) <=> Gem::Version.new(b) : 'x'
        end";
        ask("ruby", &["-e", program], pairs)
    };
    let grammar = "[0-2](\\.[0-2a][0-2aB]?){0,4}(-[0-2a]{1,2})?";
    check(VersionScheme::Gem, judge, &pairs(sample!("gem"), grammar), false);
}

#[test]
fn php_itself_agrees() {
    let judge: Judge = |pairs| {
        let program = "while (($line = fgets(STDIN)) !== false) {
            [$a, $b] = explode(\"\\t\", rtrim($line, \"\\n\"));
            echo version_compare($a, $b), \"\\n\";
        }";
        ask("php", &["-r", program], pairs)
    };
    // PHP does not know what Composer leaves out: `v`, `-stable`, metadata, capitals.
    let grammar = "[0-2](\\.[0-2]{1,2}){0,3}([._-]?(dev|alpha|a|b|beta|RC|rc|pl|p|patch)([._-]?[0-2]{1,2})){0,2}([._-]?(dev|a|pl))?";
    check(VersionScheme::Composer, judge, &pairs(sample!("composer"), grammar), false);
}

#[test]
fn the_semver_of_node_agrees() {
    let judge: Judge = |pairs| {
        // Debian's package, or the one that npm brings.
        let places = ["/usr/share/nodejs/semver", "/usr/lib/node_modules/npm/node_modules/semver"];
        let module = places.into_iter().find(|place| Path::new(place).exists())?;
        let program = "const semver = require(process.argv[1])
            for (const line of require('fs').readFileSync(0, 'utf8').split('\\n').filter(it => it)) {
                const [a, b] = line.split('\\t').map(it => semver.parse(it.replace(/^(\\d+)$/, '$1.0.0'), true))
                console.log(a && b ? a.compare(b) : 'x')
            }";
        ask("node", &["-e", program, module], pairs)
    };
    let grammar = "[v=]?[0-2]\\.[0-2]\\.[0-2](-[0-1ab]{1,2}(\\.[0-2aB]{1,2}){0,2}|rc[0-2])?(\\+[ab01]{1,2})?";
    check(VersionScheme::Npm, judge, &pairs(sample!("npm"), grammar), true);
    check(VersionScheme::Semver, judge, &pairs(sample!("semver"), grammar), true);
}

#[test]
fn maven_itself_agrees() {
    let judge: Judge = |pairs| {
        let classes = "/usr/share/java/maven-artifact-3.x.jar:/usr/share/java/commons-lang3.jar";
        let name = "org.apache.maven.artifact.versioning.ComparableVersion";
        let mut command = Command::new("java");
        command.args(["-cp", classes, name]);
        let output = command.args(pairs.iter().flat_map(|(a, b)| [a, b])).output().ok()?;
        output.status.success().then_some(())?;
        let answers = String::from_utf8(output.stdout).ok()?;
        // It compares each with the next one: `   1.0 < 1.1`; every other answer is about a pair.
        let orders = answers.lines().filter(|line| line.starts_with("   ")).step_by(2);
        let read = |line: &str| match line.split_whitespace().nth(1) {
            Some("<") => Some(Ordering::Less),
            Some("==") => Some(Ordering::Equal),
            Some(">") => Some(Ordering::Greater),
            _ => None,
        };
        Some(orders.map(read).collect())
    };
    // Left out: where we follow the specification and Maven does not (see `maven.rs`), a word between dots or dashes on
    // the level of numbers, and a level of nothing but zeros.
    let grammar = "[0-2](\\.[0-2]){0,3}((-?(a|b|m|alpha|RC|cr|beta|milestone|sp|x)(-?[12])?|\\.(alpha|rc|x)[12]?)?(-SNAPSHOT)?|[-.]?(ga|final))";
    check(VersionScheme::Maven, judge, &pairs(sample!("maven"), grammar), false);
}

#[test]
fn the_library_of_pacman_agrees() {
    let judge: Judge = |pairs| {
        let program = "
import ctypes, sys
compare = ctypes.CDLL('libalpm.so.13').alpm_pkg_vercmp
for line in sys.stdin:
    print(compare(*line.rstrip('\\n').encode().split(b'\\t')))
";
        ask("/usr/bin/python3", &["-c", program], pairs)
    };
    let grammar = "([01]:)?[0-2a]([._+]{0,2}[0-2ab]){0,4}(-[12])?";
    check(VersionScheme::Pacman, judge, &pairs(sample!("pacman"), grammar), false);
}
