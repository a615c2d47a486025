//! Settings of the place that keeps the secrets of organizations.

use std::path::PathBuf;

use control_plane::{SecretStoreSettings, SecretValue, VaultLogin, VaultSettings};

use super::layers::Values;
use super::setting::{Kind, Setting};
use super::table::row;

const TOKEN_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const STORE: &str = "secrets.store";
const ADDRESS: &str = "vault.address";
const TOKEN: &str = "vault.token";
const ROLE_ID: &str = "vault.role-id";
const SECRET_ID: &str = "vault.secret-id";
const KUBERNETES_ROLE: &str = "vault.kubernetes-role";
const PLAIN_HTTP: &str = "vault.allow-plain-http";
/// What only a Vault has a use for.
const FOR_VAULT: [&str; 5] = [ADDRESS, TOKEN, ROLE_ID, SECRET_ID, KUBERNETES_ROLE];

/// Their rows of the table.
pub(super) const ROWS: &[Setting] = &[
    row(
        STORE,
        Kind::OneOf(&["embedded", "vault"]),
        "embedded",
        "Whether secrets are kept in the tables, sealed with the key file of the data folder, or in a Vault",
    ),
    row(ADDRESS, Kind::Url, "", "Address of Vault, as https://vault.example.com:8200"),
    row("vault.namespace", Kind::Text, "", "Namespace of Vault Enterprise or OpenBao").unset("the root"),
    row("vault.ca-certificates", Kind::Words, "", "Files with more certificate authorities, PEM"),
    row(PLAIN_HTTP, Kind::Switch, "false", "Whether the token goes over plain HTTP to another machine"),
    row("vault.mount", Kind::Text, "secret", "Path of the key-value engine, version 2"),
    row("vault.base", Kind::Text, "orgs", "What comes before the number of the organization in that engine"),
    row(TOKEN, Kind::Secret, "", "Token to be let in by; it is renewed while that is possible"),
    row(ROLE_ID, Kind::Text, "", "Id of the AppRole to be let in by"),
    row(SECRET_ID, Kind::Secret, "", "Secret id of that AppRole"),
    row("vault.approle-mount", Kind::Text, "approle", "Path of the auth method AppRole"),
    row(KUBERNETES_ROLE, Kind::Text, "", "Role to be let in by as a service account of Kubernetes"),
    row("vault.kubernetes-mount", Kind::Text, "kubernetes", "Path of the auth method Kubernetes"),
    row("vault.kubernetes-token-file", Kind::Path, TOKEN_FILE, "File with the token of the service account"),
    row("vault.time-max", Kind::Duration(1, 60), "10s", "Longest time for one call of Vault"),
];

pub(super) fn settings(values: &Values, problems: &mut Vec<String>) -> SecretStoreSettings {
    if values.text(STORE).as_deref() != Some("vault") {
        for key in FOR_VAULT.into_iter().filter(|key| values.text(key).is_some()) {
            problems.push(format!(
                "{} is of no use while `{STORE}` is embedded: set that to vault",
                values.place(key)
            ));
        }
        return SecretStoreSettings::Embedded;
    }
    let address = address(values, problems);
    let login = login(values, problems);
    let [mount, base] = ["vault.mount", "vault.base"].map(|key| path(values, key, problems));
    let ca_certificates: Vec<PathBuf> =
        values.words("vault.ca-certificates").into_iter().map(PathBuf::from).collect();
    for path in &ca_certificates {
        super::server::check_file(values, "vault.ca-certificates", Some(path.clone()), problems);
    }
    let namespace = values.text("vault.namespace");
    if namespace.as_ref().is_some_and(|name| !name.chars().all(|letter| letter.is_ascii_graphic())) {
        let place = values.place("vault.namespace");
        problems.push(format!("{place}: a namespace has printable ASCII characters only"));
    }
    let time_max = values.duration("vault.time-max");
    match login {
        Some(login) => SecretStoreSettings::Vault(Box::new(VaultSettings {
            address,
            namespace,
            ca_certificates,
            mount,
            base,
            login,
            time_max,
        })),
        // Told among the problems.
        None => SecretStoreSettings::Embedded,
    }
}

