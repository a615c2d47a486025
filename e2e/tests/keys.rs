//! The key that seals is renewed, nothing is lost, and nothing that was sealed ever stands in a log.

use anyhow::{Context as _, Result, ensure};
use e2e::{ADMIN_PASSWORD, EngineOptions, Method, Plane};
use serde_json::json;
use testkit::Program;

const PASSWORD: &str = "hunter2-of-the-registry";

fn key(plane: &Plane, command: &str) -> Result<testkit::Output> {
    Program::lazaret()?
        .arguments(["key", command, "--data-dir"])
        .argument(plane.engine.data_folder())
        .run(b"")
}

#[test]
fn the_key_is_renewed_and_the_old_one_forgotten() -> Result<()> {
    let environment = vec![("LAZARET_LOG".to_owned(), "debug".to_owned())];
    let mut plane = Plane::start(EngineOptions { environment, ..EngineOptions::default() })?;
    let id = plane.add_secret("login", "password", &json!({"username": "ada", "password": PASSWORD}))?;
    let revealed = |plane: &Plane| -> Result<bool> {
        let secret = plane.ask(Method::GET, &format!("/orgs/1/secrets/{id}"), None)?;
        Ok(secret["values"]["password"] == PASSWORD)
    };
    ensure!(revealed(&plane)?);
    let before = key(&plane, "list")?.success()?;
    ensure!(before.lines().count() == 2, "{before}");
    // The secret, and keys of the installation that are sealed as well.
    let sealed = before.trim_end().rsplit_once("seals  ").context("no key seals")?.1.to_owned();
    ensure!(sealed.trim_end_matches(" values").parse::<u32>()? >= 2, "{before}");

    key(&plane, "rotate")?.success()?;
    let text = key(&plane, "list")?.success()?;
    ensure!(text.contains("seals  0 values") && text.contains(&format!("opens  {sealed}")), "{text}");
    let refused = key(&plane, "forget-old")?.failure()?;
    ensure!(
        refused.contains(&format!("{sealed} are still sealed")) && refused.contains("restart"),
        "{refused}"
    );
    ensure!(revealed(&plane)?, "the running server has the old key");

    let mut said = plane.engine.output();
    plane.engine.stop()?;
    plane.engine.resume()?;
    ensure!(revealed(&plane)?, "the token's key and the secret are sealed again");
    let text = key(&plane, "list")?.success()?;
    ensure!(text.contains(&format!("seals  {sealed}")) && text.contains("opens  0 values"), "{text}");
    let done = key(&plane, "forget-old")?.success()?;
    ensure!(done.contains("forgot 1 old keys"), "{done}");
    let after = key(&plane, "list")?.success()?;
    ensure!(after.lines().count() == 2 && before.lines().nth(1) != after.lines().nth(1), "{before}{after}");

    said.push_str(&plane.engine.output());
    plane.engine.stop()?;
    plane.engine.resume()?;
    ensure!(revealed(&plane)?);
    said.push_str(&plane.engine.output());
    let token = fs_err::read_to_string(plane.engine.data_folder().join("admin.token"))?;
    for hidden in [PASSWORD, ADMIN_PASSWORD, token.trim()] {
        ensure!(!said.contains(hidden), "`{hidden}` is in the log:\n{said}");
    }
    Ok(())
}
