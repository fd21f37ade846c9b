//! What time has done to people while nobody was running: written down at the next start, each at its own instant, so
//! that a person's history is whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cordboard_routing::{Durable, Elapsed, Event, windows};
use cordboard_shared::Millis;
use cordboard_shared::agent::{Actor, AgentFacts, Source, Stamp, Toggle};
use cordboard_shared::id::AgentId;

use crate::app::facts;

/// So far back slots are looked at, in milliseconds: 31 days.
const LOOK_BACK_MS: u64 = 31 * 24 * 3_600_000;

/// The entries to be written, in the order of their instants. `known` says when the last entry about a person was written:
/// everything up to then is in the log, since a running server writes what time does, and each start what it missed.
pub(super) fn passed(
    durable: &Durable,
    known: &BTreeMap<AgentId, Millis>,
    now: Millis,
    epoch: u32,
) -> Vec<(Millis, Event)> {
    let mut events = Vec::new();
    for (agent, facts) in &durable.facts {
        let since = known.get(agent).copied().unwrap_or(now).max(now - LOOK_BACK_MS);
        of_one(&mut events, durable, *agent, facts, (since, now), epoch);
    }
    events.sort_by_key(|(at, _)| *at);
    events
}

fn of_one(
    events: &mut Vec<(Millis, Event)>,
    durable: &Durable,
    agent: AgentId,
    before: &AgentFacts,
    (since, now): (Millis, Millis),
    epoch: u32,
) {
    let settings = &durable.policy.settings;
    let mut facts = before.clone();
    let mut off = is_off(durable, before, since);
    for at in instants(durable, before, since, now) {
        let basis = facts::Basis { now: at, epoch, settings };
        let mut changed = Vec::new();
        let mut take = |what| {
            if let Some(decided) = facts::elapsed(&facts, what, basis) {
                facts = decided.facts;
                changed.extend(decided.changed);
            }
        };
        take(Elapsed::Pause);
        take(Elapsed::Dnd);
        if at == now {
            // Legs die with the process: the call after which an Away was to hold is over too.
            take(Elapsed::AfterCall);
        }
        if settings.auto_return {
            take(Elapsed::AwayReturned);
        }
        let is_off = is_off(durable, before, at);
        if std::mem::replace(&mut off, is_off) != is_off {
            take(Elapsed::Schedule);
        }
        if !changed.is_empty() {
            let by = Stamp { since: at, by: Actor::system(), source: Source::System };
            events.push((
                at,
                Event::FactsSet {
                    agent,
                    facts: Arc::new(facts.clone()),
                    changed,
                    note: None,
                    request: None,
                    by: Some(Box::new(by)),
                },
            ));
        }
    }
}

/// When something may have changed by time alone, this start included.
fn instants(durable: &Durable, facts: &AgentFacts, since: Millis, now: Millis) -> BTreeSet<Millis> {
    let block_end = |block: &Option<cordboard_shared::agent::Block>| block.as_ref().and_then(|block| block.until);
    let away = facts.toggle.until.filter(|_| facts.toggle.state == Toggle::Away);
    let ends = [block_end(&facts.pause), block_end(&facts.dnd), block_end(&facts.work_anyway), away];
    // What ended before the last entry and is not in it yet is as of that entry.
    let ends = ends.into_iter().flatten().filter(|at| *at <= now).map(|at| at.max(since));
    let slots = facts.slots.as_ref().map(|slots| windows(&slots.hours, &durable.policy.zone, since, now + 1));
    let turns = slots.into_iter().flatten().flat_map(|window| [window.from, window.to]);
    ends.chain(turns.filter(|at| since < *at && *at <= now)).chain([now]).collect()
}

/// Whether the person was off schedule at an instant.
fn is_off(durable: &Durable, facts: &AgentFacts, at: Millis) -> bool {
    let Some(slots) = &facts.slots else { return false };
    let inside = !windows(&slots.hours, &durable.policy.zone, at, at + 1).is_empty();
    let anyway = facts.work_anyway.as_ref().is_some_and(|block| block.until.is_none_or(|until| at < until));
    !(inside || anyway && durable.policy.settings.reach.work_outside_slots)
}

#[cfg(test)]
mod tests {
    use cordboard_shared::agent::{Block, SlotsFact};
    use cordboard_shared::policy::Policy;
    use cordboard_shared::schedule::{Day, Slot, WeeklyHours};

