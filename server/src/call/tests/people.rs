//! What people are told about lines and themselves, and what they ask for.

use std::time::Duration;

use cordboard_shared::agent::Verdict;
use cordboard_shared::call::StepKind;

use super::*;

const SUPPORT_ID: DepartmentId = DepartmentId::demo(0x1001);

fn queue_news(floor: &Floor) -> Vec<ServerMessage> {
    let news = |it: &Effect| match it {
        Effect::Live { to: Audience::Department(id), message } if *id == SUPPORT_ID => Some((**message).clone()),
        _ => None,
    };
    floor.seen.iter().filter_map(news).collect()
}

/// Support has 60 s of after-call work, and Asha has just had a call of it.
fn after_a_call() -> Floor {
    let mut floor = Floor::with_policy(|policy| policy.departments[0].wrap_up_seconds = 60);
    let call = floor.talk_to_asha(SUPPORT);
    floor.feed(Input::Sip(SipEvent::Ended { dialog: call.dialog, cause: EndCause::RemoteBye }));
    assert_eq!(verdict(&floor), Verdict::AfterCallWork);
    floor
}

fn verdict(floor: &Floor) -> Verdict {
    floor.center.engine().presence(ASHA).unwrap().effective.verdict
}

#[test]
fn after_call_work_is_done_or_extended_by_the_person() {
    let mut floor = after_a_call();
    floor.client(SocketId(1), ClientMessage::WrapUpDone {}).unwrap();
    assert_eq!(verdict(&floor), Verdict::Available);

    let mut floor = after_a_call();
    floor.client(SocketId(1), ClientMessage::WrapUpExtend {}).unwrap();
    floor.pass(61_000);
    assert_eq!(verdict(&floor), Verdict::AfterCallWork);
    floor.pass(30_000);
    assert_eq!(verdict(&floor), Verdict::Available);
}

#[test]
fn lines_are_told_at_most_four_times_a_second() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.talk_to_asha(DIRECT);
    floor.pass(1_000);
    floor.seen.clear();

    for caller in 0..20 {
        floor.caller = format!("+4420794601{caller:02}");
        floor.call_in(SUPPORT);
        floor.pass(50);
    }
    floor.pass(1_000);

    let news = queue_news(&floor);
    assert!((4..=6).contains(&news.len()), "{} messages in a second", news.len());
    let Some(ServerMessage::QueueChanged { waiting, longest_ms, by_verdict, .. }) = news.last() else { panic!() };
    assert_eq!(*waiting, 20);
    assert!(*longest_ms >= Duration::from_secs(1).as_millis().try_into().unwrap());
    assert_eq!(by_verdict.get(&Verdict::OnCall), Some(&1));
    assert_eq!(by_verdict.get(&Verdict::NoDevice), Some(&3));
}

#[test]
fn a_new_panel_hears_of_its_lines_and_staff_of_the_policy() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.sign_in(SocketId(2), MEERA);
    let told = |floor: &Floor, socket| {
        let to_it = |it: &&Effect| matches!(it, Effect::Live { to: Audience::Socket(to), .. } if *to == socket);
        let messages = floor.seen.iter().filter(to_it).filter_map(|it| match it {
            Effect::Live { message, .. } => Some((**message).clone()),
            _ => None,
        });
        messages.collect::<Vec<_>>()
    };
    let lines = |messages: &[ServerMessage]| {
        messages.iter().filter(|it| matches!(it, ServerMessage::QueueChanged { .. })).count()
    };
    let (asha, meera) = (told(&floor, SocketId(1)), told(&floor, SocketId(2)));
    assert_eq!((lines(&asha), lines(&meera)), (1, 2));
    let [ServerMessage::Snapshot(asha), ..] = asha.as_slice() else { panic!("no snapshot") };
    let [ServerMessage::Snapshot(meera), ..] = meera.as_slice() else { panic!("no snapshot") };
    assert!(asha.policy.is_none() && meera.policy.is_some());
    assert!(asha.away_reasons.contains(&"Lunch".to_owned()));
}

#[test]
fn a_new_policy_is_obeyed_and_shown_to_staff() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    let mut directory = (*floor.center.directory).clone();
    directory.departments[0].members.retain(|it| it.agent != ASHA);
    let policy = Policy { version: 2, departments: directory.departments.clone(), ..Policy::default() };
    let at = FeedPosition { epoch: 1, bucket: 0, seq: 1_000 };

    floor.feed(Input::Directory(Arc::new(directory)));
    floor.feed(Input::Obey { event: Box::new(Event::PolicySet { policy: Box::new(policy) }), at });

    assert!(floor.took(|it| {
        matches!(it, Effect::Live { to: Audience::Staff, message } if matches!(**message, ServerMessage::PolicyChanged(_)))
    }));
    floor.call_in(SUPPORT);
    assert!(floor.ring_of(ASHA).is_none());
}

#[test]
fn the_members_of_a_department_are_told_at_once_that_the_policy_has_changed() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.pass(1_000);
    floor.seen.clear();
    let policy = Policy { version: 2, departments: floor.center.directory.departments.clone(), ..Policy::default() };
    let at = FeedPosition { epoch: 1, bucket: 0, seq: 1_000 };

    floor.feed(Input::Obey { event: Box::new(Event::PolicySet { policy: Box::new(policy) }), at });

    // The line reads the same; an emergency route may have begun.
    assert_eq!(queue_news(&floor).len(), 1);
}

