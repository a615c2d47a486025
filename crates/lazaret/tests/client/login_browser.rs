//! `login` by browser, against a real `lazaret serve` and a real Dex; the browser is made by hand.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Response, StatusCode, Url};
use serde_json::Value;
use testkit::{DexClient, DexPerson, DexServer, RunningProgram, wait_until};

use crate::real_server::Machine;
use crate::support::{Home, expect_code};
use crate::terminal::Terminal;

const DEADLINE: Duration = Duration::from_secs(60);
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

struct Stage {
    _dex: DexServer,
    machine: Machine,
    home: Home,
}

fn person(login: &str, group: &str) -> DexPerson {
    DexPerson {
        subject: format!("subject-of-{login}"),
        login: login.to_owned(),
        password: "secret".to_owned(),
        name: login.to_owned(),
        email: format!("{login}@example.org"),
        email_verified: true,
        groups: vec![group.to_owned()],
    }
}

impl Stage {
    fn start() -> Self {
        let mut dex =
            DexServer::new(&[person("grace", "platform"), person("mallory", "others")], None).unwrap();
        dex.start(&[DexClient {
            id: "banzai-cli".to_owned(),
            secret: "banzai-cli-secret".to_owned(),
            redirect_uris: Vec::new(),
            public: true,
        }])
        .unwrap();
        let settings = [
            format!("login.issuer={}", dex.issuer()),
            "login.client-id=lazaret".to_owned(),
            "login.organizations=platform=default:admin".to_owned(),
            "login.required-groups=platform".to_owned(),
            "login.command-line-callback=0".to_owned(),
        ];
        let flags: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        Self { machine: Machine::start_with(&flags), _dex: dex, home: Home::new() }
    }

    fn login(&self, more: &[&str]) -> RunningProgram {
        let arguments = [&["login", "-e", &self.machine.endpoint, "--no-browser"], more].concat();
        self.home.program(&arguments).start().unwrap()
    }
}

fn in_browser<T>(task: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}

fn browser() -> reqwest::Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// The address that the program says to open.
fn address(program: &RunningProgram) -> String {
    program.wait_for_line("/dex/auth?", DEADLINE).unwrap().trim().to_owned()
}

/// Follows Dex until it shows a page, or sends the browser back to the program.
async fn follow(browser: &reqwest::Client, mut at: Url, mut response: Response) -> Url {
    let dex = at.origin();
    while let Some(next) = response.headers().get(LOCATION) {
        at = at.join(next.to_str().unwrap()).unwrap();
        if at.origin() != dex {
            break;
        }
        response = browser.get(at.clone()).send().await.unwrap();
    }
    at
}

/// Fills in Dex's form. Returns where the browser is sent back to.
async fn authenticate(browser: &reqwest::Client, address: &str, login: &str) -> Url {
    let at = Url::parse(address).unwrap();
    let response = browser.get(at.clone()).send().await.unwrap();
    let form = follow(browser, at, response).await;
    let body = format!("login={login}&password=secret");
    let response = browser.post(form.clone()).header(FORM.0, FORM.1).body(body).send().await.unwrap();
    follow(browser, form, response).await
}

/// Logs in as somebody; the page that the browser shows at the end.
fn log_in(address: &str, login: &str) -> String {
    in_browser(async {
        let browser = browser();
        let back = authenticate(&browser, address, login).await;
        let page = browser.get(back).send().await.unwrap();
        assert_eq!(page.status(), StatusCode::OK);
        page.text().await.unwrap()
    })
}

/// How it ended, and all it said.
fn ended(mut program: RunningProgram) -> (Option<i32>, String) {
    let status = program.wait(DEADLINE).unwrap();
    (status.code(), program.output())
}

