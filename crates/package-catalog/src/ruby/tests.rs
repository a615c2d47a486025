//! Specifications as RubyGems writes them, as people wrote them long ago, and broken ones.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

const PATH: &str = "usr/lib/ruby/gems/3.1.0/specifications/a-1.gemspec";

#[test]
fn specifications_of_installed_gems_count() {
    let text = b"Gem::Specification.new do |s|\n  s.name = \"rake\".freeze\n  s.version = \"13.0.6\"\nend\n";
    for (path, is_gem) in [
        (PATH, true),
        ("usr/lib/ruby/gems/3.1.0/specifications/default/json-2.6.1.gemspec", true),
        ("specifications/rake.gemspec", true),
        ("usr/lib/ruby/gems/3.1.0/gems/rake-13.0.6/rake.gemspec", false),
        ("usr/lib/specifications.d/rake.gemspec", false),
        ("usr/lib/specifications/rake.gemspec.orig", false),
    ] {
        let (packages, diagnostics) = packages_of(path, text);
        let expected = if is_gem { vec!["rake 13.0.6".to_owned()] } else { vec![] };
        assert_eq!((names(&packages), diagnostics), (expected, vec![]), "{path}");
    }
}

#[test]
fn what_is_assigned_is_read() {
    let (packages, diagnostics) = packages_of(
        PATH,
        br#"# -*- encoding: utf-8 -*-
# stub: wrong 0.1 ruby lib
Gem::Specification.new do |s|
  s.name = "nokogiri".freeze
  s.version = "1.16.0"
  s.platform = "x86_64-linux".freeze
  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze) if s.respond_to? :required_rubygems_version=
  s.metadata = { "name" => "s.name = \"no\"" } if s.respond_to? :metadata=
  s.authors = ["Zach\u00E9 \x22\u{1F600}".freeze, "B".freeze]
  s.description = "It says\n  s.name = \"other\"\n  s.version = \"9\"".freeze
  s.licenses = ["MIT".freeze,
    "Apache-2.0".freeze]
  s.installed_by_version = "3.3.5" if s.respond_to? :installed_by_version
  if s.version == "2" then
    s.add_dependency(%q<racc>.freeze, ["~> 1.4"])
  end
end
"#,
    );
    assert_eq!((names(&packages), diagnostics), (vec!["nokogiri 1.16.0".to_owned()], vec![]));
    assert_eq!(packages[0].purl, "pkg:gem/nokogiri@1.16.0?platform=x86_64-linux");
    assert_eq!(packages[0].licenses, ["MIT", "Apache-2.0"]);
    assert_eq!(packages[0].maintainer.as_deref(), Some("Zach\u{e9} \"\u{1f600}"));
}

#[test]
fn all_ways_to_write_a_value_are_known() {
    for (text, expected, purl) in [
        ("s.name='a';s.version='1'", "a 1", "pkg:gem/a@1"),
        ("spec.name = %q{a}\nspec.version = Gem::Version.new(%q(1.0(2)))", "a 1.0(2)", "pkg:gem/a@1.0(2)"),
        (
            "s.name = \"a\"\ns.version = \"1\"\ns.platform = Gem::Platform.new([\"x86\", \"mingw32\", nil])",
            "a 1",
            "pkg:gem/a@1?platform=x86-mingw32",
        ),
        (
            "s.name = \"a\"\ns.version = \"1\"\ns.platform = Gem::Platform::RUBY\ns.license = 'MIT'",
            "a 1",
            "pkg:gem/a@1",
        ),
        (
            "# stub: b 2.0 java lib\nGem::Specification.new do |s|\ns.name = \"b#{x}\"\ns.version = V",
            "b 2.0",
            "pkg:gem/b@2.0?platform=java",
        ),
        (
            "s.name = \"a\"\ns.name = \"b\" if true\n# s.name = \"c\"\ns.version =\n  '3'\n",
            "b 3",
            "pkg:gem/b@3",
        ),
        ("s.name = \"a\".freeze\r\ns.version = \"1\".freeze\r\n", "a 1", "pkg:gem/a@1"),
    ] {
        let (packages, diagnostics) = packages_of(PATH, text.as_bytes());
        assert_eq!((names(&packages), diagnostics), (vec![expected.to_owned()], vec![]), "{text}");
        assert_eq!(packages[0].purl, purl);
    }
}

#[test]
fn broken_specifications_are_told() {
    for (text, expected, code) in [
        ("s.name = \"a\"\ns.version = X", vec!["a -"], DiagnosticCode::MissingVersion),
        ("--- !ruby/object:Gem::Specification\nname: a\n", vec![], DiagnosticCode::PackagesLeftOut),
        ("s.name = \"a", vec![], DiagnosticCode::PackagesLeftOut),
        ("s.name = \"   \"\ns.version = '1'", vec![], DiagnosticCode::PackagesLeftOut),
        ("\u{0}\u{0}\u{0}\u{0}", vec![], DiagnosticCode::PackagesLeftOut),
    ] {
        let (packages, diagnostics) = packages_of(PATH, text.as_bytes());
        assert_eq!(names(&packages), expected, "{text}");
        assert_eq!(diagnostics[0].code, code, "{text}");
    }
}