    use super::*;

    const ASHA: AgentId = AgentId::demo(0x21);
    const RIYA: AgentId = AgentId::demo(0x22);
    const HOUR: u64 = 3_600_000;
    /// A Thursday, 12:00 in UTC.
    const NOON: Millis = Millis(1_795_089_600_000);

    /// Somebody who works from nine to five.
    fn nine_to_five() -> AgentFacts {
        let mut facts = facts::initial(NOON, 1);
        let hours = WeeklyHours {
            open: vec![Slot { days: Day::ALL.to_vec(), from: "09:00".parse().unwrap(), to: "17:00".parse().unwrap() }],
            ..WeeklyHours::default()
        };
        facts.slots = Some(SlotsFact { stamp: facts.toggle.stamp.clone(), hours });
        facts
    }

    fn durable(people: &[(AgentId, AgentFacts)]) -> Durable {
        let policy = Policy { zone: "UTC".to_owned(), ..Policy::default() };
        Durable { facts: people.iter().cloned().collect(), policy, ..Durable::default() }
    }

    fn told(events: &[(Millis, Event)]) -> Vec<(Millis, AgentId, String, u64)> {
        let told = events.iter().map(|(at, event)| {
            let Event::FactsSet { agent, facts, changed, by, .. } = event else { panic!("{event:?}") };
            assert_eq!(by.as_ref().map(|by| (by.since, by.source)), Some((*at, Source::System)));
            (*at, *agent, changed.join(" "), facts.version.rev)
        });
        told.collect()
    }

    #[test]
    fn each_slot_that_began_or_ended_is_written_at_its_instant() {
        let durable = durable(&[(ASHA, nine_to_five())]);
        let known = [(ASHA, NOON)].into();
        let events = passed(&durable, &known, NOON + 30 * HOUR, 1);
        let (five, nine, next) = (NOON + 5 * HOUR, NOON + 21 * HOUR, NOON + 29 * HOUR);
        let schedule = |at, rev| (at, ASHA, "schedule".to_owned(), rev);
        assert_eq!(told(&events), [schedule(five, 2), schedule(nine, 3), schedule(next, 4)]);
        let again = passed(&durable, &[(ASHA, next)].into(), NOON + 30 * HOUR, 1);
        assert_eq!(again, [], "they are in the log now");
    }

    #[test]
    fn a_block_that_ended_meanwhile_ended_at_its_time_and_all_are_in_order() {
        let mut paused = facts::initial(NOON, 1);
        let stamp = paused.toggle.stamp.clone();
        paused.pause = Some(Block { stamp, reason: None, until: Some(NOON + 6 * HOUR) });
        let durable = durable(&[(RIYA, paused), (ASHA, nine_to_five())]);
        let known = [(ASHA, NOON), (RIYA, NOON)].into();
        let events = passed(&durable, &known, NOON + 10 * HOUR, 1);
        let expected =
            [(NOON + 5 * HOUR, ASHA, "schedule".to_owned(), 2), (NOON + 6 * HOUR, RIYA, "pause".to_owned(), 2)];
        assert_eq!(told(&events), expected);
    }

    #[test]
    fn who_works_anyway_is_off_schedule_from_its_end_on() {
        let mut facts = nine_to_five();
        let stamp = facts.toggle.stamp.clone();
        facts.work_anyway = Some(Block { stamp, reason: None, until: Some(NOON + 7 * HOUR) });
        let mut durable = durable(&[(ASHA, facts)]);
        durable.policy.settings.reach.work_outside_slots = true;
        let events = passed(&durable, &[(ASHA, NOON)].into(), NOON + 10 * HOUR, 1);
        assert_eq!(told(&events), [(NOON + 7 * HOUR, ASHA, "schedule".to_owned(), 2)]);
    }

    #[test]
    fn a_long_time_down_is_looked_back_on_for_a_month() {
        let durable = durable(&[(ASHA, nine_to_five())]);
        let events = passed(&durable, &[(ASHA, NOON)].into(), NOON + 365 * 24 * HOUR, 1);
        assert_eq!(events.len(), 62);
        assert!(passed(&durable, &BTreeMap::new(), NOON + 365 * 24 * HOUR, 1).is_empty(), "who is new has no past");
    }
}
