//! `secret`: list, get, create, delete.

use anyhow::{Context as _, bail};
use http::Method;
use pipeline_client::{Call, Client, wire};
use serde_json::{Value, json};

use super::arguments::{SecretCommand, SecretCreateArguments};
use super::session::Session;
use super::{document, output, secret_wizard};
use crate::exit::Exit;
use crate::name::program_name;
use crate::terminal;

const KEYS: &[&str] = &["name", "type", "values", "tags", "version"];
const HIDDEN: &str = "<hidden>";

/// The secrets of an organization.
struct Secrets {
    client: Client,
    organization: String,
}

impl Secrets {
    fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        ["api", "v1", "orgs", &self.organization, "secrets"]
            .into_iter()
            .chain(below.iter().copied())
            .collect()
    }

    async fn find_id(&self, name: &str) -> anyhow::Result<String> {
        let secrets: Vec<wire::Secret> =
            self.client.get(&self.path(&[])).await.context("failed to list secrets")?;
        let found = secrets.into_iter().find(|secret| secret.name == name);
        let found = found.with_context(|| {
            format!(
                "could not find secret named \"{name}\"; `{} secret list` shows what there is",
                program_name()
            )
        })?;
        Ok(found.id)
    }
}

/// Runs one of the commands.
pub(super) async fn run(session: &Session, command: SecretCommand) -> anyhow::Result<Exit> {
    let client = session.client()?;
    let organization = session.organization(&client).await?.to_string();
    let secrets = Secrets { client, organization };
    match command {
        SecretCommand::List { kind } => list(session, &secrets, kind.as_deref()).await,
        SecretCommand::Get { name, name_flag, id, hide } => {
            let id = match (id, name.or(name_flag)) {
                (Some(id), _) => id,
                (None, Some(name)) => secrets.find_id(&name).await?,
                (None, None) => bail!("specify either the name or the ID of the secret"),
            };
            get(session, &secrets, &id, hide).await
        }
        SecretCommand::Create(arguments) => create(session, &secrets, arguments).await,
        SecretCommand::Delete { secrets: words, name } => delete(&secrets, &words, name).await,
    }
}

fn table(secrets: Vec<wire::Secret>) -> String {
    let rows: Vec<Vec<String>> = secrets
        .into_iter()
        .map(|secret| vec![secret.id, secret.name, secret.kind, secret.updated_by, secret.tags.join(" ")])
        .collect();
    output::table(&["Id", "Name", "Type", "UpdatedBy", "Tags"], &rows)
}

async fn list(session: &Session, secrets: &Secrets, kind: Option<&str>) -> anyhow::Result<Exit> {
    let path = secrets.path(&[]);
    let query: Vec<(&str, &str)> = kind.into_iter().map(|kind| ("type", kind)).collect();
    let call = Call::get(&path).with_query(&query);
    let (answer, found) = session.fetch::<Vec<wire::Secret>>(&secrets.client, &call, "list secrets").await?;
    output::print(session.format, &answer, || table(found))?;
    Ok(Exit::Clean)
}

async fn get(session: &Session, secrets: &Secrets, id: &str, hide: bool) -> anyhow::Result<Exit> {
    let path = secrets.path(&[id]);
    let (mut answer, mut secret) =
        session.fetch::<wire::Secret>(&secrets.client, &Call::get(&path), "get the secret").await?;
    if hide {
        for value in secret.values.values_mut() {
            *value = json!(HIDDEN);
        }
        answer["values"] = Value::Object(secret.values.clone());
    }
    output::print(session.format, &answer, || {
        let rows: Vec<Vec<String>> = secret
            .values
            .iter()
            .map(|(key, value)| {
                vec![key.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)]
            })
            .collect();
        let values = if rows.is_empty() {
            String::new()
        } else {
            format!("\n{}", output::table(&["Key", "Value"], &rows))
        };
        format!("{}{values}", table(vec![secret.clone()]))
    })?;
    Ok(Exit::Clean)
}

