//! Exchanges of old clients, as data: what they send, and what they have always got back.
//!
//! Each file of `exchanges/` is one session with one engine, played in order. A step says what is sent (`send`, `body`,
//! `headers`), and of the answer the status, the content type, the shape (every key with its JSON type, nothing left out
//! and nothing added) and the text or values that clients show. Shapes that many steps share are in `shapes.json`;
//! `"@image"` means one of them. Where our answer differs on purpose, the step has `deviation` with the reason, and `ours`
//! names keys that the original does not have.
//!
//! In texts, keys and paths `{host}`, `{app}`, `{list}`, `{other}`, `{id}` and `{unknown}` stand for the registry, the
//! digests of the images, an image id and a digest that nobody knows.

use std::collections::BTreeMap;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use testkit::{Image, ImageBuilder, Layer};

use crate::support::{
    FIXED, PASSWORD, TestEngine, VULNERABLE, database_path, debian_image, registry, settings, write_database,
};

const SHAPES: &str = include_str!("exchanges/shapes.json");
const WORDS: [&str; 10] =
    ["text", "time", "digest", "integer", "number", "bool", "null", "object", "list", "any"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Method and path.
    #[serde(default)]
    send: String,
    #[serde(default)]
    body: Option<Value>,
    /// A body as it is, with the content type of JSON.
    #[serde(default)]
    raw: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default = "yes")]
    authenticated: bool,
    /// Wait for the end of the analysis of this digest instead of sending something.
    #[serde(default)]
    wait: Option<String>,
    #[serde(default)]
    status: u16,
    #[serde(default = "json_type", rename = "type")]
    content_type: String,
    #[serde(default)]
    shape: Option<Value>,
    /// JSON pointers to keys that only we have.
    #[serde(default)]
    ours: Vec<String>,
    /// `message`, or else `detail`, of a refusal.
    #[serde(default)]
    text: Option<String>,
    /// JSON pointers with their values.
    #[serde(default)]
    values: BTreeMap<String, Value>,
    /// Why the answer is not that of the original.
    #[serde(default)]
    deviation: Option<String>,
}

fn yes() -> bool {
    true
}

fn json_type() -> String {
    "application/json".to_owned()
}

struct Session {
    engine: TestEngine,
    names: Vec<(&'static str, String)>,
    shapes: Value,
}

impl Session {
    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }

    fn fill_value(&self, value: &Value) -> Value {
        serde_json::from_str(&self.fill(&value.to_string())).unwrap()
    }

    async fn play(&self, step: &Step) {
        if let Some(digest) = &step.wait {
            let record = self.engine.wait(&self.fill(digest)).await;
            assert_eq!(record["analysis_status"], "analyzed", "{record:#}");
            return;
        }
        let line = self.fill(&step.send);
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = self.engine.anonymous(method.parse::<Method>().unwrap(), path);
        if step.authenticated {
            request = request.basic_auth("admin", Some(PASSWORD));
        }
        if let Some(body) = &step.body {
            request =
                request.header(CONTENT_TYPE, "application/json").body(self.fill_value(body).to_string());
        }
        if let Some(raw) = &step.raw {
            request = request.header(CONTENT_TYPE, "application/json").body(raw.clone());
        }
        for (name, value) in &step.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        let (status, content_type) = (response.status().as_u16(), response.headers()[CONTENT_TYPE].clone());
        let text = response.text().await.unwrap();
        let shown = format!("{line}\n{text}");
        assert_eq!(
            (status, content_type.to_str().unwrap()),
            (step.status, step.content_type.as_str()),
            "{shown}"
        );
        let mut answer: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if let Some(expected) = &step.text {
            let found = answer["message"].as_str().or(answer["detail"].as_str());
            assert_eq!(found, Some(self.fill(expected).as_str()), "{shown}");
        }
        for (pointer, expected) in &step.values {
            let found = answer.pointer(&self.fill(pointer));
            assert_eq!(found, Some(&self.fill_value(expected)), "{pointer} of {shown}");
        }
        for pointer in &step.ours {
            assert!(remove(&mut answer, pointer), "{pointer} is not in {shown}");
        }
        if let Some(shape) = &step.shape {
            let problems = self.compare(&self.fill_value(shape), &answer, "");
            assert!(problems.is_empty(), "{problems:#?}\n{shown}");
        }
    }

