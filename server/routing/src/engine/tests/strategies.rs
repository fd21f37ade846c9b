//! Who rings: strategies, bindings, skills, weights, conditions, chains, the door, and one winner.

use super::floor::*;
use cordboard_shared::schedule::Holiday;

const CALLER: &str = "+442079460900";
const OTHER: &str = "+12025550143";
const HOUR: u64 = 3_600_000;

pub(super) fn people(count: u8) -> Vec<AgentId> {
    (1..=count).map(|number| AgentId::demo(0x100 + u16::from(number))).collect()
}

/// A ring-all department of so many people.
fn crowd(count: u8, wave: Option<u32>) -> (Floor, Vec<AgentId>) {
    let people = people(count);
    let mut policy = policy();
    let mut all = department(SUPPORT, "support", &people, &[]);
    all.strategy = Strategy::Simultaneous;
    all.wave = wave.unwrap_or(all.wave);
    policy.departments = vec![all];
    (Floor::with(policy, &people), people)
}

pub(super) fn support_call(floor: &mut Floor, now: Millis) -> CallId {
    floor.call(now, Target::Department(SUPPORT))
}

fn from(floor: &mut Floor, now: Millis, caller: &str) -> CallId {
    floor.call_from(now, Target::Department(SUPPORT), Row::Queue, Some(caller))
}

/// The person talks to somebody, so that calls wait for them.
pub(super) fn occupy(floor: &mut Floor, now: Millis, agent: AgentId) -> CallId {
    let talk = floor.call_by(now, Target::Agent(agent), Row::Internal);
    floor.answer(now, talk);
    talk
}

fn confirm_all(floor: &mut Floor, now: Millis, call: CallId) {
    for (offer, _) in floor.offers(call) {
        floor.feed(now, Input::OfferConfirmed(offer));
    }
}

#[test]
fn serial_always_begins_with_the_first_in_order() {
    let mut floor = Floor::support(|support| support.members.reverse());
    // The order is the number, not the place in the list.
    for at in 0..3 {
        let call = support_call(&mut floor, NOW + at);
        assert_eq!(floor.rung(call), [ASHA]);
        floor.answer(NOW + at, call);
        floor.feed(NOW + at, Input::CallEnded(call));
    }
}

#[test]
fn a_ring_time_is_ten_to_sixty_seconds_from_the_acknowledgement() {
    for (set, seconds) in [(5, 10), (10, 10), (25, 25), (60, 60), (90, 60)] {
        let mut floor = Floor::support(|support| support.ring_seconds = set);
        let call = support_call(&mut floor, NOW);
        confirm_all(&mut floor, NOW + 400, call);
        floor.feed(Millis((NOW + 400 + seconds * 1_000).0 - 1), Input::Timeout);
        assert_eq!(floor.rung(call), [ASHA], "{set}");
        floor.feed(NOW + 400 + seconds * 1_000, Input::Timeout);
        assert_eq!(floor.rung(call), [RIYA], "{set}");
    }
}

#[test]
fn ring_all_rings_five_by_default_and_twenty_five_at_most() {
    for (wave, rings) in [(None, 5), (Some(3), 3), (Some(25), 25), (Some(40), 25)] {
        let (mut floor, people) = crowd(30, wave);
        let call = support_call(&mut floor, NOW);
        assert_eq!(floor.rung(call), people[..rings]);
        assert_eq!(floor.reason(call, people[rings]), Reason::SkippedWaveLimit);
        assert_eq!(floor.last(call).members.len(), 30);
    }
}

