//! What tests of OpenAPI documents share.

use serde_json::Value;

/// Every `$ref` of a document, in its order.
pub fn collect_references(document: &Value) -> Vec<String> {
    let mut references = Vec::new();
    collect(document, &mut references);
    references
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            if let Some(Value::String(reference)) = object.get("$ref") {
                references.push(reference.clone());
            }
            object.values().for_each(|value| collect(value, references));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, references)),
        _ => {}
    }
}
