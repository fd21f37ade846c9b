//! What a change does to a person's facts: pure, so that order and conflicts can be tested without a server
//! (`availability-and-panel.md` section 2.2, `edge-protocol.md` section 4.4).

mod block;
mod slots;
mod system;
mod toggle;

use cordboard_shared::agent::{Actor, AgentFacts, Apply, Intent, Seat, Source, Stamp, Toggle, ToggleFact};
use cordboard_shared::api::availability::FactChange;
use cordboard_shared::policy::Settings;
use cordboard_shared::{Millis, Problem, ProblemCode, Version};
use serde_json::json;

use super::handle::FactWrite;

pub(super) use system::elapsed;

/// What a change came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decided {
    /// The facts after it; the same as before when there is nothing to be written.
    pub(super) facts: AgentFacts,
    /// Which facts changed; empty when every value was the same.
    pub(super) changed: Vec<String>,
    /// Free text for the record.
    pub(super) note: Option<String>,
}

/// What a change is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Basis<'a> {
    pub(super) now: Millis,
    pub(super) epoch: u32,
    pub(super) settings: &'a Settings,
}

/// The facts of a person nobody has changed yet.
pub(super) fn initial(now: Millis, epoch: u32) -> AgentFacts {
    AgentFacts {
        version: Version { epoch, rev: 1 },
        seat: Seat::Active,
        pause: None,
        dnd: None,
        opt_out: None,
        toggle: ToggleFact {
            state: Toggle::On,
            stamp: Stamp { since: now, by: Actor::system(), source: Source::System },
            reason: None,
            until: None,
            apply: Apply::Now,
        },
        slots: None,
        work_anyway: None,
        intent: Intent::default(),
        fence: 0,
    }
}

/// Judges a change against the facts it meets. Nothing of it holds when it is refused.
pub(super) fn decide(facts: &AgentFacts, write: &FactWrite, basis: Basis<'_>) -> Result<Decided, Problem> {
    let seat_change = matches!(write.change, FactChange::Seat { .. });
    if facts.seat == Seat::Deleted || (facts.seat == Seat::Disabled && !seat_change) {
        return Err(Problem::new(ProblemCode::SeatDisabled, "This person has no seat. Nothing was changed."));
    }
    if let Some(wanted) = write.if_match
        && wanted != facts.version
    {
        return Err(Problem::new(
            ProblemCode::VersionMismatch,
            format!("The presence is at version {}, not {wanted}. Nothing was changed.", facts.version),
        )
        .with("current", json!({ "state": facts.toggle.state, "version": facts.version })));
    }
    let stamp = || Stamp { since: basis.now, by: write.actor.clone(), source: write.source };
    let mut next = facts.clone();
    let mut note = None;
    let changed: Vec<&str> = match &write.change {
        FactChange::Toggle(change) => {
            note.clone_from(&change.note);
            toggle::set(&mut next, change, write, basis, stamp())?
        }
        FactChange::Pause { set } => {
            if set.as_ref().is_some_and(|set| set.reason.as_deref().is_none_or(|reason| reason.trim().is_empty())) {
                return Err(invalid("/reason", "A pause needs a reason, which the person is told."));
            }
            block::set(&mut next.pause, set.as_ref(), basis.now, stamp())?.then_some("pause").into_iter().collect()
        }
        FactChange::Dnd { set } => {
            block::set(&mut next.dnd, set.as_ref(), basis.now, stamp())?.then_some("dnd").into_iter().collect()
        }
        FactChange::OptOut { set } => {
            if set.as_ref().is_some_and(|set| set.until.is_some()) {
                return Err(invalid("/until", "An opt-out has no end; it lasts until it is undone."));
            }
            block::set(&mut next.opt_out, set.as_ref(), basis.now, stamp())?.then_some("opt_out").into_iter().collect()
        }
        FactChange::Slots { set } => {
            slots::set(&mut next.slots, set, stamp())?.then_some("slots").into_iter().collect()
        }
        FactChange::WorkAnyway { until } => block::work_anyway(&mut next.work_anyway, *until, basis, stamp())?
            .then_some("work_anyway")
            .into_iter()
            .collect(),
        FactChange::Seat { active } => {
            let seat = if *active { Seat::Active } else { Seat::Disabled };
            (std::mem::replace(&mut next.seat, seat) != seat).then_some("seat").into_iter().collect()
        }
    };
    if !changed.is_empty() {
        next.version = Version { epoch: basis.epoch, rev: facts.version.rev + 1 };
    }
    Ok(Decided { facts: next, changed: changed.into_iter().map(str::to_owned).collect(), note })
}

fn invalid(pointer: &str, sentence: &str) -> Problem {
    Problem::new(ProblemCode::InvalidField, format!("{sentence} Nothing was changed.")).with("pointer", pointer)
}

fn check_until(until: Option<Millis>, now: Millis) -> Result<(), Problem> {
    if until.is_some_and(|until| until <= now) {
        let problem = Problem::new(ProblemCode::InvalidUntil, "until is a future RFC 3339 date and time.");
        return Err(problem.with("pointer", "/until"));
    }
    Ok(())
}

fn check_length(text: Option<&str>, pointer: &str, longest: usize) -> Result<(), Problem> {
    if text.is_some_and(|text| text.chars().count() > longest) {
        return Err(invalid(pointer, &format!("{} is text of at most {longest} characters.", &pointer[1..])));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