#[test]
fn who_declines_a_ring_all_is_replaced_at_once_and_the_next_wave_follows_the_first() {
    let (mut floor, people) = crowd(12, None);
    let call = support_call(&mut floor, NOW);
    confirm_all(&mut floor, NOW, call);
    let declined = floor.offer_to(call, people[1]);
    floor.feed(NOW + 1_000, Input::OfferDeclined(declined));
    assert_eq!(floor.rung(call), [people[0], people[2], people[3], people[4], people[5]]);
    assert_eq!(floor.reason(call, people[1]), Reason::Declined);
    confirm_all(&mut floor, NOW + 1_000, call);
    floor.feed(NOW + 25_000, Input::Timeout);
    assert_eq!(floor.rung(call), people[5..10], "the one who came later still rings");
    let thens: Vec<_> = floor.decisions(call).into_iter().map(|it| it.then).collect();
    assert_eq!(thens, [Then::NextMember, Then::NextWave, Then::NextMember]);
    assert_eq!(floor.reason(call, people[0]), Reason::MissedNoAnswer);
}

#[test]
fn who_becomes_free_joins_a_ring_all_at_once() {
    let (mut floor, people) = crowd(3, None);
    floor.toggle(NOW, people[0], Toggle::Away);
    let talk = occupy(&mut floor, NOW, people[1]);
    let call = support_call(&mut floor, NOW);
    assert_eq!(floor.rung(call), [people[2]]);
    confirm_all(&mut floor, NOW, call);
    floor.feed(NOW + 2_000, Input::CallEnded(talk));
    assert_eq!(floor.rung(call), [people[1], people[2]]);
    confirm_all(&mut floor, NOW + 2_000, call);
    floor.toggle(NOW + 3_500, people[0], Toggle::On);
    assert_eq!(floor.rung(call), people);
}

#[test]
fn one_wins_and_the_others_stop_first_and_hear_answered_elsewhere() {
    let (mut floor, people) = crowd(3, None);
    let call = support_call(&mut floor, NOW);
    confirm_all(&mut floor, NOW, call);
    let (winner, loser) = (floor.offer_to(call, people[1]), floor.offer_to(call, people[2]));
    let outputs = floor.feed(NOW + 3_000, Input::OfferAccepted(winner));
    let lost = Reason::AnsweredElsewhere;
    assert_eq!(withdrawn(&outputs), [(people[0], lost), (people[2], lost)]);
    let connect = outputs.iter().position(|it| matches!(it, Output::Connect { .. })).unwrap();
    let last = outputs.iter().rposition(|it| matches!(it, Output::Withdraw { .. })).unwrap();
    assert!(last < connect);
    let reasons: Vec<_> = floor.last(call).members.iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [lost, Reason::Answered, lost]);
    assert_eq!(floor.last(call).then, Then::Answered);
    assert_eq!(floor.feed_error(NOW + 3_000, Input::OfferAccepted(loser)), EngineError::OfferEnded);
    assert_eq!(floor.feed_error(NOW + 3_000, Input::OfferAccepted(winner)), EngineError::OfferEnded);
}

#[test]
fn balanced_rings_the_longest_idle_and_a_missed_ring_changes_nothing_about_that() {
    let mut floor = Floor::support(|support| support.strategy = Strategy::Balanced);
    for (at, agent) in [(1_000, ASHA), (2_000, RIYA)] {
        let call = support_call(&mut floor, NOW + at);
        assert_eq!(floor.rung(call), [agent], "equally idle: in order");
        floor.answer(NOW + at, call);
        floor.feed(NOW + at + 500, Input::CallEnded(call));
    }
    let call = support_call(&mut floor, NOW + 10_000);
    assert_eq!(floor.rung(call), [DEV]);
    floor.ring_out(NOW + 10_000, call);
    assert_eq!(floor.rung(call), [ASHA], "the next longest idle");
    floor.feed(NOW + 36_000, Input::CallerGone(call));
    let call = support_call(&mut floor, NOW + 40_000);
    assert_eq!(floor.rung(call), [DEV], "still the longest without a call");
}

