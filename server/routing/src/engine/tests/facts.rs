//! Facts and time: precedence, ends that come by themselves, slots, missed offers, inactivity, after-call work
//! (`availability-and-panel.md` sections 2.2 and 2.4).

use super::floor::*;
use super::matrix::slots;
use cordboard_shared::policy::Settings;

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Only Asha is in Support, under these settings.
fn alone(change: impl FnOnce(&mut Policy)) -> Floor {
    let mut policy = policy();
    policy.departments[0].members.truncate(1);
    change(&mut policy);
    Floor::with(policy, &[ASHA, RIYA, DEV])
}

fn settings(change: impl FnOnce(&mut Settings)) -> Floor {
    alone(|policy| change(&mut policy.settings))
}

/// Riya talks and Asha is blocked: a caller waits for Riya.
fn one_waits(block_asha: impl FnOnce(&mut AgentFacts)) -> (Floor, CallId) {
    let mut floor = Floor::support(|support| support.members.truncate(2));
    let talk = floor.call_by(NOW, Target::Agent(RIYA), Row::Internal);
    floor.answer(NOW, talk);
    floor.set(NOW, ASHA, block_asha);
    let call = floor.call(NOW, Target::Department(SUPPORT));
    assert_eq!(floor.rung(call), []);
    assert_eq!(floor.ended(call), None);
    (floor, call)
}

fn elapsed(outputs: &[Output]) -> Vec<(AgentId, Elapsed)> {
    let changes = outputs.iter().filter_map(|output| match output {
        Output::Elapsed(agent, what) => Some((*agent, *what)),
        _ => None,
    });
    changes.collect()
}

fn place_of(outputs: &[Output], wanted: impl Fn(&Output) -> bool) -> usize {
    outputs.iter().position(wanted).unwrap()
}

#[test]
fn the_first_layer_in_order_decides_and_all_are_shown() {
    let mut floor = Floor::new();
    floor.set(NOW, ASHA, |facts| {
        facts.seat = Seat::Disabled;
        facts.pause = Some(block(NOW, None));
        facts.dnd = Some(block(NOW, None));
        facts.opt_out = Some(block(NOW, None));
        facts.slots = Some(slots("09:00", "11:00"));
        facts.toggle.state = Toggle::Away;
    });
    floor.feed(NOW, Input::DeviceGone(ASHA, device(ASHA)));
    let order = [
        Verdict::Disabled,
        Verdict::Paused,
        Verdict::Dnd,
        Verdict::OptedOut,
        Verdict::OffSchedule,
        Verdict::Away,
        Verdict::NoDevice,
    ];
    assert_eq!(floor.engine.presence(ASHA).unwrap().effective.blocked_by, order);
    let lift: [fn(&mut AgentFacts); 6] = [
        |facts| facts.seat = Seat::Active,
        |facts| facts.pause = None,
        |facts| facts.dnd = None,
        |facts| facts.opt_out = None,
        |facts| facts.slots = None,
        |facts| facts.toggle.state = Toggle::On,
    ];
    for (lift, verdict) in lift.into_iter().zip(order) {
        assert_eq!(floor.verdict(ASHA), verdict);
        let call = floor.call(NOW, Target::Department(SUPPORT));
        assert_eq!(floor.rung(call), [RIYA]);
        floor.feed(NOW, Input::CallerGone(call));
        floor.set(NOW, ASHA, lift);
    }
    assert_eq!(floor.verdict(ASHA), Verdict::NoDevice);
    floor.feed(NOW, Input::DeviceReady(ASHA, device(ASHA), DeviceKind::Browser));
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
}

#[test]
fn a_toggle_under_a_pause_is_kept_and_counts_when_the_pause_ends() {
    let mut floor = Floor::new();
    floor.set(NOW, ASHA, |facts| facts.pause = Some(block(NOW, Some(NOW + MINUTE))));
    floor.toggle_only(NOW + 1, ASHA, Toggle::Away);
    floor.toggle_only(NOW + 2, ASHA, Toggle::On);
    assert_eq!(floor.engine.presence(ASHA).unwrap().effective.blocked_by, [Verdict::Paused]);
    floor.feed(NOW + MINUTE, Input::Timeout);
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
}

