//! Exchanges of old clients, as data: what they send, and what they have always got back, played against a server.
//!
//! Each file of `crates/engine/tests/it/exchanges/` is one session with one engine, played in order. A step says what is sent
//! (`send`, `body` or `raw`, `headers`, `as`), and of the answer the status, the content type, headers (`reply`), the `shape`
//! (see [`shape`]; every key with its type or value, nothing left out and nothing added), and what clients show (`text`, or
//! `values` at JSON pointers). `keep` gives a value of the answer a name; `until` asks again until the answer is this one.
//! Where our answer differs on purpose, the step has `deviation` with the reason, and `ours` names keys that the original does
//! not have.
//!
//! `{name}` in texts, keys and paths stands for what the stage or an earlier step gave that name.

pub mod http;
mod sessions;
mod shape;
mod stage;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::Value;

use crate::environment::workspace_folder;
use crate::wait::wait_until;
use http::Answer;
pub use sessions::{ExchangeSession, SESSIONS};
use sessions::{NOT_PLAYED_YET, NOT_SERVED_YET};
pub use stage::{ExchangeStage, FEEDS};

const FOLDER: &str = "crates/engine/tests/it/exchanges";
const UNTIL_DEADLINE: Duration = Duration::from_secs(120);
const SHOWN_BYTES_MAX: usize = 1500;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// Method and path.
    #[serde(default)]
    send: String,
    #[serde(default)]
    body: Option<Value>,
    /// A body as it is.
    #[serde(default)]
    raw: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// `USER:PASSWORD`, or nothing for the first user; empty for nobody.
    #[serde(default, rename = "as")]
    user: Option<String>,
    #[serde(default = "yes")]
    authenticated: bool,
    /// Wait for the end of the analysis of this digest instead of sending something.
    #[serde(default)]
    wait: Option<String>,
    #[serde(default)]
    until: bool,
    #[serde(default)]
    status: u16,
    /// The content type; `*` for any or none.
    #[serde(default = "json_type", rename = "type")]
    content_type: String,
    #[serde(default)]
    reply: BTreeMap<String, String>,
    #[serde(default)]
    shape: Option<Value>,
    /// JSON pointers to keys that only we have.
    #[serde(default)]
    ours: Vec<String>,
    /// `message`, or else `detail`, of a refusal; one that ends in `…` only begins so.
    #[serde(default)]
    text: Option<String>,
    /// JSON pointers with their values.
    #[serde(default)]
    values: BTreeMap<String, Value>,
    /// Names for values at JSON pointers.
    #[serde(default)]
    keep: BTreeMap<String, String>,
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

/// Plays files of exchanges against one server.
#[derive(Debug)]
pub struct ExchangePlayer {
    address: String,
    first_user: String,
    names: BTreeMap<String, String>,
    shapes: Value,
    before_waiting: Hook,
}

/// What is done once, before the first step that waits for the engine's own work.
#[derive(Default)]
struct Hook(Option<Box<dyn FnOnce() + Send>>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Hook").field(&self.0.is_some()).finish()
    }
}

