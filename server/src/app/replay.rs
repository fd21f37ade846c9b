//! Running past calls again: the trace and the recorded decisions come from the store, the engine runs on a thread of
//! its own.

use std::collections::BTreeMap;

use cordboard_routing::{Engine, Input as Routing};
use cordboard_shared::api::routing::{ReplayAnswer, ReplayRequest, ReplayWaits};
use cordboard_shared::call::EndedBy;
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AccountId, CallId};
use cordboard_shared::{FeedPosition, Millis, Problem, ProblemCode};

use super::log;
use crate::directory::Directory;
use crate::store::{CHECKPOINT_FORMAT, CheckpointRow, EventRow, Store, StoreError, TraceRow, Traced};

/// Longest stretch of one replay, in milliseconds: a month.
const LONGEST_MS: u64 = 31 * 24 * 3_600_000;
/// How long after the stretch its last calls may go on, in milliseconds: the longest wait, and some talk.
const AFTER_MS: u64 = 3 * 3_600_000;
/// How long a call may have been in its flow before it was routed, in milliseconds.
const BEFORE_MS: u64 = 3_600_000;
/// Most inputs of one replay.
const MOST_INPUTS: usize = 250_000;
/// Inputs read at once.
const PAGE: u32 = 5_000;

/// What one run of the server has left of the stretch.
struct Stretch {
    checkpoint: CheckpointRow,
    trace: Vec<(TraceRow, Option<EventRow>)>,
    /// Whether inputs are missing after it.
    is_broken: bool,
}

/// Runs the calls of a stretch of time again.
pub(super) async fn run(
    store: &Store,
    directory: &Directory,
    mut request: ReplayRequest,
) -> Result<ReplayAnswer, Problem> {
    if request.to <= request.from || request.to.since(request.from) > LONGEST_MS {
        return Err(invalid("/to", "to lies after from, at most 31 days."));
    }
    if let Some(policy) = &request.policy {
        super::policy::check(policy, directory)?;
    }
    let mut assumptions = Vec::new();
    let running = store.open_calls().await.map_err(unreadable)?.iter().map(|call| call.started_at).min();
    if let Some(running) = running.filter(|running| *running < request.to) {
        request.to = running.max(request.from);
        assumptions.push("calls from the first one that is still running on are left out".to_owned());
    }

    let account = directory.account;
    let mut left = MOST_INPUTS;
    let mut stretches = Vec::new();
    for (run, n, _) in store.checkpoints(account, request.from, request.to).await.map_err(unreadable)? {
        if let Some(stretch) = read(store, account, (run, n), request.to + AFTER_MS, &mut left).await? {
            stretches.push(stretch);
        }
    }
    match stretches.first() {
        None => assumptions.push("nothing is kept from that time: there is nothing to run again".to_owned()),
        Some(first) if first.checkpoint.at > request.from => {
            assumptions.push(format!("what is kept begins at {}", first.checkpoint.at));
        }
        Some(_) => {}
    }
    if stretches.iter().any(|stretch| stretch.is_broken) {
        assumptions.push("some of what happened was not kept: calls after such a gap are left out".to_owned());
    }
    if stretches.len() > 1 {
        assumptions
            .push("the server was started anew within the time: each of its runs is run again by itself".to_owned());
    }

    let recorded = recorded(store, account, &request).await?;
    let asked = request.clone();
    let answers = tokio::task::spawn_blocking(move || {
        let answers: anyhow::Result<Vec<_>> =
            stretches.into_iter().map(|stretch| again(stretch, &asked, &recorded)).collect();
        answers.map(|answers| (answers, recorded))
    });
    let (answers, recorded) =
        answers.await.map_err(|error| internal(&error.into()))?.map_err(|error| internal(&error))?;
    let mut answer = merge(answers, assumptions);
    leave_out_cut_calls(store, account, &request, &recorded, &mut answer).await?;
    Ok(answer)
}

/// Reads a run from a checkpoint up to a time.
async fn read(
    store: &Store,
    account: AccountId,
    (run, n): (u64, u64),
    until: Millis,
    left: &mut usize,
) -> Result<Option<Stretch>, Problem> {
    let Some(checkpoint) = store.checkpoint(account, run, n).await.map_err(unreadable)? else { return Ok(None) };
    if checkpoint.format != CHECKPOINT_FORMAT {
        return Ok(None);
    }
    let mut stretch = Stretch { checkpoint, trace: Vec::new(), is_broken: false };
    let mut last = n;
    loop {
        let page = store.trace(account, run, last, PAGE).await.map_err(unreadable)?;
        let ends = page.len() < PAGE as usize;
        for (row, event) in page {
            if row.at > until {
                return Ok(Some(stretch));
            }
            if row.n != last + 1 {
                stretch.is_broken = true;
                return Ok(Some(stretch));
            }
            let Some(rest) = left.checked_sub(1) else {
                return Err(invalid("/to", "Too much happened in that time for one replay. Ask for less of it."));
            };
            *left = rest;
            last = row.n;
            stretch.trace.push((row, event));
        }
        if ends {
            return Ok(Some(stretch));
        }
    }
}

