//! People log in at a real Dex, with a browser.

use reqwest::header::SET_COOKIE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use testkit::DexServer;

use crate::login_support::{Browser, Stage, location, people, refusal};
use crate::support::{answer, change_database, clock, database};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_gets_a_number_and_groups_that_change_take_back() {
    let folder = tempfile::tempdir().unwrap();
    let Stage { plane, dex: _dex } = Stage::start(folder.path()).await;
    // The first user is called ada as well, and is somebody else: no name and no address makes two people one.
    change_database(folder.path(), "UPDATE plane_users SET email = 'ada@example.org' WHERE id = $1", 1).await;
    let mut browser = Browser::new();
    browser.log_in(&plane, "ada").await;
    let me = format!("{}/api/v1/me", plane.url);
    let (_, me) = answer(browser.request(Method::GET, &me)).await;
    assert_eq!((&me["id"], &me["login"]), (&json!(2), &json!("ada-2")));

    // What a login gave is taken back by the next; what was given by hand stays, with its role.
    let orgs = format!("{}/api/v1/orgs", plane.url);
    let by_hand = "INSERT INTO plane_organizations (id, name, provider, created_us, updated_us) VALUES ($1, 'by hand', 'x', 0, 0)";
    change_database(folder.path(), by_hand, 70).await;
    let member =
        "INSERT INTO plane_members (organization_id, user_id, role, created_us) VALUES (70, $1, 'member', 0)";
    change_database(folder.path(), member, 2).await;
    let stale = "INSERT INTO plane_organizations (id, name, provider, created_us, updated_us) VALUES ($1, 'stale', 'x', 0, 0)";
    change_database(folder.path(), stale, 71).await;
    let member = "INSERT INTO plane_members (organization_id, user_id, role, created_us, by_login) VALUES (71, $1, 'admin', 0, 1)";
    change_database(folder.path(), member, 2).await;
    let mut again = Browser::new();
    again.log_in(&plane, "ada").await;
    let (_, organizations) = answer(again.request(Method::GET, &orgs)).await;
    let names: Vec<&Value> = organizations.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, [&json!("acme"), &json!("by hand")]);

    // Her group makes her an administrator; somebody of another looks only.
    let secrets = format!("{}/api/v1/orgs/1/secrets", plane.url);
    assert_eq!(answer(again.request(Method::GET, &secrets)).await.0, StatusCode::OK);
    let mut member = Browser::new();
    member.log_in(&plane, "linus").await;
    let (_, organizations) = answer(member.request(Method::GET, &orgs)).await;
    let id = organizations[0]["id"].as_i64().unwrap();
    let below = |path: &str| format!("{}/api/v1/orgs/{id}{path}", plane.url);
    assert_eq!(answer(member.request(Method::GET, &below("/clusters"))).await.0, StatusCode::OK);
    assert_eq!(answer(member.request(Method::GET, &below("/secrets"))).await.0, StatusCode::FORBIDDEN);
    assert_eq!(answer(member.request(Method::GET, &secrets)).await.0, StatusCode::FORBIDDEN);
    plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_come_in_stays_out_and_loses_what_he_had() {
    let folder = tempfile::tempdir().unwrap();
    let Stage { plane, dex: _dex } = Stage::start(folder.path()).await;
    let mut browser = Browser::new();
    let refused = browser.log_in(&plane, "mallory").await;
    let (status, text) = refusal(refused).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("you are in none of the groups"), "{text}");
    assert!(browser.cookie("_banzai_session").is_none());
    plane.close().await;

    // Linus had come in; then the settings changed.
    let folder = tempfile::tempdir().unwrap();
    let Stage { plane, dex } = Stage::start(folder.path()).await;
    let mut linus = Browser::new();
    linus.log_in(&plane, "linus").await;
    let url = plane.url.clone();
    plane.close().await;
    let mut dex = dex;
    dex.stop();
    let listener = tokio::net::TcpListener::bind(url.trim_start_matches("http://")).await.unwrap();
    dex.start(&crate::login_support::clients(&url)).unwrap();
    let mut settings = crate::support::settings(folder.path());
    let mut login = crate::login_support::login_settings(dex.issuer(), &url);
    login.email_domains = vec!["Example.org".to_owned()];
    login.required_groups = vec!["platform".to_owned(), "nobody".to_owned()];
    settings.login = Some(login);
    let plane = crate::support::TestPlane::start_on(listener, settings).await;
    let me = format!("{url}/api/v1/me");
    assert_eq!(answer(linus.request(Method::GET, &me)).await.0, StatusCode::OK, "until he logs in again");
    let session = linus.cookies.clone();
    let (status, _) = refusal(linus.log_in(&plane, "linus").await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    linus.cookies = session;
    assert_eq!(answer(linus.request(Method::GET, &me)).await.0, StatusCode::UNAUTHORIZED);
    let places = "SELECT count(*) FROM plane_members WHERE user_id = $1";
    let left: i64 =
        storage::query(places).bind(2_i64).fetch_value(&database(folder.path()).await).await.unwrap();
    assert_eq!(left, 0, "what earlier logins gave is taken back");
    // An address in the right domain that nobody verified is no way in.
    let (status, text) = refusal(Browser::new().log_in(&plane, "eve").await).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("has not verified your e-mail address"), "{text}");
    assert_eq!(Browser::new().log_in(&plane, "grace").await.status(), StatusCode::SEE_OTHER);
    plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_ended_and_end_by_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let Stage { plane, dex: _dex } = Stage::start(folder.path()).await;
    let [mut first, mut second, mut other] = [Browser::new(), Browser::new(), Browser::new()];
    first.log_in(&plane, "grace").await;
    second.log_in(&plane, "grace").await;
    other.log_in(&plane, "ada").await;
    let [me, sessions] = ["me", "sessions"].map(|path| format!("{}/api/v1/{path}", plane.url));
    let (status, listed) = answer(first.request(Method::GET, &sessions)).await;
    assert_eq!((status, listed.as_array().unwrap().len()), (StatusCode::OK, 2), "{listed:#}");
    assert_eq!(listed[1]["browser"], json!("Testfox/1.0"));
    assert!(!listed.to_string().contains(first.cookie("_banzai_session").unwrap()));

    let origin = ("origin", plane.url.as_str());
    let older = format!("{sessions}/{}", listed[1]["id"].as_str().unwrap());
    let end = |browser: &Browser| browser.request(Method::DELETE, &older).header(origin.0, origin.1);
    assert_eq!(answer(end(&other)).await.0, StatusCode::NOT_FOUND, "somebody else's");
    assert_eq!(answer(end(&second)).await.0, StatusCode::NO_CONTENT);
    let (status, refused) = answer(first.request(Method::GET, &me)).await;
    assert_eq!((status, &refused["message"]), (StatusCode::UNAUTHORIZED, &json!("Invalid session")));

    let request = second.request(Method::POST, &format!("{}/auth/logout", plane.url));
    let cookies = second.cookies.clone();
    assert_eq!(second.send(request.header(origin.0, origin.1)).await.status(), StatusCode::NO_CONTENT);
    assert!(second.cookies.is_empty());
    second.cookies = cookies;
    assert_eq!(answer(second.request(Method::GET, &me)).await.0, StatusCode::UNAUTHORIZED);

    // Not used for long, and at the end of its time.
    for sql in [
        "UPDATE plane_sessions SET used_us = used_us - 3600000000 WHERE user_id >= $1",
        "UPDATE plane_sessions SET expires_us = used_us WHERE user_id >= $1",
    ] {
        other.log_in(&plane, "ada").await;
        assert_eq!(answer(other.request(Method::GET, &me)).await.0, StatusCode::OK);
        change_database(folder.path(), sql, 1).await;
        assert_eq!(answer(other.request(Method::GET, &me)).await.0, StatusCode::UNAUTHORIZED);
    }
    plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_others_change_nothing_with_the_cookie() {
    let folder = tempfile::tempdir().unwrap();
    let Stage { plane, dex: _dex } = Stage::start(folder.path()).await;
    let mut browser = Browser::new();
    browser.log_in(&plane, "grace").await;
    let [tokens, me, logout] =
        ["api/v1/tokens", "api/v1/me", "auth/logout"].map(|path| format!("{}/{path}", plane.url));
    for url in [&tokens, &logout] {
        for (name, value) in [
            ("accept", "*/*"),
            ("origin", "https://evil.example.com"),
            ("origin", "null"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            let request = browser.request(Method::POST, url).header(name, value);
            let (status, refused) = answer(request.json(&json!({"name": "x"}))).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{url} {name}: {value}");
            assert!(refused["detail"].as_str().unwrap().contains("only pages of"), "{refused:#}");
        }
    }
    assert_eq!(answer(browser.request(Method::GET, &me)).await.0, StatusCode::OK, "still there");
    let own = browser.request(Method::POST, &tokens).header("origin", &plane.url);
    let (status, made) =
        answer(own.header("sec-fetch-site", "same-origin").json(&json!({"name": "x"}))).await;
    assert_eq!(status, StatusCode::OK, "{made:#}");
    // No browser sends a token by itself: who has one may come from anywhere.
    let foreign = plane.request(Method::POST, "/api/v1/tokens").header("origin", "https://evil.example.com");
    assert_eq!(answer(foreign.json(&json!({"name": "x"}))).await.0, StatusCode::OK);
    plane.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_with_an_authority_of_its_own_is_believed_when_the_settings_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let tls = || DexServer::new_with_tls(&people(), Some(clock().to_string())).unwrap();
    let Stage { plane, dex: _dex } = Stage::start_at(folder.path(), tls(), |_| {}).await;
    let refused = plane.anonymous(Method::GET, "/auth/oidc/login").send().await.unwrap();
    let (status, text) = refusal(refused).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text}");
    plane.close().await;

    let folder = tempfile::tempdir().unwrap();
    let dex = tls();
    let certificate = dex.certificate();
    let trusting = |settings: &mut control_plane::ControlPlaneSettings| {
        settings.login.as_mut().unwrap().ca_certificates = vec![certificate];
    };
    let Stage { plane, dex: _dex } = Stage::start_at(folder.path(), dex, trusting).await;
    assert_eq!(Browser::new().log_in(&plane, "grace").await.status(), StatusCode::SEE_OTHER);
    plane.close().await;
}