#[test]
fn balanced_counts_idleness_from_the_end_of_after_call_work() {
    let mut floor = Floor::support(|support| {
        support.strategy = Strategy::Balanced;
        support.wrap_up_seconds = 30;
        support.members.truncate(2);
    });
    let first = support_call(&mut floor, NOW);
    floor.answer(NOW, first);
    let second = support_call(&mut floor, NOW + 1);
    floor.answer(NOW + 1, second);
    floor.feed(NOW + 10_000, Input::CallEnded(first));
    floor.feed(NOW + 11_000, Input::CallEnded(second));
    floor.feed(NOW + 12_000, Input::WrapUpDone(RIYA));
    floor.feed(NOW + 60_000, Input::Timeout);
    let call = support_call(&mut floor, NOW + 60_000);
    assert_eq!(floor.rung(call), [RIYA]);
}

/// Support remembers callers; Riya has answered this one.
fn bound(mode: StickyMode, change: impl FnOnce(&mut Department)) -> Floor {
    let mut floor = Floor::support(|support| {
        support.sticky = Some(Sticky { mode, hours: 48, fallback: None });
        change(support);
    });
    for other in [ASHA, DEV] {
        floor.toggle(NOW, other, Toggle::Away);
    }
    let call = from(&mut floor, NOW, CALLER);
    assert_eq!(floor.rung(call), [RIYA]);
    floor.answer(NOW, call);
    floor.feed(NOW, Input::CallEnded(call));
    for other in [ASHA, DEV] {
        floor.toggle(NOW, other, Toggle::On);
    }
    floor
}

#[test]
fn a_loosely_bound_caller_rings_their_person_alone_first_for_the_hours_of_memory() {
    let mut floor = bound(StickyMode::Loose, |support| support.strategy = Strategy::Simultaneous);
    let call = from(&mut floor, NOW + 48 * HOUR, CALLER);
    assert_eq!(floor.rung(call), [RIYA]);
    floor.ring_out(NOW + 48 * HOUR, call);
    assert_eq!(floor.rung(call), [ASHA, DEV], "then the department's own way");
    let mut floor = bound(StickyMode::Loose, |_| {});
    let call = from(&mut floor, NOW + 48 * HOUR + 1, CALLER);
    assert_eq!(floor.rung(call), [ASHA], "forgotten");
    let mut floor = bound(StickyMode::Loose, |_| {});
    let (other, unknown) = (from(&mut floor, NOW + 1, OTHER), support_call(&mut floor, NOW + 2));
    assert_eq!((floor.rung(other), floor.rung(unknown)), (vec![ASHA], vec![RIYA]));
}

#[test]
fn a_loosely_bound_caller_goes_on_when_their_person_cannot() {
    let mut floor = bound(StickyMode::Loose, |_| {});
    floor.toggle(NOW + 1, RIYA, Toggle::Away);
    let call = from(&mut floor, NOW + 2, CALLER);
    assert_eq!(floor.rung(call), [ASHA]);
    let riya = floor.last(call).members[0].clone();
    assert_eq!((riya.agent, riya.reason, &*riya.cell), (RIYA, Reason::SkippedAway, "4/away"));
}

#[test]
fn a_strictly_bound_caller_waits_for_their_busy_person_and_nobody_else_rings() {
    let mut floor = bound(StickyMode::Strict, |_| {});
    let talk = occupy(&mut floor, NOW + 1, RIYA);
    let call = from(&mut floor, NOW + 2, CALLER);
    assert_eq!((floor.rung(call), floor.ended(call)), (vec![], None));
    assert_eq!(floor.reason(call, ASHA), Reason::SkippedStickyBoundElsewhere);
    floor.feed(NOW + 60_000, Input::CallEnded(talk));
    assert_eq!(floor.rung(call), [RIYA]);

    let mut floor = bound(StickyMode::Strict, |_| {});
    occupy(&mut floor, NOW + 1, RIYA);
    let call = from(&mut floor, NOW + 2, CALLER);
    floor.feed(NOW + 60_001, Input::Timeout);
    assert_eq!(floor.ended(call), None);
    floor.feed(NOW + 60_002, Input::Timeout);
    assert_eq!(floor.ended(call), Some(Exhausted::Voicemail { mailbox: "support".to_owned() }));
}

