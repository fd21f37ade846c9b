use cordboard_shared::agent::{Actor, Block, Intent};
use cordboard_shared::api::availability::BlockChange;
use cordboard_shared::api::presence::PresenceChange;
use cordboard_shared::id::AgentId;
use cordboard_shared::schedule::WeeklyHours;

use super::*;

const NOW: Millis = Millis(5_000);
const LATER: Millis = Millis(9_000);

#[test]
fn a_toggle_raises_the_version_and_a_repeated_one_changes_nothing() {
    let first = on(&initial(Millis(0), 1), &toggle(Toggle::Away)).unwrap();
    assert_eq!(first.changed, ["toggle"]);
    assert_eq!(first.facts.version, Version { epoch: 1, rev: 2 });

    let again = on_at(&first.facts, &toggle(Toggle::Away), NOW + 1).unwrap();
    assert!(again.changed.is_empty());
    assert_eq!(again.facts, first.facts, "nothing is left to be written");
}

#[test]
fn an_older_intent_never_overrides_a_newer_one() {
    let newer = FactWrite { intent: Some(intent(5, "b")), ..toggle(Toggle::Away) };
    let facts = on(&initial(Millis(0), 1), &newer).unwrap().facts;

    for older in [intent(4, "z"), intent(5, "a"), intent(5, "b")] {
        let late = FactWrite { intent: Some(older), ..toggle(Toggle::On) };
        assert_eq!(code(on(&facts, &late)), ProblemCode::Superseded);
    }
    let concurrent = FactWrite { intent: Some(intent(5, "c")), ..toggle(Toggle::On) };
    assert_eq!(on(&facts, &concurrent).unwrap().facts.toggle.state, Toggle::On);
}

#[test]
fn a_number_that_came_with_a_repeat_is_remembered() {
    let facts = on(&initial(Millis(0), 1), &toggle(Toggle::Away)).unwrap().facts;
    let repeat = FactWrite { intent: Some(intent(9, "b")), ..toggle(Toggle::Away) };

    let decided = on(&facts, &repeat).unwrap();

    assert!(decided.changed.is_empty() && decided.facts.version == facts.version);
    let older = FactWrite { intent: Some(intent(8, "a")), ..toggle(Toggle::On) };
    assert_eq!(code(on(&decided.facts, &older)), ProblemCode::Superseded);
}

#[test]
fn a_toggle_repeated_after_a_lost_answer_is_told_that_it_holds() {
    let sent = FactWrite { intent: Some(intent(5, "b")), ..toggle(Toggle::Away) };
    let facts = on(&initial(Millis(0), 1), &sent).unwrap().facts;

    let again = on_at(&facts, &sent, NOW + 1).unwrap();

    assert!(again.changed.is_empty());
    assert_eq!(again.facts, facts);
}

#[test]
fn one_bad_client_cannot_lock_a_person_out_by_a_huge_number() {
    let leap =
        FactWrite { intent: Some(intent(cordboard_shared::agent::INTENT_LEAP + 1, "a")), ..toggle(Toggle::Away) };
    assert_eq!(code(on(&initial(Millis(0), 1), &leap)), ProblemCode::InvalidRequest);
}

#[test]
fn a_condition_that_does_not_hold_changes_nothing_of_any_fact() {
    for change in [
        FactChange::Toggle(PresenceChange::to(Toggle::Away)),
        FactChange::Pause { set: block("stock take", None) },
        FactChange::Dnd { set: block("", None) },
        FactChange::OptOut { set: block("", None) },
        FactChange::Slots { set: WeeklyHours::default() },
        FactChange::WorkAnyway { until: None },
        FactChange::Seat { active: false },
    ] {
        let conditional = FactWrite { if_match: Some(Version { epoch: 1, rev: 9 }), ..write(change) };
        assert_eq!(code(on(&initial(Millis(0), 1), &conditional)), ProblemCode::VersionMismatch);
    }
}