#[test]
fn somebody_logs_in_by_browser_and_a_permanent_token_takes_the_place_of_the_first() {
    let stage = Stage::start();
    let program = stage.login(&[]);
    let address = address(&program);
    for part in ["response_type=code", "code_challenge_method=S256", "nonce=", "client_id=banzai-cli"] {
        assert!(address.contains(part), "{address}");
    }
    // Whatever else finds the port ends nothing.
    in_browser(async {
        let url = Url::parse(&address).unwrap();
        let (_, callback) = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap();
        for query in ["?code=x&state=guessed", "?error=access_denied&state=", ""] {
            browser().get(format!("{callback}{query}")).send().await.unwrap();
        }
    });
    assert!(log_in(&address, "grace").contains("this window can be closed"));
    let (code, said) = ended(program);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("as grace, organization default"), "{said}");

    let json = |arguments: &[&str]| -> Value {
        let output = stage.home.program(&[arguments, &["-o", "json"]].concat()).run(b"").unwrap();
        serde_json::from_str(&expect_code(output, 0).stdout).unwrap()
    };
    let tokens = json(&["token", "list"]);
    assert_eq!((&tokens[0]["name"], &tokens[1]), (&"login by browser".into(), &Value::Null), "{tokens:#}");
    assert!(tokens[0]["expiresAt"].is_string() && !said.contains("eyJ"), "{said}");

    let program = stage.login(&["--permanent"]);
    log_in(&self::address(&program), "grace");
    let (code, said) = ended(program);
    assert_eq!(code, Some(0), "{said}");
    let tokens = json(&["token", "list"]);
    let kept: Vec<_> = tokens.as_array().unwrap().iter().map(|token| &token["expiresAt"]).collect();
    assert_eq!((kept.len(), kept[1]), (2, &Value::Null), "{tokens:#}");
}

#[test]
fn a_login_that_fails_writes_nothing() {
    let stage = Stage::start();
    // Somebody who may not, somebody who does not want to, and a program that is ended.
    let program = stage.login(&[]);
    log_in(&address(&program), "mallory");
    let (code, said) = ended(program);
    assert_eq!(code, Some(1));
    assert!(said.contains("you are in none of the groups"), "{said}");

    let program = stage.login(&[]);
    in_browser(async {
        let address = Url::parse(&address(&program)).unwrap();
        let find = |wanted: &str| {
            address
                .query_pairs()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.into_owned())
                .unwrap()
        };
        let back = format!("{}?error=access_denied&state={}", find("redirect_uri"), find("state"));
        browser().get(back).send().await.unwrap();
    });
    let (code, said) = ended(program);
    assert_eq!(code, Some(1));
    assert!(said.contains("refuses: access_denied"), "{said}");

    let program = stage.login(&[]);
    address(&program);
    program.signal("INT").unwrap();
    let (code, said) = ended(program);
    assert_eq!(code, Some(1));
    assert!(said.contains("cancelled; nothing was changed"), "{said}");
    assert!(!stage.home.config_path().exists());

    let plain = Machine::start();
    let arguments = ["login", "-e", &plain.endpoint, "--no-browser"];
    let said = expect_code(stage.home.program(&arguments).run(b"").unwrap(), 1).stderr;
    assert!(said.contains("has no provider that people log in with"), "{said}");
}

#[test]
fn at_a_terminal_the_browser_opens_by_itself() {
    let stage = Stage::start();
    let folder = stage.home.folder.path().join("desktop");
    let (opener, opened) = (folder.join("xdg-open"), folder.join("opened"));
    fs_err::create_dir_all(&folder).unwrap();
    let text = format!("#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n", opened.display());
    fs_err::write(&opener, text).unwrap();
    fs_err::set_permissions(&opener, std::fs::Permissions::from_mode(0o700)).unwrap();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let arguments = ["login", "-e", &stage.machine.endpoint];
    let mut terminal = Terminal::run(&stage.home, &arguments, &[("PATH", &path)]);
    terminal.sees("your browser opens this address");
    let address = wait_until(DEADLINE, "a browser", || fs_err::read_to_string(&opened).ok()).unwrap();
    log_in(&address, "grace");
    terminal.sees("as grace, organization default");
    terminal.ends_with(0);
}
