//! `lazaret` on a terminal: results, exit codes, and what it says about bad input.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context as _, Result, ensure};
use e2e::{build_database, build_database_from, run_lazaret};
use report_formats::{SBOM_SCHEMA, SCAN_SCHEMA};
use serde_json::Value;
use testkit::{ImageBuilder, Layer, Output, Registry, RegistryMode, Scratch, debian_images};

const CLEAN: i32 = 0;
const ERROR: i32 = 1;
const REFUSED: i32 = 2;

/// A database of the small feed, built once for all tests of this file.
static DATABASE: LazyLock<(Scratch, PathBuf)> = LazyLock::new(|| {
    let scratch = Scratch::new("terminal").expect("a temporary folder can be made");
    let path = scratch.path().join("vulnerability.db");
    build_database(&path).expect("the feed of this repository is good");
    (scratch, path)
});

fn database() -> String {
    DATABASE.1.display().to_string()
}

fn run(arguments: &[&str], expected_code: i32) -> Result<Output> {
    let output = run_lazaret(arguments)?;
    ensure!(
        output.status.code() == Some(expected_code),
        "`{}` ended with {}, not {expected_code}\n{}{}",
        output.command,
        output.status,
        output.stdout,
        output.stderr
    );
    Ok(output)
}

fn archive(path: &Path) -> String {
    format!("oci-archive:{}", path.display())
}

fn read_json(schema: &str, output: &Output) -> Result<Value> {
    let value = serde_json::from_str::<Value>(&output.stdout)?;
    let validator = jsonschema::validator_for(&serde_json::from_str(schema)?)?;
    let errors = validator.iter_errors(&value).map(|error| error.to_string()).collect::<Vec<_>>();
    ensure!(errors.is_empty(), "{errors:#?}");
    Ok(value)
}

#[test]
fn the_vulnerable_image_is_told_from_the_fixed_one() -> Result<()> {
    let images = debian_images()?;
    let (bad, good) = (archive(&images.vulnerable), archive(&images.fixed));
    let db = database();

    let table = run(&["scan", &bad, "--db", &db], CLEAN)?.stdout;
    ensure!(table.contains("CVE-2026-103111") && table.contains("10.42-1+deb12u2"), "{table}");

    run(&["scan", &bad, "--db", &db, "--fail-on", "high"], REFUSED)?;
    run(&["scan", &bad, "--db", &db, "--fail-on", "critical"], CLEAN)?;
    run(&["scan", &bad, "--db", &db, "--policy", "reject_high"], REFUSED)?;
    run(&["scan", &bad, "--db", &db, "--policy", "reject_critical"], CLEAN)?;
    run(&["scan", &good, "--db", &db, "--fail-on", "low"], CLEAN)?;
    run(&["scan", &good, "--db", &db, "--policy", "reject_high"], CLEAN)?;
    run(&["scan", &good, "--db", &db, "--policy", "deny_all"], REFUSED)?;
    Ok(())
}

