//! One change for many people: what becomes of each, and the way back.

use cordboard_shared::Millis;
use cordboard_shared::agent::{Apply, Block, Presence};
use cordboard_shared::api::availability::{BatchItem, BatchResult, BlockChange, FactChange};
use cordboard_shared::api::presence::PresenceChange;
use cordboard_shared::schedule::WeeklyHours;

/// How long a change can be undone, in milliseconds.
pub const UNDO_MS: u64 = 10 * 60_000;

/// How a person was before a change, with their slots when those are what changes.
pub type Before = (Presence, Option<WeeklyHours>);

/// The way back from a change that was applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// What puts things back.
    pub items: Vec<BatchItem>,
    /// Until when it is offered.
    pub until: Millis,
}

impl Undo {
    /// The way back for those whose change was made; none when there is nobody.
    pub fn of(now: Millis, change: &FactChange, before: &[Before], results: &[BatchResult]) -> Option<Self> {
        let items: Vec<BatchItem> = results
            .iter()
            .filter(|result| result.changed && result.problem.is_none())
            .filter_map(|result| {
                let (presence, slots) = before.iter().find(|(presence, _)| presence.uuid == result.agent)?;
                Some(BatchItem { agent: result.agent, change: inverse(change, presence, slots.as_ref(), now)? })
            })
            .collect();
        (!items.is_empty()).then_some(Self { items, until: now + UNDO_MS })
    }
}

/// What puts one person's fact back to what it was.
fn inverse(change: &FactChange, before: &Presence, slots: Option<&WeeklyHours>, now: Millis) -> Option<FactChange> {
    let future = |until: Option<Millis>| until.filter(|until| *until > now);
    let block = |block: Option<&Block>| {
        block.map(|block| BlockChange { reason: block.reason.clone(), until: future(block.until) })
    };
    Some(match change {
        FactChange::Toggle(_) => FactChange::Toggle(PresenceChange {
            reason: before.reason.clone(),
            until: future(before.until),
            apply: Apply::Now,
            ..PresenceChange::to(before.state)
        }),
        FactChange::Pause { .. } => FactChange::Pause { set: block(before.facts.pause.as_ref()) },
        FactChange::Dnd { .. } => FactChange::Dnd { set: block(before.facts.dnd.as_ref()) },
        FactChange::OptOut { .. } => FactChange::OptOut { set: block(before.facts.opt_out.as_ref()) },
        FactChange::Slots { .. } => FactChange::Slots { set: slots?.clone() },
        FactChange::WorkAnyway { .. } => FactChange::WorkAnyway { until: future(before.facts.schedule.work_anyway) },
        FactChange::Seat { .. } => return None,
    })
}

/// What becomes of one person, in words.
pub fn words(result: &BatchResult) -> String {
    if let Some(problem) = &result.problem {
        return format!("Refused: {}", problem.detail);
    }
    if !result.changed {
        return "Already so, nothing changes".to_owned();
    }
    let states = match (result.before, result.after) {
        (Some(before), Some(after)) if before != after => format!("{} → {}", before.word(), after.word()),
        (_, Some(after)) => format!("Stays {}", after.word()),
        (_, None) => "Changes".to_owned(),
    };
    if result.locked_out { format!("{states}. Locked out of every call but own ones") } else { states }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::{Toggle, Verdict};
    use cordboard_shared::{Problem, ProblemCode};

    use super::*;
    use crate::model::roster::tests::{ASHA, presence};

    fn result(changed: bool) -> BatchResult {
        BatchResult {
            agent: ASHA,
            status: 200,
            changed,
            before: Some(Verdict::Available),
            after: Some(Verdict::Away),
            locked_out: false,
            problem: None,
        }
    }

    #[test]
    fn undo_puts_back_what_was_changed_and_nothing_else() {
        let change = FactChange::Toggle(PresenceChange::to(Toggle::Away));
        let before = [(presence(ASHA, 3, Verdict::Available), None)];

        let undo = Undo::of(Millis(1_000), &change, &before, &[result(true)]).unwrap();
        assert_eq!(undo.items, [BatchItem { agent: ASHA, change: FactChange::Toggle(PresenceChange::to(Toggle::On)) }]);
        assert_eq!(undo.until, Millis(1_000 + 600_000));
        assert_eq!(Undo::of(Millis(1_000), &change, &before, &[result(false)]), None);
    }

    #[test]
    fn each_result_has_words() {
        assert_eq!(words(&result(true)), "Available → Away");
        assert_eq!(words(&result(false)), "Already so, nothing changes");
        let mut refused = result(false);
        refused.problem = Some(Problem::new(ProblemCode::MissingRight, "Only Admin can do this."));
        assert_eq!(words(&refused), "Refused: Only Admin can do this.");
    }
}
