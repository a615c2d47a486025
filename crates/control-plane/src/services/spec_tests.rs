//! Forms of input and tolerance of the reader, as rows.

use super::*;

#[test]
fn a_body_is_wrapped_bare_empty_or_ambiguous() {
    let spec = |text: &str| match serde_json::from_str(text).unwrap() {
        Value::Object(object) => Ok(Input::Spec(object)),
        _ => unreachable!(),
    };
    let policy = r#"{"policy":{"policyId":"deny_all"}}"#;
    for (body, expected) in [
        (r#"{"spec":{"policy":{"policyId":"deny_all"}}}"#, spec(policy)),
        (r#"{"Spec":{"policy":{"policyId":"deny_all"}}}"#, spec(policy)),
        (policy, spec(policy)),
        (
            r#"{"spec":null,"policy":{"policyId":"deny_all"}}"#,
            spec(r#"{"spec":null,"policy":{"policyId":"deny_all"}}"#),
        ),
        (r#"{"spec":{"other":1}}"#, spec(r#"{"other":1}"#)),
        ("", Ok(Input::Empty)),
        (" \n", Ok(Input::Empty)),
        ("null", Ok(Input::Empty)),
        ("{}", Ok(Input::Empty)),
        (r#"{"spec":null}"#, Ok(Input::Empty)),
        (r#"{"spec":{}}"#, Ok(Input::Empty)),
        (r#"{"policy":null}"#, Ok(Input::Empty)),
        (r#"{"something":1}"#, Ok(Input::Empty)),
        (r#"{"spec":{},"POLICY":{}}"#, Err(InputError::Ambiguous("POLICY".to_owned()))),
        (r#"{"spec":[]}"#, Err(InputError::SpecIsNoObject)),
        ("[]", Err(InputError::NotJson("it is no JSON object".to_owned()))),
    ] {
        assert_eq!(read_input(body.as_bytes()), expected, "{body}");
    }
    assert!(matches!(read_input(b"{"), Err(InputError::NotJson(_))));
}

fn read(text: &str) -> Result<RawSpec, Vec<String>> {
    read_spec(serde_json::from_str::<Value>(text).unwrap().as_object().unwrap())
}

#[test]
fn keys_come_in_any_case_nulls_are_nothing_and_types_are_strict() {
    // What the wizard of the old client sends.
    let wizard = read(
        r#"{"customAnchore":{"enabled":false,"url":"","secretId":""},"policy":{"policyId":"deny_all","customPolicy":{"enabled":false,
        "policy":null}},"releaseWhiteList":null,"webhookConfig":{"enabled":true,"selector":"include","namespaces":["*"]},
        "registry":null,"registries":null}"#,
    )
    .unwrap();
    let any_case = read(
        r#"{"POLICY":{"policyid":"deny_all"},"webhookconfig":{"Enabled":true,"SELECTOR":"include","nameSpaces":["*"]},"x":1}"#,
    );
    assert_eq!(any_case.unwrap(), wizard);
    assert_eq!(read(r#"{"policy":{"policyId":"a"}}"#).unwrap().webhook, None);
    for (text, problem) in [
        (r#"{"policy":{"policyId":7}}"#, "`policy.policyId` must be a string, not a number"),
        (r#"{"policy":"deny_all"}"#, "`policy` must be an object, not a string"),
        (
            r#"{"webhookConfig":{"enabled":"true"}}"#,
            "`webhookConfig.enabled` must be true or false, not a string",
        ),
        (
            r#"{"webhookConfig":{"namespaces":"a"}}"#,
            "`webhookConfig.namespaces` must be a list of strings, not a string",
        ),
        (
            r#"{"webhookConfig":{"namespaces":[1]}}"#,
            "`webhookConfig.namespaces` must be a list of strings, not a number",
        ),
        (r#"{"releaseWhiteList":[{"name":"a"},[]]}"#, "`releaseWhiteList[1]` must be an object, not a list"),
        (
            r#"{"registries":[{"insecure":1}]}"#,
            "`registries[0].insecure` must be true or false, not a number",
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), [problem], "{text}");
    }
}

#[test]
fn one_registry_counts_where_there_are_no_registries() {
    let one = r#""registry":{"registry":"one","secretId":"s"}"#;
    let names = |text: &str| {
        read(text).unwrap().registries.iter().map(|registry| registry.registry.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&format!("{{{one}}}")), ["one"]);
    assert_eq!(names(&format!("{{{one},\"registries\":[]}}")), ["one"]);
    assert_eq!(names(&format!("{{{one},\"registries\":[{{\"registry\":\"two\"}}]}}")), ["two"]);
}