async fn create(
    session: &Session,
    secrets: &Secrets,
    arguments: SecretCreateArguments,
) -> anyhow::Result<Exit> {
    let body = match arguments.file.is_none() && session.is_interactive {
        true => secret_wizard::ask_secret(&secrets.client, &arguments).await?,
        false => {
            let (text, place) = document::read(arguments.file.as_deref())?;
            with_flags(text, &arguments).with_context(|| format!("failed to read the secret from {place}"))?
        }
    };
    let path = secrets.path(&[]);
    let validate = arguments.validate.unwrap_or(true).to_string();
    let query = [("validate", validate.as_str())];
    let call = Call::new(Method::POST, &path, Some(&body)).with_query(&query);
    let (answer, made) = session.fetch::<wire::Secret>(&secrets.client, &call, "create the secret").await?;
    output::print(session.format, &answer, || table(vec![made]))?;
    Ok(Exit::Clean)
}

/// The request: what the document says, and over it the flags. An unknown key is a mistake: what was meant by it would be
/// missing in the secret.
fn with_flags(document: Value, arguments: &SecretCreateArguments) -> anyhow::Result<Value> {
    let Value::Object(mut secret) = document else {
        bail!("it should hold `name`, `type` and `values`");
    };
    if let Some(key) = secret.keys().find(|key| !KEYS.contains(&key.as_str())) {
        bail!("key `{key}` is unknown; there are {}", KEYS.join(", "));
    }
    for (key, value) in [("name", &arguments.name), ("type", &arguments.kind)] {
        if let Some(value) = value {
            secret.insert(key.to_owned(), json!(value));
        }
        if secret.get(key).and_then(Value::as_str).is_none_or(str::is_empty) {
            bail!("it has no `{key}`");
        }
    }
    if !arguments.tags.is_empty() {
        secret.insert("tags".to_owned(), json!(arguments.tags));
    }
    let values = secret.entry("values").or_insert_with(|| json!({}));
    let Some(values) = values.as_object_mut() else { bail!("its `values` should hold keys and texts") };
    for (key, value) in values {
        match value {
            Value::String(_) => {}
            Value::Number(_) | Value::Bool(_) => *value = json!(value.to_string()),
            _ => bail!("value `{key}` should be a text"),
        }
    }
    Ok(Value::Object(secret))
}

async fn delete(secrets: &Secrets, words: &[String], are_names: bool) -> anyhow::Result<Exit> {
    let mut failed = 0;
    for word in words {
        match delete_one(secrets, word, are_names).await {
            Ok(()) => terminal::error_line(&format!("secret \"{word}\" deleted")),
            Err(error) if words.len() == 1 => return Err(error),
            Err(error) => {
                failed += 1;
                terminal::error_line(&format!("error: {}", terminal::chain(&error)));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} secrets were not deleted", words.len());
    }
    Ok(Exit::Clean)
}

async fn delete_one(secrets: &Secrets, word: &str, is_name: bool) -> anyhow::Result<()> {
    let id = if is_name { secrets.find_id(word).await? } else { word.to_owned() };
    let call = Call::new(Method::DELETE, &[], None);
    let path = secrets.path(&[&id]);
    let call = Call { path: &path, ..call };
    secrets.client.send(&call).await.with_context(|| format!("failed to delete secret \"{word}\""))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(name: Option<&str>) -> SecretCreateArguments {
        SecretCreateArguments {
            file: None,
            name: name.map(str::to_owned),
            kind: None,
            tags: Vec::new(),
            validate: None,
        }
    }

    #[test]
    fn a_secret_is_read_strictly() {
        let document = json!({"name": "a", "type": "password", "values": {"username": "u", "port": 5}});
        let read = with_flags(document.clone(), &arguments(Some("b"))).unwrap();
        assert_eq!(read, json!({"name": "b", "type": "password", "values": {"username": "u", "port": "5"}}));
        for (wrong, expected) in [
            (json!([]), "should hold `name`"),
            (json!({"name": "a", "type": "t", "value": {}}), "`value` is unknown"),
            (json!({"type": "t"}), "no `name`"),
            (json!({"name": "a"}), "no `type`"),
            (json!({"name": "a", "type": "t", "values": []}), "keys and texts"),
            (json!({"name": "a", "type": "t", "values": {"k": {"s3cret": 1}}}), "`k` should be a text"),
        ] {
            let error = with_flags(wrong, &arguments(None)).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
    }
}
