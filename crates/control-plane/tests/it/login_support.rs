//! What the tests of logins share: a Dex, a control plane that sends people there, and a browser made by hand.

use std::path::Path;
use std::time::Duration;

use control_plane::{ControlPlaneSettings, Grant, LoginSettings, Role, SecretValue};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, Response, StatusCode};
use testkit::{DexClient, DexPerson, DexServer};

use crate::support::{TestPlane, clock, settings};

pub(crate) const SECRET: &str = "the-secret-of-lazaret+%/";
pub(crate) const PASSWORD: &str = "correct horse";

fn person(login: &str, groups: &[&str]) -> DexPerson {
    DexPerson {
        subject: format!("subject-of-{login}"),
        login: login.to_owned(),
        password: PASSWORD.to_owned(),
        name: format!("{login} of the tests"),
        email: format!("{login}@example.org"),
        email_verified: login != "eve",
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    }
}

/// People that Dex knows: two who administrate, one who looks, one who is nowhere, one whose address was not verified.
pub(crate) fn people() -> Vec<DexPerson> {
    vec![
        person("grace", &["platform", "everybody"]),
        // The first user of the control plane has this login too.
        person("ada", &["platform"]),
        person("linus", &["everybody"]),
        person("mallory", &[]),
        person("eve", &["everybody"]),
    ]
}

/// Dex and a control plane, on addresses that know each other.
pub(crate) struct Stage {
    pub(crate) dex: DexServer,
    pub(crate) plane: TestPlane,
}

pub(crate) fn login_settings(issuer: String, url: &str) -> LoginSettings {
    let grant = |group: Option<&str>, organization: &str, role| Grant {
        group: group.map(str::to_owned),
        organization: organization.to_owned(),
        role,
    };
    LoginSettings {
        issuer,
        client_id: "lazaret".to_owned(),
        client_secret: Some(SecretValue::new(SECRET)),
        scopes: ["openid", "profile", "email", "groups"].map(str::to_owned).to_vec(),
        ca_certificates: Vec::new(),
        public_url: url.to_owned(),
        email_domains: Vec::new(),
        required_groups: vec!["everybody".to_owned(), "platform".to_owned()],
        grants: vec![
            grant(Some("platform"), "acme", Role::Admin),
            grant(Some("everybody"), "tools", Role::Member),
        ],
        command_line_client: "banzai-cli".to_owned(),
        command_line_port: 5555,
        session_time: Duration::from_secs(12 * 3600),
        idle_time: Duration::from_secs(3600),
        time_max: Duration::from_secs(10),
    }
}

pub(crate) fn clients(url: &str) -> Vec<DexClient> {
    let client = |id: &str, secret: &str, public| DexClient {
        id: id.to_owned(),
        secret: secret.to_owned(),
        redirect_uris: if public { Vec::new() } else { vec![format!("{url}/auth/oidc/callback")] },
        public,
    };
    vec![
        client("lazaret", SECRET, false),
        client("banzai-cli", "banzai-cli-secret", true),
        client("somebody-else", "other", false),
    ]
}

