//! People log in at a real Dex, with a browser.

use reqwest::header::SET_COOKIE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::login_support::{Browser, Stage, location};
use crate::support::{answer, change_database};

#[tokio::test(flavor = "multi_thread")]
async fn somebody_logs_in_and_is_who_the_provider_says() {
    let folder = tempfile::tempdir().unwrap();
    let Stage { plane, dex: _dex } = Stage::start(folder.path()).await;
    let mut browser = Browser::new();
    let finished = browser.log_in(&plane, "grace").await;
    assert_eq!((finished.status(), location(&finished).as_str()), (StatusCode::SEE_OTHER, "/pipeline/ui"));
    let lines: Vec<_> =
        finished.headers().get_all(SET_COOKIE).iter().map(|line| line.to_str().unwrap().to_owned()).collect();
    assert!(
        lines[0].starts_with("_banzai_session=")
            && lines[0].ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"),
        "{lines:?}"
    );
    assert!(browser.cookie("_banzai_login").is_none(), "what was carried is taken away");

    let (status, me) = answer(browser.request(Method::GET, &format!("{}/api/v1/me", plane.url))).await;
    assert_eq!(status, StatusCode::OK, "{me:#}");
    assert_eq!(
        (&me["login"], &me["name"], &me["email"]),
        (&json!("grace"), &json!("grace of the tests"), &json!("grace@example.org"))
    );
    // Her groups give one organization that was there and one that was not.
    let (_, organizations) =
        answer(browser.request(Method::GET, &format!("{}/api/v1/orgs", plane.url))).await;
    let names: Vec<&Value> = organizations.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!("acme"), &json!("tools")]);

    // Only a hash is kept, and the same person is the same user the next time, whatever became of the name.
    let secret = browser.cookie("_banzai_session").unwrap().to_owned();
    let file = folder.path().join("plane.db");
    if file.exists() {
        let bytes =
            [fs_err::read(&file).unwrap(), fs_err::read(file.with_extension("db-wal")).unwrap_or_default()];
        let holds = |text: &str| {
            bytes.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
        };
        assert!(holds("Testfox/1.0") && !holds(&secret));
    }
    change_database(folder.path(), "UPDATE plane_users SET name = 'changed', email = '' WHERE id = $1", 2)
        .await;
    let mut second = Browser::new();
    second.log_in(&plane, "grace").await;
    let (_, again) = answer(second.request(Method::GET, &format!("{}/api/v1/me", plane.url))).await;
    assert_eq!((&again["id"], &again["name"]), (&me["id"], &me["name"]));
    plane.close().await;
}