fn address(values: &Values, problems: &mut Vec<String>) -> String {
    let address = values.text(ADDRESS).unwrap_or_default();
    if address.is_empty() {
        problems.push(format!("{} needs `{ADDRESS}`", values.place(STORE)));
    }
    let (scheme, rest) = address.split_once("://").unwrap_or_default();
    let host = rest.trim_end_matches('/');
    if host.contains(['/', '@', '?', '#']) {
        problems.push(format!(
            "{}: an address of scheme, host and port only, as https://vault.example.com:8200",
            values.place(ADDRESS)
        ));
    }
    let is_here = is_this_machine(host);
    if scheme == "http" && !is_here && !values.is_on(PLAIN_HTTP) {
        problems.push(format!(
            "{}: over plain HTTP everybody on the way reads the token: use https, or set `{PLAIN_HTTP}` when something on \
             the way encrypts",
            values.place(ADDRESS)
        ));
    }
    address
}

/// Whether the host of an address, with or without a port, is the machine itself.
pub(super) fn is_this_machine(host: &str) -> bool {
    let is_loopback = |host: &str| host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback());
    host == "localhost"
        || host.starts_with("localhost:")
        || host.starts_with("[::1]")
        || is_loopback(host.rsplit_once(':').map_or(host, |(host, _)| host))
}

/// A path of Vault, to be put between others.
fn path(values: &Values, key: &'static str, problems: &mut Vec<String>) -> String {
    let path = values.text(key).unwrap_or_default();
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_segment = |segment: &str| {
        !segment.is_empty() && !matches!(segment, "." | "..") && segment.chars().all(is_plain)
    };
    if !path.split('/').all(is_segment) {
        problems.push(format!(
            "{}: `{path}` is no path of Vault: words of letters, digits, `-`, `_` and `.`, with `/` between them",
            values.place(key)
        ));
    }
    path
}

