//! What a bundle may name, compared with what clients of a running Anchore Engine were told.

use std::collections::BTreeSet;

use serde_json::Value;

/// One line per gate, trigger and parameter: its path, and what is said about it.
type Line = (String, String);

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap()
}

fn our_lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for gate in policy::specification().as_array().unwrap() {
        let gate_name = text(gate, "name");
        let replaced_by = gate["superceded_by"].as_str().unwrap_or("-");
        lines.push((gate_name.to_owned(), format!("{} {replaced_by}", text(gate, "state"))));
        for trigger in gate["triggers"].as_array().unwrap() {
            let trigger_path = format!("{gate_name}/{}", text(trigger, "name"));
            assert!(trigger["superceded_by"].is_null());
            lines.push((trigger_path.clone(), text(trigger, "state").to_owned()));
            for parameter in trigger["parameters"].as_array().unwrap() {
                let necessity = if parameter["required"] == true { "required" } else { "optional" };
                let validator = &parameter["validator"];
                let words: Vec<&str> = validator["criteria"]["enum"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|word| word.as_str().unwrap())
                    .collect();
                let said = format!("{necessity} {} {}", text(validator, "type"), words.join(" "));
                lines.push((format!("{trigger_path}/{}", text(parameter, "name")), said.trim().to_owned()));
            }
        }
    }
    lines
}

fn original_lines() -> Vec<Line> {
    let (mut gate, mut trigger) = (String::new(), String::new());
    let mut lines = Vec::new();
    for line in include_str!("specification.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.splitn(3, ' ');
        let (kind, name, said) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let path = match kind {
            "gate" => {
                gate = name.to_owned();
                gate.clone()
            }
            "trigger" => {
                trigger = format!("{gate}/{name}");
                trigger.clone()
            }
            _ => format!("{trigger}/{name}"),
        };
        // The original names a gate that does not exist.
        let said = if path == "gemcheck" { "eol ruby_gems" } else { said };
        lines.push((path, said.to_owned()));
    }
    lines
}

#[test]
fn all_of_the_original_is_there_in_its_order() {
    let original = original_lines();
    assert_eq!(original.len(), 193);
    let paths: BTreeSet<&str> = original.iter().map(|(path, _)| path.as_str()).collect();
    let (known, own): (Vec<Line>, Vec<Line>) =
        our_lines().into_iter().partition(|(path, _)| paths.contains(path.as_str()));
    for (ours, theirs) in known.iter().zip(&original) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(known.len(), original.len());
    // What we add is evaluated, and a bundle that does not know of it stays valid.
    for (path, said) in own {
        let is_part_of_known = path.rsplit_once('/').is_some_and(|(above, _)| paths.contains(above));
        let is_parameter = path.matches('/').count() == 2;
        assert!(!(is_parameter && is_part_of_known && said.starts_with("required")), "{path}");
        assert!(!said.starts_with("eol"), "{path}");
    }
}

#[test]
fn gates_at_the_end_of_their_life_come_last() {
    let states: Vec<bool> =
        policy::specification().as_array().unwrap().iter().map(|gate| text(gate, "state") == "eol").collect();
    assert!(states.is_sorted());
}

#[test]
fn everything_is_described() {
    for gate in policy::specification().as_array().unwrap() {
        for part in std::iter::once(gate).chain(gate["triggers"].as_array().unwrap()) {
            assert!(text(part, "description").ends_with('.'), "{part}");
            for parameter in part["parameters"].as_array().into_iter().flatten() {
                assert!(text(parameter, "description").ends_with('.'), "{parameter}");
                assert!(!text(parameter, "example").is_empty(), "{parameter}");
                assert!(!text(&parameter["validator"], "description").is_empty(), "{parameter}");
            }
        }
    }
}