impl ExchangePlayer {
    /// For the server at `url`, whose user `admin` has this password, with the images of a stage.
    pub fn new(url: &str, password: &str, stage: &ExchangeStage) -> Result<Self> {
        let address = url.strip_prefix("http://").context("exchanges are played over plain HTTP")?;
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            first_user: format!("admin:{password}"),
            names: stage.names(),
            shapes: read("shapes")?,
            before_waiting: Hook::default(),
        })
    }

    /// Does something once, before the first step that waits for work that the engine does by itself.
    #[must_use]
    pub fn before_waiting(mut self, work: impl FnOnce() + Send + 'static) -> Self {
        self.before_waiting = Hook(Some(Box::new(work)));
        self
    }

    /// Plays a file; the error lists every step that was answered otherwise.
    pub fn play(&mut self, file: &str) -> Result<()> {
        if NOT_PLAYED_YET.contains(&file) {
            return Ok(());
        }
        let steps: Vec<Step> =
            serde_json::from_value(read(file)?).with_context(|| format!("`{file}` is no list of steps"))?;
        ensure!(!steps.is_empty(), "`{file}` has no steps");
        let mut problems = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            check_reason(step).with_context(|| format!("line {} of `{file}`", number + 2))?;
            if !is_left_out(step)
                && let Err(error) = self.take(step)
            {
                problems.push(format!("{file}.json:{}: {error:#}", number + 2));
            }
        }
        ensure!(
            problems.is_empty(),
            "{} of {} steps:\n\n{}",
            problems.len(),
            steps.len(),
            problems.join("\n\n")
        );
        Ok(())
    }

    fn take(&mut self, step: &Step) -> Result<()> {
        if let Some(digest) = &step.wait {
            return self.wait_for_analysis(&self.fill(digest));
        }
        let (answer, value) = if step.until {
            if let Some(work) = self.before_waiting.0.take() {
                work();
            }
            let mut last = String::new();
            let awaited = wait_until(UNTIL_DEADLINE, "the answer", || match self.try_once(step) {
                Ok((answer, value, problems)) if problems.is_empty() => Some((answer, value)),
                Ok((_, _, problems)) => {
                    last = problems.join("\n  ");
                    None
                }
                Err(error) => {
                    last = format!("{error:#}");
                    None
                }
            });
            awaited.with_context(|| format!("{}\n  {last}", self.fill(&step.send)))?
        } else {
            let (answer, value, problems) = self.try_once(step)?;
            if !problems.is_empty() {
                bail!("{}\n  {}\n  got {}", self.describe(step), problems.join("\n  "), shown(&answer));
            }
            (answer, value)
        };
        for (name, pointer) in &step.keep {
            let kept = value.pointer(&self.fill(pointer)).with_context(|| {
                format!("{}: nothing at {pointer} of {}", self.fill(&step.send), shown(&answer))
            })?;
            let text = kept.as_str().map_or_else(|| kept.to_string(), str::to_owned);
            self.names.insert(name.clone(), text);
        }
        Ok(())
    }

    fn try_once(&self, step: &Step) -> Result<(Answer, Value, Vec<String>)> {
        let answer = self.send(step)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let mut value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let kept = value.clone();
        let problems = self.find_problems(step, &answer, &mut value);
        Ok((answer, kept, problems))
    }

    fn send(&self, step: &Step) -> Result<Answer> {
        let line = self.fill(&step.send);
        let (method, target) = line.split_once(' ').with_context(|| format!("`{line}` has no path"))?;
        let mut headers: Vec<(String, String)> = Vec::new();
        let body = match (&step.body, &step.raw) {
            (Some(body), _) => Some(self.fill(&body.to_string())),
            (None, Some(raw)) => Some(self.fill(raw)),
            (None, None) => None,
        };
        let has_type = step.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
        if body.is_some() && !has_type {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        // An empty content type is none; other headers may be empty.
        let sent = step
            .headers
            .iter()
            .filter(|(name, value)| !(value.is_empty() && name.eq_ignore_ascii_case("content-type")));
        headers.extend(sent.map(|(name, value)| (name.clone(), self.fill(value))));
        let user = step.user.as_deref().unwrap_or(&self.first_user);
        if step.authenticated && !user.is_empty() {
            let credentials = base64::engine::general_purpose::STANDARD.encode(self.fill(user));
            headers.push(("authorization".to_owned(), format!("Basic {credentials}")));
        }
        http::send(&self.address, method, target, &headers, body.unwrap_or_default().as_bytes())
    }

    fn find_problems(&self, step: &Step, answer: &Answer, value: &mut Value) -> Vec<String> {
        let mut problems = Vec::new();
        if answer.status != step.status {
            problems.push(format!("status {} instead of {}", answer.status, step.status));
        }
        let content_type = answer.header("content-type").unwrap_or_default();
        if step.content_type != "*" && content_type != step.content_type {
            problems.push(format!("content type `{content_type}` instead of `{}`", step.content_type));
        }
        for (name, expected) in &step.reply {
            let found = answer.header(name).unwrap_or_default();
            // The methods of `allow` have no order.
            let words = |text: &str| text.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
            if words(found) != words(expected) {
                problems.push(format!("{name} `{found}` instead of `{expected}`"));
            }
        }
        if let Some(expected) = &step.text {
            let expected = self.fill(expected);
            let found = value["message"].as_str().or(value["detail"].as_str()).unwrap_or_default();
            let is_same = match expected.strip_suffix('…') {
                Some(begin) => found.starts_with(begin),
                None => found == expected,
            };
            if !is_same {
                problems.push(format!("text `{found}` instead of `{expected}`"));
            }
        }
        for (pointer, expected) in &step.values {
            let (found, expected) = (value.pointer(&self.fill(pointer)), self.fill_value(expected));
            if found != Some(&expected) {
                problems.push(format!("{pointer} is {found:?} instead of {expected}"));
            }
        }
        for pointer in &step.ours {
            // With `?` in front: only a server that has been at work says it.
            let (pointer, is_optional) = match pointer.strip_prefix('?') {
                Some(pointer) => (pointer, true),
                None => (pointer.as_str(), false),
            };
            if !remove(value, pointer) && !is_optional {
                problems.push(format!("{pointer} is missing"));
            }
        }
        if let Some(shape) = &step.shape {
            let shapes = self.fill_value(&self.shapes);
            problems.extend(shape::compare(&shapes, &self.fill_value(shape), value, ""));
        }
        problems
    }

    fn wait_for_analysis(&self, digest: &str) -> Result<()> {
        let credentials = base64::engine::general_purpose::STANDARD.encode(&self.first_user);
        let headers = [("authorization".to_owned(), format!("Basic {credentials}"))];
        let mut last = Value::Null;
        let status = wait_until(UNTIL_DEADLINE, &format!("the analysis of {digest}"), || {
            let answer =
                http::send(&self.address, "GET", &format!("/v1/images/{digest}"), &headers, b"").ok()?;
            last = serde_json::from_slice(&answer.body).ok()?;
            let status = last[0]["analysis_status"].as_str()?;
            matches!(status, "analyzed" | "analysis_failed").then(|| status.to_owned())
        })
        .with_context(|| format!("{last:#}"))?;
        ensure!(status == "analyzed", "the analysis of {digest} failed");
        Ok(())
    }

    fn describe(&self, step: &Step) -> String {
        let body = step.body.as_ref().map(Value::to_string).or_else(|| step.raw.clone()).unwrap_or_default();
        let user = step.user.as_deref().map(|user| format!(" as {user}")).unwrap_or_default();
        let body: String = self.fill(&body).chars().take(SHOWN_BYTES_MAX).collect();
        format!("{}{user} {body}", self.fill(&step.send))
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.names {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn fill_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(elements) => elements.iter().map(|one| self.fill_value(one)).collect(),
            Value::Object(members) => {
                members.iter().map(|(key, value)| (self.fill(key), self.fill_value(value))).collect()
            }
            _ => value.clone(),
        }
    }
}

