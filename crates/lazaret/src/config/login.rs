//! Settings of the provider that people log in with.

use std::net::SocketAddr;
use std::path::PathBuf;

use control_plane::{Grant, LoginSettings, Role, SecretValue};

use super::layers::Values;
use super::secrets::is_this_machine;
use super::setting::{Kind, Setting};
use super::table::row;

const ISSUER: &str = "login.issuer";
const CLIENT_ID: &str = "login.client-id";
const CLIENT_SECRET: &str = "login.client-secret";
const PUBLIC_ADDRESS: &str = "login.public-address";
const ORGANIZATIONS: &str = "login.organizations";
const PLAIN_HTTP: &str = "login.allow-plain-http";
/// What only a provider has a use for.
const FOR_PROVIDER: [&str; 4] = [CLIENT_ID, CLIENT_SECRET, PUBLIC_ADDRESS, ORGANIZATIONS];
const MONTH_S: u64 = 30 * 86_400;

/// Their rows of the table.
pub(super) const ROWS: &[Setting] = &[
    row(ISSUER, Kind::Url, "", "The provider as it names itself, as https://dex.example.com/dex"),
    row(CLIENT_ID, Kind::Text, "", "What the provider calls this installation"),
    row(CLIENT_SECRET, Kind::Secret, "", "By what the provider knows it").unset("none, as for a public client"),
    row("login.scopes", Kind::Words, "openid,profile,email,groups", "What the provider is asked for"),
    row("login.ca-certificates", Kind::Words, "", "Files with more certificate authorities, PEM"),
    row(
        PUBLIC_ADDRESS,
        Kind::Url,
        "",
        "Where browsers reach the control plane, as https://lazaret.example.com; the provider has to know this address with \
         /auth/oidc/callback behind it",
    )
    .unset("that of the listener"),
    row(
        PLAIN_HTTP,
        Kind::Switch,
        "false",
        "Whether logins go over plain HTTP to other machines, where everybody on the way can take them over",
    ),
    row(
        "login.email-domains",
        Kind::Words,
        "",
        "Only people with a verified e-mail address in one of these domains are let in",
    ),
    row("login.required-groups", Kind::Words, "", "Only people in one of these groups are let in"),
    row(
        ORGANIZATIONS,
        Kind::Words,
        "",
        "What groups give, GROUP=ORGANIZATION or GROUP=ORGANIZATION:ROLE with the role admin or member; an organization that is \
         not there is made",
    ),
    row(
        "login.default-organization",
        Kind::Text,
        "",
        "Organization of everybody who is let in, with the role of login.default-role",
    ),
    row(
        "login.default-role",
        Kind::OneOf(&["member", "admin"]),
        "member",
        "Role where none is named: a member looks, an admin may do everything in his organization",
    ),
    row(
        "login.command-line-client",
        Kind::Text,
        "banzai-cli",
        "What the provider calls `lazaret login` and `banzai login` on people's machines, a public client",
    ),
    row(
        "login.command-line-callback",
        Kind::Count(0, 65_535),
        "5555",
        "Port where these wait for the browser, http://localhost:PORT/callback; 0: any free one, if the provider takes any",
    ),
    row("login.session-time", Kind::Duration(60, MONTH_S), "12h", "Longest time of a browser's session"),
    row("login.idle-time", Kind::Duration(60, MONTH_S), "2h", "A session that was not used for so long ends"),
    row("login.time-max", Kind::Duration(1, 60), "10s", "Longest time for one call of the provider"),
];

pub(super) fn settings(
    values: &Values,
    listen: SocketAddr,
    problems: &mut Vec<String>,
) -> Option<LoginSettings> {
    let Some(issuer) = values.text(ISSUER) else {
        for key in FOR_PROVIDER.into_iter().filter(|key| is_set(values, key)) {
            problems.push(format!("{} is of no use without `{ISSUER}`", values.place(key)));
        }
        return None;
    };
    check_address(values, ISSUER, &issuer, problems);
    let client_id = values.text(CLIENT_ID).unwrap_or_default();
    if client_id.is_empty() {
        problems.push(format!("{} needs `{CLIENT_ID}`", values.place(ISSUER)));
    }
    let public_url = values.text(PUBLIC_ADDRESS).unwrap_or_default().trim_end_matches('/').to_owned();
    if public_url.is_empty() && listen.ip().is_unspecified() {
        problems
            .push(format!("{} needs `{PUBLIC_ADDRESS}`: no browser reaches {listen}", values.place(ISSUER)));
    }
    check_address(values, PUBLIC_ADDRESS, &public_url, problems);
    let mut scopes = values.words("login.scopes");
    if !scopes.iter().any(|scope| scope == "openid") {
        scopes.insert(0, "openid".to_owned());
    }
    let ca_certificates: Vec<PathBuf> =
        values.words("login.ca-certificates").into_iter().map(PathBuf::from).collect();
    for path in &ca_certificates {
        super::server::check_file(values, "login.ca-certificates", Some(path.clone()), problems);
    }
    Some(LoginSettings {
        issuer,
        client_id,
        client_secret: values.text(CLIENT_SECRET).map(SecretValue::new),
        scopes,
        ca_certificates,
        public_url,
        email_domains: values.words("login.email-domains"),
        required_groups: values.words("login.required-groups"),
        grants: grants(values, problems),
        command_line_client: values.text("login.command-line-client").unwrap_or_default(),
        command_line_port: u16::try_from(values.number("login.command-line-callback")).unwrap_or_default(),
        session_time: values.duration("login.session-time"),
        idle_time: values.duration("login.idle-time"),
        time_max: values.duration("login.time-max"),
    })
}

