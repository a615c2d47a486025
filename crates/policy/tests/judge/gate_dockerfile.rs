//! Gate `dockerfile`: when each trigger fires, with which message and identifier.

use model::DockerfileMode::{self, Actual, Guessed, Unknown};

use crate::fixture::{Subject, check_rule};

fn check_instruction(params: &[(&str, &str)], mode: DockerfileMode, text: &str, messages: &[&str]) {
    let subject = Subject::with_dockerfile(mode, text);
    let ids: Vec<String> =
        messages.iter().map(|message| policy::trigger_id("dockerfile", "instruction", message)).collect();
    let expected: Vec<(&str, &str)> = ids.iter().map(String::as_str).zip(messages.iter().copied()).collect();
    check_rule(("dockerfile", "instruction"), params, &subject, &expected);
}

#[test]
fn instructions_are_compared() {
    let text = "FROM scratch\nRUN  curl x \nrun wget y\nENV A=1";
    let check = |check: &str, value: &str, messages: &[&str]| {
        let params = [("instruction", "RUN"), ("check", check), ("value", value)];
        check_instruction(&params, Guessed, text, messages);
    };
    let message = |check: &str, value: &str, line: &str| {
        format!("Dockerfile directive 'RUN' check '{check}' matched against '{value}' for line '{line}'")
    };
    check("=", "curl x", &[&message("=", "curl x", "curl x")]);
    check("=", "curl", &[]);
    check("!=", "curl x", &[&message("!=", "curl x", "wget y")]);
    check("like", "curl", &[&message("like", "curl", "curl x")]);
    check("like", "url", &[]);
    check("like", ".*(?<=wget )y", &[&message("like", ".*(?<=wget )y", "wget y")]);
    check("not_like", "curl", &[&message("not_like", "curl", "wget y")]);
    check("in", "a , wget y,b", &[&message("in", "a , wget y,b", "wget y")]);
    check("in", "wget", &[]);
    check("not_in", "curl x", &[&message("not_in", "curl x", "wget y")]);
    check("exists", "", &[&message("exists", "", "curl x"), &message("exists", "", "wget y")]);
    check("not_exists", "", &[]);
    for value_check in ["=", "!=", "like", "not_like", "in", "not_in"] {
        check(value_check, "", &[]);
        check_instruction(&[("instruction", "RUN"), ("check", value_check)], Guessed, text, &[]);
    }
}

#[test]
fn an_instruction_can_be_missed() {
    let params = [("instruction", "HEALTHCHECK"), ("check", "not_exists")];
    let id = "41cb7cdf04850e33a11f80c42bf660b3";
    let message = "Dockerfile directive 'HEALTHCHECK' not found, matching condition 'not_exists' check";
    let check = |mode, text: &str, expected: &[(&str, &str)]| {
        check_rule(("dockerfile", "instruction"), &params, &Subject::with_dockerfile(mode, text), expected);
    };
    check(Guessed, "FROM scratch", &[(id, message)]);
    check(Actual, "FROM scratch", &[(id, message)]);
    check(Unknown, "FROM scratch", &[]);
    check(Guessed, "", &[]);
    check(Guessed, "# HEALTHCHECK\n\n", &[]);
    check(Guessed, "FROM a\nhealthcheck CMD true", &[]);
}

#[test]
fn an_actual_dockerfile_can_be_demanded() {
    for (only, mode, fires) in
        [("false", Guessed, true), ("true", Guessed, false), ("TRUE", Actual, true), ("false", Actual, true)]
    {
        let id = "e262a2bcde7efdc1bec001795304680f";
        let message = "Dockerfile directive 'FROM' check '=' matched against 'scratch' for line 'scratch'";
        let all = [(id, message)];
        let subject = Subject::with_dockerfile(mode, "FROM scratch");
        let params =
            [("instruction", "FROM"), ("check", "="), ("value", "scratch"), ("actual_dockerfile_only", only)];
        check_rule(("dockerfile", "instruction"), &params, &subject, if fires { &all } else { &[] });
        let ports = [("ports", "22"), ("type", "blacklist"), ("actual_dockerfile_only", only)];
        let subject = Subject::with_dockerfile(mode, "EXPOSE 22");
        let id = "cc05c35507995b4a657b63f9b0baa281";
        let all = [(id, "Dockerfile exposes port (22) which is in policy file DENIEDPORTS list")];
        check_rule(("dockerfile", "exposed_ports"), &ports, &subject, if fires { &all } else { &[] });
    }
}

