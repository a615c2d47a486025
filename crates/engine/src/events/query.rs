//! Reading and deleting events.

use jiff::Timestamp;
use serde_json::{Value, json};
use storage::{Query, Row, from_micros, to_micros};

use crate::{Engine, StorageError};

/// A recorded event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRecord {
    /// Its id.
    pub id: String,
    /// In which account it happened.
    pub account: String,
    /// `user.image.analysis.completed`.
    pub kind: String,
    /// `info` or `error`.
    pub level: String,
    /// For people.
    pub message: String,
    /// For programs.
    pub details: Value,
    /// What kind of thing it is about.
    pub resource_kind: String,
    /// Which one, where that has a name.
    pub resource_id: Option<String>,
    /// The part of the engine that says so.
    pub service: String,
    /// The process that says so.
    pub host: String,
    /// The request that led to it.
    pub request_id: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

/// Which events; `None` is any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Of this part of the engine.
    pub service: Option<String>,
    /// Of this process.
    pub host: Option<String>,
    /// Of this type; `*` stands for any text.
    pub kind: Option<String>,
    /// About this kind of thing.
    pub resource_kind: Option<String>,
    /// About this thing.
    pub resource_id: Option<String>,
    /// Of this level.
    pub level: Option<String>,
    /// Not before this time.
    pub since: Option<Timestamp>,
    /// Before this time.
    pub before: Option<Timestamp>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct EventPage {
    /// The events, newest first.
    pub events: Vec<EventRecord>,
    /// Whether there are more behind them.
    pub has_next: bool,
}

const COLUMNS: &str = "id, account, type, level, message, details, resource_type, resource_id, service, host, \
                       request_id, created_us";

impl Engine {
    /// A page of the events of an account, newest first; pages are counted from one.
    pub async fn list_events(
        &self,
        account: &str,
        filter: &EventFilter,
        page: i64,
        limit: i64,
    ) -> Result<EventPage, StorageError> {
        let (condition, values) = condition(account, filter);
        let offset = page.saturating_sub(1).saturating_mul(limit);
        let sql = format!(
            "SELECT {COLUMNS} FROM events WHERE {condition} ORDER BY created_us DESC, id DESC \
             LIMIT {} OFFSET {offset}",
            limit.saturating_add(1)
        );
        let rows = bind(storage::query_built(sql), values)
            .fetch_all(&self.storage)
            .await
            .map_err(StorageError::at("list events"))?;
        let mut events = rows.iter().map(read_event).collect::<Result<Vec<_>, _>>()?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_next = events.len() > limit;
        events.truncate(limit);
        Ok(EventPage { events, has_next })
    }

    /// The event of this id.
    pub async fn find_event(&self, account: &str, id: &str) -> Result<Option<EventRecord>, StorageError> {
        let row =
            storage::query_built(format!("SELECT {COLUMNS} FROM events WHERE account = $1 AND id = $2"))
                .bind(account)
                .bind(id)
                .fetch_optional(&self.storage)
                .await
                .map_err(StorageError::at("read an event"))?;
        row.as_ref().map(read_event).transpose()
    }

