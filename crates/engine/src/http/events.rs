//! `/events`: what happened in an account.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse as _;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok};
use super::call::{Call, Query};
use crate::events::precise_time;
use crate::{Engine, EventFilter, EventRecord};

const LIMIT_DEFAULT: i64 = 100;
const LIMIT_MAX: i64 = 1000;
/// Longer texts name nothing that is recorded.
const FILTER_CHARS_MAX: usize = 1000;

#[derive(Serialize)]
struct EventWire {
    generated_uuid: String,
    created_at: String,
    event: Value,
}

fn to_wire(engine: &Engine, record: &EventRecord) -> EventWire {
    EventWire {
        generated_uuid: record.id.clone(),
        created_at: precise_time(record.created_at),
        event: engine.event_json(record),
    }
}

/// `GET /events`.
pub(super) async fn list(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let filter = EventFilter {
        service: text(&call.query, "source_servicename")?,
        host: text(&call.query, "source_hostid")?,
        kind: text(&call.query, "event_type")?,
        resource_kind: text(&call.query, "resource_type")?,
        resource_id: text(&call.query, "resource_id")?,
        ..deletable_filter(&call.query)?
    };
    let page = call.query.integer("page")?.unwrap_or(1);
    let limit = call.query.integer("limit")?.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(bad(format!("limit must be valid integer between 1 and {LIMIT_MAX}")));
    }
    if page < 1 {
        return Err(bad("page must be a valid integer greater than 0".to_owned()));
    }
    let found = engine.list_events(&call.account, &filter, page, limit).await?;
    ok(&json!({
        "results": found.events.iter().map(|event| to_wire(&engine, event)).collect::<Vec<_>>(),
        // Clients loop until this is the value `false`.
        "next_page": found.has_next,
        "item_count": found.events.len(),
        "page": page,
    }))
}

/// `DELETE /events`: a list of the ids.
pub(super) async fn delete_many(State(engine): State<Arc<Engine>>, call: Call) -> Answer {
    let filter = deletable_filter(&call.query)?;
    ok(&engine.delete_events(&call.account, &filter).await?)
}

/// `GET /events/{id}`.
pub(super) async fn get(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    let record = engine.find_event(&call.account, &id).await?.ok_or_else(not_found)?;
    ok(&to_wire(&engine, &record))
}

/// `DELETE /events/{id}`: an empty body.
pub(super) async fn delete(State(engine): State<Arc<Engine>>, Path(id): Path<String>, call: Call) -> Answer {
    if !engine.delete_event(&call.account, &id).await? {
        return Err(not_found());
    }
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")]).into_response())
}

fn not_found() -> ApiError {
    ApiError::not_found("Event not found")
}

fn bad(message: String) -> ApiError {
    ApiError::engine(StatusCode::BAD_REQUEST, message)
}

fn text(query: &Query, name: &str) -> Result<Option<String>, ApiError> {
    match query.text(name).filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > FILTER_CHARS_MAX => {
            Err(bad(format!("{name} must have at most {FILTER_CHARS_MAX} characters")))
        }
        found => Ok(found.map(str::to_owned)),
    }
}

/// What both reading and deleting filter by.
fn deletable_filter(query: &Query) -> Result<EventFilter, ApiError> {
    let time = |name: &str| match query.text(name).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) => parse_time(text).map(Some).ok_or_else(|| {
            bad(format!("Invalid value for {name} query parameter, must be valid datetime string"))
        }),
    };
    Ok(EventFilter {
        level: text(query, "level")?,
        since: time("since")?,
        before: time("before")?,
        ..EventFilter::default()
    })
}

/// A time with a zone; without one, or as a plain date, it is UTC.
fn parse_time(text: &str) -> Option<Timestamp> {
    // The `+` of a zone that was not escaped arrives as a blank.
    let text = match text.rsplit_once(' ') {
        Some((time, zone)) if time.contains('T') => format!("{time}+{zone}"),
        _ => text.to_owned(),
    };
    let in_utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>().ok().or_else(|| text.parse::<DateTime>().ok().and_then(in_utc)).or_else(|| {
        text.parse::<Date>().ok().and_then(|date| in_utc(date.to_datetime(jiff::civil::Time::MIN)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_all_forms_that_clients_write() {
        for (text, expected) in [
            ("2020-01-01T00:00:00Z", Some("2020-01-01T00:00:00Z")),
            ("2020-01-01", Some("2020-01-01T00:00:00Z")),
            ("2020-01-01T01:02:03", Some("2020-01-01T01:02:03Z")),
            ("2020-01-01 01:02:03", Some("2020-01-01T01:02:03Z")),
            ("2026-11-22T04:00:00.5Z", Some("2026-11-22T04:00:00.5Z")),
            ("2020-01-01T02:00:00 02:00", Some("2020-01-01T00:00:00Z")),
            ("garbage", None),
            ("2020-13-01", None),
        ] {
            assert_eq!(parse_time(text).map(|time| time.to_string()).as_deref(), expected, "{text}");
        }
    }
}
