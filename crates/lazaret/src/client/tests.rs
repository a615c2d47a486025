//! What can be typed, row by row, under both names of the program.

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::arguments::{Arguments, Command};
use crate::name::command_named;

/// The flags and words of a command as it was understood.
fn parsed(name: &'static str, line: &str) -> Result<Command, clap::Error> {
    let words = std::iter::once(name).chain(line.split_whitespace());
    let matches = command_named(name).try_get_matches_from(words)?;
    Ok(Arguments::from_arg_matches(&matches)?.command)
}

#[test]
fn the_commands_are_consistent_under_both_names() {
    for name in ["lazaret", "banzai"] {
        command_named(name).debug_assert();
    }
    Arguments::command().debug_assert();
}

#[test]
fn lines_of_the_old_client_are_understood() {
    for line in [
        "login -e https://h/pipeline -t abc --organization acme --permanent --skip-verify",
        "--no-interactive login --endpoint=http://127.0.0.1:9090/pipeline --token=abc",
        "organization list",
        "org ls",
        "organizations select acme",
        "orgs list -o json",
        "organization current",
        "secret list",
        "secrets l -t password",
        "secret get registry",
        "secret get --name=registry",
        "secret show -i 7a81 -H",
        "secret create --name a --type password --tag=cli --tag=app -v false",
        "secret create -f -",
        "secret delete --name a b",
        "secret rm 7a81",
        "cluster list",
        "clusters ls --output yaml",
        "c l",
        "-o json cl list",
        "cluster get demo",
        "cluster get --cluster=7",
        "cluster show --cluster-name=demo",
        "cluster import --name demo --kubeconfig=kube.conf",
        "cluster import -n demo",
        "cluster config -p /tmp --cluster-name demo",
        "cluster shell",
        "cluster shell --cluster-name image-scan",
        "cluster sh --cluster-name x -- kubectl apply -f -",
        "cluster shell --cluster-name x kubectl get pods -A",
        "cluster shell --wrap-helm=false --cluster-name x -- helm list",
        "cluster delete demo -f",
        "cluster rm --cluster 7 --force",
        "cluster service",
        "cluster service list",
        "cluster services --cluster-name demo",
        "cluster svc ls demo",
        "cluster service securityscan",
        "cluster service securityscan get -o json",
        "cluster service securityscan details --cluster 7",
        "cluster --cluster-name demo service securityscan activate",
        "cluster service --cluster-name demo securityscan activate -f spec.json",
        "cluster service securityscan enable -f - --wait",
        "cluster service securityscan install --wait --wait-timeout 90s",
        "cluster service securityscan on",
        "cluster service securityscan add",
        "cluster service securityscan change -f x",
        "cluster service securityscan set",
        "cluster service securityscan modify",
        "cluster service securityscan deactivate --wait",
        "cluster service securityscan disable",
        "cluster service securityscan off",
        "cluster service securityscan remove",
        "cluster service securityscan rm",
        "cluster service securityscan uninstall",
        "cluster is securityscan query",
        "token create --name ci --expires-at 2030-01-31T00:00:00Z",
        "token ls",
        "token revoke abc",
        "audits",
        "scanlog my-release --rejected --cluster-name demo",
        "whitelist ls",
        "wl create my-release --reason because --regexp ^a$",
        "whitelist delete a b",
        "policy list --cluster-name demo",
        "policy get reject_high -o yaml",
        "policy add bundle.json",
        "policy activate deny_all --cluster 7",
        "policy delete old",
        "policy check bundle.json -o json",
        "image list",
        "image scan nginx:1.25 --wait",
        "image vuln sha256:abc",
        "--config f.yaml --organization 2 --verbose --no-color cluster list",
        "cluster list --config f.yaml --organization 2 --verbose --color",
        "completions bash",
        "completion zsh",
    ] {
        for name in ["banzai", "lazaret"] {
            if let Err(error) = parsed(name, line) {
                unreachable!("{name} {line}: {error}");
            }
        }
    }
}

#[test]
fn mistakes_are_told() {
    for (line, expected) in [
        ("cluster get --cluster seven", "seven"),
        ("cluster list --cluster 1 --cluster-name a", "cannot be used with"),
        ("login --tken x", "--token"),
        ("cluster service securityscan activat", "activate"),
        ("secret get", "required"),
        ("secret delete", "required"),
        ("whitelist create a", "--reason"),
        ("cluster list -o xml", "default, json, yaml"),
        ("--interactive --no-interactive cluster list --interactive --no-interactive", "cannot be used with"),
        ("cluster service securityscan activate --wait-timeout soon", "as 90s, 10m or 1h"),
        ("cluster shell --clutser-name x", "--cluster-name"),
    ] {
        let text = match parsed("banzai", line) {
            Ok(command) => format!("{command:?}"),
            Err(error) => error.to_string(),
        };
        assert!(text.contains(expected) && text.contains("error:"), "{line}: {text}");
    }
}

#[test]
fn help_speaks_of_the_program_by_the_name_it_was_called_by() {
    let help = command_named("banzai").render_long_help().to_string();
    assert!(help.contains("banzai") && help.contains("cluster") && !help.contains("admission"), "{help}");
    let help = command_named("lazaret").render_long_help().to_string();
    assert!(help.contains("admission") && help.contains("login"), "{help}");
}

#[test]
fn flags_before_a_command_count_unless_it_has_its_own() {
    let words = ["banzai", "-o", "json", "--organization", "a", "cluster", "list", "-o", "yaml"];
    let matches = command_named("banzai").try_get_matches_from(words).unwrap();
    let arguments = Arguments::from_arg_matches(&matches).unwrap();
    let Command::Client(super::ClientCommand::Cluster(cluster)) = arguments.command else {
        unreachable!("it is a command about clusters");
    };
    let flags = arguments.leading.under(cluster.flags.clone());
    assert_eq!(flags.output, Some(super::arguments::Format::Yaml));
    assert_eq!(flags.organization.as_deref(), Some("a"));
}
