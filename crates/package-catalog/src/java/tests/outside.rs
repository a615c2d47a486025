//! Archives that other programs wrote.

use super::urls;
use crate::tests::packages_of;

#[test]
fn archives_of_other_writers_are_read() {
    let tool: &[u8] = include_bytes!("../testdata/tool-1.2.jar");
    let sha1 = |packages: &[model::Package]| packages[0].java.clone().unwrap().sha1.unwrap();
    let (packages, diagnostics) = packages_of("opt/tool-1.2.jar", tool);
    assert_eq!(urls(&packages), [("pkg:maven/org.example/tool@1.2", "/opt/tool-1.2.jar")]);
    assert_eq!(
        (diagnostics.len(), sha1(&packages).as_str()),
        (0, "08bd30c1d5f3618c67d8aaef30d6b76d01c909d3")
    );
    for (path, content, digits) in [
        (
            "opt/app.ear",
            &include_bytes!("../testdata/plain.ear")[..],
            "aed3d47a96ac6a1978cbecbbe746ade4989dfb06",
        ),
        (
            "opt/app.ear",
            include_bytes!("../testdata/streamed.ear"),
            "2416ef3d3481fefe8fbd23b99f1404f522608e0d",
        ),
    ] {
        let (packages, diagnostics) = packages_of(path, content);
        let expected = [
            ("pkg:maven/big-app@3.4", "/opt/app.ear"),
            ("pkg:maven/org.example/tool@1.2", "/opt/app.ear:lib/tool-1.2.jar"),
        ];
        assert_eq!(urls(&packages), expected, "{path}");
        assert_eq!((diagnostics.len(), sha1(&packages).as_str()), (0, digits));
        assert_eq!(
            packages[1].java.clone().unwrap().sha1.unwrap(),
            "08bd30c1d5f3618c67d8aaef30d6b76d01c909d3"
        );
    }
}