#[test]
fn findings_are_json_with_reasons_and_the_same_each_time() -> Result<()> {
    let images = debian_images()?;
    let bad = archive(&images.vulnerable);
    let db = database();
    let arguments = ["scan", &bad, "--db", &db, "-o", "json"];
    let output = run(&arguments, CLEAN)?;
    let value = read_json(SCAN_SCHEMA, &output)?;
    let finding = value["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|finding| finding["id"] == "CVE-2026-103111")
        .context("the finding is there")?;
    ensure!(finding["severity"] == "High" && finding["state"] == "fixed", "{finding:#}");
    ensure!(finding["fixed_in"][0] == "10.42-1+deb12u2", "{finding:#}");
    ensure!(finding["evidence"]["matched_name"] == "pcre2", "{finding:#}");
    ensure!(run(&arguments, CLEAN)?.stdout == output.stdout, "two scans of the same image differ");
    Ok(())
}

/// The packages of an image are kept; what is wrong with them is asked anew.
#[test]
fn an_image_that_is_known_is_told_as_one_that_is_read() -> Result<()> {
    let scratch = Scratch::new("known-image")?;
    let path = |name: &str| scratch.path().join(name);
    let copied = path("image.tar");
    fs_err::copy(debian_images()?.vulnerable, &copied)?;
    let (image, cache) = (archive(&copied), path("cache").display().to_string());
    // In another database the finding is mended long since.
    let tracker = r#"{"pcre2": {"CVE-2026-103111": {"releases": {"bookworm":
        {"fixed_version": "1.0", "status": "resolved", "urgency": "high"}}}}}"#;
    fs_err::write(path("other.json"), tracker)?;
    build_database_from(&[("debian-tracker", path("other.json"))], &path("other.db"))?;
    let (db, other) = (database(), path("other.db").display().to_string());

    let told = |db: &str, more: &[&str]| -> Result<String> {
        let arguments = [&["scan", &image, "--db", db, "-o", "json"], more].concat();
        Ok(run(&arguments, CLEAN)?.stdout)
    };
    let with_cache = ["--cache-folder", &cache];
    let expected = told(&db, &["--no-cache"])?;
    ensure!(expected.contains("CVE-2026-103111"), "{expected}");
    for layers_at_once in ["1", "8"] {
        let layers_at_once = ["--no-cache", "--layers-at-once", layers_at_once];
        ensure!(told(&db, &layers_at_once)? == expected, "another number of layers at once");
    }
    ensure!(told(&db, &with_cache)? == expected, "the first scan with a cache");
    let summary = run(&["cache", "show", "--cache-folder", &cache], CLEAN)?.stdout;
    ensure!(summary.contains("packages of 1 images"), "{summary}");
    ensure!(told(&db, &with_cache)? == expected, "the second scan");

    let elsewhere = told(&other, &with_cache)?;
    ensure!(!elsewhere.contains("CVE-2026-103111"), "{elsewhere}");
    ensure!(told(&other, &["--no-cache"])? == elsewhere, "another database");
    let timing = run(&["scan", &image, "--db", &db, "--cache-folder", &cache, "--timing"], CLEAN)?;
    ensure!(!timing.stderr.contains("cataloging"), "{}", timing.stderr);

    // Knowing it does not help an image that may not be read.
    let little = ["sbom", &image, "--cache-folder", &cache, "--memory-max", "100KiB"];
    let refused = run(&little, ERROR)?.stderr;
    ensure!(refused.contains("bytes in memory (limit 51200)"), "{refused}");

    let summary = run(&["cache", "clean", "--cache-folder", &cache], CLEAN)?.stdout;
    ensure!(summary.contains("packages of 1 images"), "{summary}");
    ensure!(fs_err::read_dir(path("cache"))?.next().is_none(), "nothing is left");
    Ok(())
}

/// Unpacks the image with other people's programs and lets dpkg-query list it.
fn ask_dpkg(archive: &Path) -> Result<Vec<String>> {
    let scratch = Scratch::new("dpkg")?;
    let tool = |name: &str, arguments: &[&str]| {
        let program = testkit::require_program(name)?;
        testkit::run(&program, b"", |command| {
            command.args(arguments).current_dir(scratch.path());
        })?
        .success()
    };
    let source = format!("oci-archive:{}", archive.display());
    tool("skopeo", &["copy", "--insecure-policy", "--quiet", &source, "oci:layout:image"])?;
    tool("umoci", &["raw", "unpack", "--image", "layout:image", "root"])?;
    let form = "${db:Status-Status} ${Package} ${Version} ${source:Package} ${source:Version}\n";
    let text = tool("dpkg-query", &["--admindir=root/var/lib/dpkg", "-W", "-f", form])?;
    let mut packages = text
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .map(str::to_owned)
        .collect::<Vec<_>>();
    packages.sort();
    Ok(packages)
}

/// The judge is the list that dpkg-query itself would print from the same database.
#[test]
fn every_package_of_a_debian_image_is_listed() -> Result<()> {
    let images = debian_images()?;
    let output = run(&["sbom", &archive(&images.fixed), "-o", "json"], CLEAN)?;
    let value = read_json(SBOM_SCHEMA, &output)?;
    let mut listed = value["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|package| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!(
                "{} {} {} {}",
                text(&package["name"]),
                text(&package["version"]),
                text(&package["source"]["name"]),
                text(&package["source"]["version"])
            )
        })
        .collect::<Vec<_>>();
    listed.sort();
    let expected = ask_dpkg(&images.fixed)?;
    ensure!(!expected.is_empty() && listed == expected, "ours: {listed:#?}\ndpkg-query: {expected:#?}");
    Ok(())
}

