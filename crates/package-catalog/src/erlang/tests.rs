//! Resource files, what Hex tells, and broken ones.

use model::{DiagnosticCode, PackageKind};

use super::{ELIXIR, OTP};
use crate::tests::{names, packages_of};

#[test]
fn resource_files_are_applications() {
    let text = "%% comment {vsn, \"9\"}\n{application, 'ssl',\n   [{description, \"Erlang/OTP \\\"SSL\\\" {vsn, x}\"},\n    \
        {env, [{vsn, \"8\"}]},\n    {vsn, \"11.1.4\"},\n    {modules, [a@b, $\", c]}, {runtime_dependencies,[\"stdlib-6.0\"]}]}.\n";
    for (path, is_application) in [
        ("usr/lib/erlang/lib/ssl-11.1.4/ebin/ssl.app", true),
        ("app/_build/prod/lib/ssl/ebin/ssl.app", true),
        ("app/src/ssl.app", false),
        ("app/ebin/ssl.app.src", false),
    ] {
        let (packages, diagnostics) = packages_of(path, text.as_bytes());
        let expected = if is_application { vec!["ssl 11.1.4".to_owned()] } else { vec![] };
        assert_eq!((names(&packages), diagnostics), (expected, vec![]), "{path}");
    }
    let (packages, _) = packages_of("lib/ssl-11.1.4/ebin/ssl.app", text.as_bytes());
    assert_eq!((packages[0].kind, packages[0].purl.as_str()), (PackageKind::Otp, "pkg:otp/ssl@11.1.4"));
    let phoenix = b"{application,phoenix,[{vsn,<<\"1.7.14\"/utf8>>},{modules,['Elixir.Phoenix']}]}.";
    let (packages, _) = packages_of("app/lib/phoenix-1.7.14/ebin/phoenix.app", phoenix);
    assert_eq!((packages[0].kind, packages[0].purl.as_str()), (PackageKind::Hex, "pkg:hex/phoenix@1.7.14"));
    assert!(OTP.is_sorted() && ELIXIR.is_sorted());
}

#[test]
fn elixir_itself_is_no_package_of_hex() {
    let application =
        b"{application,elixir,\n             [{description,\"elixir\"},\n              {vsn,\"1.14.0\"},\n \
        {modules,['Elixir.Access']}]}.";
    let (packages, diagnostics) = packages_of("usr/lib/elixir/lib/elixir/ebin/elixir.app", application);
    let found: Vec<_> =
        packages.iter().map(|it| (it.purl.as_str(), it.cpes.first().map(String::as_str))).collect();
    let cpe = "cpe:2.3:a:elixir-lang:elixir:1.14.0:*:*:*:*:*:*:*";
    assert_eq!(found, [("pkg:otp/elixir@1.14.0", None), ("pkg:generic/elixir@1.14.0", Some(cpe))]);
    assert_eq!(diagnostics, []);
    for (name, purl) in [("mix", "pkg:otp/mix@1.14.0"), ("mix_audit", "pkg:hex/mix_audit@1.14.0")] {
        let text = format!("{{application,{name},[{{vsn,\"1.14.0\"}}]}}.");
        assert_eq!(packages_of("a/ebin/a.app", text.as_bytes()).0[0].purl, purl);
    }
}

#[test]
fn hex_tells_of_its_packages() {
    let text = "{<<\"links\">>,[{<<\"name\">>,<<\"https://x\">>}]}.\n{<<\"name\">>,<<\"jason\">>}.\n{<<\"version\">>,<<\"1.4.1\">>}.\n\
        {<<\"licenses\">>,[<<\"Apache-2.0\">>]}.\n{<<\"requirements\">>,\n [{<<\"decimal\">>,\n   [{<<\"version\">>,<<\"~> 1.0\">>}]}]}.\n";
    let (packages, diagnostics) = packages_of("app/deps/jason/hex_metadata.config", text.as_bytes());
    assert_eq!((names(&packages), diagnostics), (vec!["jason 1.4.1".to_owned()], vec![]));
    assert_eq!(
        (packages[0].purl.as_str(), packages[0].licenses[0].as_str()),
        ("pkg:hex/jason@1.4.1", "Apache-2.0")
    );
    assert_eq!(packages_of("app/my_hex_metadata.config", text.as_bytes()), (vec![], vec![]));
}

#[test]
fn broken_files_are_told() {
    for (path, text, expected, code) in [
        ("ebin/a.app", "{application, a, [{vsn, git}]}.", vec!["a -"], DiagnosticCode::MissingVersion),
        ("ebin/a.app", "{application, a, [{vsn, \"1", vec!["a 1"], DiagnosticCode::BrokenRecord),
        ("ebin/a.app", "<plist version=\"1\">", vec![], DiagnosticCode::BrokenRecord),
        ("ebin/a.app", "{application, \"a\", []}.", vec![], DiagnosticCode::BrokenRecord),
        ("d/hex_metadata.config", "{<<\"version\">>,<<\"1\">>}.", vec![], DiagnosticCode::BrokenRecord),
        ("d/hex_metadata.config", "]]]]}}}}", vec![], DiagnosticCode::BrokenRecord),
    ] {
        let path = format!("x/{path}");
        let (packages, diagnostics) = packages_of(&path, text.as_bytes());
        assert_eq!(names(&packages), expected, "{text}");
        assert!(diagnostics.iter().all(|told| told.code == code), "{text}: {diagnostics:?}");
        assert_eq!(diagnostics.is_empty(), expected == ["a 1"], "{text}");
    }
}
