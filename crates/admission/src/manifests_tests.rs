//! What is installed, field by field where it matters.

use super::*;
use crate::install::render_yaml;

fn service_options() -> InstallOptions {
    InstallOptions::new(WebhookEndpoint::Service(ServiceOptions {
        namespace: "lazaret-system".to_owned(),
        image: "registry.example.org/lazaret:1".to_owned(),
        arguments: vec!["admission".to_owned()],
        replicas: 2,
        engine: EngineAccess {
            url: "https://engine.example.org".to_owned(),
            credentials_secret: "engine".to_owned(),
            is_insecure: false,
        },
    }))
}

fn url_options() -> InstallOptions {
    InstallOptions::new(WebhookEndpoint::Url {
        url: "https://10.0.0.1:8443/imagecheck".to_owned(),
        ca_bundle: "-----BEGIN CERTIFICATE-----\n".to_owned(),
    })
}

fn find(all: &[Value], kind: &str) -> Value {
    all.iter().find(|object| object["kind"] == kind).cloned().unwrap_or_default()
}

#[test]
fn the_kinds_come_in_the_order_of_their_needs() {
    let kinds = |options: &InstallOptions| -> Vec<String> {
        manifests(options).iter().map(|object| object["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        kinds(&url_options()),
        ["CustomResourceDefinition", "CustomResourceDefinition", "ValidatingWebhookConfiguration"]
    );
    assert_eq!(
        kinds(&service_options()),
        [
            "Namespace",
            "CustomResourceDefinition",
            "CustomResourceDefinition",
            "ServiceAccount",
            "ClusterRole",
            "ClusterRoleBinding",
            "Role",
            "RoleBinding",
            "Deployment",
            "PodDisruptionBudget",
            "Service",
            "ValidatingWebhookConfiguration",
        ]
    );
}

#[test]
fn both_webhooks_leave_system_namespaces_alone_and_split_the_others() {
    for (options, own) in [(service_options(), true), (url_options(), false)] {
        let configuration = find(&manifests(&options), "ValidatingWebhookConfiguration");
        let webhooks = configuration["webhooks"].as_array().unwrap();
        let shape: Vec<_> = webhooks
            .iter()
            .map(|webhook| {
                let last = &webhook["namespaceSelector"]["matchExpressions"][2];
                (webhook["name"].as_str(), webhook["failurePolicy"].as_str(), last["operator"].as_str())
            })
            .collect();
        assert_eq!(
            shape,
            [
                (Some(WEBHOOK_NAME), Some("Ignore"), Some("NotIn")),
                (Some(STRICT_WEBHOOK_NAME), Some("Fail"), Some("In")),
            ]
        );
        for webhook in webhooks {
            let expressions = &webhook["namespaceSelector"]["matchExpressions"];
            let excluded = expressions[0]["values"].to_string();
            assert!(SYSTEM_NAMESPACES.iter().all(|name| excluded.contains(name)), "{excluded}");
            assert_eq!(excluded.contains("lazaret-system"), own);
            assert_eq!(expressions[1]["values"], json!(["noscan"]));
            assert_eq!(webhook["sideEffects"], "NoneOnDryRun");
            assert_eq!(webhook["timeoutSeconds"], 10);
            assert_eq!(webhook["rules"][1]["resources"], json!(["pods/ephemeralcontainers"]));
            assert!(
                webhook.get("objectSelector").is_none(),
                "a label on a Pod must not switch the check off"
            );
        }
    }
}

#[test]
fn a_namespace_that_says_the_opposite_of_the_default_has_a_webhook_of_its_own() {
    for (failure_policy, expected) in [
        (
            FailurePolicy::Ignore,
            [[WEBHOOK_NAME, "Ignore", "NotIn", "deny"], [STRICT_WEBHOOK_NAME, "Fail", "In", "deny"]],
        ),
        (
            FailurePolicy::Fail,
            [[WEBHOOK_NAME, "Fail", "NotIn", "allow"], [LENIENT_WEBHOOK_NAME, "Ignore", "In", "allow"]],
        ),
    ] {
        let options = InstallOptions { failure_policy, ..url_options() };
        let configuration = find(&manifests(&options), "ValidatingWebhookConfiguration");
        for (webhook, [name, policy, operator, mode]) in
            configuration["webhooks"].as_array().unwrap().iter().zip(expected)
        {
            assert_eq!(webhook["name"], name);
            assert_eq!(webhook["failurePolicy"], policy);
            let last = &webhook["namespaceSelector"]["matchExpressions"][2];
            assert_eq!((&last["operator"], &last["values"]), (&json!(operator), &json!([mode])));
        }
    }
}

#[test]
fn only_labelled_namespaces_are_asked_about_when_told_so() {
    let options = InstallOptions {
        namespaces: NamespaceSelection::Labelled,
        failure_policy: FailurePolicy::Fail,
        excluded_namespaces: vec!["pipeline-system".to_owned()],
        ..url_options()
    };
    let configuration = find(&manifests(&options), "ValidatingWebhookConfiguration");
    let webhook = &configuration["webhooks"][0];
    assert_eq!(webhook["failurePolicy"], "Fail");
    let expressions = &webhook["namespaceSelector"]["matchExpressions"];
    assert_eq!(expressions[3], json!({ "key": "scan", "operator": "In", "values": ["scan"] }));
    assert!(expressions[0]["values"].to_string().contains("pipeline-system"));
}

#[test]
fn rights_are_small() {
    let all = manifests(&service_options());
    let role = find(&all, "ClusterRole").to_string();
    for forbidden in ["secrets", "pods", "configmaps", "\"*\""] {
        assert!(!role.contains(forbidden), "{forbidden}");
    }
    let pod = find(&all, "Deployment")["spec"]["template"]["spec"].clone();
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["containers"][0]["securityContext"]["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"], true);
}

#[test]
fn printed_manifests_are_the_applied_ones_and_hold_no_key() {
    for options in [service_options(), url_options()] {
        let text = render_yaml(&options).unwrap();
        let read: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
        assert_eq!(read, manifests(&options));
        assert!(!text.contains("PRIVATE KEY") && !text.contains("kind: Secret"));
    }
}