    /// Deletes an event. `false`: there is none of this id.
    pub async fn delete_event(&self, account: &str, id: &str) -> Result<bool, StorageError> {
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let deleted = storage::query("DELETE FROM events WHERE account = $1 AND id = $2")
            .bind(account)
            .bind(id)
            .execute(&mut tx)
            .await
            .map_err(StorageError::at("delete an event"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(deleted > 0)
    }

    /// Deletes all events that a filter names, all of the account if it names nothing. Returns their ids.
    pub async fn delete_events(
        &self,
        account: &str,
        filter: &EventFilter,
    ) -> Result<Vec<String>, StorageError> {
        let (condition, values) = condition(account, filter);
        let mut tx = self.storage.begin().await.map_err(StorageError::at("begin"))?;
        let deleted: Vec<(String,)> =
            bind(storage::query_built(format!("DELETE FROM events WHERE {condition} RETURNING id")), values)
                .fetch_all_as(&mut tx)
                .await
                .map_err(StorageError::at("delete events"))?;
        tx.commit().await.map_err(StorageError::at("commit"))?;
        Ok(deleted.into_iter().map(|(id,)| id).collect())
    }

    /// An event in the form that clients and webhooks know, without its envelope.
    pub(crate) fn event_json(&self, event: &EventRecord) -> Value {
        json!({
            "type": event.kind,
            "level": event.level,
            "message": event.message,
            "details": event.details,
            "timestamp": precise_time(event.created_at),
            "resource": {"user_id": event.account, "type": event.resource_kind, "id": event.resource_id},
            "source": {
                "servicename": event.service,
                "hostid": event.host,
                "base_url": self.settings.base_url,
                "request_id": event.request_id,
            },
        })
    }
}

/// A time as events tell it: UTC, to the microsecond.
pub(crate) fn precise_time(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

enum Bound {
    Text(String),
    Micros(i64),
}

fn bind(query: Query, values: Vec<Bound>) -> Query {
    values.into_iter().fold(query, |query, value| match value {
        Bound::Text(text) => query.bind(text),
        Bound::Micros(micros) => query.bind(micros),
    })
}

fn condition(account: &str, filter: &EventFilter) -> (String, Vec<Bound>) {
    let mut sql = "account = $1".to_owned();
    let mut values = vec![Bound::Text(account.to_owned())];
    let mut add = |test: &str, value: Bound| {
        values.push(value);
        sql.push_str(" AND ");
        sql.push_str(&test.replace('?', &format!("${}", values.len())));
    };
    let texts = [
        ("service = ?", &filter.service),
        ("host = ?", &filter.host),
        ("resource_type = ?", &filter.resource_kind),
        ("resource_id = ?", &filter.resource_id),
        ("level = ?", &filter.level),
    ];
    for (test, value) in texts {
        if let Some(value) = value {
            add(test, Bound::Text(value.clone()));
        }
    }
    match &filter.kind {
        Some(pattern) if pattern.contains('*') => add("type LIKE ? ESCAPE '\\'", Bound::Text(like(pattern))),
        Some(kind) => add("type = ?", Bound::Text(kind.clone())),
        None => {}
    }
    if let Some(since) = filter.since {
        add("created_us >= ?", Bound::Micros(to_micros(since)));
    }
    if let Some(before) = filter.before {
        add("created_us < ?", Bound::Micros(to_micros(before)));
    }
    (sql, values)
}

/// Types are lower-case, so a lower-cased pattern means the same in every database.
fn like(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 8);
    for character in pattern.chars() {
        match character {
            '*' if text.ends_with('%') && !text.ends_with("\\%") => {}
            '*' => text.push('%'),
            '%' | '_' | '\\' => {
                text.push('\\');
                text.push(character);
            }
            other => text.extend(other.to_lowercase()),
        }
    }
    text
}

fn read_event(row: &Row) -> Result<EventRecord, StorageError> {
    let read = || -> Result<EventRecord, Box<dyn std::error::Error + Send + Sync>> {
        Ok(EventRecord {
            id: row.get("id")?,
            account: row.get("account")?,
            kind: row.get("type")?,
            level: row.get("level")?,
            message: row.get("message")?,
            details: serde_json::from_str(&row.get::<String>("details")?)?,
            resource_kind: row.get("resource_type")?,
            resource_id: row.get("resource_id")?,
            service: row.get("service")?,
            host: row.get("host")?,
            request_id: row.get("request_id")?,
            created_at: from_micros(row.get("created_us")?),
        })
    };
    read().map_err(StorageError::at("read an event"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, expected) in
            [("user.*", "user.%"), ("*a**b", "%a%b"), ("a_b%*", "a\\_b\\%%"), ("A\\*", "a\\\\%")]
        {
            assert_eq!(like(pattern), expected);
        }
    }
}