#[test]
fn a_strictly_bound_caller_goes_to_the_sticky_fallback_and_on_from_a_department_there() {
    let to_sales = Fallback::Department { department: "sales".to_owned() };
    let sticky = Sticky { mode: StickyMode::Strict, hours: 48, fallback: Some(to_sales) };
    let mut floor = bound(StickyMode::Strict, |support| support.sticky = Some(sticky));
    floor.toggle(NOW + 1, RIYA, Toggle::Away);
    let call = from(&mut floor, NOW + 2, CALLER);
    assert_eq!(floor.rung(call), [DEV], "the department that was chosen for it");
    floor.ring_out(NOW + 2, call);
    assert_eq!(floor.ended(call), Some(Exhausted::Voicemail { mailbox: "sales".to_owned() }), "its own chain follows");
}

#[test]
fn a_strictly_bound_caller_whose_person_lets_it_ring_out_goes_to_the_fallback() {
    let mut floor = bound(StickyMode::Strict, |_| {});
    let call = from(&mut floor, NOW + 1, CALLER);
    floor.ring_out(NOW + 1, call);
    assert_eq!(floor.ended(call), Some(Exhausted::Voicemail { mailbox: "support".to_owned() }));
}

#[test]
fn who_has_left_the_department_is_not_remembered_by_it() {
    for mode in [StickyMode::Loose, StickyMode::Strict] {
        let mut floor = bound(mode, |_| {});
        let mut without = floor.engine.policy().clone();
        without.departments[0].members.retain(|member| member.agent != RIYA);
        floor.policy(NOW + 1, without);
        let call = from(&mut floor, NOW + 2, CALLER);
        assert_eq!(floor.rung(call), [ASHA]);
    }
}

#[test]
fn an_assigned_contact_rings_their_person_first_even_from_outside_the_department() {
    let mut policy = policy();
    policy.departments[0].members.truncate(2);
    policy.contacts = vec![contact(CALLER, Some(DEV), 0, &[])];
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    let call = from(&mut floor, NOW, CALLER);
    assert_eq!(floor.rung(call), [DEV]);
    let offer = floor.offer_to(call, DEV);
    floor.feed(NOW + 1, Input::OfferDeclined(offer));
    assert_eq!(floor.rung(call), [ASHA]);
    let members: Vec<_> = floor.last(call).members.iter().map(|it| it.agent).collect();
    assert_eq!(members, [DEV, ASHA, RIYA], "the stranger stands in the ledger too");
}

fn contact(number: &str, agent: Option<AgentId>, priority: u8, tags: &[&str]) -> Contact {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    Contact { number: number.parse().unwrap(), name: String::new(), agent, priority, tags }
}

/// English at 5, at 2 after 15 s; Asha speaks it at 2, Riya at 7, Dev not at all.
fn english(support: &mut Department) {
    support.needs =
        vec![SkillNeed { skill: "english".to_owned(), level: 5, relax: vec![Relax { after_seconds: 15, level: 2 }] }];
    for (member, level) in support.members.iter_mut().zip([2, 7, 0]) {
        member.skills = [("english".to_owned(), level)].into();
    }
}

#[test]
fn a_skill_is_asked_for_and_relaxes_while_the_caller_waits() {
    let mut floor = Floor::support(english);
    let skilled = support_call(&mut floor, NOW);
    assert_eq!(floor.rung(skilled), [RIYA]);
    assert_eq!(floor.reason(skilled, ASHA), Reason::SkippedSkill);
    floor.answer(NOW, skilled);
    let waits = support_call(&mut floor, NOW);
    assert_eq!((floor.rung(waits), floor.ended(waits)), (vec![], None));
    floor.feed(NOW + 14_999, Input::Timeout);
    assert_eq!(floor.rung(waits), []);
    floor.feed(NOW + 15_000, Input::Timeout);
    assert_eq!(floor.rung(waits), [ASHA]);
    assert_eq!(floor.reason(waits, DEV), Reason::SkippedSkill, "nobody lowers it to nothing");
}

