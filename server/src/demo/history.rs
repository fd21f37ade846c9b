//! Past calls of the demo company, for charts and pictures: weekdays, nine to six, the same for the same day.

use cordboard_shared::Millis;
use cordboard_shared::call::{CallCause, CallResult, CallState, CallView, Direction, EndedBy, FlowRef, Party};
use cordboard_shared::decision::{Decision, MemberDecision, Reason, Then};
use cordboard_shared::department::Department;
use cordboard_shared::id::{AgentId, CallId};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::company::{ASHA, DIRECT_NUMBER, FLOW, MAIN_NUMBER, SALES, SUPPORT, SUPPORT_NUMBER};
use crate::app::Directory;
use crate::store::Batch;

const DAY: i64 = 24 * 3_600_000;
const HOUR: i64 = 3_600_000;
/// Asia/Kolkata is five and a half hours ahead all year.
const ZONE: i64 = 5 * HOUR + HOUR / 2;

/// Calls per opening hour, nine to six: a morning and an afternoon peak.
const BUSY: [u32; 9] = [3, 5, 6, 4, 2, 4, 5, 4, 2];

/// The calls of so many past days with their decisions.
pub(super) fn calls(directory: &Directory, now: Millis, days: u32) -> Batch {
    let mut batch = Batch { account: directory.account, ..Batch::default() };
    let today = (now.0 + ZONE).div_euclid(DAY);
    for ago in (1..=i64::from(days)).rev() {
        let day = today - ago;
        // Day 0 of the epoch was a Thursday; 0 and 6 are Sunday and Saturday.
        if matches!((day + 4).rem_euclid(7), 0 | 6) {
            continue;
        }
        let mut random = ChaCha8Rng::seed_from_u64(day.unsigned_abs());
        let mut starts: Vec<Millis> = Vec::new();
        for (hour, calls) in (9..).zip(BUSY) {
            let from = day * DAY + hour * HOUR - ZONE;
            for _ in 0..random.random_range(calls - 1..=calls + 1) {
                starts.push(Millis(from + random.random_range(0..HOUR)));
            }
        }
        starts.sort_unstable();
        for started_at in starts {
            one_call(directory, started_at, &mut random, &mut batch);
        }
    }
    batch
}

fn one_call(directory: &Directory, started_at: Millis, random: &mut ChaCha8Rng, batch: &mut Batch) {
    let route: u32 = random.random_range(0..100);
    let mut call = new_call(started_at, random, batch.calls.len());
    let department = match route {
        0..45 => {
            call.to.number = MAIN_NUMBER.to_owned().into();
            call.flow = Some(FlowRef { id: FLOW, version: 1 });
            directory.department(if route < 20 { SUPPORT } else { SALES })
        }
        45..85 => {
            call.to.number = SUPPORT_NUMBER.to_owned().into();
            directory.department(SUPPORT)
        }
        _ => {
            call.to.number = DIRECT_NUMBER.to_owned().into();
            None
        }
    };
    if call.flow.is_some() && random.random_range(0..100) < 6 {
        let heard = random.random_range(2_000..15_000);
        end(&mut call, heard, CallResult::Missed, CallCause::AbandonedInIvr, EndedBy::Caller);
        batch.calls.push(call);
        return;
    }
    let ring_ms = u64::from(department.map_or(25, |department| department.ring_seconds)) * 1_000;
    let members = members_of(department);
    let mut decision = Decision {
        step: 1,
        at: started_at,
        row: if department.is_some() { 1 } else { 6 },
        department: department.map(|department| department.id),
        strategy: department.map_or("serial", |department| department.strategy.as_str()).into(),
        policy_version: "1".to_owned(),
        state_version: "1.0.0".to_owned(),
        refused: None,
        slots: 1,
        members: Vec::new(),
        then: Then::Voicemail,
    };
    call.department = decision.department;

    let patience = random.random_range(12_000..120_000);
    let mut waited = if call.flow.is_some() { random.random_range(4_000..12_000) } else { 0 };
    decision.at = started_at + waited;
    let mut over = None;
    let mut rang = false;
    for (order, &agent) in (1..).zip(&members) {
        let (reason, column) = if over.is_some() { (Reason::NotReached, "available") } else { chance(random) };
        let rings = if reason == Reason::Answered {
            Some(random.random_range(2_000..14_000_u64))
        } else if reason == Reason::MissedNoAnswer {
            Some(ring_ms)
        } else if reason == Reason::Declined {
            Some(random.random_range(2_000..8_000))
        } else {
            None
        };
        let (reason, rings) = match rings {
            Some(rings) if waited + rings > patience => (Reason::CallerHungUp, Some(patience.saturating_sub(waited))),
            other => (reason, other),
        };
        waited += rings.unwrap_or(0);
        rang |= rings.is_some();
        if reason == Reason::Answered {
            over = Some(Then::Answered);
            call.agent = Some(agent);
        } else if reason == Reason::CallerHungUp {
            over = Some(Then::CallerGone);
        }
        decision.members.push(MemberDecision {
            agent,
            name: None,
            reason,
            order,
            cell: format!("{}/{column}", decision.row).into(),
            rang_ms: rings,
            fact: None,
        });
    }
    decision.then = over.unwrap_or(Then::Voicemail);
    finish(&mut call, &decision, waited, rang, random);
    batch.decisions.push((call.uid, decision));
    batch.calls.push(call);
}

