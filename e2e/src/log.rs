//! The call log and the ledger, read through the API.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::api::Api;
use crate::stack::Stack;
use crate::wait::until;

/// How long a finished call may take to its final record.
const LOGGED: Duration = Duration::from_secs(10);

/// Waits until `count` calls are in the log and all of them have ended; newest first.
pub async fn ended_calls(api: &Api, count: usize) -> Result<Vec<Value>> {
    until(&format!("{count} ended calls in the log"), LOGGED, async || {
        let calls = api.calls(100).await?;
        ensure!(calls.len() == count, "{} calls: {calls:#?}", calls.len());
        ensure!(calls.iter().all(|call| call["state"] == "ended"), "not all have ended: {calls:#?}");
        Ok(calls)
    })
    .await
}

/// Fails unless members of a record have values.
pub fn expect(record: &Value, wanted: &[(&str, Value)]) -> Result<()> {
    for (pointer, value) in wanted {
        let found = record.pointer(pointer).unwrap_or(&Value::Null);
        ensure!(found == value, "{pointer} is {found}, not {value}, in {record:#}");
    }
    Ok(())
}

/// What the ledger says about a person in a call: their entry in the last decision they stand in with a reason
/// other than not having been reached.
pub async fn ledger_entry(api: &Api, call: &Value, agent: &str) -> Result<Value> {
    let uid = call["uid"].as_str().context("the call has no uid")?;
    let decisions = api.decisions(uid).await?;
    let entries = decisions.iter().flat_map(|decision| decision["members"].as_array().into_iter().flatten());
    let mut entries: Vec<&Value> = entries.filter(|member| member["agent"] == agent).collect();
    entries.sort_by_key(|entry| entry["reason"] != "not_reached");
    entries.last().map(|entry| (*entry).clone()).with_context(|| format!("{agent} is in no decision: {decisions:#?}"))
}

/// The newest calls of a server with the reasons of their decisions, a line each, for messages of failures.
pub async fn newest_in_words(stack: &Stack, count: usize) -> Result<String> {
    let api = stack.api_as("Meera")?;
    let mut text = String::new();
    for call in api.calls(count).await? {
        let _ = write!(text, "\n    call {} to {}: {}, {}", call["uid"], call["to"], call["state"], call["cause"]);
        for decision in api.decisions(call["uid"].as_str().unwrap_or_default()).await? {
            let members = decision["members"].as_array().into_iter().flatten();
            let reasons: Vec<String> =
                members.map(|member| format!("{} {}", member["agent"], member["reason"])).collect();
            let _ = write!(text, "\n      {}: {}", decision["trigger"], reasons.join(", "));
        }
    }
    Ok(text)
}

/// Fails unless the ledger gives a reason for a person in a call.
pub async fn expect_reason(api: &Api, call: &Value, agent: &str, reason: &str) -> Result<Value> {
    let entry = ledger_entry(api, call, agent).await?;
    ensure!(entry["reason"] == reason, "the reason is not {reason}: {entry:#}");
    Ok(entry)
}