#[test]
fn an_image_comes_from_a_registry_as_well() -> Result<()> {
    let images = debian_images()?;
    let registry = Registry::start(RegistryMode::Open)?;
    registry.push(&images.vulnerable, "debian:vulnerable")?;
    let reference = registry.reference("debian:vulnerable");
    let host = registry.host();
    let db = database();
    let table = run(&["scan", &reference, "--db", &db, "--insecure-registry", &host], CLEAN)?.stdout;
    ensure!(table.contains("CVE-2026-103111"), "{table}");

    let digest = format!("{}@{}", registry.reference("debian"), registry.find_digest("debian:vulnerable")?);
    run(&["scan", &digest, "--db", &db, "--insecure-registry", &host, "--fail-on", "high"], REFUSED)?;

    // Not named insecure: TLS is insisted on.
    let refused = run(&["scan", &reference, "--db", &db], ERROR)?.stderr;
    ensure!(refused.contains(&host), "{refused}");
    Ok(())
}

#[test]
fn a_private_registry_is_asked_with_the_login_of_docker_config() -> Result<()> {
    let (user, password) = ("ada".to_owned(), "correct-horse".to_owned());
    let registry =
        Registry::start(RegistryMode::Htpasswd { user: user.clone(), password: password.clone() })?;
    let layer = Layer::new().file("name", "private");
    registry.push_image(&ImageBuilder::new().layer(layer).build(), "team/app:1")?;
    let (reference, host) = (registry.reference("team/app:1"), registry.host());
    let scratch = Scratch::new("docker-config")?;
    let config = scratch.path().join("config.json");
    let login = serde_json::json!({"auths": {&host: {"username": user, "password": password}}});
    fs_err::write(&config, login.to_string())?;
    let config = config.display().to_string();

    let arguments = ["sbom", &reference, "--insecure-registry", &host];
    run(&[&arguments[..], &["--docker-config", &config]].concat(), CLEAN)?;
    let refused = run(&arguments, ERROR)?.stderr;
    ensure!(refused.contains(&host) && refused.contains("refused access"), "{refused}");
    ensure!(!refused.contains(&password), "{refused}");
    Ok(())
}

#[test]
fn nothing_known_is_not_clean() -> Result<()> {
    let scratch = Scratch::new("unknown")?;
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";
    let layer =
        Layer::new().file("etc/os-release", "ID=debian\nVERSION_ID=9\n").file("var/lib/dpkg/status", status);
    let path = scratch.path().join("old.tar");
    fs_err::write(&path, ImageBuilder::new().layer(layer).build().oci_archive("old"))?;
    let output = run(&["scan", &archive(&path), "--db", &database()], ERROR)?;
    ensure!(output.stdout.contains("NO DATA") && output.stdout.contains("debian:9"), "{}", output.stdout);
    ensure!(!output.stdout.contains("no known vulnerabilities"), "{}", output.stdout);
    Ok(())
}