fn finish(call: &mut CallView, decision: &Decision, waited: u64, rang: bool, random: &mut ChaCha8Rng) {
    if decision.then == Then::Answered {
        let talk = random.random_range(25_000..480_000);
        let ended_by = if random.random_range(0..100) < 60 { EndedBy::Caller } else { EndedBy::Agent };
        call.answered_at = Some(call.started_at + waited);
        call.talk_ms = talk;
        call.waited_ms = waited;
        call.result = Some(CallResult::Answered);
        call.ended_by = Some(ended_by);
        call.ended_at = Some(call.started_at + waited + talk);
    } else if decision.then == Then::CallerGone {
        let cause = if waited < 10_000 { CallCause::ShortAbandoned } else { CallCause::AbandonedInQueue };
        end(call, waited, CallResult::Missed, cause, EndedBy::Caller);
    } else {
        let cause = if rang { CallCause::AgentsDidNotAnswer } else { CallCause::NoAvailableAgent };
        // They heard the greeting and hung up: nothing was recorded.
        let heard = random.random_range(3_000..9_000);
        end(call, waited + heard, CallResult::Voicemail, cause, EndedBy::Caller);
        call.waited_ms = waited;
    }
}

fn end(call: &mut CallView, after: u64, result: CallResult, cause: CallCause, by: EndedBy) {
    call.result = Some(result);
    call.cause = Some(cause);
    call.ended_by = Some(by);
    call.waited_ms = after;
    call.ended_at = Some(call.started_at + after);
}

fn new_call(started_at: Millis, random: &mut ChaCha8Rng, number: usize) -> CallView {
    // Ranges that the regulator keeps free for fiction.
    let caller = match random.random_range(0..3) {
        0 => format!("+447700900{:03}", random.random_range(0..1_000)),
        1 => format!("+441134960{:03}", random.random_range(0..1_000)),
        _ => format!("+441214960{:03}", random.random_range(0..1_000)),
    };
    CallView {
        uid: CallId::new(started_at, random.random()),
        direction: Direction::Inbound,
        state: CallState::Ended,
        result: None,
        cause: None,
        ended_by: None,
        from: Party { number: caller.into(), name: None },
        to: Party { number: String::new().into(), name: None },
        department: None,
        agent: None,
        flow: None,
        started_at,
        answered_at: None,
        ended_at: None,
        waited_ms: 0,
        talk_ms: 0,
        sip_status: Some(200),
        recordings: Vec::new(),
        notes: Vec::new(),
        steps: Vec::new(),
        disposition: None,
        made_for: None,
        version: format!("0.{}", number + 1),
    }
}

fn members_of(department: Option<&Department>) -> Vec<AgentId> {
    department.map_or_else(|| vec![ASHA], |department| department.members.iter().map(|member| member.agent).collect())
}

/// What a day brings to one member, and the column of the reachability matrix it belongs to.
fn chance(random: &mut ChaCha8Rng) -> (Reason, &'static str) {
    match random.random_range(0..100) {
        0..52 => (Reason::Answered, "available"),
        52..60 => (Reason::MissedNoAnswer, "available"),
        60..63 => (Reason::Declined, "available"),
        63..80 => (Reason::SkippedOnCall, "on_call"),
        80..94 => (Reason::SkippedAway, "away"),
        _ => (Reason::SkippedNoDevice, "no_device"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::company;
    use super::*;

    /// Saturday 2026-11-21, 12:00 UTC.
    const NOW: Millis = Millis(1_795_262_400_000);

    #[test]
    fn the_same_days_bring_the_same_calls() {
        let first = calls(&company::directory(), NOW, 21);
        let second = calls(&company::directory(), NOW + 3_600_000, 21);

        assert_eq!(first.calls, second.calls);
        assert!(first.calls.len() > 300, "{}", first.calls.len());
        assert!(calls(&company::directory(), NOW, 0).calls.is_empty());
    }

    #[test]
    fn calls_come_on_weekdays_in_opening_hours_and_before_now() {
        for call in calls(&company::directory(), NOW, 14).calls {
            let local = call.started_at.0 + ZONE;
            assert!(!matches!((local.div_euclid(DAY) + 4).rem_euclid(7), 0 | 6));
            assert!((9 * HOUR..18 * HOUR).contains(&local.rem_euclid(DAY)));
            assert!(call.ended_at.unwrap() < NOW);
            assert_eq!(call.state, CallState::Ended);
            assert!(call.result.is_some());
        }
    }

    #[test]
    fn every_outcome_is_there_and_each_member_stands_once_per_decision() {
        let batch = calls(&company::directory(), NOW, 21);
        for result in [CallResult::Answered, CallResult::Missed, CallResult::Voicemail] {
            assert!(batch.calls.iter().any(|call| call.result == Some(result)), "{result:?}");
        }
        for (_, decision) in &batch.decisions {
            let members =
                members_of(decision.department.and_then(|id| company::directory().department(id).cloned()).as_ref());
            assert_eq!(decision.members.iter().map(|member| member.agent).collect::<Vec<_>>(), members);
        }
    }
}
