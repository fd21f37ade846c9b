//! Pause, Do Not Disturb, opt-out and working outside the slots: set with who, when and until when, or lifted.

use cordboard_shared::agent::{Block, Stamp};
use cordboard_shared::api::availability::BlockChange;
use cordboard_shared::api::presence::MAX_REASON;
use cordboard_shared::{Millis, Problem, ProblemCode};

use super::{Basis, check_length, check_until, invalid};

/// How long somebody may say they work outside their slots, in milliseconds.
const WORK_ANYWAY_LONGEST_MS: u64 = 24 * 3_600_000;

/// Sets or lifts a block; whether anything is different.
pub(super) fn set(
    held: &mut Option<Block>,
    change: Option<&BlockChange>,
    now: Millis,
    stamp: Stamp,
) -> Result<bool, Problem> {
    let Some(change) = change else { return Ok(held.take().is_some()) };
    check_until(change.until, now)?;
    check_length(change.reason.as_deref(), "/reason", MAX_REASON)?;
    if held.as_ref().is_some_and(|held| held.reason == change.reason && held.until == change.until) {
        return Ok(false);
    }
    // A new reason or end is no new block: it stands since it was first set.
    let since = held.as_ref().map_or(stamp.since, |held| held.stamp.since);
    let stamp = Stamp { since, ..stamp };
    *held = Some(Block { stamp, reason: change.reason.clone(), until: change.until });
    Ok(true)
}

/// Works outside the slots until then, where the account allows it; whether anything is different.
pub(super) fn work_anyway(
    held: &mut Option<Block>,
    until: Option<Millis>,
    basis: Basis<'_>,
    stamp: Stamp,
) -> Result<bool, Problem> {
    let Some(until) = until else { return Ok(held.take().is_some()) };
    if !basis.settings.reach.work_outside_slots {
        let sentence = "This account does not let people work outside their slots. An admin can allow it under \
                        Reachability. Nothing was changed.";
        return Err(Problem::new(ProblemCode::MissingRight, sentence).with("right", "work_outside_slots"));
    }
    check_until(Some(until), basis.now)?;
    if until > basis.now + WORK_ANYWAY_LONGEST_MS {
        return Err(invalid("/until", "until is at most 24 hours from now."));
    }
    if held.as_ref().is_some_and(|held| held.until == Some(until)) {
        return Ok(false);
    }
    let since = held.as_ref().map_or(stamp.since, |held| held.stamp.since);
    *held = Some(Block { stamp: Stamp { since, ..stamp }, reason: None, until: Some(until) });
    Ok(true)
}
