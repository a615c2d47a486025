//! Project files of a depot, of the standard library and of others.

use crate::tests::{names, packages_of};

const PROJECT: &str = "name = \"HTTP\"\nuuid = \"cd3eb016-35fb-5094-929b-558a96fad6f3\"  # x\nauthors = [\"A = \\\"B\\\"\"]\n\
    version = \"1.10.8\"\n\n[deps]\nname = \"x\"\nversion = \"9\"\n";

#[test]
fn project_files_of_a_depot_are_packages() {
    for (path, is_package) in [
        ("root/.julia/packages/HTTP/1EWL3/Project.toml", true),
        ("root/.julia/packages/HTTP/1EWL3/JuliaProject.toml", true),
        ("usr/local/julia/share/julia/stdlib/v1.10/HTTP/Project.toml", true),
        ("root/.julia/packages/HTTP/1EWL3/docs/Project.toml", false),
        ("root/.julia/packages/HTTP/my-folder/Project.toml", false),
        ("root/.julia/environments/v1.10/Project.toml", false),
        ("app/Project.toml", false),
        ("Project.toml", false),
    ] {
        let (packages, diagnostics) = packages_of(path, PROJECT.as_bytes());
        let expected = if is_package { vec!["HTTP 1.10.8".to_owned()] } else { vec![] };
        assert_eq!((names(&packages), diagnostics), (expected, vec![]), "{path}");
    }
    let (packages, _) = packages_of("packages/HTTP/1EWL3/Project.toml", PROJECT.as_bytes());
    assert_eq!(packages[0].purl, "pkg:julia/HTTP@1.10.8?uuid=cd3eb016-35fb-5094-929b-558a96fad6f3");
    for nothing in
        ["name = \"a\"\nversion = \"1\"", "[name]\nx = \"a\"", "name = a\nuuid = 5\nversion = '1'", "===="]
    {
        assert_eq!(
            packages_of("packages/A/abcde/Project.toml", nothing.as_bytes()),
            (vec![], vec![]),
            "{nothing}"
        );
    }
}