#[test]
fn what_came_with_the_base_image_is_told_from_what_was_added() -> Result<()> {
    let scratch = Scratch::new("base-image")?;
    let package = |name: &str| {
        format!(
            "Package: {name}\nStatus: install ok installed\nSource: pcre2\nVersion: 10.42-1\nArchitecture: amd64\n\n"
        )
    };
    let release = Layer::new().file("etc/os-release", "ID=debian\nVERSION_ID=12\n");
    let (lower, upper) = (package("libpcre2-8-0"), package("libpcre2-posix3"));
    let base = ImageBuilder::new().layer(release).layer(Layer::new().file("var/lib/dpkg/status", &lower));
    let both = Layer::new().file("var/lib/dpkg/status", format!("{lower}{upper}"));
    // Of a base no layer is read: it has none that could be.
    let unreadable = |image: testkit::Image| {
        let layers: Vec<_> = image.layers().iter().map(|layer| layer.digest.clone()).collect();
        layers.iter().fold(image, |image, digest| image.with_blob(digest, b"nothing"))
    };
    let write = |name: &str, image: testkit::Image| -> Result<String> {
        let path = scratch.path().join(name);
        fs_err::write(&path, image.oci_archive("image"))?;
        Ok(archive(&path))
    };
    let other = ImageBuilder::new().layer(Layer::new().file("a", "b"));
    let lowest = Layer::new().file("etc/os-release", "ID=debian\nVERSION_ID=12\n");
    let app = write("app.tar", base.clone().layer(both).build())?;
    let base = write("base.tar", unreadable(base.build()))?;
    let lowest = write("lowest.tar", unreadable(ImageBuilder::new().layer(lowest).build()))?;
    let other = write("other.tar", unreadable(other.build()))?;
    let db = database();

    let bases = ["--base-image", &lowest, "--base-image", &base, "--base-image", &other];
    let table = run(&[&["scan", &app, "--db", &db], &bases[..]].concat(), CLEAN)?.stdout;
    let line = format!("1 of 2 findings comes with the base image {base}; 1 from the image's own layers");
    ensure!(table.contains(&line), "{table}");
    ensure!(table.contains(&format!("{other} is not the base image: layer 1 differs")), "{table}");
    let output = run(&[&["scan", &app, "--db", &db, "-o", "json"], &bases[..]].concat(), CLEAN)?;
    ensure!(output.stderr.contains("is not the base image: layer 1 differs"), "{}", output.stderr);
    let value = read_json(SCAN_SCHEMA, &output)?;
    for finding in value["findings"].as_array().context("findings are a list")? {
        ensure!(finding["from_base_image"] == (finding["package"] == "libpcre2-8-0"), "{value:#}");
    }
    // A package list of ours knows the layers as well.
    let list = scratch.path().join("app.cdx.json").display().to_string();
    run(&["sbom", &app, "-o", &format!("cyclonedx-json={list}")], CLEAN)?;
    let of_list = run(&["sbom", &format!("sbom:{list}"), "--base-image", &base], CLEAN)?.stdout;
    ensure!(of_list.contains("1 of 2 packages comes with the base image"), "{of_list}");

    for (image, base, part) in [
        (app.as_str(), "oci-archive:/not/there.tar", "failed to read the base image"),
        (&app, "pkg:npm/a@1", "is a package list; --base-image wants an image"),
        ("/etc", &base, "leave --base-image out"),
    ] {
        let text = run(&["sbom", image, "--base-image", base], ERROR)?.stderr;
        ensure!(text.contains(part), "{text}");
    }
    Ok(())
}

#[test]
fn mistakes_end_with_one_and_say_what_to_do() -> Result<()> {
    let scratch = Scratch::new("mistakes")?;
    let path = |name: &str| scratch.path().join(name).display().to_string();
    let (empty, cut, unknown_gate) = (path("empty.tar"), path("cut.db"), path("bundle.json"));
    fs_err::write(&empty, b"")?;
    let whole = fs_err::read(&DATABASE.1)?;
    fs_err::write(&cut, &whole[..whole.len() / 2])?;
    let bundle = r#"{"id":"b","version":"1_0","policies":[{"id":"p","version":"1_0","rules":
        [{"gate":"no_such_gate","trigger":"t","action":"STOP","params":[]}]}],
        "mappings":[{"name":"m","registry":"*","repository":"*","image":{"type":"tag","value":"*"},"policy_ids":["p"]}]}"#;
    fs_err::write(&unknown_gate, bundle)?;
    let images = debian_images()?;
    let good = archive(&images.fixed);
    let db = database();
    let missing = path("none.db");

    for (arguments, part) in [
        (vec!["scan"], "Usage"),
        (vec!["scan", "NOT A NAME", "--db", &db], "NOT A NAME"),
        (vec!["scan", &good, "--db", &missing], "lazaret db build"),
        (vec!["scan", &good, "--db", &cut], "cut.db"),
        (vec!["scan", &good, "--db", &unknown_gate], "bundle.json"),
        (vec!["scan", &good, "--db", &db, "--policy", &unknown_gate], "no_such_gate"),
        (vec!["scan", &good, "--db", &db, "--policy", "reject_hihg"], "reject_high"),
        (vec!["scan", &good, "--db", &db, "--fail-on", "severe"], "critical"),
        (vec!["scan", &empty, "--db", &db], "empty.tar"),
        (vec!["scan", "127.0.0.1:1/a:b", "--db", &db], "127.0.0.1:1"),
        (vec!["db", "build", "--feed", "nvd=x", "-o", &missing], "debian-tracker"),
        (vec!["db", "build", "--feed", "osv=/no/such/folder", "-o", &missing], "/no/such/folder"),
        (vec!["db", "search", "--db", &db, "--ecosystem", "debian:1", "pcre2"], "debian:1"),
    ] {
        let text = run(&arguments, ERROR)?.stderr;
        ensure!(text.contains(part), "{arguments:?}: `{part}` is missing in:\n{text}");
        ensure!(!text.contains("panicked"), "{arguments:?}:\n{text}");
    }
    Ok(())
}