#[test]
fn a_skill_relaxes_while_others_ring() {
    let mut floor = Floor::support(|support| {
        english(support);
        support.strategy = Strategy::Simultaneous;
    });
    let call = support_call(&mut floor, NOW);
    confirm_all(&mut floor, NOW, call);
    assert_eq!(floor.rung(call), [RIYA]);
    floor.feed(NOW + 15_000, Input::Timeout);
    assert_eq!(floor.rung(call), [ASHA, RIYA], "the set widens; nobody stops ringing for it");
}

#[test]
fn a_caller_of_priority_is_served_before_who_came_earlier() {
    let mut policy = policy();
    policy.departments[0].members.truncate(1);
    policy.contacts = vec![contact(CALLER, None, 5, &[])];
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    let talk = occupy(&mut floor, NOW, ASHA);
    let (usual, important) = (from(&mut floor, NOW + 1, OTHER), from(&mut floor, NOW + 60_000, CALLER));
    floor.feed(NOW + 61_000, Input::CallEnded(talk));
    assert_eq!((floor.rung(usual), floor.rung(important)), (vec![], vec![ASHA]));
}

#[test]
fn a_wait_in_a_weighty_department_counts_more_when_two_share_a_person() {
    for (weight, first) in [(1, SUPPORT), (3, SALES)] {
        let mut policy = policy();
        policy.departments[0].members = vec![member(DEV, 1)];
        policy.departments[1].weight = weight;
        let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
        let talk = occupy(&mut floor, NOW, DEV);
        let calls = [
            (SUPPORT, floor.call(NOW, Target::Department(SUPPORT))),
            (SALES, floor.call(NOW + 60_000, Target::Department(SALES))),
        ];
        floor.feed(NOW + 100_000, Input::CallEnded(talk));
        for (department, call) in calls {
            assert_eq!(floor.rung(call).len(), usize::from(department == first), "weight {weight}");
        }
    }
}

#[test]
fn the_first_condition_that_holds_comes_before_the_strategy() {
    let noon = WeeklyHours {
        zone: None,
        open: vec![Slot { days: vec![Day::Thu], from: "12:00".parse().unwrap(), to: "12:30".parse().unwrap() }],
        holidays: Vec::new(),
    };
    let say = |audio: &str| Fallback::Message { audio: audio.to_owned() };
    let rule = |then| Condition { hours: None, prefixes: Vec::new(), tags: Vec::new(), then };
    let mut policy = policy();
    policy.contacts = vec![contact(OTHER, None, 0, &["vip"])];
    policy.departments[0].conditions = vec![
        Condition { tags: vec!["vip".to_owned()], ..rule(Fallback::Department { department: "sales".to_owned() }) },
        Condition { prefixes: vec!["+4420".to_owned()], hours: Some(noon), ..rule(say("audio:london-lunch")) },
        Condition { prefixes: vec!["+44".to_owned()], ..rule(Fallback::Agent { agent: RIYA }) },
    ];
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    let vip = from(&mut floor, NOW, OTHER);
    assert_eq!(floor.rung(vip), [DEV]);
    let london = from(&mut floor, NOW, CALLER);
    assert_eq!(floor.ended(london), Some(Exhausted::Message { audio: "audio:london-lunch".to_owned() }));
    let later = from(&mut floor, NOW + 30 * 60_000, CALLER);
    assert_eq!(floor.rung(later), [RIYA], "after lunch the next rule holds");
    let withheld = support_call(&mut floor, NOW + 30 * 60_000);
    assert_eq!(floor.rung(withheld), [ASHA]);
}

