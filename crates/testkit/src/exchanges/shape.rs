//! Shapes: what an answer looks like, without the values that differ from run to run.
//!
//! A shape is JSON. An object has exactly these keys (`"key?"` may be absent); a list holds elements of its one shape, or,
//! when it begins with `"=="`, exactly the shapes behind it, in any order when it begins with `"~="`. A number, a truth value
//! and null are themselves; a text that begins with `=` is the rest of it. Other texts are words, `|` between them: `text`,
//! `time` (RFC 3339 to the second), `precise_time` (to the microsecond), `zoneless_time`, `digest`, `integer`, `number`,
//! `bool`, `null`, `object`, `list`, `any`; `@name` is a shape of `shapes.json`.

use serde_json::Value;

/// What in `found` is not of the shape, one line each.
pub(super) fn compare(shapes: &Value, shape: &Value, found: &Value, path: &str) -> Vec<String> {
    match (shape, found) {
        (Value::String(text), _) => compare_text(shapes, text, found, path),
        (Value::Array(list), Value::Array(elements)) => compare_lists(shapes, list, elements, path),
        (Value::Object(wanted), Value::Object(members)) => {
            let optional = |key: &str| wanted.get(&format!("{key}?"));
            let missing = wanted
                .keys()
                .filter(|key| !key.ends_with('?') && !members.contains_key(*key))
                .map(|key| format!("{path}/{key} is missing"));
            let compared =
                members.iter().flat_map(|(key, value)| match wanted.get(key).or_else(|| optional(key)) {
                    Some(shape) => compare(shapes, shape, value, &format!("{path}/{key}")),
                    None => vec![format!("{path}/{key} is new: {}", short(value))],
                });
            missing.chain(compared).collect()
        }
        _ if shape == found => Vec::new(),
        _ => vec![format!("{path}: {} instead of {}", short(found), short(shape))],
    }
}

fn compare_text(shapes: &Value, text: &str, found: &Value, path: &str) -> Vec<String> {
    if let Some(literal) = text.strip_prefix('=') {
        let is_same = found.as_str() == Some(literal);
        return if is_same {
            Vec::new()
        } else {
            vec![format!("{path}: {} instead of `{literal}`", short(found))]
        };
    }
    if let Some(name) = text.strip_prefix('@') {
        return match shapes.get(name) {
            Some(shape) => compare(shapes, shape, found, path),
            None => vec![format!("there is no shape `{name}`")],
        };
    }
    let is_one = text.split('|').any(|word| is_a(word, found));
    if is_one { Vec::new() } else { vec![format!("{path}: {} is no {text}", short(found))] }
}

fn compare_lists(shapes: &Value, list: &[Value], elements: &[Value], path: &str) -> Vec<String> {
    let all = |shape: &Value| {
        let elements = elements.iter().enumerate();
        elements.flat_map(|(at, one)| compare(shapes, shape, one, &format!("{path}/{at}"))).collect()
    };
    let (is_ordered, wanted) = match list {
        [] if elements.is_empty() => return Vec::new(),
        [] => return vec![format!("{path} has {} elements instead of none", elements.len())],
        [Value::String(mark), wanted @ ..] if mark == "==" => (true, wanted),
        [Value::String(mark), wanted @ ..] if mark == "~=" => (false, wanted),
        [shape, ..] => return all(shape),
    };
    if wanted.len() != elements.len() {
        let shown = short(&Value::Array(elements.to_vec()));
        return vec![format!("{path} has {} elements instead of {}: {shown}", elements.len(), wanted.len())];
    }
    if is_ordered {
        let pairs = wanted.iter().zip(elements).enumerate();
        return pairs
            .flat_map(|(at, (shape, one))| compare(shapes, shape, one, &format!("{path}/{at}")))
            .collect();
    }
    let mut left: Vec<&Value> = elements.iter().collect();
    let mut problems = Vec::new();
    for shape in wanted {
        match left.iter().position(|one| compare(shapes, shape, one, "").is_empty()) {
            Some(at) => drop(left.remove(at)),
            None => problems.push(format!(
                "{path} has none like {} among {}",
                short(shape),
                short(&Value::from(elements))
            )),
        }
    }
    problems
}

fn is_a(word: &str, value: &Value) -> bool {
    let text = value.as_str();
    match word {
        "text" => value.is_string(),
        // Other forms than these break clients.
        "time" => text.is_some_and(|text| is_like(text, "0000-00-00T00:00:00Z")),
        "precise_time" => text.is_some_and(|text| is_like(text, "0000-00-00T00:00:00.000000Z")),
        "zoneless_time" => text.is_some_and(|text| is_like(text, "0000-00-00T00:00:00.000000")),
        "digest" => text.is_some_and(|text| text.parse::<model::Digest>().is_ok()),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "list" => value.is_array(),
        "any" => true,
        _ => false,
    }
}

/// True when a text has digits where the form has zeros, and is the form elsewhere.
fn is_like(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.chars().zip(form.chars()).all(
            |(one, other)| {
                if other == '0' { one.is_ascii_digit() } else { one == other }
            },
        )
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_take_what_they_say_and_nothing_else() {
        let shapes = json!({"user": {"name": "text", "email?": "text|null"}});
        let cases = [
            (json!("@user"), json!({"name": "a"}), 0),
            (json!("@user"), json!({"name": "a", "email": null}), 0),
            (json!("@user"), json!({"name": 1, "email": 2, "more": 3}), 3),
            (json!("@nobody"), json!({}), 1),
            (json!(["integer"]), json!([1, 2]), 0),
            (json!(["integer"]), json!([1, "2"]), 1),
            (json!([]), json!([1]), 1),
            (json!(["==", 1, "=x"]), json!([1, "x"]), 0),
            (json!(["==", 1, "=x"]), json!(["x", 1]), 2),
            (json!(["~=", 1, "=x"]), json!(["x", 1]), 0),
            (json!(["~=", 1, 1]), json!([1, 2]), 1),
            (json!(["==", 1]), json!([]), 1),
            (json!("time"), json!("2024-05-01T10:20:30Z"), 0),
            (json!("time"), json!("2024-05-01T10:20:30.5Z"), 1),
            (json!("precise_time"), json!("2024-05-01T10:20:30.123456Z"), 0),
            (json!(null), json!(null), 0),
            (json!(true), json!(false), 1),
            (json!({"a": {}}), json!({"a": {"b": 1}}), 1),
            (json!("misspelt"), json!("x"), 1),
        ];
        for (shape, found, problems) in cases {
            let list = compare(&shapes, &shape, &found, "");
            assert_eq!(list.len(), problems, "{shape} {found}: {list:?}");
        }
    }
}