fn is_left_out(step: &Step) -> bool {
    let (method, path) = step.send.split_once(' ').unwrap_or_default();
    let path = path.strip_prefix("/v1").unwrap_or(path);
    NOT_SERVED_YET.iter().any(|entry| match entry.split_once(' ') {
        Some((only, prefix)) => only == method && path.starts_with(prefix),
        None => path.starts_with(entry),
    })
}

fn check_reason(step: &Step) -> Result<()> {
    ensure!(step.deviation.as_ref().is_none_or(|reason| reason.len() > 10), "{} has no reason", step.send);
    ensure!(step.ours.is_empty() || step.deviation.is_some(), "{} adds keys without a reason", step.send);
    Ok(())
}

fn read(name: &str) -> Result<Value> {
    let file = workspace_folder().join(FOLDER).join(format!("{name}.json"));
    let text = fs_err::read_to_string(&file).context("failed to read exchanges")?;
    serde_json::from_str(&text).with_context(|| format!("`{}` is no JSON", file.display()))
}

fn remove(value: &mut Value, pointer: &str) -> bool {
    let Some((parent, key)) = pointer.rsplit_once('/') else { return false };
    let member = value.pointer_mut(parent).and_then(Value::as_object_mut);
    member.is_some_and(|member| member.remove(key).is_some())
}

fn shown(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let flat =
        serde_json::from_str::<Value>(&text).map_or_else(|_| text.to_string(), |value| value.to_string());
    let cut: String = flat.chars().take(SHOWN_BYTES_MAX).collect();
    format!("{} {cut}", answer.status)
}
