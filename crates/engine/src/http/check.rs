//! `/images/{digest}/check`: the verdict. Status 200 whatever the verdict is.

use std::sync::Arc;

use axum::extract::{Path, State};
use model::{Action, Decision, DecisionRow, EvaluationProblem};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, json_response_with, ok, time};
use super::call::Call;
use super::images::{digest_filter, image_id_filter};
use crate::{Engine, Evaluation, EvaluationQuestion, ImageFilter};

const DETAILS_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Serialize)]
struct CheckWire {
    #[serde(rename = "policyId")]
    policy_id: String,
    status: &'static str,
    last_evaluation: String,
    detail: Value,
}

/// `GET /images/{digest}/check`.
pub(super) async fn check(
    State(engine): State<Arc<Engine>>,
    Path(digest): Path<String>,
    call: Call,
) -> Answer {
    answer(&engine, &call, digest_filter(&digest)).await
}

/// `GET /images/by_id/{image_id}/check`.
pub(super) async fn check_by_id(
    State(engine): State<Arc<Engine>>,
    Path(image_id): Path<String>,
    call: Call,
) -> Answer {
    answer(&engine, &call, image_id_filter(&image_id)).await
}

async fn answer(engine: &Engine, call: &Call, filter: Result<ImageFilter, ApiError>) -> Answer {
    let with_detail = call.query.boolean("detail", true)?;
    let with_history = call.query.boolean("history", false)?;
    let is_trial = call.query.boolean("interactive", false)?;
    let tag = call.query.text("tag").ok_or_else(|| ApiError::bad_request("Missing query parameter 'tag'"))?;
    let question = EvaluationQuestion {
        account: call.account.clone(),
        // What is no digest is no image either; the check has its own words for that.
        filter: filter.map_err(|_| ApiError::not_found(crate::EvaluateError::ImageNotFound.to_string()))?,
        tag: tag.to_owned(),
        policy_id: call.query.text("policyId").filter(|id| !id.is_empty()).map(str::to_owned),
        is_stored: !is_trial,
    };
    let evaluation = engine.evaluate(&question).await?;
    let newest = CheckWire {
        policy_id: evaluation.policy.id.clone(),
        status: status(evaluation.decision.is_pass()),
        // The rows may come from a minute ago; that they still hold was found out now.
        last_evaluation: time(evaluation.asked_at),
        // The long one is put in as text.
        detail: if with_detail { Value::Null } else { json!({}) },
    };
    let mut checks = vec![newest];
    if with_history {
        checks.extend(history(engine, &question.account, &evaluation).await?);
    }
    let digest = evaluation.image.digest.to_string();
    let frame = json!([{digest: {evaluation.key.as_str(): checks}}]);
    if !with_detail {
        return ok(&frame);
    }
    let detail = engine.caches.details.text_of(&evaluation);
    Ok(json_response_with(frame, DETAIL_PLACE, &detail))
}

/// How the place of the long answer looks in the frame; no text in JSON has a quote that is not escaped.
const DETAIL_PLACE: &str = "\"detail\": null";
/// How deep it is in the frame.
const DETAIL_INDENT: &str = "\n          ";

/// The earlier verdicts; the one just computed leads the list already.
async fn history(
    engine: &Engine,
    account: &str,
    evaluation: &Evaluation,
) -> Result<Vec<CheckWire>, crate::StorageError> {
    let past = engine.past_evaluations(account, &evaluation.image.digest, &evaluation.key).await?;
    let action = evaluation.decision.final_action;
    let others =
        past.into_iter().filter(|past| past.policy_id != evaluation.policy.id || past.action != action);
    Ok(others
        .map(|past| CheckWire {
            policy_id: past.policy_id,
            status: status(past.action != Action::Stop),
            last_evaluation: time(past.evaluated_at),
            detail: json!({}),
        })
        .collect())
}

fn status(is_pass: bool) -> &'static str {
    if is_pass { "pass" } else { "fail" }
}

/// The long answers that were written lately: they are large, and most are asked for again before anything changes.
pub(crate) struct Details {
    texts: moka::sync::Cache<DetailKey, WrittenDetail>,
}

/// Account, image and name.
type DetailKey = (String, String, String);