#[test]
fn a_pause_and_do_not_disturb_end_at_their_very_instant_and_who_waits_rings() {
    type Set = fn(&mut AgentFacts, Millis);
    let end = NOW + 10 * MINUTE / 3;
    let cases: [(Set, Elapsed, Verdict); 2] = [
        (|facts, end| facts.pause = Some(block(NOW, Some(end))), Elapsed::Pause, Verdict::Paused),
        (|facts, end| facts.dnd = Some(block(NOW, Some(end))), Elapsed::Dnd, Verdict::Dnd),
    ];
    for (set, what, verdict) in cases {
        let (mut floor, call) = one_waits(|facts| set(facts, end));
        assert_eq!(floor.engine.presence(ASHA).unwrap().effective.next_change_at, Some(end));
        assert_eq!(floor.engine.next_deadline().map(|at| at <= end), Some(true));
        floor.feed(Millis(end.0 - 1), Input::Timeout);
        assert_eq!((floor.verdict(ASHA), floor.rung(call)), (verdict, vec![]));

        let outputs = floor.feed(end, Input::Timeout);

        assert_eq!(elapsed(&outputs), [(ASHA, what)]);
        let changed = place_of(&outputs, |it| *it == Output::PresenceChanged(ASHA));
        let rings = place_of(&outputs, |it| matches!(it, Output::Offer { agent: ASHA, .. }));
        assert!(changed < rings);
        assert_eq!(floor.rung(call), [ASHA]);
        assert_eq!(floor.last(call).at, end);
    }
}

#[test]
fn a_late_look_at_the_clock_finds_the_end_at_its_own_instant() {
    let (mut floor, call) = one_waits(|facts| facts.pause = Some(block(NOW, Some(NOW + MINUTE))));
    floor.feed(NOW + 2 * MINUTE, Input::Timeout);
    let rang = floor.decisions(call).into_iter().find(|it| it.members[0].reason == Reason::DeviceDidNotConfirm);
    assert_eq!(rang.unwrap().at, NOW + MINUTE, "the ring began when the pause ended, a minute before anybody looked");
}

#[test]
fn an_away_with_an_end_asks_or_returns_as_the_account_says() {
    let lunch = |facts: &mut AgentFacts| {
        facts.toggle = ToggleFact { until: Some(NOW + MINUTE), ..self::facts(NOW, Toggle::Away, 0).toggle };
    };
    let mut floor = settings(|_| {});
    floor.set(NOW, ASHA, lunch);
    let outputs = floor.feed(NOW + MINUTE, Input::Timeout);
    assert!(outputs.contains(&Output::AwayOver(ASHA)));
    assert_eq!((elapsed(&outputs), floor.verdict(ASHA)), (vec![], Verdict::Away));

    let mut floor = settings(|settings| settings.auto_return = true);
    floor.set(NOW, ASHA, lunch);
    let outputs = floor.feed(NOW + MINUTE, Input::Timeout);
    assert!(!outputs.contains(&Output::AwayOver(ASHA)));
    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::AwayReturned)]);
    assert!(outputs.contains(&Output::PresenceChanged(ASHA)));
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
}

#[test]
fn a_change_of_the_rules_that_changes_a_verdict_is_told() {
    let mut floor = settings(|_| {});
    let away = ToggleFact { until: Some(NOW + MINUTE), ..self::facts(NOW, Toggle::Away, 0).toggle };
    floor.set(NOW, ASHA, |facts| facts.toggle = away);
    floor.feed(NOW + MINUTE, Input::Timeout);
    let mut changed = floor.engine.policy().clone();
    changed.settings.auto_return = true;
    let outputs = floor.policy(NOW + 2 * MINUTE, changed.clone());
    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::AwayReturned)]);
    assert!(outputs.contains(&Output::PresenceChanged(ASHA)));
    assert!(!outputs.contains(&Output::PresenceChanged(RIYA)), "nothing changed for Riya");

    let mut floor = settings(|_| {});
    floor.set(NOW, ASHA, |facts| facts.slots = Some(slots("12:00", "13:00")));
    changed = floor.engine.policy().clone();
    changed.zone = "Asia/Kolkata".to_owned();
    let outputs = floor.policy(NOW + 1, changed);
    assert_eq!((elapsed(&outputs), floor.verdict(ASHA)), (vec![(ASHA, Elapsed::Schedule)], Verdict::OffSchedule));
    assert!(outputs.contains(&Output::PresenceChanged(ASHA)));
}

