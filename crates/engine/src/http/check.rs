//! `/images/{digest}/check`: the verdict. Status 200 whatever the verdict is.

use std::sync::Arc;

use axum::extract::{Path, State};
use model::{Action, DecisionRow, EvaluationProblem};
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::{Answer, ApiError, ok, time};
use super::call::Call;
use super::images::{digest_filter, image_id_filter};
use crate::{Engine, Evaluation, EvaluationQuestion, ImageFilter};

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
        detail: if with_detail { detail(&evaluation) } else { json!({}) },
    };
    let mut checks = vec![newest];
    if with_history {
        checks.extend(history(engine, &question.account, &evaluation).await?);
    }
    let digest = evaluation.image.digest.to_string();
    ok(&json!([{digest: {evaluation.key: checks}}]))
}

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

/// The long answer, with the bundle in it twice, as clients know it.
fn detail(evaluation: &Evaluation) -> Value {
    json!({"policy": evaluation.policy.document, "result": evaluation_result(evaluation)})
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