#[test]
fn two_missed_offers_set_a_person_away_and_say_so() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    for _ in 0..2 {
        floor.seen.clear();
        let call = floor.call_in(DIRECT);
        let ring = floor.ring_of(ASHA).unwrap();
        floor.client(SocketId(1), ClientMessage::RingAck { offer: ring.offer }).unwrap();
        floor.pass(26_000);
        floor.feed(Input::Sip(SipEvent::Ended { dialog: call.dialog, cause: EndCause::RemoteBye }));
    }
    assert!(floor.took(|it| *it == Effect::Elapsed(ASHA, cordboard_routing::Elapsed::Missed)));
    assert!(floor.told(ASHA, |it| matches!(it, ServerMessage::AwaySet { reason } if reason == "missed_2")));
    assert!(!floor.took(|it| matches!(it, Effect::EndSessions(_))));
}

#[test]
fn inactivity_warns_then_ends_the_sign_ins_and_activity_starts_it_over() {
    let mut floor = Floor::with_policy(|policy| policy.settings.inactivity_minutes = 60);
    floor.sign_in(SocketId(1), ASHA);
    floor.pass(44 * 60_000);
    floor.client(SocketId(1), ClientMessage::Activity {}).unwrap();
    floor.pass(44 * 60_000);
    assert!(!floor.told(ASHA, |it| matches!(it, ServerMessage::SignOutSoon { .. })));
    floor.feed(Input::Active(ASHA));

    floor.pass(46 * 60_000);
    assert!(floor.told(ASHA, |it| matches!(it, ServerMessage::SignOutSoon { .. })));
    floor.pass(15 * 60_000);

    assert!(floor.told(ASHA, |it| matches!(it, ServerMessage::AwaySet { reason } if reason == "inactivity_1h")));
    assert!(floor.took(|it| *it == Effect::EndSessions(ASHA)));
}

#[test]
fn a_callback_is_dealt_with_by_those_it_is_for() {
    let mut floor = Floor::with_policy(|policy| policy.departments[0].callback = true);
    floor.talk_to_asha(DIRECT);
    let call = floor.call_in(SUPPORT);
    let uid = floor.last_view().uid;
    floor.digit(call.leg, '1');
    floor.sign_in(SocketId(5), AgentId::demo(0x24));

    let foreign = floor.client(SocketId(5), ClientMessage::CallbackDone { call: uid }).unwrap_err();
    assert_eq!(foreign.code(), Some(ProblemCode::NotFound));
    floor.client(SocketId(1), ClientMessage::CallbackDone { call: uid }).unwrap();
    assert!(floor.center.engine().callbacks().is_empty());
    floor.feed(Input::CallbackDone { call: uid, reply: ReplyTo(7_000) });
    assert!(floor.took(|it| matches!(it, Effect::Reply { to: ReplyTo(7_000), result: Err(_) })));
}

#[test]
fn another_computer_sees_that_the_sound_is_free_and_takes_it() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(2), ASHA);
    let call = floor.talk_to_asha(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();
    floor.pass(60_000);
    floor.seen.clear();

    floor.feed(Input::SocketClosed(SocketId(1)));

    let lost = |it: &ServerMessage| matches!(it, ServerMessage::CallState(live) if live.media == cordboard_shared::call::MediaState::Lost);
    assert!(floor.told(ASHA, lost));
    let desk = floor.browser_up(SocketId(2), ring.call);
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(desk)));
}

#[test]
fn a_call_stays_where_it_is_heard_until_another_tab_asks_for_it() {
    let mut floor = Floor::new();
    floor.talk_to_asha(DIRECT);
    floor.sign_in(SocketId(2), ASHA);
    let call = floor.last_view().uid;
    let moved = |floor: &Floor| outside::steps(&floor.center.calls[&call].view).contains(&StepKind::Moved);
    let offer = |takes| ClientMessage::RtcOffer { call, sdp: "v=0".to_owned(), takes };

    let late = floor.client(SocketId(2), offer(false)).unwrap_err();
    assert_eq!(late.code(), Some(ProblemCode::AnsweredElsewhere));
    let to_tab = ClientMessage::Move { call, device: "tab:tab 2".to_owned() };
    assert_eq!(floor.client(SocketId(1), to_tab).unwrap_err().code(), Some(ProblemCode::InvalidField));
    // Its page was loaded again, and the old connection is not known to be gone: the call has not moved.
    floor.open_tab(SocketId(3), ASHA, "tab 1");
    floor.browser_up(SocketId(3), call);
    assert!(!moved(&floor));

    floor.client(SocketId(2), offer(true)).unwrap();

    assert!(moved(&floor));
}

#[test]
fn a_late_tab_is_told_the_ring_time_that_is_left() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.call_in(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();
    floor.now = floor.now + 800;
    floor.client(SocketId(1), ClientMessage::RingAck { offer: ring.offer }).unwrap();
    floor.now = floor.now + 5_000;
    floor.client(SocketId(1), ClientMessage::RingAck { offer: ring.offer }).unwrap();

    floor.sign_in(SocketId(2), ASHA);

    let Some(Effect::Live { message, .. }) = floor.find(|it| {
        matches!(it, Effect::Live { to: Audience::Socket(SocketId(2)), message } if matches!(**message, ServerMessage::Snapshot(_)))
    }) else {
        panic!("no snapshot")
    };
    let ServerMessage::Snapshot(snapshot) = *message else { panic!("no snapshot") };
    assert_eq!((snapshot.offers[0].ring_ms, snapshot.offers[0].waited_ms), (20_000, 5_800));
}
