//! The Call Availability toggle: order by the callers' numbers, and what it takes with it.

use cordboard_shared::agent::{AgentFacts, Apply, INTENT_LEAP, Intent, Source, Stamp, Toggle, ToggleFact};
use cordboard_shared::api::presence::{MAX_NOTE, MAX_REASON, PresenceChange};
use cordboard_shared::{Problem, ProblemCode};
use serde_json::json;

use super::{Basis, check_length, check_until, invalid};
use crate::app::FactWrite;

/// Sets the toggle; says which facts changed.
pub(super) fn set(
    facts: &mut AgentFacts,
    change: &PresenceChange,
    write: &FactWrite,
    basis: Basis<'_>,
    stamp: Stamp,
) -> Result<Vec<&'static str>, Problem> {
    if write.intent.as_ref() == Some(&facts.intent) && change.state == facts.toggle.state {
        // The same toggle again, by a caller who missed the answer: it is in force.
        return Ok(Vec::new());
    }
    let intent = next_intent(facts, write.intent.as_ref())?;
    check_until(change.until, basis.now)?;
    check_length(change.reason.as_deref(), "/reason", MAX_REASON)?;
    check_length(change.note.as_deref(), "/note", MAX_NOTE)?;
    let unexplained = change.reason.as_deref().is_none_or(|reason| reason.trim().is_empty());
    if change.state == Toggle::Away && unexplained && basis.settings.reason_required && asks(write.source) {
        return Err(invalid("/reason", "Going Away needs a reason in this account."));
    }

    // Only an Away can wait for the end of the call.
    let apply = if change.state == Toggle::Away { change.apply } else { Apply::Now };
    let resumes = change.state == Toggle::On && write.resumes && facts.opt_out.is_some();
    let held = &facts.toggle;
    let same =
        held.state == change.state && held.reason == change.reason && held.until == change.until && held.apply == apply;
    if same && !resumes {
        // A number that was sent is remembered, so that no older one overrides what was asked for last.
        if write.intent.is_some() {
            facts.intent = intent;
        }
        return Ok(Vec::new());
    }
    facts.intent = intent;
    let mut changed = Vec::new();
    if resumes {
        facts.opt_out = None;
        changed.push("opt_out");
    }
    if !same {
        let kept = held.state == change.state && held.apply == apply;
        let since = if kept { held.stamp.since } else { stamp.since };
        facts.toggle = ToggleFact {
            state: change.state,
            stamp: Stamp { since, ..stamp },
            reason: change.reason.clone(),
            until: change.until,
            apply,
        };
        changed.push("toggle");
    }
    Ok(changed)
}

/// Whether a surface can ask its person for a reason. The opt-out link and the server itself cannot.
fn asks(source: Source) -> bool {
    match source {
        Source::Panel | Source::Api | Source::Edge | Source::Admin => true,
        Source::Sms | Source::System => false,
    }
}

/// The order of the callers: a number decides, and a caller without one comes after all that were seen.
fn next_intent(facts: &AgentFacts, sent: Option<&Intent>) -> Result<Intent, Problem> {
    let Some(sent) = sent else {
        return Ok(Intent { n: facts.intent.n + 1, device: String::new() });
    };
    if sent.n > facts.intent.n.saturating_add(INTENT_LEAP) {
        let detail = format!("The intent number may be at most {INTENT_LEAP} above the last one, {}.", facts.intent.n);
        return Err(Problem::new(ProblemCode::InvalidRequest, detail).with("intent", facts.intent.n));
    }
    if *sent <= facts.intent {
        return Err(Problem::new(
            ProblemCode::Superseded,
            "A newer change was made before this one. Nothing was changed.",
        )
        .with("current", json!({ "state": facts.toggle.state, "version": facts.version, "intent": facts.intent.n })));
    }
    Ok(sent.clone())
}