#[test]
fn a_closed_department_rings_nobody_and_says_so() {
    let from_nine = |holidays| WeeklyHours {
        zone: None,
        open: vec![Slot { days: Day::ALL.to_vec(), from: "09:00".parse().unwrap(), to: "12:00".parse().unwrap() }],
        holidays,
    };
    let closed = Fallback::Message { audio: "audio:closed".to_owned() };
    let out_of_hours = |floor: &Floor, call: CallId| {
        floor
            .seen
            .iter()
            .any(|it| matches!(it, Output::Exhausted { call: of, cause: CallCause::OutOfHours, .. } if *of == call))
    };
    let mut floor = Floor::support(|support| {
        support.hours = from_nine(Vec::new());
        support.closed = Some(closed.clone());
    });
    let call = support_call(&mut floor, NOW);
    assert_eq!(floor.ended(call), Some(Exhausted::Message { audio: "audio:closed".to_owned() }));
    assert!(out_of_hours(&floor, call));
    let open = support_call(&mut floor, NOW + 21 * HOUR);
    assert_eq!(floor.rung(open), [ASHA], "from 09:00 on");

    let holiday = Holiday { date: "2026-11-20".to_owned(), name: "Founder's day".to_owned() };
    let mut floor = Floor::support(|support| support.hours = from_nine(vec![holiday]));
    let call = support_call(&mut floor, NOW + 21 * HOUR);
    let usual = Exhausted::Voicemail { mailbox: "support".to_owned() };
    assert_eq!(floor.ended(call), Some(usual), "without a word of its own: the ordinary fallback");
    assert!(out_of_hours(&floor, call));
}

#[test]
fn every_link_of_a_chain_does_its_own_thing() {
    let message = Fallback::Message { audio: "audio:sorry".to_owned() };
    let cases = [
        (Fallback::Voicemail { mailbox: "support".to_owned() }, Exhausted::Voicemail { mailbox: "support".to_owned() }),
        (message, Exhausted::Message { audio: "audio:sorry".to_owned() }),
        (Fallback::Callback, Exhausted::Callback),
        (Fallback::Disconnect, Exhausted::Disconnect),
    ];
    for (link, to) in cases {
        let mut floor =
            Floor::support(|support| (support.members, support.fallback) = (Vec::new(), vec![link.clone()]));
        let call = from(&mut floor, NOW, CALLER);
        assert_eq!(floor.ended(call), Some(to), "{link:?}");
        let kept = floor.engine.callbacks().len();
        assert_eq!(kept, usize::from(link == Fallback::Callback));
    }
    let mut floor = Floor::support(|support| (support.members, support.fallback) = (Vec::new(), Vec::new()));
    let call = from(&mut floor, NOW, CALLER);
    assert_eq!(floor.ended(call), Some(Exhausted::Disconnect), "no chain at all");
}

#[test]
fn a_person_in_the_chain_rings_once_and_the_chain_goes_on_without_losing_the_caller() {
    let chain = vec![Fallback::Agent { agent: DEV }, Fallback::Callback];
    let mut floor = Floor::support(|support| (support.members, support.fallback) = (Vec::new(), chain));
    let call = from(&mut floor, NOW, CALLER);
    assert_eq!(floor.rung(call), [DEV]);
    assert_eq!(floor.last(call).members[0].cell, "1/available");
    floor.ring_out(NOW, call);
    assert_eq!(floor.ended(call), Some(Exhausted::Callback));
    let kept = &floor.engine.callbacks()[0];
    assert_eq!((kept.call, kept.department, kept.number.0.as_str()), (call, Some(SUPPORT), CALLER));
}

#[test]
fn departments_that_lead_to_each_other_end() {
    let to = |slug: &str| Fallback::Department { department: slug.to_owned() };
    let mut policy = policy();
    policy.departments[0].fallback = vec![to("sales"), to("support"), to("nowhere")];
    policy.departments[1].fallback = vec![to("support")];
    let mut floor = Floor::with(policy, &[ASHA, RIYA, DEV]);
    for agent in [ASHA, RIYA, DEV] {
        floor.toggle(NOW, agent, Toggle::Away);
    }
    let call = support_call(&mut floor, NOW);
    assert_eq!(floor.ended(call), Some(Exhausted::Disconnect));
    let entered = floor.seen.iter().filter(|it| matches!(it, Output::Entered { .. })).count();
    assert_eq!(entered, 2);
}

