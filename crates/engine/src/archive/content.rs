//! What is kept of an archived image: rows, as JSON, compressed.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use storage::{Value, WriteTransaction};

use crate::StorageError;

/// The form below. A higher one was written by a newer program.
const FORM: u32 = 1;
const COMPRESSION_LEVEL: i32 = 3;
/// Kept rows unpack to less; more is damage.
const UNPACKED_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// What an image consists of, in the order in which it comes back, and how its rows are found.
const PARTS: [(&str, &str); 3] = [
    ("images", "account = $1 AND digest = $2"),
    ("image_tags", "account = $1 AND digest = $2"),
    ("analyses", "digest = $2 AND $1 = $1"),
];

#[derive(Serialize, Deserialize)]
struct Content {
    form: u32,
    rows: Vec<KeptRow>,
}

#[derive(Serialize, Deserialize)]
struct KeptRow {
    table: String,
    values: Vec<(String, KeptValue)>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptValue {
    Integer(i64),
    Text(String),
    Bytes(String),
}

/// Reads the rows of an image and packs them.
pub(super) async fn pack(
    tx: &mut WriteTransaction,
    account: &str,
    digest: &str,
) -> Result<Vec<u8>, StorageError> {
    let mut rows = Vec::new();
    for (table, condition) in PARTS {
        let found = storage::query_built(format!("SELECT * FROM {table} WHERE {condition}"))
            .bind(account)
            .bind(digest)
            .fetch_all(&mut *tx)
            .await
            .map_err(StorageError::at("read an image for the archive"))?;
        for row in found {
            let values = row.named_values().map_err(StorageError::at("read an image for the archive"))?;
            let values = values.into_iter().filter_map(|(name, value)| Some((name, keep(value)?))).collect();
            rows.push(KeptRow { table: table.to_owned(), values });
        }
    }
    let packed = tokio::task::spawn_blocking(move || encode(&Content { form: FORM, rows }));
    packed.await.map_err(StorageError::at("pack an image"))?.map_err(StorageError::at("pack an image"))
}

/// What an archived image consists of.
pub(super) struct Unpacked(Content);

impl Unpacked {
    /// Who uploaded the package list; `None`: the image was really read.
    pub(super) fn imported_by(&self) -> Option<&str> {
        let values = self.0.rows.iter().filter(|row| row.table == "analyses").flat_map(|row| &row.values);
        values.into_iter().find_map(|(name, value)| match value {
            KeptValue::Text(account) if name == "imported_by" => Some(account.as_str()),
            _ => None,
        })
    }
}

/// Unpacks an archived image.
pub(super) async fn unpack(content: Vec<u8>) -> Result<Unpacked, StorageError> {
    let decoded = tokio::task::spawn_blocking(move || decode(&content));
    let content = decoded
        .await
        .map_err(StorageError::at("unpack an archived image"))?
        .map_err(StorageError::at("unpack an archived image"))?;
    Ok(Unpacked(content))
}

/// Writes the rows of an archived image back. An analysis that is there already stays.
pub(super) async fn restore(tx: &mut WriteTransaction, image: Unpacked) -> Result<(), StorageError> {
    for row in image.0.rows {
        let Some((table, _)) = PARTS.iter().find(|(table, _)| *table == row.table) else {
            return Err(StorageError::new("unpack an archived image", "it has rows of an unknown table"));
        };
        insert(tx, table, row.values).await?;
    }
    Ok(())
}

async fn insert(
    tx: &mut WriteTransaction,
    table: &str,
    values: Vec<(String, KeptValue)>,
) -> Result<(), StorageError> {
    // The names become part of the statement: they must be names of columns, whoever wrote them.
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !values.iter().all(|(name, _)| is_name(name)) {
        return Err(StorageError::new("unpack an archived image", "it has a column with a bad name"));
    }
    let names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    let places = storage::places(1, names.len());
    let sql = format!("INSERT INTO {table} ({}) VALUES ({places}) ON CONFLICT DO NOTHING", names.join(", "));
    let mut query = storage::query_built(sql);
    for (_, value) in values {
        query = match value {
            KeptValue::Integer(value) => query.bind(value),
            KeptValue::Text(value) => query.bind(value),
            KeptValue::Bytes(value) => query
                .bind(STANDARD.decode(value).map_err(StorageError::at("read bytes of an archived image"))?),
        };
    }
    query.execute(tx).await.map_err(StorageError::at("write an archived image back"))?;
    Ok(())
}

fn keep(value: Value) -> Option<KeptValue> {
    match value {
        Value::Integer(value) => value.map(KeptValue::Integer),
        Value::Text(value) => value.map(KeptValue::Text),
        Value::Bytes(value) => value.map(|bytes| KeptValue::Bytes(STANDARD.encode(bytes))),
    }
}

fn encode(content: &Content) -> io::Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), COMPRESSION_LEVEL)?;
    serde_json::to_writer(&mut encoder, content)?;
    encoder.finish()
}

fn decode(packed: &[u8]) -> Result<Content, Box<dyn std::error::Error + Send + Sync>> {
    let mut bounded = zstd::Decoder::new(packed)?.take(UNPACKED_BYTES_MAX);
    let content: Content = serde_json::from_reader(io::BufReader::new(&mut bounded))?;
    if content.form != FORM {
        return Err(format!("it has form {}, this program knows {FORM}", content.form).into());
    }
    Ok(content)
}