#[test]
fn a_database_answers_by_vulnerability_and_by_package() -> Result<()> {
    let db = database();
    let text = run(&["db", "search", "--db", &db, "cve-2026-103111"], CLEAN)?.stdout;
    ensure!(text.contains("pcre2") && text.contains("< 10.42-1+deb12u2"), "{text}");
    let text = run(&["db", "search", "--db", &db, "--ecosystem", "debian:12", "pcre2"], CLEAN)?.stdout;
    ensure!(text.contains("CVE-2026-103111"), "{text}");
    let text = run(&["db", "status", "--db", &db, "-o", "json"], CLEAN)?.stdout;
    let value = serde_json::from_str::<Value>(&text)?;
    ensure!(value["ecosystems"][0]["ecosystem"] == "debian:12", "{value:#}");
    Ok(())
}

#[test]
fn a_package_list_is_scanned_like_the_image_it_is_of() -> Result<()> {
    let images = debian_images()?;
    let scratch = Scratch::new("package-list")?;
    let (image, db) = (archive(&images.vulnerable), database());
    let of_image = run(&["scan", &image, "--db", &db, "-o", "json"], CLEAN)?.stdout;
    ensure!(of_image.contains("CVE-2026-103111"), "{of_image}");
    for format in [
        "cyclonedx-json",
        "cyclonedx-json@1.4",
        "cyclonedx-xml",
        "cyclonedx-xml@1.7",
        "spdx-json",
        "spdx-tag-value",
        "syft-json",
    ] {
        let file = scratch.path().join(format).display().to_string();
        run(&["sbom", &image, "-o", &format!("{format}={file}")], CLEAN)?;
        let of_list = run(&["scan", &format!("sbom:{file}"), "--db", &db, "-o", "json"], CLEAN)?.stdout;
        ensure!(of_list == of_image, "{format}: {of_list}");
    }
    let refused = run(&["scan", "pkg:npm/a@1", "--db", &db, "--policy", "deny_all"], ERROR)?.stderr;
    ensure!(refused.contains("a policy judges images"), "{refused}");
    Ok(())
}

/// Pushes the image as layers with tables of contents.
fn push_chunked(registry: &Registry, archive: &Path, name: &str) -> Result<()> {
    let skopeo = testkit::require_program("skopeo")?;
    testkit::run(&skopeo, b"", |command| {
        command.args(["--insecure-policy", "copy", "--dest-tls-verify=false", "--format=oci"]);
        command.args(["--dest-compress-format=zstd:chunked", &format!("oci-archive:{}", archive.display())]);
        command.arg(format!("docker://{}", registry.reference(name)));
    })?
    .success()?;
    Ok(())
}

#[test]
fn parts_of_layers_are_read_when_that_is_asked_for() -> Result<()> {
    let registry = Registry::start(RegistryMode::Open)?;
    let scratch = Scratch::new("partial")?;
    let path = scratch.path().join("image.tar");
    // Much that nobody looks into, and that nothing makes smaller.
    let mut state = 1_u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let picture: Vec<u8> = noise.take(800_000).collect();
    let layer = Layer::new()
        .file("srv/picture.png", picture)
        .file("srv/node_modules/left-pad/package.json", r#"{"name": "left-pad", "version": "1.3.0"}"#);
    fs_err::write(&path, ImageBuilder::new().layer(layer).build().oci_archive("v1"))?;
    push_chunked(&registry, &path, "team/app:1")?;
    let (name, host, db) = (registry.reference("team/app:1"), registry.host(), database());
    let scan = |more: &[&str]| -> Result<Value> {
        let arguments =
            ["scan", &name, "--insecure-registry", &host, "--db", &db, "--no-cache", "-o", "json"];
        read_json(SCAN_SCHEMA, &run(&[&arguments[..], more].concat(), CLEAN)?)
    };
    let (whole, parts) = (scan(&[])?, scan(&["--partial-reads"])?);
    ensure!(whole["packages"] == parts["packages"], "{whole:#}\n{parts:#}");
    let told = |value: &Value| value["diagnostics"].to_string().matches("layer-read-in-parts").count();
    ensure!((told(&whole), told(&parts)) == (0, 1), "{parts:#}");
    Ok(())
}