impl Stage {
    pub(crate) async fn start(folder: &Path) -> Self {
        Self::start_with(folder, |_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn start_with(folder: &Path, change: impl FnOnce(&mut ControlPlaneSettings)) -> Self {
        let dex = DexServer::new(&people(), Some(clock().to_string())).unwrap();
        Self::start_at(folder, dex, change).await
    }

    pub(crate) async fn start_at(
        folder: &Path,
        mut dex: DexServer,
        change: impl FnOnce(&mut ControlPlaneSettings),
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        dex.start(&clients(&url)).unwrap();
        let mut settings = settings(folder);
        settings.login = Some(login_settings(dex.issuer(), &url));
        change(&mut settings);
        let plane = TestPlane::start_on(listener, settings).await;
        Self { dex, plane }
    }
}

/// A browser: it follows nothing by itself, keeps the cookies of one server, and says where its pages come from.
pub(crate) struct Browser {
    client: reqwest::Client,
    pub(crate) cookies: Vec<(String, String)>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let none = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().redirect(none).tls_danger_accept_invalid_certs(true);
        Self { client: client.user_agent("Testfox/1.0").build().unwrap(), cookies: Vec::new() }
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.client.request(method, url);
        if pairs.is_empty() { request } else { request.header(COOKIE, pairs.join("; ")) }
    }

    /// Sends, and keeps the cookies of the answer.
    pub(crate) async fn send(&mut self, request: reqwest::RequestBuilder) -> Response {
        let response = request.send().await.unwrap();
        for line in response.headers().get_all(SET_COOKIE) {
            let pair = line.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        response
    }

    pub(crate) async fn get(&mut self, url: &str) -> Response {
        let request = self.request(Method::GET, url);
        self.send(request).await
    }

    /// Fills in Dex's form. Returns where Dex sends the browser back to.
    pub(crate) async fn authenticate(&self, address: &str, login: &str) -> String {
        let origin = reqwest::Url::parse(address).unwrap();
        let mut at = origin.clone();
        // From the question over the only connector to the form.
        loop {
            let response = self.client.get(at.clone()).send().await.unwrap();
            match response.headers().get(LOCATION) {
                Some(next) => at = at.join(next.to_str().unwrap()).unwrap(),
                None => {
                    assert_eq!(response.status(), StatusCode::OK, "{at}");
                    break;
                }
            }
        }
        let body = format!("login={login}&password={}", PASSWORD.replace(' ', "+"));
        let form = ("content-type", "application/x-www-form-urlencoded");
        let mut response =
            self.client.post(at.clone()).header(form.0, form.1).body(body).send().await.unwrap();
        loop {
            let next = response.headers().get(LOCATION).expect("the password is right").to_str().unwrap();
            let next = at.join(next).unwrap();
            if next.origin() != origin.origin() {
                return next.into();
            }
            at = next;
            response = self.client.get(at.clone()).send().await.unwrap();
        }
    }

    /// Logs somebody in. Returns the last answer of the control plane.
    pub(crate) async fn log_in(&mut self, plane: &TestPlane, login: &str) -> Response {
        let begun = self.get(&format!("{}/auth/oidc/login?redirect=/pipeline/ui", plane.url)).await;
        assert_eq!(begun.status(), StatusCode::FOUND);
        let back = self.authenticate(&location(&begun), login).await;
        self.get(&back).await
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) fn location(response: &Response) -> String {
    response.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// An id token that Dex gives to one of its clients, got as a program gets it.
pub(crate) async fn id_token(stage: &Stage, client: &str, secret: &str, login: &str) -> String {
    let issuer = stage.dex.issuer();
    let callback = match client {
        "banzai-cli" => "http://localhost:5555/callback".to_owned(),
        _ => format!("{}/auth/oidc/callback", stage.plane.url),
    };
    let mut address = reqwest::Url::parse(&format!("{issuer}/auth")).unwrap();
    address.query_pairs_mut().extend_pairs([
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", &callback),
        ("scope", "openid profile email groups offline_access"),
        ("state", "s"),
        ("nonce", "n"),
    ]);
    let browser = Browser::new();
    let back = browser.authenticate(address.as_str(), login).await;
    let code = query_of(&back, "code");
    let mut form = address.clone();
    form.query_pairs_mut().clear().extend_pairs([
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", &callback),
        ("client_id", client),
        ("client_secret", secret),
    ]);
    let answer = browser
        .request(Method::POST, &format!("{issuer}/token"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.query().unwrap().to_owned())
        .send()
        .await
        .unwrap();
    let tokens: serde_json::Value = answer.json().await.unwrap();
    tokens["id_token"].as_str().unwrap().to_owned()
}

/// What stands in an address under a name.
pub(crate) fn query_of(address: &str, name: &str) -> String {
    let address = reqwest::Url::parse(address).unwrap();
    let found = address.query_pairs().find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// The same address with something else under a name.
pub(crate) fn with_query(address: &str, name: &str, value: &str) -> String {
    let mut address = reqwest::Url::parse(address).unwrap();
    let pairs: Vec<(String, String)> = address
        .query_pairs()
        .map(|(key, old)| {
            let new = if key == name { value.to_owned() } else { old.into_owned() };
            (key.into_owned(), new)
        })
        .collect();
    address.query_pairs_mut().clear().extend_pairs(pairs);
    address.into()
}

/// Sends an id token as the older client does.
pub(crate) async fn send_id_token(plane: &TestPlane, id_token: &str) -> Response {
    let form = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"id_token\"\r\n\r\n{id_token}\r\n\
         --xyz\r\nContent-Disposition: form-data; name=\"refresh_token\"\r\n\r\nrefresh\r\n--xyz--\r\n"
    );
    Browser::new()
        .request(Method::POST, &format!("{}/auth/dex/callback", plane.url))
        .header("client", "banzai-cli")
        .header("content-type", "multipart/form-data; boundary=xyz")
        .body(form)
        .send()
        .await
        .unwrap()
}

/// Status and the text for people.
pub(crate) async fn refusal(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let text = response.text().await.unwrap();
    let body: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    (status, body["detail"].as_str().unwrap_or(&text).to_owned())
}