/// The decisions that were stored of calls in, or shortly before, the stretch.
async fn recorded(
    store: &Store,
    account: AccountId,
    request: &ReplayRequest,
) -> Result<BTreeMap<CallId, Vec<Decision>>, Problem> {
    let rows = store.decisions_between(account, request.from - BEFORE_MS, request.to).await.map_err(unreadable)?;
    let mut recorded: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (call, decision) in rows {
        recorded.entry(call).or_default().push(decision);
    }
    Ok(recorded)
}

fn again(
    stretch: Stretch,
    request: &ReplayRequest,
    recorded: &BTreeMap<CallId, Vec<Decision>>,
) -> anyhow::Result<ReplayAnswer> {
    let start: Engine = serde_json::from_str(&stretch.checkpoint.body)?;
    let epoch = start.position().epoch;
    let mut trace = Vec::with_capacity(stretch.trace.len());
    for (row, event) in stretch.trace {
        trace.push((row.at, input(&row.input, event.as_ref(), epoch)?));
    }
    Ok(cordboard_routing::replay(start, trace, request, recorded))
}

fn input(traced: &Traced, event: Option<&EventRow>, epoch: u32) -> anyhow::Result<Routing> {
    match traced {
        Traced::Input(body) => Ok(serde_json::from_str(body)?),
        Traced::Event(seq) => {
            let row = event.ok_or_else(|| anyhow::anyhow!("entry {seq} of the log is gone"))?;
            let at = FeedPosition { epoch, bucket: 0, seq: *seq };
            Ok(Routing::Obey { event: Box::new(log::read_event(row)?), at })
        }
    }
}

/// One answer for all runs. Times are weighted by the calls; of the 90th percentiles the longest is told.
fn merge(answers: Vec<ReplayAnswer>, mut assumptions: Vec<String>) -> ReplayAnswer {
    let mut all = ReplayAnswer {
        calls: 0,
        decisions: 0,
        same: 0,
        changed: Vec::new(),
        waits: ReplayWaits::default(),
        assumptions: Vec::new(),
    };
    let several = answers.iter().filter(|answer| answer.calls > 0).count() > 1;
    let total: u64 = answers.iter().map(|answer| u64::from(answer.calls)).sum();
    let (mut before, mut after) = (0, 0);
    for answer in answers {
        let calls = u64::from(answer.calls);
        before += answer.waits.mean_before_ms * calls;
        after += answer.waits.mean_after_ms * calls;
        all.waits.p90_before_ms = all.waits.p90_before_ms.max(answer.waits.p90_before_ms);
        all.waits.p90_after_ms = all.waits.p90_after_ms.max(answer.waits.p90_after_ms);
        all.calls += answer.calls;
        all.decisions += answer.decisions;
        all.same += answer.same;
        all.changed.extend(answer.changed);
        for assumption in answer.assumptions {
            if !assumptions.contains(&assumption) {
                assumptions.push(assumption);
            }
        }
    }
    all.waits.mean_before_ms = before / total.max(1);
    all.waits.mean_after_ms = after / total.max(1);
    if several {
        assumptions.push("the 90th percentiles are those of the run that had the longest".to_owned());
    }
    all.assumptions = assumptions;
    all
}

/// A call that the end of the process cut short was decided no further, and the replay of the rules that held goes on
/// where it stopped: nothing can be compared.
async fn leave_out_cut_calls(
    store: &Store,
    account: AccountId,
    request: &ReplayRequest,
    recorded: &BTreeMap<CallId, Vec<Decision>>,
    answer: &mut ReplayAnswer,
) -> Result<(), Problem> {
    if request.policy.is_some() {
        return Ok(());
    }
    let mut kept = Vec::new();
    let mut cut = 0;
    for change in std::mem::take(&mut answer.changed) {
        let call = store.call(account, change.call).await.map_err(unreadable)?;
        if call.is_none_or(|call| call.ended_by != Some(EndedBy::Restart)) {
            kept.push(change);
            continue;
        }
        cut += 1;
        let decisions = recorded.get(&change.call).map_or(0, Vec::len);
        let first = change.before.as_ref().or(change.after.as_ref()).map_or(1, |decision| decision.step);
        answer.calls = answer.calls.saturating_sub(1);
        answer.decisions = answer.decisions.saturating_sub(u32::try_from(decisions).unwrap_or(u32::MAX));
        answer.same = answer.same.saturating_sub(first.saturating_sub(1));
    }
    answer.changed = kept;
    if cut > 0 {
        answer.assumptions.push(format!("{cut} calls that the end of the server cut short are left out"));
    }
    Ok(())
}

fn invalid(pointer: &str, sentence: &str) -> Problem {
    Problem::new(ProblemCode::InvalidField, sentence).with("pointer", pointer)
}

#[expect(clippy::needless_pass_by_value, reason = "as a failed query gives it")]
fn unreadable(error: StoreError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "a replay cannot read the database");
    Problem::new(ProblemCode::StoreUnavailable, "The database cannot be read now. Try again in a moment.")
        .with("retry_after", 1)
}

fn internal(error: &anyhow::Error) -> Problem {
    tracing::error!(error = format!("{error:#}"), "a replay has failed");
    Problem::new(ProblemCode::Internal, "What is kept of that time cannot be run again.")
}
