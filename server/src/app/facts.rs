//! What a toggle does to a person's facts: pure, so that order and conflicts can be tested without a server
//! (`edge-protocol.md` section 4.4).

use cordboard_shared::agent::{Actor, AgentFacts, Apply, INTENT_LEAP, Intent, Seat, Source, Stamp, Toggle, ToggleFact};
use cordboard_shared::{Millis, Problem, ProblemCode, Version};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::handle::FactWrite;
use cordboard_shared::api::availability::FactChange;

/// An entry of the account's durable log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum LogEntry {
    /// A person's facts are these from here on.
    FactsSet {
        /// All of them.
        facts: Box<AgentFacts>,
        /// Which changed.
        changed: Vec<String>,
        /// Free text of the caller.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// What a toggle came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decided {
    /// The facts after it; they differ at least in the intent number.
    pub(super) facts: AgentFacts,
    /// Which facts changed; empty when the value was the same.
    pub(super) changed: Vec<String>,
}

/// The facts of a person nobody has toggled yet.
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

/// Judges a toggle against the facts it meets.
pub(super) fn decide(facts: &AgentFacts, write: &FactWrite, now: Millis, epoch: u32) -> Result<Decided, Problem> {
    let FactChange::Toggle(change) = &write.change else {
        return Err(Problem::new(ProblemCode::Internal, "Only the toggle can be changed yet."));
    };
    if facts.seat != Seat::Active {
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
    if write.intent.as_ref() == Some(&facts.intent) && change.state == facts.toggle.state {
        // The same toggle again, by a caller who missed the answer: it is in force.
        return Ok(Decided { facts: facts.clone(), changed: Vec::new() });
    }
    let intent = next_intent(facts, write.intent.as_ref())?;
    if change.apply == Apply::AfterCall {
        return Err(Problem::new(ProblemCode::InvalidField, "Only apply \"now\" is offered. Nothing was changed.")
            .with("pointer", "/apply"));
    }
    let toggle = &facts.toggle;
    let same = toggle.state == change.state
        && toggle.reason == change.reason
        && toggle.until == change.until;
    let mut next = AgentFacts { intent, ..facts.clone() };
    if same {
        return Ok(Decided { facts: next, changed: Vec::new() });
    }
    let since = if toggle.state == change.state { toggle.stamp.since } else { now };
    next.version = Version { epoch, rev: facts.version.rev + 1 };
    next.toggle = ToggleFact {
        state: change.state,
        stamp: Stamp { since, by: write.actor.clone(), source: write.source },
        reason: change.reason.clone(),
        until: change.until,
        apply: change.apply,
    };
    Ok(Decided { facts: next, changed: vec!["toggle".to_owned()] })
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

#[cfg(test)]
mod tests {
    use cordboard_shared::api::presence::PresenceChange;
    use cordboard_shared::id::AgentId;

    use super::*;

    const NOW: Millis = Millis(5_000);

    #[test]
    fn a_toggle_raises_the_version_and_a_repeated_one_only_the_number() {
        let first = decide(&initial(Millis(0), 1), &write(Toggle::Away), NOW, 1).unwrap();
        assert_eq!(first.changed, ["toggle"]);
        assert_eq!(first.facts.version, Version { epoch: 1, rev: 2 });

        let again = decide(&first.facts, &write(Toggle::Away), NOW + 1, 1).unwrap();
        assert!(again.changed.is_empty());
        assert_eq!(again.facts.version, first.facts.version);
        assert_eq!(again.facts.toggle.stamp.since, NOW);
        assert!(again.facts.intent > first.facts.intent);
    }

    #[test]
    fn an_older_intent_never_overrides_a_newer_one() {
        let newer = FactWrite { intent: Some(intent(5, "b")), ..write(Toggle::Away) };
        let facts = decide(&initial(Millis(0), 1), &newer, NOW, 1).unwrap().facts;

        for older in [intent(4, "z"), intent(5, "a"), intent(5, "b")] {
            let late = FactWrite { intent: Some(older), ..write(Toggle::On) };
            assert_eq!(decide(&facts, &late, NOW, 1).unwrap_err().code(), Some(ProblemCode::Superseded));
        }
        let concurrent = FactWrite { intent: Some(intent(5, "c")), ..write(Toggle::On) };
        assert_eq!(decide(&facts, &concurrent, NOW, 1).unwrap().facts.toggle.state, Toggle::On);
    }

    #[test]
    fn a_toggle_repeated_after_a_lost_answer_is_told_that_it_holds() {
        let sent = FactWrite { intent: Some(intent(5, "b")), ..write(Toggle::Away) };
        let facts = decide(&initial(Millis(0), 1), &sent, NOW, 1).unwrap().facts;

        let again = decide(&facts, &sent, NOW + 1, 1).unwrap();

        assert!(again.changed.is_empty());
        assert_eq!(again.facts, facts);
    }

    #[test]
    fn one_bad_client_cannot_lock_a_person_out_by_a_huge_number() {
        let leap = FactWrite { intent: Some(intent(INTENT_LEAP + 1, "a")), ..write(Toggle::Away) };
        let problem = decide(&initial(Millis(0), 1), &leap, NOW, 1).unwrap_err();
        assert_eq!(problem.code(), Some(ProblemCode::InvalidRequest));
    }

    #[test]
    fn a_condition_that_does_not_hold_changes_nothing() {
        let conditional = FactWrite { if_match: Some(Version { epoch: 1, rev: 9 }), ..write(Toggle::Away) };
        let problem = decide(&initial(Millis(0), 1), &conditional, NOW, 1).unwrap_err();
        assert_eq!(problem.code(), Some(ProblemCode::VersionMismatch));
    }

    fn intent(n: u64, device: &str) -> Intent {
        Intent { n, device: device.to_owned() }
    }

    fn write(state: Toggle) -> FactWrite {
        FactWrite {
            agent: AgentId::demo(0x21),
            change: FactChange::Toggle(PresenceChange::to(state)),
            actor: Actor::system(),
            source: Source::Api,
            intent: None,
            if_match: None,
            request: None,
            resumes: false,
        }
    }
}
