//! What `lazaret policy describe` prints: the policy specification, for people to read.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// A name that the specification does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownName {
    /// There is no such gate.
    #[error("there is no gate `{name}`; there are {}", known.join(", "))]
    Gate {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The gate has no such trigger.
    #[error("gate `{gate}` has no trigger `{name}`; it has {}", known.join(", "))]
    Trigger {
        /// The gate.
        gate: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

/// The part of a specification that is asked for, as it is: all gates, one gate, or one gate with one trigger.
///
/// Errors: a name is not there; names ignore case.
pub fn select_specification(
    specification: &Value,
    gate: Option<&str>,
    trigger: Option<&str>,
) -> Result<Value, UnknownName> {
    let gates = items(specification, None);
    let Some(wanted) = gate else { return Ok(specification.clone()) };
    let found = gates.iter().find(|gate| text(gate, "name").eq_ignore_ascii_case(wanted));
    let mut found = found.cloned().cloned().ok_or_else(|| UnknownName::Gate {
        name: wanted.to_owned(),
        known: gates
            .iter()
            .filter(|gate| is_active(gate))
            .map(|gate| text(gate, "name").to_owned())
            .collect(),
    })?;
    if let Some(wanted) = trigger {
        let triggers = items(&found, Some("triggers"));
        let trigger = triggers.iter().find(|trigger| text(trigger, "name").eq_ignore_ascii_case(wanted));
        let trigger = trigger.cloned().cloned().ok_or_else(|| UnknownName::Trigger {
            gate: text(&found, "name").to_owned(),
            name: wanted.to_owned(),
            known: triggers.iter().map(|trigger| text(trigger, "name").to_owned()).collect(),
        })?;
        found["triggers"] = json!([trigger]);
    }
    Ok(json!([found]))
}

/// Gates with their triggers; of a single gate also the parameters, and of a single trigger an example.
pub fn policy_description(selected: &Value, width: Option<u16>) -> String {
    let width = usize::from(width.unwrap_or(100)).max(40);
    let gates = items(selected, None);
    let mut output = Paragraphs { text: String::new(), width };
    if let [gate] = gates.as_slice() {
        describe_gate(gate, &mut output);
        return output.text;
    }
    for gate in gates.iter().filter(|gate| is_active(gate)) {
        output.line(0, text(gate, "name"), text(gate, "description"));
        for trigger in items(gate, Some("triggers")) {
            output.line(2, text(trigger, "name"), text(trigger, "description"));
        }
        output.text.push('\n');
    }
    let ended: Vec<&str> =
        gates.iter().filter(|gate| !is_active(gate)).map(|gate| text(gate, "name")).collect();
    if !ended.is_empty() {
        output.line(0, "no longer evaluated", &ended.join(", "));
    }
    output.line(0, "parameters", "lazaret policy describe --gate GATE [--trigger TRIGGER]");
    output.text
}

fn describe_gate(gate: &Value, output: &mut Paragraphs) {
    output.line(0, text(gate, "name"), text(gate, "description"));
    if !is_active(gate) {
        let advice = match text(gate, "superceded_by") {
            "" => "This gate is no longer evaluated, and nothing replaces it.".to_owned(),
            name => format!("This gate is no longer evaluated; use gate {name}."),
        };
        output.line(0, "state", &advice);
    }
    let triggers = items(gate, Some("triggers"));
    for trigger in &triggers {
        output.text.push('\n');
        output.line(2, text(trigger, "name"), text(trigger, "description"));
        for parameter in items(trigger, Some("parameters")) {
            let required = match parameter["required"] {
                Value::Bool(true) => " (required)",
                _ => "",
            };
            let values = match parameter["validator"]["criteria"]["enum"].as_array() {
                Some(values) => {
                    format!(
                        " One of {}.",
                        values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
                    )
                }
                None => format!(
                    " {}, as {}.",
                    text(&parameter["validator"], "description"),
                    text(parameter, "example")
                ),
            };
            let name = format!("{}{required}", text(parameter, "name"));
            output.line(4, &name, &format!("{}{values}", text(parameter, "description")));
        }
    }
    if let ([trigger], true) = (triggers.as_slice(), is_active(gate)) {
        let parameters: Vec<Value> = items(trigger, Some("parameters"))
            .into_iter()
            .filter(|parameter| parameter["required"] == true)
            .map(|parameter| json!({"name": parameter["name"], "value": parameter["example"]}))
            .collect();
        let rule = json!({"id": "rule-1", "gate": gate["name"], "trigger": trigger["name"], "action": "STOP",
            "params": parameters});
        write!(output.text, "\n  as a rule: {rule}\n").expect("writing to a String cannot fail");
    }
}

fn items<'a>(value: &'a Value, member: Option<&str>) -> Vec<&'a Value> {
    let list = member.map_or(value, |member| &value[member]);
    list.as_array().into_iter().flatten().collect()
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

fn is_active(gate: &Value) -> bool {
    gate["state"] == "active"
}

/// Text that is filled to a width.
struct Paragraphs {
    text: String,
    width: usize,
}

impl Paragraphs {
    /// `name: words`, further lines indented by four more.
    fn line(&mut self, indent: usize, name: &str, words: &str) {
        let mut line = format!("{:indent$}{name}:", "");
        for word in words.split_whitespace() {
            if line.chars().count() + 1 + word.chars().count() > self.width {
                self.text.push_str(&line);
                self.text.push('\n');
                line = format!("{:1$}", "", indent + 3);
            }
            line.push(' ');
            line.push_str(word);
        }
        self.text.push_str(&line);
        self.text.push('\n');
    }
}