    /// What in an answer is not of the shape.
    fn compare(&self, shape: &Value, found: &Value, path: &str) -> Vec<String> {
        match (shape, found) {
            (Value::String(name), _) if name.starts_with('@') => {
                let shape = &self.shapes[&name[1..]];
                self.compare(&self.fill_value(shape), found, path)
            }
            (Value::String(words), _) => {
                let is_one = words.split('|').any(|word| is_a(word, found));
                if is_one { Vec::new() } else { vec![format!("{path}: {found} is no {words}")] }
            }
            (Value::Array(shapes), Value::Array(elements)) => {
                let elements = elements.iter().enumerate();
                elements
                    .flat_map(|(at, one)| self.compare(&shapes[0], one, &format!("{path}/{at}")))
                    .collect()
            }
            (Value::Object(shapes), Value::Object(members)) => {
                let keys: Vec<&String> = shapes.keys().filter(|key| !members.contains_key(*key)).collect();
                let missing = keys.into_iter().map(|key| format!("{path}/{key} is missing"));
                let compared = members.iter().flat_map(|(key, value)| match shapes.get(key) {
                    Some(shape) => self.compare(shape, value, &format!("{path}/{key}")),
                    None => vec![format!("{path}/{key} is new")],
                });
                missing.chain(compared).collect()
            }
            _ => vec![format!("{path}: {found} is not of the shape {shape}")],
        }
    }
}

fn is_a(word: &str, value: &Value) -> bool {
    assert!(WORDS.contains(&word), "`{word}` is no type");
    let text = value.as_str();
    match word {
        "text" => value.is_string(),
        // RFC 3339 in UTC to the second: other forms break clients.
        "time" => text.is_some_and(|text| text.len() == 20 && text.parse::<jiff::Timestamp>().is_ok()),
        "digest" => text.is_some_and(|text| text.parse::<model::Digest>().is_ok()),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "bool" => value.is_boolean(),
        "null" => value.is_null(),
        "object" => value.is_object(),
        "list" => value.is_array(),
        _ => true,
    }
}

fn remove(value: &mut Value, pointer: &str) -> bool {
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let member = value.pointer_mut(parent).and_then(Value::as_object_mut);
    member.is_some_and(|member| member.shift_remove(key).is_some())
}

async fn play(steps: &str, with_workers: bool) {
    let (folder, registry) = (tempfile::tempdir().unwrap(), registry());
    write_database(&database_path(folder.path()));
    let (app, other) = (debian_image(VULNERABLE), debian_image(FIXED));
    let arm = ImageBuilder::new().architecture("arm64").layer(Layer::new().file("a", "b")).build();
    let list = Image::index(&[arm.clone(), app.clone()]);
    registry.push_image(&app, "lib/app:1.0").unwrap();
    registry.push_image(&other, "lib/other:1.0").unwrap();
    registry.push_image(&list, "lib/app:list").unwrap();
    registry.push_image(&Image::index(&[arm]), "lib/app:arm").unwrap();
    let session = Session {
        names: vec![
            ("{host}", registry.host()),
            ("{app}", app.digest().to_string()),
            ("{app%3A}", app.digest().to_string().replace(':', "%3A")),
            ("{list}", list.digest().to_string()),
            ("{other}", other.digest().to_string()),
            ("{id}", app.config_digest().unwrap().hex().to_owned()),
            ("{unknown}", format!("sha256:{}", "a".repeat(64))),
        ],
        engine: TestEngine::start(settings(folder.path(), Some(&registry)), with_workers).await,
        shapes: serde_json::from_str(SHAPES).unwrap(),
    };
    let steps: Vec<Step> = serde_json::from_str(steps).unwrap();
    assert!(!steps.is_empty());
    for step in &steps {
        assert!(
            step.deviation.as_ref().is_none_or(|reason| reason.len() > 10),
            "{} has no reason",
            step.send
        );
        assert!(step.ours.is_empty() || step.deviation.is_some(), "{} adds keys without a reason", step.send);
        session.play(step).await;
    }
    session.engine.close().await;
}

#[tokio::test]
async fn without_asking_who_asks() {
    play(include_str!("exchanges/open.json"), false).await;
}

#[tokio::test]
async fn images_that_wait_for_their_analysis() {
    play(include_str!("exchanges/waiting.json"), false).await;
}

#[tokio::test]
async fn images_that_are_analyzed() {
    play(include_str!("exchanges/analyzed.json"), true).await;
}

#[tokio::test]
async fn the_webhook_of_old() {
    play(include_str!("exchanges/webhook.json"), true).await;
}

#[tokio::test]
async fn policies() {
    play(include_str!("exchanges/policies.json"), false).await;
}

#[tokio::test]
async fn the_system() {
    play(include_str!("exchanges/system.json"), false).await;
}