// Six set-ups in which Asterisk's queue was measured; ours answers each at once.

#[test]
fn t1_a_pause_in_the_middle_of_a_ring_stops_it() {
    let mut floor = Floor::new();
    let call = support_call(&mut floor, NOW);
    confirm_all(&mut floor, NOW, call);
    let offer = floor.offer_to(call, ASHA);
    let outputs = floor.set(NOW + 1_500, ASHA, |facts| facts.pause = Some(block(NOW, None)));
    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::DeclinedByStatus)]);
    assert_eq!(floor.feed_error(NOW + 6_500, Input::OfferAccepted(offer)), EngineError::OfferEnded);
}

#[test]
fn t1b_who_is_removed_in_the_middle_of_a_ring_stops_ringing() {
    let mut floor = Floor::new();
    let call = support_call(&mut floor, NOW);
    confirm_all(&mut floor, NOW, call);
    let mut without = policy();
    without.departments[0].members.remove(0);
    let outputs = floor.policy(NOW + 1_500, without);
    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::SkippedNotMember)]);
    assert_eq!(floor.rung(call), [RIYA]);
}

#[test]
fn t2_who_comes_back_rings_for_the_waiting_caller_in_the_same_step() {
    let mut floor = Floor::support(|support| support.members.truncate(2));
    occupy(&mut floor, NOW, RIYA);
    floor.set(NOW, ASHA, |facts| facts.pause = Some(block(NOW, None)));
    let call = support_call(&mut floor, NOW);
    let outputs = floor.set(NOW + 4_321, ASHA, |facts| facts.pause = None);
    assert!(outputs.iter().any(|it| matches!(it, Output::Offer { agent: ASHA, .. })));
    assert_eq!(floor.last(call).at, NOW + 4_321);
}

#[test]
fn t3_after_call_work_lasts_to_the_millisecond() {
    let mut floor = Floor::support(|support| {
        support.members.truncate(1);
        support.wrap_up_seconds = 4;
    });
    let calls: Vec<_> = (0..4).map(|_| support_call(&mut floor, NOW)).collect();
    let mut now = NOW;
    for (call, next) in calls.iter().zip(&calls[1..]) {
        floor.answer(now, *call);
        floor.feed(now + 2_300, Input::CallEnded(*call));
        assert_eq!(floor.engine.next_deadline(), Some(now + 6_300));
        floor.feed(now + 6_300, Input::Timeout);
        assert_eq!(floor.rung(*next), [ASHA]);
        assert_eq!(floor.last(*next).at, now + 6_300);
        now = now + 6_300;
    }
}

#[test]
fn t4_after_a_missed_ring_the_next_one_rings_without_a_pause() {
    let mut floor = Floor::support(|support| support.ring_seconds = 15);
    let call = support_call(&mut floor, NOW);
    confirm_all(&mut floor, NOW, call);
    let outputs = floor.feed(NOW + 15_000, Input::Timeout);
    assert!(outputs.iter().any(|it| matches!(it, Output::Offer { agent: RIYA, .. })));
    assert_eq!(floor.last(call).at, NOW + 15_000);
}

#[test]
fn t5_who_turns_on_during_a_ring_all_rings_at_once() {
    let (mut floor, people) = crowd(2, None);
    floor.toggle(NOW, people[1], Toggle::Away);
    let call = support_call(&mut floor, NOW);
    confirm_all(&mut floor, NOW, call);
    let outputs = floor.toggle(NOW + 3_500, people[1], Toggle::On);
    assert!(outputs.iter().any(|it| matches!(it, Output::Offer { agent, .. } if *agent == people[1])));
    assert_eq!(floor.rung(call), people);
}
