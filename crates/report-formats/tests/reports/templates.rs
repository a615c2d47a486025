//! Templates of the user: what they see, and what they are told.

use report_formats::{ChosenFormat, Report, Template, WriteOptions};

use super::example::Example;

fn render(name: &str, text: &str) -> Result<String, String> {
    let options = WriteOptions { template: Some(Template { name, text }), ..WriteOptions::default() };
    let format = ChosenFormat::parse("template").unwrap();
    format.write(&Report::Scan(Example::hostile().scan()), &options).map_err(|error| error.to_string())
}

#[test]
fn a_template_sees_what_the_json_has() {
    let text = "{{ schema_version }} {{ severity_counts.High }} {{ findings[0].fixed_in|length }} {{ image.distro.id }}\n";
    assert_eq!(render("a.txt", text).unwrap(), "1 1 1 debian\n");
    assert!(render("a.txt", "{{ findings[0].package }}").unwrap().contains("</script>"));
    for name in ["a.html", "a.html.j2", "a.xml"] {
        let shown = render(name, "{{ findings[0].package }}").unwrap();
        assert!(!shown.contains('<') && shown.contains("&lt;script&gt;"), "{name}: {shown}");
    }
}

#[test]
fn the_template_of_the_documentation_writes_every_report() {
    let text = include_str!("../../../../docs/templates/findings.html.j2");
    let options = WriteOptions {
        template: Some(Template { name: "findings.html.j2", text }),
        ..WriteOptions::default()
    };
    let format = ChosenFormat::parse("template").unwrap();
    for example in super::published_schemas::examples() {
        let page = format.write(&Report::Scan(example.scan()), &options).unwrap();
        let rows = example.report.findings.iter().filter(|it| it.severity >= model::Severity::High).count();
        assert_eq!(page.matches("<tr><td>").count(), rows, "{page}");
        assert!(!page.contains("<script") && page.ends_with("</html>\n"), "{page}");
    }
}

#[test]
fn a_wrong_template_is_told_with_its_line() {
    for (text, word) in [
        ("a\n{% for %}", "line 2"),
        ("a\n\n{{ nothing.here }}", "line 3: undefined value: `nothing`"),
        ("a\n{% for it in findings %}\n{{ it.pakage }}{% endfor %}", "line 3: undefined value: `it.pakage`"),
        ("{{ image.name|nofilter }}", "nofilter"),
        ("{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}", "steps"),
        ("{% include 'other' %}", "unknown statement"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
    ] {
        let error = render("a.txt", text).unwrap_err();
        assert!(error.contains("a.txt") && error.contains(word), "{error}");
    }
}