#[test]
fn what_ended_while_no_process_ran_is_written_down_after_the_start() {
    let mut floor = settings(|settings| settings.auto_return = true);
    floor.set(NOW, ASHA, |facts| facts.pause = Some(block(NOW, Some(NOW + MINUTE))));
    floor.set(NOW, RIYA, |facts| facts.dnd = Some(block(NOW, Some(NOW + MINUTE))));
    floor.set(NOW, DEV, |facts| {
        facts.toggle = ToggleFact { until: Some(NOW + MINUTE), ..self::facts(NOW, Toggle::Away, 0).toggle };
    });
    let mut engine = Engine::start(NOW + HOUR, 1, floor.engine.durable());
    let mut outputs = Vec::new();
    loop {
        match engine.poll_output() {
            Output::Timeout(_) => break,
            output => outputs.push(output),
        }
    }
    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::Pause), (RIYA, Elapsed::Dnd), (DEV, Elapsed::AwayReturned)]);
}

#[test]
fn a_slot_ends_at_its_instant_and_a_ring_that_has_begun_goes_on() {
    let mut floor = Floor::support(|support| support.members.truncate(2));
    floor.set(NOW, ASHA, |facts| facts.slots = Some(slots("09:00", "12:01")));
    let end = NOW + MINUTE;
    let ringing = floor.call(Millis(end.0 - 5_000), Target::Department(SUPPORT));
    let (offer, _) = floor.ringing(ringing).unwrap();
    floor.feed(Millis(end.0 - 5_000), Input::OfferConfirmed(offer));

    let outputs = floor.feed(end, Input::Timeout);

    assert_eq!((elapsed(&outputs), withdrawn(&outputs)), (vec![(ASHA, Elapsed::Schedule)], vec![]));
    // The account writes it down: the same facts, a new version.
    floor.set(end, ASHA, |_| {});
    assert_eq!(floor.rung(ringing), [ASHA], "still rings");
    let next = floor.call(end + 1, Target::Department(SUPPORT));
    assert_eq!(floor.rung(next), [RIYA]);
    assert_eq!(floor.last(next).members[0].cell, "1/off_schedule");
    floor.feed(end + 2, Input::OfferAccepted(offer));
    assert_eq!(floor.engine.agent(ASHA).unwrap().load, Load::OnCall(ringing));
}

#[test]
fn new_slots_that_shut_somebody_out_end_the_ring() {
    let mut floor = Floor::new();
    let call = floor.call(NOW, Target::Department(SUPPORT));
    let outputs = floor.set(NOW + 1, ASHA, |facts| facts.slots = Some(slots("09:00", "11:00")));
    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::DeclinedByStatus)]);
    assert_eq!(floor.rung(call), [RIYA]);
}

#[test]
fn a_slot_begins_at_its_instant_and_who_waits_rings() {
    let (mut floor, call) = one_waits(|facts| facts.slots = Some(slots("12:02", "18:00")));
    let outputs = floor.feed(NOW + 2 * MINUTE, Input::Timeout);
    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::Schedule)]);
    assert!(outputs.contains(&Output::PresenceChanged(ASHA)));
    assert_eq!(floor.rung(call), [ASHA]);
}

#[test]
fn working_anyway_ends_at_its_instant() {
    let mut floor = settings(|settings| settings.reach.work_outside_slots = true);
    floor.set(NOW, ASHA, |facts| {
        facts.slots = Some(slots("09:00", "11:00"));
        facts.work_anyway = Some(block(NOW, Some(NOW + MINUTE)));
    });
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
    floor.feed(Millis(NOW.0 + 59_999), Input::Timeout);
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
    let outputs = floor.feed(NOW + MINUTE, Input::Timeout);
    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::Schedule)]);
    assert_eq!(floor.verdict(ASHA), Verdict::OffSchedule);
}

#[test]
fn slots_follow_the_wall_clock_through_the_night_it_changes() {
    // 28 March 2027: 02:00 becomes 03:00 in Berlin. From 09:00 it is 08:00Z on Saturday and 07:00Z on Sunday.
    let mut floor = alone(|policy| policy.zone = "Europe/Berlin".to_owned());
    floor.set(NOW, ASHA, |facts| facts.slots = Some(slots("09:00", "18:00")));
    let verdict_at = |floor: &mut Floor, at: &str| {
        floor.feed(at.parse().unwrap(), Input::Timeout);
        floor.verdict(ASHA)
    };
    assert_eq!(verdict_at(&mut floor, "2027-03-27T07:59:59.999Z"), Verdict::OffSchedule);
    assert_eq!(verdict_at(&mut floor, "2027-03-27T08:00:00Z"), Verdict::Available);
    assert_eq!(verdict_at(&mut floor, "2027-03-28T06:59:59.999Z"), Verdict::OffSchedule);
    assert_eq!(verdict_at(&mut floor, "2027-03-28T07:00:00Z"), Verdict::Available);
    assert_eq!(verdict_at(&mut floor, "2027-03-28T16:00:00Z"), Verdict::OffSchedule);
}