#[derive(Clone)]
struct WrittenDetail {
    /// What it was written from.
    decision: Arc<Decision>,
    policy_revision: String,
    text: Arc<str>,
}

impl Details {
    pub(crate) fn new() -> Self {
        let weigh =
            |_: &DetailKey, written: &WrittenDetail| u32::try_from(written.text.len()).unwrap_or(u32::MAX);
        Self { texts: moka::sync::Cache::builder().max_capacity(DETAILS_BYTES_MAX).weigher(weigh).build() }
    }

    /// The member `detail` of an answer. Written again unless decision and bundle are the ones it was written from.
    fn text_of(&self, evaluation: &Evaluation) -> Arc<str> {
        let Evaluation { image, key, policy, decision, .. } = evaluation;
        let place = (image.account.clone(), image.digest.to_string(), key.clone());
        if let Some(written) = self.texts.get(&place)
            && Arc::ptr_eq(&written.decision, decision)
            && written.policy_revision == policy.revision
        {
            return written.text;
        }
        let mut detail = json!({"policy": policy.document, "result": evaluation_result(evaluation)});
        detail.sort_all_objects();
        let text: Arc<str> = format!("\"detail\": {detail:#}").replace('\n', DETAIL_INDENT).into();
        let written = WrittenDetail {
            decision: decision.clone(),
            policy_revision: policy.revision.clone(),
            text: text.clone(),
        };
        self.texts.insert(place, written);
        text
    }
}

/// A verdict with everything about it, as clients and webhooks know it.
pub(crate) fn evaluation_result(evaluation: &Evaluation) -> Value {
    let decision = &evaluation.decision;
    let document = &evaluation.policy.document;
    let image_id = evaluation.image.image_id.hex();
    let rule = |list: &str, position: Option<usize>| {
        position.and_then(|position| document.get(list)?.get(position)).cloned().unwrap_or(Value::Bool(false))
    };
    let rows: Vec<Value> =
        decision.rows.iter().map(|row| row_cells(image_id, &evaluation.key, row)).collect();
    let computed = evaluation.evaluated_at.as_second();
    json!({
        "user_id": evaluation.image.account,
        "image_id": image_id,
        "image_digest": evaluation.image.digest.to_string(),
        "tag": evaluation.key,
        "bundle": document,
        "matched_mapping_rule": rule("mappings", decision.matched_mapping),
        "matched_whitelisted_images_rule": rule("whitelisted_images", decision.matched_whitelisted_image),
        "matched_blacklisted_images_rule": rule("blacklisted_images", decision.matched_blacklisted_image),
        "created_at": computed,
        "last_modified": computed,
        "final_action": decision.final_action.name(),
        "final_action_reason": decision.reason.name(),
        "status": status(decision.is_pass()),
        "evaluation_problems": decision.problems.iter().map(problem).collect::<Vec<_>>(),
        "result": {
            image_id: {"result": {
                "header": ["Image_Id", "Repo_Tag", "Trigger_Id", "Gate", "Trigger", "Check_Output",
                           "Gate_Action", "Whitelisted", "Policy_Id"],
                "row_count": rows.len(),
                "rows": rows,
                "final_action": decision.policy_action.name(),
            }},
            "policy_data": [], "whitelist_data": [], "policy_name": "", "whitelist_names": [],
        },
    })
}

fn row_cells(image_id: &str, tag: &str, row: &DecisionRow) -> Value {
    let whitelisted = match &row.whitelisted {
        Some(by) => json!({
            "whitelist_name": by.whitelist_name,
            "whitelist_id": by.whitelist_id,
            "matched_rule_id": by.matched_rule_id,
        }),
        None => Value::Bool(false),
    };
    json!([
        image_id,
        tag,
        row.trigger_id,
        row.gate,
        row.trigger,
        row.message,
        row.action.name(),
        whitelisted,
        row.policy_id
    ])
}

/// A mistake in a bundle on the wire.
pub(super) fn problem(problem: &EvaluationProblem) -> Value {
    let EvaluationProblem { problem_type, details, severity, path: _ } = problem;
    json!({"problem_type": problem_type, "details": details, "severity": severity.name()})
}