#[test]
fn away_after_this_call_is_stored_and_means_nothing_for_on() {
    let change = |state| PresenceChange { apply: Apply::AfterCall, ..PresenceChange::to(state) };

    let away = on(&initial(Millis(0), 1), &write(FactChange::Toggle(change(Toggle::Away)))).unwrap().facts;
    assert_eq!((away.toggle.state, away.toggle.apply), (Toggle::Away, Apply::AfterCall));
    let back = on(&away, &write(FactChange::Toggle(change(Toggle::On)))).unwrap().facts;
    assert_eq!((back.toggle.state, back.toggle.apply), (Toggle::On, Apply::Now));

    let held = system(&away, cordboard_routing::Elapsed::AfterCall).unwrap().facts;
    assert_eq!((held.toggle.apply, held.toggle.stamp.since), (Apply::Now, NOW));
    assert_eq!(held.toggle.stamp.by, away.toggle.stamp.by, "it is still the person's own doing");
    assert!(system(&back, cordboard_routing::Elapsed::AfterCall).is_none());
}

#[test]
fn a_reason_for_away_is_asked_for_where_the_account_wants_one() {
    let settings = Settings { reason_required: true, ..Settings::default() };
    let basis = Basis { now: NOW, epoch: 1, settings: &settings };
    let facts = initial(Millis(0), 1);

    assert_eq!(code(decide(&facts, &toggle(Toggle::Away), basis)), ProblemCode::InvalidField);
    let lunch = PresenceChange { reason: Some("Lunch".to_owned()), ..PresenceChange::to(Toggle::Away) };
    assert!(decide(&facts, &write(FactChange::Toggle(lunch)), basis).is_ok());
    let by_link = FactWrite { source: Source::Sms, ..toggle(Toggle::Away) };
    assert!(decide(&facts, &by_link, basis).is_ok());
}

#[test]
fn an_own_toggle_to_on_ends_an_opt_out_and_a_foreign_one_does_not() {
    let out = on(&initial(Millis(0), 1), &write(FactChange::OptOut { set: block("", None) })).unwrap().facts;
    let away = on(&out, &toggle(Toggle::Away)).unwrap().facts;

    let foreign = on(&away, &toggle(Toggle::On)).unwrap();
    assert_eq!(foreign.changed, ["toggle"]);
    assert!(foreign.facts.opt_out.is_some());

    let own = on(&away, &FactWrite { resumes: true, ..toggle(Toggle::On) }).unwrap();
    assert_eq!(own.changed, ["opt_out", "toggle"]);
    assert!(own.facts.opt_out.is_none());
    let already_on = on(&out, &FactWrite { resumes: true, ..toggle(Toggle::On) }).unwrap();
    assert_eq!(already_on.changed, ["opt_out"]);
    let own_away = on(&out, &FactWrite { resumes: true, ..toggle(Toggle::Away) }).unwrap();
    assert!(own_away.facts.opt_out.is_some());
}

#[test]
fn each_block_keeps_its_own_stamp_and_leaves_the_others_alone() {
    let set = |facts: &AgentFacts, change| on(facts, &write(change)).unwrap();
    let paused = set(&initial(Millis(0), 1), FactChange::Pause { set: block("stock take", Some(LATER)) });
    assert_eq!(paused.changed, ["pause"]);
    let quiet = on_at(&paused.facts, &write(FactChange::Dnd { set: block("", None) }), NOW + 100).unwrap().facts;
    let out = on_at(&quiet, &write(FactChange::OptOut { set: block("", None) }), NOW + 200).unwrap().facts;

    let since = |block: &Option<Block>| block.as_ref().unwrap().stamp.since;
    assert_eq!((since(&out.pause), since(&out.dnd), since(&out.opt_out)), (NOW, NOW + 100, NOW + 200));
    assert_eq!(out.version.rev, 4);
    let longer =
        on_at(&out, &write(FactChange::Pause { set: block("stock take", Some(LATER + 1)) }), NOW + 300).unwrap();
    assert_eq!((longer.changed.len(), since(&longer.facts.pause)), (1, NOW), "it stands since it was first set");
    let toggled = on_at(&out, &toggle(Toggle::Away), NOW + 400).unwrap().facts;
    assert_eq!((&toggled.pause, &toggled.dnd, &toggled.opt_out), (&out.pause, &out.dnd, &out.opt_out));
}