fn away_after_this_call(facts: &mut AgentFacts) {
    facts.toggle = ToggleFact { apply: Apply::AfterCall, ..self::facts(NOW, Toggle::Away, 0).toggle };
}

#[test]
fn away_after_this_call_holds_from_the_end_of_the_call() {
    let mut floor = settings(|_| {});
    let call = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, call);
    assert_eq!(elapsed(&floor.set(NOW + 1, ASHA, away_after_this_call)), []);
    assert_eq!(floor.engine.presence(ASHA).unwrap().effective.blocked_by, [Verdict::OnCall]);
    let waiting = floor.call(NOW + 2, Target::Department(SUPPORT));
    assert_eq!(floor.ended(waiting), None);

    let outputs = floor.feed(NOW + 3, Input::CallEnded(call));

    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::AfterCall)]);
    assert_eq!(floor.verdict(ASHA), Verdict::Away);
    assert_eq!(floor.rung(waiting), []);
    assert_eq!(floor.ended(waiting), Some(Exhausted::Voicemail { mailbox: "support".to_owned() }));
}

#[test]
fn away_after_this_call_without_a_call_holds_at_once() {
    let mut floor = settings(|_| {});
    assert_eq!(elapsed(&floor.set(NOW, ASHA, away_after_this_call)), [(ASHA, Elapsed::AfterCall)]);
    assert_eq!(floor.verdict(ASHA), Verdict::Away);
}

#[test]
fn toggled_back_before_the_end_of_the_call_nothing_holds() {
    let mut floor = settings(|_| {});
    let call = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, call);
    floor.set(NOW + 1, ASHA, away_after_this_call);
    floor.toggle_only(NOW + 2, ASHA, Toggle::On);
    let outputs = floor.feed(NOW + 3, Input::CallEnded(call));
    assert_eq!((elapsed(&outputs), floor.verdict(ASHA)), (vec![], Verdict::Available));
}

#[test]
fn away_after_a_call_that_had_no_sound_holds_too() {
    let mut floor = settings(|_| {});
    let call = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, call);
    floor.set(NOW + 1, ASHA, away_after_this_call);
    let outputs = floor.feed(NOW + 2, Input::ConnectFailed(call));
    assert_eq!((elapsed(&outputs), floor.verdict(ASHA)), (vec![(ASHA, Elapsed::AfterCall)], Verdict::Away));
}

/// A call that rings Asha alone out; whether that made her Away.
fn rings_out(floor: &mut Floor, at: Millis) -> bool {
    let call = floor.call(at, Target::Department(SUPPORT));
    !elapsed(&floor.ring_out(at, call)).is_empty()
}

#[test]
fn two_missed_in_a_row_set_away_and_on_begins_anew() {
    let mut floor = settings(|_| {});
    assert!(!rings_out(&mut floor, NOW));
    let call = floor.call(NOW + MINUTE, Target::Department(SUPPORT));
    let outputs = floor.ring_out(NOW + MINUTE, call);
    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::Missed)]);
    assert!(outputs.contains(&Output::PresenceChanged(ASHA)));
    assert_eq!(floor.verdict(ASHA), Verdict::Away, "from this instant on, before anything is on disk");
    floor.toggle_only(NOW + 2 * MINUTE, ASHA, Toggle::Away);
    floor.toggle_only(NOW + 3 * MINUTE, ASHA, Toggle::On);
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
    assert!(!rings_out(&mut floor, NOW + 4 * MINUTE));
    assert!(rings_out(&mut floor, NOW + 5 * MINUTE));
}

#[test]
fn on_pressed_after_one_missed_offer_begins_anew() {
    let mut floor = settings(|_| {});
    assert!(!rings_out(&mut floor, NOW));
    floor.toggle_only(NOW + MINUTE, ASHA, Toggle::On);
    assert!(!rings_out(&mut floor, NOW + MINUTE));
}

