//! Descriptions of installed packages, and files that are none.

use model::DiagnosticCode;

use crate::tests::{names, packages_of};

const PATH: &str = "usr/lib/R/site-library/digest/DESCRIPTION";
const BUILT: &str = "Built: R 4.2.2; x86_64-pc-linux-gnu; 2023-01-01 00:00:00 UTC; unix\n";

#[test]
fn what_is_built_is_installed() {
    let head = "Package: digest\r\nVersion: 0.6.31\nTitle: Create Digests\n  Version: 9\nLicense: GPL (>= 2)\n\
        Maintainer: Dirk <edd@debian.org>\n";
    let built = format!("{head}{BUILT}");
    let (packages, diagnostics) = packages_of(PATH, built.as_bytes());
    assert_eq!((names(&packages), diagnostics), (vec!["digest 0.6.31".to_owned()], vec![]));
    assert_eq!(packages[0].purl, "pkg:cran/digest@0.6.31");
    assert_eq!(
        (packages[0].licenses[0].as_str(), packages[0].maintainer.as_deref()),
        ("GPL (>= 2)", Some("Dirk <edd@debian.org>"))
    );
    assert_eq!(packages_of(PATH, head.as_bytes()), (vec![], vec![]));
    assert_eq!(packages_of("a/MY_DESCRIPTION", built.as_bytes()), (vec![], vec![]));
    assert_eq!(packages_of(PATH, b"This folder holds things.\n"), (vec![], vec![]));
    let (packages, _) =
        packages_of(PATH, format!("Package: limma\nVersion: 3.54\nbiocViews: X\n{BUILT}").as_bytes());
    assert_eq!(packages[0].purl, "pkg:cran/limma@3.54?repository_url=https:%2F%2Fbioconductor.org");
    let (packages, diagnostics) = packages_of(PATH, format!("Package: a\n{BUILT}").as_bytes());
    assert_eq!(
        (names(&packages), diagnostics[0].code),
        (vec!["a -".to_owned()], DiagnosticCode::MissingVersion)
    );
}
