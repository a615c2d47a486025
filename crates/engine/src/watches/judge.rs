//! Judging a tagged image and telling when the verdict or the vulnerabilities are others than before.

use model::Digest;
use serde_json::{Map, Value, json};

use super::findings::compare_findings;
use super::results::{Watched, find_told, is_there, store_told};
use crate::events::{Level, NewEvent, Resource, Service, record};
use crate::http::evaluation_result;
use crate::notifications::{Notification, NotificationKind, notify};
use crate::{
    Engine, EvaluateError, Evaluation, EvaluationQuestion, ImageFilter, StorageError, SubscriptionKind,
};

/// Judges an image under one of its tags by the active policy, and looks at its vulnerabilities if the account subscribed to
/// them. What differs from what was told last is told: an event, and a notification for who subscribed. The first result is
/// only remembered.
pub(crate) async fn judge_tag(
    engine: &Engine,
    account: &str,
    full_tag: &str,
    digest: &Digest,
) -> Result<(), EvaluateError> {
    let judged = judge_policy(engine, account, full_tag, digest).await;
    let is_subscribed: bool = storage::query(
        "SELECT EXISTS (SELECT 1 FROM subscriptions \
         WHERE account = $1 AND subscription_key = $2 AND type = $3 AND is_active = 1)",
    )
    .bind(account)
    .bind(full_tag)
    .bind(SubscriptionKind::VulnerabilityUpdate.name())
    .fetch_value(&engine.storage)
    .await
    .map_err(StorageError::at("look for a subscription"))?;
    if is_subscribed {
        compare_findings(engine, Watched { account, full_tag, digest }).await?;
    }
    judged
}

/// The verdict's half of [`judge_tag`].
pub(super) async fn judge_policy(
    engine: &Engine,
    account: &str,
    full_tag: &str,
    digest: &Digest,
) -> Result<(), EvaluateError> {
    const KIND: SubscriptionKind = SubscriptionKind::PolicyEvaluation;
    let watched = Watched { account, full_tag, digest };
    let before = find_told(&engine.storage, watched, KIND).await?;
    // Without anything told, the last verdict that somebody asked for is what people know.
    let asked_for = match before {
        Some(_) => None,
        None => engine.past_evaluations(account, digest, full_tag).await?.into_iter().next(),
    };
    let question = EvaluationQuestion {
        account: account.to_owned(),
        filter: ImageFilter::Digest(digest.clone()),
        tag: full_tag.to_owned(),
        policy_id: None,
        is_stored: true,
    };
    let evaluation = engine.evaluate(&question).await?;
    let action = evaluation.decision.final_action.name();
    if before.as_ref().is_some_and(|before| before.summary == action) {
        return Ok(());
    }
    let now = engine.now();
    let current = evaluation_result(&evaluation);
    let mut tx = engine.storage.begin().await.map_err(StorageError::at("begin"))?;
    // Read again: somebody else may have told it in the meantime.
    let before = find_told(&mut tx, watched, KIND).await?;
    let last = match (&before, asked_for) {
        (Some(before), _) if before.summary == action => return Ok(()),
        (Some(before), _) => Some(before.content()?),
        (None, Some(past)) if past.action.name() != action => {
            Some(short_result(&evaluation, past.action.name(), past.evaluated_at.as_second()))
        }
        (None, _) => None,
    };
    if !is_there(&mut tx, watched).await? {
        return Ok(());
    }
    if let Some(last) = last {
        tell_verdict(engine, &mut tx, &evaluation, full_tag, last, current.clone()).await?;
    }
    store_told(&mut tx, watched, KIND, (action, &current), now).await?;
    Ok(tx.commit().await.map_err(StorageError::at("commit"))?)
}

async fn tell_verdict(
    engine: &Engine,
    tx: &mut storage::WriteTransaction,
    evaluation: &Evaluation,
    full_tag: &str,
    last: Value,
    current: Value,
) -> Result<(), StorageError> {
    let (account, now) = (evaluation.image.account.as_str(), engine.now());
    let mut payload = Map::new();
    payload.insert("annotations".to_owned(), Value::Object(evaluation.image.annotations.clone()));
    payload.insert("last_eval".to_owned(), last);
    payload.insert("curr_eval".to_owned(), current);
    let mut details = payload.clone();
    details.insert("subscription_type".to_owned(), json!("policy_eval"));
    let event = NewEvent {
        account,
        kind: "user.checks.tag.policy_evaluation.update",
        level: Level::Info,
        message: "Policy evaluation update detected for a tagged image".to_owned(),
        details: Value::Object(details),
        resource: Resource::new("image_tag", full_tag),
        service: Service::Catalog,
    };
    record(engine, tx, &event, now).await?;
    let notification = Notification {
        account,
        kind: NotificationKind::PolicyEvaluation,
        subscription_key: full_tag,
        payload,
    };
    notify(engine, tx, &notification, now).await
}

/// What is known of a verdict that was not kept as a whole.
fn short_result(evaluation: &Evaluation, action: &str, evaluated: i64) -> Value {
    json!({
        "user_id": evaluation.image.account,
        "image_id": evaluation.image.image_id.hex(),
        "image_digest": evaluation.image.digest.to_string(),
        "tag": evaluation.key,
        "final_action": action,
        "status": if action == model::Action::Stop.name() { "fail" } else { "pass" },
        "created_at": evaluated,
        "last_modified": evaluated,
        "evaluation_problems": [],
    })
}