#[test]
fn an_answer_in_between_begins_anew() {
    let mut floor = settings(|_| {});
    assert!(!rings_out(&mut floor, NOW));
    let call = floor.call(NOW + MINUTE, Target::Department(SUPPORT));
    floor.answer(NOW + MINUTE, call);
    floor.feed(NOW + MINUTE, Input::CallEnded(call));
    assert!(!rings_out(&mut floor, NOW + 2 * MINUTE));
}

#[test]
fn a_limit_of_none_never_sets_away_and_one_does_so_at_once() {
    let mut floor = settings(|settings| settings.missed_limit = 0);
    assert!((0..12).all(|n| !rings_out(&mut floor, NOW + n * MINUTE)));
    let mut floor = settings(|settings| settings.missed_limit = 1);
    assert!(rings_out(&mut floor, NOW));
}

#[test]
fn only_a_ring_of_four_fifths_on_a_live_device_counts() {
    // (what ends the ring, after so long, whether it counts)
    let hang_up: fn(CallId, OfferId) -> Input = |call, _| Input::CallerGone(call);
    let decline: fn(CallId, OfferId) -> Input = |_, offer| Input::OfferDeclined(offer);
    let lost: fn(CallId, OfferId) -> Input = |_, _| Input::DeviceGone(ASHA, device(ASHA));
    let cases = [(hang_up, 19_999, false), (hang_up, 20_000, true), (decline, 24_000, false), (lost, 24_000, false)];
    for (ends, after, counts) in cases {
        let mut floor = settings(|settings| settings.missed_limit = 1);
        let call = floor.call(NOW, Target::Department(SUPPORT));
        let (offer, _) = floor.ringing(call).unwrap();
        floor.feed(NOW, Input::OfferConfirmed(offer));
        let outputs = floor.feed(NOW + after, ends(call, offer));
        assert_eq!(elapsed(&outputs).contains(&(ASHA, Elapsed::Missed)), counts, "{after}");
    }
    let mut floor = settings(|settings| settings.missed_limit = 1);
    let call = floor.call(NOW, Target::Department(SUPPORT));
    let outputs = floor.feed(NOW + 1_000, Input::Timeout);
    assert_eq!(floor.decisions(call)[0].members[0].reason, Reason::DeviceDidNotConfirm);
    assert_eq!(elapsed(&outputs), [], "a frozen browser is not the person's fault");
}

#[test]
fn who_loses_a_ring_all_has_missed_nothing_and_who_lets_it_ring_out_has() {
    let all = || {
        let mut policy = policy();
        policy.departments[0].strategy = Strategy::Simultaneous;
        policy.settings.missed_limit = 1;
        Floor::with(policy, &[ASHA, RIYA, DEV])
    };
    let mut floor = all();
    let call = floor.call(NOW, Target::Department(SUPPORT));
    for (offer, _) in floor.offers(call) {
        floor.feed(NOW, Input::OfferConfirmed(offer));
    }
    let winner = floor.offer_to(call, RIYA);
    let outputs = floor.feed(NOW + 24_000, Input::OfferAccepted(winner));
    assert_eq!(elapsed(&outputs), []);
    let mut floor = all();
    let call = floor.call(NOW, Target::Department(SUPPORT));
    assert_eq!(elapsed(&floor.ring_out(NOW, call)).len(), 3);
}

#[test]
fn a_change_that_blocks_stops_the_ring_before_anything_else_is_said() {
    let changes: [fn(&mut AgentFacts); 5] = [
        |facts| facts.toggle = self::facts(NOW, Toggle::Away, 0).toggle,
        |facts| facts.pause = Some(block(NOW, None)),
        |facts| facts.dnd = Some(block(NOW, None)),
        |facts| facts.opt_out = Some(block(NOW, None)),
        |facts| facts.seat = Seat::Deleted,
    ];
    for change in changes {
        let mut floor = Floor::new();
        let call = floor.call(NOW, Target::Department(SUPPORT));
        let outputs = floor.set(NOW + 1, ASHA, change);
        let reason = Reason::DeclinedByStatus;
        assert!(matches!(&outputs[0], Output::Withdraw { agent: ASHA, reason: why, .. } if *why == reason));
        let told = place_of(&outputs, |it| *it == Output::PresenceChanged(ASHA));
        let next = place_of(&outputs, |it| matches!(it, Output::Offer { agent: RIYA, .. }));
        assert!(told > 0 && next > 0);
        assert_eq!(floor.rung(call), [RIYA]);
    }
}

