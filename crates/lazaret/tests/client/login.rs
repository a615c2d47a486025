//! `login` and the configuration file: what is checked before it is written, and what is kept.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::{Home, Server, TOKEN, expect_code};

fn login<'a>(endpoint: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    ["login", "-e", endpoint, "-t", TOKEN].into_iter().chain(more.iter().copied()).collect()
}

#[test]
fn a_login_is_written_for_its_owner_only_and_the_token_shown_nowhere() {
    let (server, home) = (Server::start(), Home::new());
    let output = home.done(&login(&server.endpoint(), &["--verbose"]));
    assert!(output.stderr.contains("as ada, organization acme"), "{}", output.stderr);
    assert!(output.stderr.contains("GET http://") && output.stderr.contains("-> 200"), "{}", output.stderr);
    assert!(!format!("{}{}", output.stdout, output.stderr).contains(TOKEN));
    let mode = fs_err::metadata(home.config_path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let config = home.config();
    assert!(config.contains(TOKEN) && config.contains("basepath: ") && config.contains("id: 2"), "{config}");

    let seen = server.seen();
    assert_eq!(seen[0].line, "GET /pipeline/version");
    assert!(seen[0].headers.get("authorization").is_none(), "the first question carries no token");
    let headers = &seen[1].headers;
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    assert_eq!(
        (&headers["client"], &headers["accept"]),
        (&"banzai-cli".parse().unwrap(), &"application/json".parse().unwrap())
    );
}

#[test]
fn the_own_name_has_an_own_file_unless_the_older_one_is_there() {
    let (server, home) = (Server::start(), Home::new());
    let own = home.folder.path().join(".config/lazaret/client.yaml");
    expect_code(home.own_program(&login(&server.endpoint(), &[])).run(b"").unwrap(), 0);
    assert!(own.is_file() && !home.config_path().exists());
    home.done(&["organization", "list"]);

    fs_err::remove_file(&own).unwrap();
    home.write_config("unknown:\n  key: kept\n");
    expect_code(home.own_program(&login(&server.endpoint(), &[])).run(b"").unwrap(), 0);
    assert!(!own.exists() && home.config().contains("key: kept"), "{}", home.config());
}

#[test]
fn nothing_is_written_for_a_wrong_token_a_wrong_address_or_nobody() {
    let (server, home) = (Server::start(), Home::new());
    let before = "pipeline:\n  basepath: https://old.example.org/pipeline\n  token: old\n";
    home.write_config(before);
    server.reply(
        "GET /pipeline/api/v1/me",
        401,
        "application/json",
        br#"{"message":"Invalid token","error":"it was revoked"}"#,
    );
    let text = home.failed(&login(&server.endpoint(), &[]));
    assert!(text.contains("Invalid token; it was revoked") && !text.contains(TOKEN), "{text}");

    let wrong_base = format!("http://{}/", server.address);
    let text = home.failed(&login(&wrong_base, &[]));
    assert!(text.contains("there is no Pipeline server") && text.contains("base path"), "{text}");

    let text = home.failed(&["login", "-e", &server.endpoint()]);
    assert!(text.contains("a token is needed") && text.contains("LAZARET_DATA_DIR"), "{text}");

    let text = home.failed(&login("http://0.0.0.0:1/pipeline", &[]));
    assert!(text.contains("Pipeline endpoint is unencrypted") && text.contains("--skip-verify"), "{text}");
    let text = home.failed(&login("pipeline.example.org", &[]));
    assert!(text.contains("no address of a server"), "{text}");
    let text = home.failed(&login(&server.endpoint(), &["--organization", "other"]));
    assert!(text.contains("Invalid token"), "{text}");
    assert_eq!(home.config(), before);
}

#[test]
fn a_token_that_ends_is_exchanged_or_refused() {
    use std::fmt::Write as _;
    // {"exp":…,"jti":"b"} in base64, by hand: the program reads tokens, and this test must not ask it how.
    let encode = |text: &str| {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let bits: String = text.bytes().fold(String::new(), |mut bits, byte| {
            write!(bits, "{byte:08b}").unwrap();
            bits
        });
        let groups = bits.as_bytes().chunks(6);
        groups
            .map(|group| {
                let group = format!("{:0<6}", std::str::from_utf8(group).unwrap());
                char::from(alphabet[usize::from_str_radix(&group, 2).unwrap()])
            })
            .collect::<String>()
    };
    let token = |end: i64| format!("e30.{}.c2ln", encode(&json!({"exp": end, "jti": "b"}).to_string()));
    let (server, home) = (Server::start(), Home::new());
    let ended = token(1_600_000_000);
    let text = home.failed(&["login", "-e", &server.endpoint(), "-t", &ended]);
    assert!(text.contains("the token ended at 2020-09-13"), "{text}");

    server.json("POST /pipeline/api/v1/tokens", json!({"id": "c", "token": TOKEN}));
    let endless = token(9_999_999_999);
    home.done(&["login", "-e", &server.endpoint(), "-t", &endless, "--permanent"]);
    assert!(home.config().contains(TOKEN));
    let name = server.body_of("POST /pipeline/api/v1/tokens")["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("cli-"), "{name}");
}

#[test]
fn the_token_of_the_first_user_is_found_on_the_same_machine_and_sent_nowhere_else() {
    let (server, home) = (Server::start(), Home::new());
    let data = home.folder.path().join(".local/share/lazaret");
    fs_err::create_dir_all(&data).unwrap();
    fs_err::write(data.join("admin.token"), format!("{TOKEN}\n")).unwrap();
    let output = home.done(&["login", "-e", &server.endpoint()]);
    assert!(output.stderr.contains("admin.token") && !output.stderr.contains(TOKEN), "{}", output.stderr);
    assert!(home.config().contains(TOKEN));

    // The same server under an address that is not one of this machine.
    let elsewhere = format!("http://0.0.0.0:{}/pipeline", server.address.port());
    let text = home.failed(&["login", "-e", &elsewhere, "--skip-verify"]);
    assert!(text.contains("a token is needed") && !text.contains("admin.token in"), "{text}");
}

#[test]
fn a_login_keeps_the_selected_organization() {
    let (server, home) = (Server::start(), Home::new());
    server.json("GET /pipeline/api/v1/orgs", json!([{"id": 2, "name": "acme"}, {"id": 3, "name": "other"}]));
    let output = home.done(&login(&server.endpoint(), &[]));
    assert!(output.stderr.contains("no organization selected yet"), "{}", output.stderr);
    home.done(&["organization", "select", "other"]);
    let output = home.done(&login(&server.endpoint(), &[]));
    assert!(output.stderr.contains("organization other"), "{}", output.stderr);
    let output = home.done(&login(&server.endpoint(), &["--organization", "2"]));
    assert!(output.stderr.contains("organization acme"), "{}", output.stderr);
    let text = home.failed(&["organization", "select", "nobody"]);
    assert!(text.contains("\"nobody\" doesn't exist") && text.contains("acme, other"), "{text}");
}

#[test]
fn without_a_login_every_command_says_so() {
    let home = Home::new();
    for command in [
        "cluster list",
        "secret list",
        "organization list",
        "token list",
        "audits",
        "policy list",
        "image list",
    ] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let text = home.failed(&arguments);
        assert!(text.contains("run `banzai login` first"), "{command}: {text}");
    }
    assert!(!home.folder.path().join(".config").exists() && !home.config_path().exists());
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_pinned_and_no_other_is_believed() {
    let home = Home::new();
    let first = crate::hostile::TlsServer::start();
    let endpoint = first.endpoint();
    let text = home.failed(&login(&endpoint, &[]));
    assert!(text.contains("its certificate is not valid") && text.contains(&first.fingerprint), "{text}");
    assert_eq!(home.config(), "");

    let output = home.done(&login(&endpoint, &["--skip-verify"]));
    assert!(output.stderr.contains("as ada"), "{}", output.stderr);
    let config = home.config();
    assert!(config.contains(&first.fingerprint) && config.contains("tls-skip-verify: true"), "{config}");
    home.done(&["organization", "list"]);

    // Another server at the same address.
    let port = first.address.port();
    drop(first);
    let second = crate::hostile::TlsServer::start_at(port);
    let text = home.failed(&["organization", "list"]);
    assert!(
        text.contains(&format!(
            "server certificate fingerprint {} does not match pinned value",
            second.fingerprint
        )),
        "{text}"
    );
    assert_eq!(second.tokens_seen(), 0, "the stranger got no token");
}

#[test]
fn an_authority_of_the_configuration_is_believed() {
    let home = Home::new();
    let server = crate::hostile::TlsServer::start();
    let pem: String = server.authority.lines().map(|line| format!("    {line}\n")).collect();
    home.write_config(&format!("pipeline:\n  tls-ca-cert: |\n{pem}"));
    home.done(&login(&server.endpoint(), &[]));
    assert!(home.config().contains("tls-skip-verify: false"), "{}", home.config());
    home.done(&["organization", "list"]);
}
