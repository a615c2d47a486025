//! `lazaret db import`: good data takes the place of what is there, and nothing else does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{address_in, build_database_from, exchange, run_lazaret};
use serde_json::json;
use testkit::{Program, Scratch, wait_until};

const DEADLINE: Duration = Duration::from_secs(60);

/// Debian's tracker with so many records.
fn tracker(folder: &Path, count: usize) -> Result<PathBuf> {
    let entry = |number: usize| {
        let release =
            json!({"status": "resolved", "fixed_version": "2", "urgency": "high", "repositories": {}});
        let id = format!("CVE-2099-{number:04}");
        (format!("package-{number}"), json!({id: {"scope": "remote", "releases": {"bookworm": release}}}))
    };
    let document: serde_json::Map<String, serde_json::Value> = (1..=count).map(entry).collect();
    let path = folder.join(format!("tracker-{count}.json"));
    fs_err::write(&path, serde_json::Value::Object(document).to_string())?;
    Ok(path)
}

fn database(folder: &Path, count: usize) -> Result<PathBuf> {
    let path = folder.join(format!("{count}.db"));
    build_database_from(&[("debian-tracker", tracker(folder, count)?)], &path)?;
    Ok(path)
}

fn import(words: &[&str], place: &Path) -> Result<Program> {
    Ok(Program::lazaret()?.arguments(["db", "import"]).arguments(words).argument("--db").argument(place))
}

fn status(place: &Path) -> Result<String> {
    run_lazaret(&["db", "status", "--db", &place.to_string_lossy()])?.success()
}

#[test]
fn a_good_file_replaces_and_a_wrong_one_leaves_everything_as_it_is() -> Result<()> {
    let scratch = Scratch::new("import")?;
    let (folder, place) = (scratch.path(), scratch.path().join("data/vulnerability.db"));
    let good = database(folder, 40)?;
    let said = import(&[&good.to_string_lossy()], &place)?.run(b"")?.success()?;
    ensure!(said.contains("imported to") && said.contains("40 records"), "{said}");
    ensure!(status(&place)?.contains("40 records"));

    let before = fs_err::metadata(&place)?.modified()?;
    let bytes = fs_err::metadata(&good)?.len();
    let text = folder.join("text.db");
    fs_err::write(&text, "this is no database")?;
    let cut = folder.join("cut.db");
    fs_err::copy(&good, &cut)?;
    fs_err::OpenOptions::new().write(true).open(&cut)?.set_len(bytes / 2)?;
    let empty = folder.join("empty.json");
    fs_err::write(&empty, "{}")?;
    for (words, part) in [
        (vec![text.display().to_string()], "text.db"),
        (vec![cut.display().to_string()], "cut.db"),
        (vec![folder.join("nosuch.db").display().to_string()], "nosuch.db"),
        (
            vec!["--feed".to_owned(), format!("debian-tracker={}", empty.display())],
            "no debian-tracker record",
        ),
        (vec!["--feed".to_owned(), format!("nosuchkind={}", empty.display())], "nosuchkind"),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let refused = import(&words, &place)?.run(b"")?.failure()?;
        ensure!(refused.contains(part), "{words:?}: {refused}");
        ensure!(status(&place)?.contains("40 records"), "{words:?} changed the database");
    }
    ensure!(fs_err::metadata(&place)?.modified()? == before, "it was written again");
    let left: Vec<_> =
        fs_err::read_dir(folder.join("data"))?.map_while(Result::ok).map(|file| file.file_name()).collect();
    ensure!(left == ["vulnerability.db"], "something is left: {left:?}");
    Ok(())
}

#[test]
fn shrunk_data_is_taken_by_force_only() -> Result<()> {
    let scratch = Scratch::new("import")?;
    let place = scratch.path().join("vulnerability.db");
    import(&[&database(scratch.path(), 40)?.to_string_lossy()], &place)?.run(b"")?.success()?;
    let small = database(scratch.path(), 1)?;
    let small = small.to_string_lossy();
    let refused = import(&[&small], &place)?.run(b"")?.failure()?;
    ensure!(refused.contains("not imported") && refused.contains("--force"), "{refused}");
    ensure!(status(&place)?.contains("40 records"));
    import(&[&small, "--force"], &place)?.run(b"")?.success()?;
    ensure!(status(&place)?.contains("1 records"));
    Ok(())
}

#[test]
fn a_running_server_takes_it_over() -> Result<()> {
    let (scratch, data) = (Scratch::new("import")?, Scratch::new("serve")?);
    let server = Program::lazaret()?
        .arguments(["serve", "--listen", "127.0.0.1:0", "--engine-listen", "127.0.0.1:0"])
        .arguments(["--metrics-listen", "127.0.0.1:0", "--data-dir"])
        .argument(data.path())
        .start()?;
    let monitoring = address_in(&server.wait_for_line("monitoring  ", DEADLINE)?, "http://")?;
    let has = |line: &str| -> Option<()> {
        let numbers = exchange(&monitoring, "GET /metrics", &[], "").ok()?.body;
        numbers.lines().any(|found| found == line).then_some(())
    };
    ensure!(has("lazaret_vulnerability_database_loaded 0").is_some());
    let place = data.path().join("vulnerability.db");
    for count in [40, 45] {
        let feed = format!("debian-tracker={}", tracker(scratch.path(), count)?.display());
        import(&["--feed", &feed], &place)?.run(b"")?.success()?;
        let name = format!("tracker-{count}.json");
        let line = format!("lazaret_vulnerability_source_records{{source=\"{name}\"}} {count}");
        wait_until(DEADLINE, "the new database", || has(&line))?;
    }
    ensure!(has("lazaret_vulnerability_database_loaded 1").is_some());
    server.stop()?;
    Ok(())
}