#[test]
fn a_change_that_does_not_block_leaves_the_ring() {
    let mut floor = Floor::new();
    let call = floor.call(NOW, Target::Department(SUPPORT));
    let outputs = floor.toggle_only(NOW + 1, ASHA, Toggle::On);
    assert_eq!((withdrawn(&outputs), floor.rung(call)), (vec![], vec![ASHA]));
}

#[test]
fn a_rule_that_lets_somebody_ring_stops_the_ring_when_it_is_taken_back() {
    let open = |policy: &mut Policy| policy.departments[0].members[0].always_include = true;
    let mut floor = alone(open);
    floor.toggle_only(NOW, ASHA, Toggle::Away);
    let call = floor.call(NOW, Target::Department(SUPPORT));
    assert_eq!(floor.rung(call), [ASHA]);
    let mut closed = floor.engine.policy().clone();
    closed.departments[0].members[0].always_include = false;
    let outputs = floor.policy(NOW + 1, closed);
    assert_eq!(withdrawn(&outputs), [(ASHA, Reason::DeclinedByStatus)]);

    let mut floor = settings(|settings| settings.reach.extension_rings_away = true);
    floor.toggle_only(NOW, ASHA, Toggle::Away);
    let call = floor.call_by(NOW, Target::Agent(ASHA), Row::DirectExtension);
    assert_eq!(floor.rung(call), [ASHA]);
    let mut closed = floor.engine.policy().clone();
    closed.settings.reach.extension_rings_away = false;
    assert_eq!(withdrawn(&floor.policy(NOW + 1, closed)), [(ASHA, Reason::DeclinedByStatus)]);
}

/// A panel is open since now, eight hours being the limit.
fn at_the_screen(minutes: u32) -> Floor {
    let mut floor = settings(|settings| settings.inactivity_minutes = minutes);
    floor.feed(NOW, Input::PanelOpened(ASHA));
    floor
}

fn soon(outputs: &[Output]) -> Vec<Millis> {
    outputs.iter().filter_map(|it| if let Output::InactiveSoon(ASHA, at) = it { Some(*at) } else { None }).collect()
}

#[test]
fn eight_hours_without_activity_set_away_after_a_notice() {
    let mut floor = at_the_screen(480);
    assert_eq!(soon(&floor.feed(Millis((NOW + 465 * MINUTE).0 - 1), Input::Timeout)), []);
    let outputs = floor.feed(NOW + 465 * MINUTE, Input::Timeout);
    assert_eq!(soon(&outputs), [NOW + 8 * HOUR], "at 7 h 45 min, and it says when");
    floor.feed(Millis((NOW + 8 * HOUR).0 - 1), Input::Timeout);
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
    let outputs = floor.feed(NOW + 8 * HOUR, Input::Timeout);
    assert_eq!(elapsed(&outputs), [(ASHA, Elapsed::Inactive)]);
    assert!(outputs.contains(&Output::PresenceChanged(ASHA)));
    assert_eq!(floor.verdict(ASHA), Verdict::Away);
}

#[test]
fn activity_begins_the_eight_hours_anew_even_after_the_notice() {
    let mut floor = at_the_screen(480);
    floor.feed(NOW + 465 * MINUTE, Input::Timeout);
    let again = NOW + 470 * MINUTE;
    floor.feed(again, Input::Active(ASHA));
    assert_eq!(elapsed(&floor.feed(NOW + 8 * HOUR, Input::Timeout)), []);
    assert_eq!(soon(&floor.feed(again + 465 * MINUTE, Input::Timeout)), [again + 8 * HOUR]);
    assert_eq!(elapsed(&floor.feed(again + 8 * HOUR, Input::Timeout)), [(ASHA, Elapsed::Inactive)]);
}

#[test]
fn a_call_stops_the_clock_and_its_end_is_activity() {
    let mut floor = at_the_screen(480);
    let call = floor.call(NOW + HOUR, Target::Department(SUPPORT));
    floor.answer(NOW + HOUR, call);
    let outputs = floor.feed(NOW + 20 * HOUR, Input::Timeout);
    assert_eq!((elapsed(&outputs), soon(&outputs)), (vec![], vec![]));
    floor.feed(NOW + 20 * HOUR, Input::CallEnded(call));
    let outputs = floor.feed(Millis((NOW + 28 * HOUR).0 - 1), Input::Timeout);
    assert_eq!((elapsed(&outputs), soon(&outputs)), (vec![], vec![NOW + 28 * HOUR]));
    assert_eq!(elapsed(&floor.feed(NOW + 28 * HOUR, Input::Timeout)), [(ASHA, Elapsed::Inactive)]);
}