#[test]
fn a_block_that_stands_or_is_not_there_is_no_change() {
    let facts = initial(Millis(0), 1);
    for change in [
        FactChange::Pause { set: block("stock take", None) },
        FactChange::Dnd { set: block("", Some(LATER)) },
        FactChange::OptOut { set: block("", None) },
    ] {
        let first = on(&facts, &write(change.clone())).unwrap();
        let again = on_at(&first.facts, &write(change), NOW + 1).unwrap();
        assert!(again.changed.is_empty() && again.facts == first.facts);
    }
    for change in [FactChange::Pause { set: None }, FactChange::Dnd { set: None }, FactChange::OptOut { set: None }] {
        let decided = on(&facts, &write(change)).unwrap();
        assert!(decided.changed.is_empty() && decided.facts == facts);
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let long = "x".repeat(65);
    for (change, pointer) in [
        (FactChange::Pause { set: block("", None) }, "/reason"),
        (FactChange::Pause { set: block(&long, None) }, "/reason"),
        (FactChange::Dnd { set: block("", Some(NOW)) }, "/until"),
        (FactChange::OptOut { set: block("", Some(LATER)) }, "/until"),
        (FactChange::Slots { set: hours(r#"{"zone":"Moon/Base","open":[]}"#) }, "/zone"),
        (FactChange::Slots { set: hours(r#"{"open":[{"days":[],"from":"09:00","to":"17:00"}]}"#) }, "/open/0/days"),
        (
            FactChange::Slots { set: hours(r#"{"open":[{"days":["mon"],"from":"24:00","to":"17:00"}]}"#) },
            "/open/0/from",
        ),
        (FactChange::Slots { set: hours(r#"{"holidays":[{"date":"2026-12-25","name":"X"}]}"#) }, "/holidays"),
    ] {
        let problem = on(&initial(Millis(0), 1), &write(change.clone())).unwrap_err();
        assert_eq!((problem.status, problem.more["pointer"].as_str()), (422, Some(pointer)), "{change:?}");
    }
    let mut many = hours(r#"{"open":[{"days":["mon"],"from":"09:00","to":"09:01"}]}"#);
    many.open = vec![many.open[0].clone(); 51];
    assert_eq!(code(on(&initial(Millis(0), 1), &write(FactChange::Slots { set: many }))), ProblemCode::InvalidField);
}

#[test]
fn slots_are_set_once_and_none_of_them_is_always() {
    let set = hours(r#"{"zone":"Europe/London","open":[{"days":["fri"],"from":"22:00","to":"06:00"}]}"#);
    let first = on(&initial(Millis(0), 1), &write(FactChange::Slots { set: set.clone() })).unwrap();
    assert_eq!((first.changed.as_slice(), first.facts.version.rev), (&["slots".to_owned()][..], 2));
    assert!(on(&first.facts, &write(FactChange::Slots { set })).unwrap().changed.is_empty());

    let none = on(&first.facts, &write(FactChange::Slots { set: WeeklyHours::default() })).unwrap();
    assert_eq!((none.changed.as_slice(), &none.facts.slots), (&["slots".to_owned()][..], &None));
    assert!(on(&none.facts, &write(FactChange::Slots { set: WeeklyHours::default() })).unwrap().changed.is_empty());
}

#[test]
fn working_outside_the_slots_needs_the_accounts_leave() {
    let facts = initial(Millis(0), 1);
    let ask = write(FactChange::WorkAnyway { until: Some(LATER) });
    assert_eq!(code(on(&facts, &ask)), ProblemCode::MissingRight);

    let mut settings = Settings::default();
    settings.reach.work_outside_slots = true;
    let basis = Basis { now: NOW, epoch: 1, settings: &settings };
    let decided = decide(&facts, &ask, basis).unwrap();
    assert_eq!(decided.changed, ["work_anyway"]);
    let days = write(FactChange::WorkAnyway { until: Some(NOW + 25 * 3_600_000) });
    assert_eq!(code(decide(&facts, &days, basis)), ProblemCode::InvalidField);
    assert!(on(&decided.facts, &write(FactChange::WorkAnyway { until: None })).unwrap().facts.work_anyway.is_none());
}

#[test]
fn without_a_seat_nothing_but_the_seat_can_change() {
    let gone = on(&initial(Millis(0), 1), &write(FactChange::Seat { active: false })).unwrap();
    assert_eq!((gone.changed.as_slice(), gone.facts.seat), (&["seat".to_owned()][..], Seat::Disabled));
    assert_eq!(code(on(&gone.facts, &toggle(Toggle::Away))), ProblemCode::SeatDisabled);
    assert_eq!(on(&gone.facts, &write(FactChange::Seat { active: true })).unwrap().facts.seat, Seat::Active);
    let deleted = AgentFacts { seat: Seat::Deleted, ..gone.facts };
    assert_eq!(code(on(&deleted, &write(FactChange::Seat { active: true }))), ProblemCode::SeatDisabled);
}

#[test]
fn time_ends_what_is_over_and_never_what_somebody_has_set_anew() {
    use cordboard_routing::Elapsed;

    let set = |until| {
        let paused = on(&initial(Millis(0), 1), &write(FactChange::Pause { set: block("stock take", Some(until)) }));
        let dnd = FactChange::Dnd { set: block("", Some(until)) };
        on(&paused.unwrap().facts, &write(dnd)).unwrap().facts
    };
    let facts = set(NOW + 1);
    let at = |what| system_at(&facts, what, NOW + 1);
    assert!(at(Elapsed::Pause).unwrap().facts.pause.is_none());
    let over = at(Elapsed::Dnd).unwrap();
    assert_eq!((over.changed.as_slice(), over.facts.version.rev), (&["dnd".to_owned()][..], 4));
    assert!(over.facts.dnd.is_none() && over.facts.pause.is_some());

    let anew = set(LATER);
    assert!(system_at(&anew, Elapsed::Pause, NOW + 1).is_none());
    assert!(system_at(&anew, Elapsed::Dnd, NOW + 1).is_none());
}

#[test]
fn time_sets_people_away_and_back_with_a_reason_that_names_the_rule() {
    use cordboard_routing::Elapsed;

    let facts = initial(Millis(0), 1);
    let missed = system(&facts, Elapsed::Missed).unwrap().facts.toggle;
    assert_eq!((missed.state, missed.reason.as_deref()), (Toggle::Away, Some("missed_2")));
    assert_eq!((missed.stamp.by, missed.stamp.source), (Actor::system(), Source::System));
    let inactive = system(&facts, Elapsed::Inactive).unwrap().facts;
    assert_eq!(inactive.toggle.reason.as_deref(), Some("inactivity_8h"));
    assert!(system(&inactive, Elapsed::Missed).is_none() && system(&inactive, Elapsed::Inactive).is_none());

    let until = PresenceChange { until: Some(NOW + 1), ..PresenceChange::to(Toggle::Away) };
    let away = on(&facts, &write(FactChange::Toggle(until))).unwrap().facts;
    assert!(system(&away, Elapsed::AwayReturned).is_none(), "not yet");
    let back = system_at(&away, Elapsed::AwayReturned, NOW + 1).unwrap().facts.toggle;
    assert_eq!((back.state, back.until), (Toggle::On, None));

    let slot = system(&facts, Elapsed::Schedule).unwrap();
    assert_eq!((slot.changed.as_slice(), slot.facts.version.rev), (&["schedule".to_owned()][..], 2));
}

fn on(facts: &AgentFacts, write: &FactWrite) -> Result<Decided, Problem> {
    on_at(facts, write, NOW)
}

fn on_at(facts: &AgentFacts, write: &FactWrite, now: Millis) -> Result<Decided, Problem> {
    decide(facts, write, Basis { now, epoch: 1, settings: &Settings::default() })
}

fn system(facts: &AgentFacts, what: cordboard_routing::Elapsed) -> Option<Decided> {
    system_at(facts, what, NOW)
}

fn system_at(facts: &AgentFacts, what: cordboard_routing::Elapsed, now: Millis) -> Option<Decided> {
    elapsed(facts, what, Basis { now, epoch: 1, settings: &Settings::default() })
}

fn code(result: Result<Decided, Problem>) -> ProblemCode {
    result.unwrap_err().code().unwrap()
}

fn intent(n: u64, device: &str) -> Intent {
    Intent { n, device: device.to_owned() }
}

fn hours(json: &str) -> WeeklyHours {
    serde_json::from_str(json).unwrap()
}

/// A block with this reason, unless it is empty.
#[expect(clippy::unnecessary_wraps, reason = "as the changes take it")]
fn block(reason: &str, until: Option<Millis>) -> Option<BlockChange> {
    Some(BlockChange { reason: (!reason.is_empty()).then(|| reason.to_owned()), until })
}

fn toggle(state: Toggle) -> FactWrite {
    write(FactChange::Toggle(PresenceChange::to(state)))
}

fn write(change: FactChange) -> FactWrite {
    FactWrite {
        agent: AgentId::demo(0x21),
        change,
        actor: Actor::user(AgentId::demo(0x12), "Meera Nair"),
        source: Source::Api,
        intent: None,
        if_match: None,
        request: None,
        resumes: false,
    }
}
