//! Violations and their words, as a running engine answered them.

use serde_json::{Value, json};

use super::*;

fn valid() -> Value {
    json!({"id": "b", "version": "1_0",
        "policies": [{"id": "p", "version": "1_0", "rules": [
            {"gate": "always", "trigger": "always", "action": "STOP", "params": [{"name": "n", "value": "v"}]}]}],
        "whitelists": [{"id": "w", "version": "1_0", "items": [{"gate": "g", "trigger_id": "t"}]}],
        "mappings": [{"name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
            "policy_ids": ["p"], "whitelist_ids": ["w"]}]})
}

/// Replaces the value at `pointer` (`None` removes it) in a valid document.
fn check_change(pointer: &str, value: Option<Value>, expected: Option<(&str, &str)>) {
    let mut document = valid();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = document.pointer_mut(parent).unwrap();
    match (parent, value) {
        (Value::Object(members), Some(value)) => {
            members.insert(name.to_owned(), value);
        }
        (Value::Object(members), None) => {
            members.remove(name).unwrap();
        }
        (parent, value) => parent[name.parse::<usize>().unwrap()] = value.unwrap(),
    }
    let found = find_violation(&document);
    let found = found.as_ref().map(|violation| (violation.text.as_str(), violation.path.as_str()));
    assert_eq!(found, expected, "{pointer}");
}

#[test]
fn violations_are_named_with_their_path() {
    let required = "is a required property";
    check_change("/extra", Some(json!({"any": 1})), None);
    check_change("/id", None, Some((&format!("'id' {required}"), "")));
    check_change("/version", None, Some((&format!("'version' {required}"), "")));
    check_change("/policies", None, Some((&format!("'policies' {required}"), "")));
    check_change("/mappings", None, Some((&format!("'mappings' {required}"), "")));
    check_change("/whitelists", None, None);
    check_change("/policies/0/rules", None, None);
    check_change("/policies/0/rules/0/params", None, None);
    check_change("/whitelists/0/items", None, None);
    check_change("/mappings/0/whitelist_ids", None, None);
    check_change("/id", Some(json!(5)), Some(("5 is not of type 'string'", "id")));
    check_change("/id", Some(Value::Null), Some(("None is not of type 'string'", "id")));
    check_change("/name", Some(Value::Null), Some(("None is not of type 'string'", "name")));
    check_change("/policies", Some(json!({})), Some(("{} is not of type 'array'", "policies")));
    check_change("/policies/0", Some(json!("p")), Some(("'p' is not of type 'object'", "policies.0")));
    check_change(
        "/policies/0/name",
        Some(Value::Null),
        Some(("None is not of type 'string'", "policies.0.name")),
    );
    let choices = "is not one of ['GO', 'STOP', 'WARN']";
    let action = "policies.0.rules.0.action";
    check_change(
        "/policies/0/rules/0/action",
        Some(json!("stop")),
        Some((&format!("'stop' {choices}"), action)),
    );
    check_change(
        "/policies/0/rules/0/action",
        Some(json!("BLOCK")),
        Some((&format!("'BLOCK' {choices}"), action)),
    );
    check_change(
        "/policies/0/rules/0/action",
        None,
        Some((&format!("'action' {required}"), "policies.0.rules.0")),
    );
    check_change(
        "/policies/0/rules/0/params/0/value",
        Some(json!(5)),
        Some(("5 is not of type 'string'", "policies.0.rules.0.params.0.value")),
    );
    check_change(
        "/mappings/0/image/type",
        Some(json!("bogus")),
        Some(("'bogus' is not one of ['tag', 'digest', 'id']", "mappings.0.image.type")),
    );
    check_change("/mappings/0/image", None, Some((&format!("'image' {required}"), "mappings.0")));
    check_change(
        "/whitelists/0/items/0/trigger_id",
        None,
        Some((&format!("'trigger_id' {required}"), "whitelists.0.items.0")),
    );
    check_change(
        "/mappings/0/policy_ids/0",
        Some(json!(1)),
        Some(("1 is not of type 'string'", "mappings.0.policy_ids.0")),
    );
}

#[test]
fn the_document_itself_is_an_object() {
    for (document, expected) in [(Value::Null, "None"), (json!([]), "[]"), (json!("x"), "'x'")] {
        let violation = find_violation(&document).unwrap();
        assert_eq!(
            (violation.text, violation.path),
            (format!("{expected} is not of type 'object'"), String::new())
        );
    }
}

#[test]
fn the_violation_nearest_to_the_root_is_named() {
    let mut document = valid();
    document["policies"][0]["rules"][0]["action"] = json!("stop");
    document["mappings"][0].as_object_mut().unwrap().remove("image");
    document["comment"] = json!(7);
    assert_eq!(find_violation(&document).unwrap().path, "comment");
}

#[test]
fn dates_follow_the_pattern() {
    let path = "whitelists.0.items.0.expires_on";
    for good in
        ["2031-01-01T00:00:00Z", "2031-01-01T00:00:00", "2031-01-01T00:00:00.5:12Q", "9999-99-99T99:99:99:1"]
    {
        check_change("/whitelists/0/items/0/expires_on", Some(json!(good)), None);
    }
    for bad in [
        "yesterday",
        "2031-01-01",
        "2031-01-01T00:00:00.",
        "2031-01-01T00:00:00:Z",
        "2031-01-01T00:00:00ZZ",
        "2031-01-01T00:00:00z",
        "2031-01-01T00:00:00+00:00",
    ] {
        let text = format!(
            "'{bad}' does not match '^\\\\d{{4}}-\\\\d{{2}}-\\\\d{{2}}T\\\\d{{2}}:\\\\d{{2}}:\\\\d{{2}}(?:\\\\.\\\\d+)?(?:\\\\:\\\\d+)?[A-Z]?$'"
        );
        check_change("/whitelists/0/items/0/expires_on", Some(json!(bad)), Some((&text, path)));
    }
}