#[test]
fn nobody_with_a_phone_and_nobody_without_a_panel_is_inactive() {
    let mut floor = settings(|_| {});
    floor.feed(NOW, Input::DeviceReady(ASHA, DeviceId(9), DeviceKind::Phone));
    assert_eq!(elapsed(&floor.feed(NOW + 30 * HOUR, Input::Timeout)), [], "no panel at all");
    floor.feed(NOW + 30 * HOUR, Input::PanelOpened(ASHA));
    assert_eq!(elapsed(&floor.feed(NOW + 60 * HOUR, Input::Timeout)), [], "a phone rings without the panel");
    floor.feed(NOW + 60 * HOUR, Input::DeviceGone(ASHA, DeviceId(9)));
    assert_eq!(elapsed(&floor.feed(Millis((NOW + 68 * HOUR).0 - 1), Input::Timeout)), []);
    assert_eq!(elapsed(&floor.feed(NOW + 68 * HOUR, Input::Timeout)), [(ASHA, Elapsed::Inactive)]);
    let mut floor = at_the_screen(480);
    floor.feed(NOW + HOUR, Input::PanelClosed(ASHA));
    assert_eq!(elapsed(&floor.feed(NOW + 30 * HOUR, Input::Timeout)), []);
}

#[test]
fn a_short_limit_warns_half_way_and_none_never_does() {
    let mut floor = at_the_screen(15);
    assert_eq!(soon(&floor.feed(NOW + 450_000, Input::Timeout)), [NOW + 15 * MINUTE]);
    assert_eq!(elapsed(&floor.feed(NOW + 15 * MINUTE, Input::Timeout)), [(ASHA, Elapsed::Inactive)]);
    let mut floor = at_the_screen(0);
    assert_eq!(elapsed(&floor.feed(NOW + 100 * HOUR, Input::Timeout)), []);
}

/// Asha has ended a call in a department with 30 s of after-call work.
fn after_a_call() -> Floor {
    let mut floor = alone(|policy| policy.departments[0].wrap_up_seconds = 30);
    let call = floor.call(NOW, Target::Department(SUPPORT));
    floor.answer(NOW, call);
    floor.feed(NOW, Input::CallEnded(call));
    assert_eq!(floor.verdict(ASHA), Verdict::AfterCallWork);
    floor
}

#[test]
fn after_call_work_ends_by_time_or_by_done_and_never_becomes_away() {
    let mut floor = after_a_call();
    let waiting = floor.call(NOW + 1, Target::Department(SUPPORT));
    floor.feed(NOW + 29_999, Input::Timeout);
    assert_eq!(floor.rung(waiting), []);
    floor.feed(NOW + 30_000, Input::Timeout);
    assert_eq!(floor.rung(waiting), [ASHA]);

    let mut floor = after_a_call();
    let waiting = floor.call(NOW + 1, Target::Department(SUPPORT));
    floor.feed(NOW + 5_000, Input::WrapUpDone(ASHA));
    assert_eq!(floor.rung(waiting), [ASHA]);
    let error = floor.feed_error(NOW + 5_001, Input::WrapUpDone(ASHA));
    assert_eq!(error, EngineError::NotAllowed(Verdict::Ringing));
}

#[test]
fn after_call_work_is_extended_once() {
    let mut floor = after_a_call();
    floor.feed(NOW + 10_000, Input::WrapUpExtend(ASHA));
    let error = floor.feed_error(NOW + 11_000, Input::WrapUpExtend(ASHA));
    assert_eq!(error, EngineError::NotAllowed(Verdict::AfterCallWork));
    floor.feed(NOW + 59_999, Input::Timeout);
    assert_eq!(floor.verdict(ASHA), Verdict::AfterCallWork);
    floor.feed(NOW + 60_000, Input::Timeout);
    assert_eq!(floor.verdict(ASHA), Verdict::Available);
    // After the next call it may be extended again.
    let call = floor.call(NOW + 60_000, Target::Department(SUPPORT));
    floor.answer(NOW + 60_000, call);
    floor.feed(NOW + 60_000, Input::CallEnded(call));
    floor.feed(NOW + 60_001, Input::WrapUpExtend(ASHA));
}