#[test]
fn the_effective_user_is_the_last_one() {
    let check = |kind: &str, users: &str, text: &str, expected: Option<&str>| {
        let id = expected.map(|message| policy::trigger_id("dockerfile", "effective_user", message));
        let expected: Vec<(&str, &str)> = id.as_deref().into_iter().zip(expected).collect();
        let subject = Subject::with_dockerfile(Guessed, text);
        check_rule(
            ("dockerfile", "effective_user"),
            &[("users", users), ("type", kind)],
            &subject,
            &expected,
        );
    };
    let refused = |user: &str| format!("User {user} found as effective user, which is explicity not allowed");
    let not_allowed =
        |user: &str| format!("User {user} found as effective user, which is not on the allowed list");
    check("blacklist", "root", "FROM a", Some(&refused("root")));
    check("blacklist", "root", "FROM a\nUSER root\nUSER app", None);
    check("blacklist", "root, app", "FROM a\nUSER root\nUSER app", Some(&refused("app")));
    check("blacklist", "root", "USER [root]", Some(&refused("root")));
    check("blacklist", "root", "USER root:root", None);
    check("blacklist", "root", "USER 0", None);
    check("blacklist", "root", "USER app\nuser root", None);
    check("blacklist", "root", "", None);
    check("whitelist", "app", "FROM a", Some(&not_allowed("root")));
    check("whitelist", "app", "USER app", None);
    check("whitelist", "", "USER app", Some(&not_allowed("app")));
    check_rule(
        ("dockerfile", "effective_user"),
        &[("users", "root"), ("type", "blacklist")],
        &Subject::with_dockerfile(Unknown, "FROM a"),
        &[],
    );
    check_rule(
        ("dockerfile", "effective_user"),
        &[("users", "root"), ("type", "blacklist")],
        &Subject::new(),
        &[("cbff271f45d32e78dcc1979dbca9c14d", &refused("root"))],
    );
}

#[test]
fn exposed_ports_are_listed() {
    let check = |kind: &str, ports: &str, text: &str, tokens: &[&str]| {
        let tail = if kind == "blacklist" {
            "in policy file DENIEDPORTS"
        } else {
            "not in policy file ALLOWEDPORTS"
        };
        let messages: Vec<String> = tokens
            .iter()
            .map(|token| format!("Dockerfile exposes port ({token}) which is {tail} list"))
            .collect();
        let ids: Vec<String> = messages
            .iter()
            .map(|message| policy::trigger_id("dockerfile", "exposed_ports", message))
            .collect();
        let expected: Vec<(&str, &str)> =
            ids.iter().map(String::as_str).zip(messages.iter().map(String::as_str)).collect();
        let subject = Subject::with_dockerfile(Guessed, text);
        check_rule(("dockerfile", "exposed_ports"), &[("ports", ports), ("type", kind)], &subject, &expected);
    };
    check("blacklist", "22", "EXPOSE 22", &["22"]);
    check("blacklist", "22", "expose 80 22/tcp", &["22/tcp"]);
    check("blacklist", "22", "EXPOSE 22/udp 22", &["22"]);
    check("blacklist", "22, 80", "EXPOSE 80 22/udp", &["22/udp", "80"]);
    check("blacklist", "22", "EXPOSE 22\nEXPOSE 22/tcp", &["22", "22/tcp"]);
    check("blacklist", "22", "EXPOSE 2222 20-30 $PORT", &[]);
    check("blacklist", "022", "EXPOSE 22", &["22"]);
    check("blacklist", "22", "RUN 22", &[]);
    check("blacklist", "22", "EXPOSE\t22", &["22"]);
    check("blacklist", "22", "EXPOSE map[22/tcp:{} 80/tcp:{}]", &["22/tcp"]);
    check("whitelist", "22", "EXPOSE map[22/tcp:{} 80/tcp:{}]", &["80/tcp"]);
    check("whitelist", "80", "EXPOSE 80 443 80/tcp 80/udp", &["443"]);
    check("whitelist", "80", "EXPOSE 80/sctp 20-30 $PORT", &["80/sctp", "20-30", "$PORT"]);
    check("whitelist", "80,443", "EXPOSE 443", &[]);
    check("whitelist", "80", "FROM a", &[]);
}

#[test]
fn a_missing_dockerfile_is_told() {
    let id = "b00b22232c1902075263067d2d2b8eea";
    let all = [(id, "Image was not analyzed with an actual Dockerfile")];
    for (mode, fires) in [(Actual, false), (Guessed, true), (Unknown, true)] {
        let subject = Subject::with_dockerfile(mode, "FROM a");
        check_rule(("dockerfile", "no_dockerfile_provided"), &[], &subject, if fires { &all } else { &[] });
    }
}
