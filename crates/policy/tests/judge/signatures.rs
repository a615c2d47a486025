//! Gate `signatures`: who has signed, who should have, and what does not hold.

use model::SignatureCheck;

use crate::fixture::{Subject, check_rule};

fn check(trigger: &str, params: &[(&str, &str)], signers: &[&str], problems: &[&str], expected: &[&str]) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let mut subject = Subject::new();
    subject.signatures = Some(SignatureCheck { signers: owned(signers), problems: owned(problems) });
    let ids: Vec<String> = expected
        .iter()
        .map(|message| match message.strip_prefix("The image is not signed by ") {
            Some(signer) => format!("signed_by+{signer}"),
            None => policy::trigger_id("signatures", trigger, message),
        })
        .collect();
    let rows: Vec<(&str, &str)> = ids.iter().map(String::as_str).zip(expected.iter().copied()).collect();
    check_rule(("signatures", trigger), params, &subject, &rows);
}

#[test]
fn unsigned_images_are_told() {
    let message = "The image has no valid signature";
    check("not_signed", &[], &[], &[], &[message]);
    check("not_signed", &[], &[], &["digest differs"], &[message]);
    check("not_signed", &[], &["release"], &["digest differs"], &[]);
}

#[test]
fn signatures_that_do_not_hold_are_told() {
    check("not_valid", &[], &[], &[], &[]);
    check("not_valid", &[], &["release"], &[], &[]);
    check(
        "not_valid",
        &[],
        &["release"],
        &["a", "b"],
        &["A signature of the image does not hold: a", "A signature of the image does not hold: b"],
    );
}

#[test]
fn signers_can_be_required() {
    let signers = ["https://github.com/example/app/.github/workflows/release.yml", "release"];
    let rows: [(&str, &str, &[&str]); 8] = [
        ("release", "all", &[]),
        ("release, qa", "all", &["The image is not signed by qa"]),
        ("qa,security", "all", &["The image is not signed by qa", "The image is not signed by security"]),
        ("release,qa", "any", &[]),
        ("qa,security", "any", &["The image is signed by none of qa, security"]),
        ("https://github.com/example/*", "all", &[]),
        ("https://github.com/other/*", "all", &["The image is not signed by https://github.com/other/*"]),
        ("rel", "all", &["The image is not signed by rel"]),
    ];
    for (required, how, expected) in rows {
        check("signed_by", &[("signers", required), ("required", how)], &signers, &[], expected);
    }
}

#[test]
fn an_image_whose_signatures_nobody_has_looked_for_is_not_signed() {
    for (trigger, params) in
        [("not_signed", vec![]), ("not_valid", vec![]), ("signed_by", vec![("signers", "release")])]
    {
        let id = format!("{trigger}+no_data");
        let message = "There is no data for this rule: nobody has looked for signatures of this image";
        check_rule(("signatures", trigger), &params, &Subject::new(), &[(&id, message)]);
        let ignoring: Vec<(&str, &str)> = params.into_iter().chain([("missing_data", "ignore")]).collect();
        check_rule(("signatures", trigger), &ignoring, &Subject::new(), &[]);
    }
}