fn is_set(values: &Values, key: &'static str) -> bool {
    values.text(key).is_some() || !values.words(key).is_empty()
}

fn check_address(values: &Values, key: &'static str, address: &str, problems: &mut Vec<String>) {
    let (scheme, rest) = address.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if rest.contains(['@', '?', '#']) {
        problems.push(format!("{}: an address without user, query and fragment", values.place(key)));
    }
    if scheme == "http" && !is_this_machine(host) && !values.is_on(PLAIN_HTTP) {
        problems.push(format!(
            "{}: over plain HTTP everybody on the way can take logins over: use https, or set `{PLAIN_HTTP}` when something \
             on the way encrypts",
            values.place(key)
        ));
    }
}

/// What logins give, in the order of the settings.
fn grants(values: &Values, problems: &mut Vec<String>) -> Vec<Grant> {
    let default_role = match values.text("login.default-role").as_deref() {
        Some("admin") => Role::Admin,
        _ => Role::Member,
    };
    let mut grants = Vec::new();
    for word in values.words(ORGANIZATIONS) {
        // Names of groups often have colons, and sometimes `=`.
        let (group, place) = word.rsplit_once('=').unwrap_or_default();
        let with_role = place
            .rsplit_once(':')
            .and_then(|(organization, role)| Some((organization, Role::from_name(role)?)));
        let (organization, role) = with_role.unwrap_or((place, default_role));
        if group.is_empty() || organization.is_empty() || organization.contains(':') {
            problems.push(format!(
                "{}: `{word}` is not GROUP=ORGANIZATION or GROUP=ORGANIZATION:ROLE, with the role admin or member",
                values.place(ORGANIZATIONS)
            ));
            continue;
        }
        let (group, organization) = (Some(group.to_owned()), organization.to_owned());
        grants.push(Grant { group, organization, role });
    }
    if let Some(organization) = values.text("login.default-organization") {
        grants.push(Grant { group: None, organization, role: default_role });
    }
    grants
}

#[cfg(test)]
mod tests {
    use super::super::layers::Inputs;
    use super::*;

    fn read(given: &[(&str, &str)], listen: &str) -> (Option<LoginSettings>, Vec<String>) {
        let flags =
            given.iter().map(|(key, value)| ((*key).to_owned(), format!("--set {key}"), (*value).to_owned()));
        let mut values = Values::collect(&Inputs { flags: flags.collect(), ..Inputs::default() });
        let mut problems = std::mem::take(&mut values.problems);
        let settings = settings(&values, listen.parse().unwrap(), &mut problems);
        (settings, problems)
    }

    const HERE: &str = "127.0.0.1:9090";
    const BASE: [(&str, &str); 2] =
        [("login.issuer", "https://dex.example.com/dex"), ("login.client-id", "lazaret")];

    #[test]
    fn groups_give_organizations_and_nobody_is_an_admin_unasked() {
        let given = [
            BASE.as_slice(),
            &[
                ("login.organizations", "team:platform=acme:admin,everybody=tools,a=b=other:member"),
                ("login.default-organization", "sandbox"),
                ("login.scopes", "email"),
            ],
        ]
        .concat();
        let (settings, problems) = read(&given, HERE);
        assert_eq!(problems, Vec::<String>::new());
        let settings = settings.unwrap();
        let grants: Vec<_> = settings
            .grants
            .iter()
            .map(|grant| (grant.group.as_deref(), grant.organization.as_str(), grant.role))
            .collect();
        assert_eq!(
            grants,
            [
                (Some("team:platform"), "acme", Role::Admin),
                (Some("everybody"), "tools", Role::Member),
                (Some("a=b"), "other", Role::Member),
                (None, "sandbox", Role::Member),
            ]
        );
        assert_eq!(settings.scopes, ["openid", "email"]);
        assert!(read(&[], HERE).0.is_none());
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let with = |more: &[(&'static str, &'static str)]| [BASE.as_slice(), more].concat();
        for (given, listen, told) in [
            (vec![BASE[0]], HERE, "needs `login.client-id`"),
            (vec![BASE[1]], HERE, "is of no use without `login.issuer`"),
            (vec![("login.organizations", "a=b")], HERE, "is of no use without `login.issuer`"),
            (BASE.to_vec(), "0.0.0.0:9090", "needs `login.public-address`"),
            (with(&[("login.public-address", "http://lazaret.example.com")]), HERE, "over plain HTTP"),
            (vec![("login.issuer", "http://dex.example.com"), BASE[1]], HERE, "over plain HTTP"),
            (with(&[("login.public-address", "https://a@b")]), HERE, "without user"),
            (with(&[("login.organizations", "platform")]), HERE, "is not GROUP=ORGANIZATION"),
            (with(&[("login.organizations", "platform=acme:root")]), HERE, "is not GROUP=ORGANIZATION"),
            (with(&[("login.organizations", "=acme")]), HERE, "is not GROUP=ORGANIZATION"),
            (with(&[("login.ca-certificates", "/none.pem")]), HERE, "there is no file"),
        ] {
            let (_, problems) = read(&given, listen);
            assert_eq!(problems.len(), 1, "{given:?}: {problems:?}");
            assert!(problems[0].contains(told), "{problems:?}");
        }
        let plain = with(&[("login.public-address", "http://lazaret.example.com"), (PLAIN_HTTP, "true")]);
        assert!(read(&plain, HERE).1.is_empty());
        let (settings, problems) =
            read(&with(&[("login.public-address", "https://a.b/pipeline/")]), "0.0.0.0:1");
        assert_eq!(
            (settings.unwrap().callback_url().as_str(), problems.len()),
            ("https://a.b/pipeline/auth/oidc/callback", 0)
        );
    }
}
