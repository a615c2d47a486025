//! Renewal with a clock of our own.

use super::*;

const DAY: i64 = 24 * 3_600;

fn names() -> Vec<String> {
    vec!["admission.example.org".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]
}

fn at_day(day: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + day * DAY).unwrap()
}

fn fresh() -> Material {
    renew(Plan::RenewAuthority, None, &names(), at_day(0)).unwrap()
}

#[test]
fn certificates_are_renewed_at_two_thirds_of_their_life() {
    let material = fresh();
    let check = |day: i64, expected: Plan| {
        assert_eq!(plan(Some(&material), &names(), at_day(day)), expected, "day {day}");
    };
    check(0, Plan::Keep);
    check(59, Plan::Keep);
    check(60, Plan::RenewServing);
    check(400, Plan::RenewServing);
    check(2_432, Plan::RenewServing);
    check(2_434, Plan::RenewAuthority);
    check(5_000, Plan::RenewAuthority);
    check(-1, Plan::RenewAuthority);
    assert_eq!(plan(None, &names(), at_day(0)), Plan::RenewAuthority);
}

#[test]
fn other_names_and_broken_material_are_replaced() {
    let material = fresh();
    let check = |change: fn(&mut Material, &mut Vec<String>), expected: Plan| {
        let (mut changed, mut wanted) = (material.clone(), names());
        change(&mut changed, &mut wanted);
        let found = plan(Some(&changed), &wanted, at_day(1));
        assert_eq!(found, expected);
        if found != Plan::Keep {
            let renewed = renew(found, Some(&changed), &wanted, at_day(1)).unwrap();
            assert_eq!(plan(Some(&renewed), &wanted, at_day(1)), Plan::Keep);
            certified_key(&renewed.certificate, &renewed.key).unwrap();
        }
    };
    check(|_, _| {}, Plan::Keep);
    check(|_, names| names.truncate(1), Plan::Keep);
    check(|_, names| names.push("other.example.org".to_owned()), Plan::RenewServing);
    check(|_, names| names.push("10.0.0.1".to_owned()), Plan::RenewServing);
    check(|material, _| material.certificate.clear(), Plan::RenewServing);
    check(|material, _| material.key.truncate(40), Plan::RenewServing);
    check(|material, _| material.key.clone_from(&fresh().key), Plan::RenewServing);
    check(|material, _| material.authorities.clear(), Plan::RenewAuthority);
    check(|material, _| material.authority_key = "x".to_owned(), Plan::RenewAuthority);
}

#[test]
fn a_new_authority_leaves_the_former_one_trusted_and_no_more() {
    let count = |material: &Material| material.authorities.matches("BEGIN CERTIFICATE").count();
    let first = fresh();
    assert_eq!(count(&first), 1);
    let second = renew(Plan::RenewAuthority, Some(&first), &names(), at_day(2_500)).unwrap();
    assert_eq!(count(&second), 2);
    assert!(second.authorities.ends_with(&first.authorities.replace("\r\n", "\n")));
    let third = renew(Plan::RenewAuthority, Some(&second), &names(), at_day(5_000)).unwrap();
    assert_eq!(count(&third), 2);
    let serving = renew(Plan::RenewServing, Some(&third), &names(), at_day(5_001)).unwrap();
    assert_eq!(serving.authorities, third.authorities);
    assert_ne!(serving.certificate, third.certificate);
}

#[test]
fn keys_are_not_printed() {
    assert!(!format!("{:?}", fresh()).contains("PRIVATE"));
}