/// Exactly one way to be let in.
fn login(values: &Values, problems: &mut Vec<String>) -> Option<VaultLogin> {
    let [approle_mount, kubernetes_mount] =
        ["vault.approle-mount", "vault.kubernetes-mount"].map(|key| path(values, key, problems));
    let ways = [TOKEN, ROLE_ID, KUBERNETES_ROLE];
    let set: Vec<&str> = ways.into_iter().filter(|key| values.text(key).is_some()).collect();
    if values.text(SECRET_ID).is_some() && values.text(ROLE_ID).is_none() {
        problems.push(format!("{} needs `{ROLE_ID}`", values.place(SECRET_ID)));
    }
    match set.as_slice() {
        [TOKEN] => values.text(TOKEN).map(|token| VaultLogin::Token(SecretValue::new(token))),
        [ROLE_ID] => {
            let Some(secret_id) = values.text(SECRET_ID) else {
                problems.push(format!("{} needs `{SECRET_ID}`", values.place(ROLE_ID)));
                return None;
            };
            let role_id = values.text(ROLE_ID).unwrap_or_default();
            let secret_id = SecretValue::new(secret_id);
            Some(VaultLogin::AppRole { mount: approle_mount, role_id, secret_id })
        }
        [KUBERNETES_ROLE] => Some(VaultLogin::Kubernetes {
            mount: kubernetes_mount,
            role: values.text(KUBERNETES_ROLE).unwrap_or_default(),
            token_file: values.path("vault.kubernetes-token-file").unwrap_or_default(),
        }),
        [] => {
            problems.push(format!(
                "{} needs a way to be let in: `{TOKEN}`, `{ROLE_ID}` with `{SECRET_ID}`, or `{KUBERNETES_ROLE}`",
                values.place(STORE)
            ));
            None
        }
        several => {
            problems
                .push(format!("`{}` are two ways to be let in: set one of them", several.join("` and `")));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::Inputs;
    use super::*;

    fn read(given: &[(&str, &str)]) -> (SecretStoreSettings, Vec<String>) {
        let flags =
            given.iter().map(|(key, value)| ((*key).to_owned(), format!("--set {key}"), (*value).to_owned()));
        let mut values = Values::collect(&Inputs { flags: flags.collect(), ..Inputs::default() });
        let mut problems = std::mem::take(&mut values.problems);
        let settings = settings(&values, &mut problems);
        (settings, problems)
    }

    const VAULT: [(&str, &str); 2] = [("secrets.store", "vault"), ("vault.address", "https://vault:8200")];

    #[test]
    fn each_way_to_be_let_in_is_taken_alone() {
        for (given, expected) in [
            (&[("vault.token", "s.1")][..], VaultLogin::Token(SecretValue::new("s.1"))),
            (
                &[("vault.role-id", "r"), ("vault.secret-id", "s"), ("vault.approle-mount", "team/approle")],
                VaultLogin::AppRole {
                    mount: "team/approle".to_owned(),
                    role_id: "r".to_owned(),
                    secret_id: SecretValue::new("s"),
                },
            ),
            (
                &[("vault.kubernetes-role", "lazaret")],
                VaultLogin::Kubernetes {
                    mount: "kubernetes".to_owned(),
                    role: "lazaret".to_owned(),
                    token_file: TOKEN_FILE.into(),
                },
            ),
        ] {
            let (settings, problems) = read(&[&VAULT, given].concat());
            assert_eq!(problems, Vec::<String>::new());
            let SecretStoreSettings::Vault(vault) = settings else { unreachable!("{given:?}") };
            assert_eq!(
                (vault.login, vault.mount.as_str(), vault.base.as_str()),
                (expected, "secret", "orgs")
            );
        }
        assert!(matches!(read(&[]), (SecretStoreSettings::Embedded, problems) if problems.is_empty()));
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let token = ("vault.token", "hunter2");
        for (given, told) in [
            (&[("secrets.store", "vault"), token][..], "needs `vault.address`"),
            (&VAULT, "needs a way to be let in"),
            (&[VAULT[0], VAULT[1], token, ("vault.kubernetes-role", "r")], "are two ways"),
            (&[VAULT[0], VAULT[1], ("vault.role-id", "r")], "needs `vault.secret-id`"),
            (&[VAULT[0], VAULT[1], token, ("vault.secret-id", "s")], "needs `vault.role-id`"),
            (&[VAULT[0], ("vault.address", "http://vault:8200"), token], "over plain HTTP"),
            (&[VAULT[0], ("vault.address", "http://127.0.0.1.example.com"), token], "over plain HTTP"),
            (&[VAULT[0], ("vault.address", "https://u:p@vault/v1"), token], "scheme, host and port only"),
            (&[VAULT[0], VAULT[1], token, ("vault.mount", "../sys")], "is no path of Vault"),
            (&[VAULT[0], VAULT[1], token, ("vault.base", "orgs/")], "is no path of Vault"),
            (&[VAULT[0], VAULT[1], token, ("vault.ca-certificates", "/none.pem")], "there is no file"),
            (&[token], "is of no use while `secrets.store` is embedded"),
        ] {
            let (_, problems) = read(given);
            assert_eq!(problems.len(), 1, "{given:?}: {problems:?}");
            assert!(problems[0].contains(told) && !problems[0].contains("hunter2"), "{problems:?}");
        }
        for address in ["http://127.0.0.1:8200", "http://localhost:8200/", "http://[::1]:8200"] {
            assert!(read(&[VAULT[0], ("vault.address", address), token]).1.is_empty(), "{address}");
        }
        let allowed = [VAULT[0], ("vault.address", "http://vault:8200"), token, (PLAIN_HTTP, "true")];
        assert!(read(&allowed).1.is_empty());
    }
}
