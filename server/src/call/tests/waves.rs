//! Several people ring for one call: exactly one wins, and nobody is left ringing.

use cordboard_shared::department::Strategy;

use super::*;

/// Support rings three at once; Asha, Riya, Dev and Ken are there.
fn wave_of_three() -> Floor {
    let mut floor = Floor::with_policy(|policy| {
        policy.departments[0].strategy = Strategy::Simultaneous;
        policy.departments[0].wave = 3;
    });
    for (socket, agent) in [(1, ASHA), (2, RIYA), (3, DEV), (4, KEN)] {
        floor.sign_in(SocketId(socket), agent);
    }
    floor
}

/// Asha, Riya and Dev ring, and their devices have said so.
fn ring_three(floor: &mut Floor) -> [Ring; 3] {
    let rings = [ASHA, RIYA, DEV].map(|agent| floor.ring_of(agent).unwrap());
    for (socket, ring) in (1..).zip(&rings) {
        floor.client(SocketId(socket), ClientMessage::RingAck { offer: ring.offer }).unwrap();
    }
    rings
}

fn stopped(floor: &Floor, agent: AgentId, wanted: &Ring, why: RingStop) -> bool {
    floor.told(
        agent,
        |it| matches!(it, ServerMessage::RingStop { offer, reason } if *offer == wanted.offer && *reason == why),
    )
}

#[test]
fn of_three_who_ring_one_answers_and_two_hear_that_somebody_else_did() {
    let mut floor = wave_of_three();
    let call = floor.call_in(SUPPORT);
    let [asha, riya, dev] = ring_three(&mut floor);
    assert!(floor.ring_of(KEN).is_none(), "the wave is three");
    assert_eq!(floor.last_view().agent, None, "while several ring it is nobody's call");
    for agent in [ASHA, RIYA, DEV] {
        let shown = |it: &ServerMessage| matches!(it, ServerMessage::CallState(live) if live.call.uid == asha.call);
        assert!(floor.told(agent, shown));
    }
    let [_, desk, _] = [1, 2, 3].map(|socket| floor.browser_up(SocketId(socket), asha.call));

    floor.client(SocketId(2), ClientMessage::Answer { offer: riya.offer }).unwrap();

    assert_eq!(floor.hears(call.leg), Some(Source::Leg(desk)));
    assert!(stopped(&floor, RIYA, &riya, RingStop::Answered));
    assert!(stopped(&floor, ASHA, &asha, RingStop::AnsweredElsewhere));
    assert!(stopped(&floor, DEV, &dev, RingStop::AnsweredElsewhere));
    for (socket, ring) in [(1, &asha), (3, &dev)] {
        let late = floor.client(SocketId(socket), ClientMessage::Answer { offer: ring.offer }).unwrap_err();
        assert_eq!((late.code(), late.status), (Some(ProblemCode::AnsweredElsewhere), 409));
    }
    assert_eq!(floor.last_view().agent, Some(RIYA));
    assert_eq!(floor.center.active_legs(), 2, "the losers' connections are gone");
    let told = floor.decisions().pop().unwrap();
    let reason = |agent| told.members.iter().find(|it| it.agent == agent).unwrap().reason;
    assert_eq!([ASHA, RIYA, DEV].map(reason), [Reason::AnsweredElsewhere, Reason::Answered, Reason::AnsweredElsewhere]);
}

#[test]
fn who_declines_is_replaced_and_the_others_ring_on() {
    let mut floor = wave_of_three();
    floor.call_in(SUPPORT);
    let [asha, riya, _] = ring_three(&mut floor);
    let desk = floor.browser_up(SocketId(2), asha.call);

    floor.client(SocketId(1), ClientMessage::Decline { offer: asha.offer }).unwrap();

    assert!(stopped(&floor, ASHA, &asha, RingStop::Declined));
    assert!(floor.ring_of(KEN).is_some(), "the place in the wave is filled");
    assert!(!floor.took(|it| *it == Effect::Media(Media::Remove { leg: desk })), "another's connection stays");
    floor.client(SocketId(2), ClientMessage::Answer { offer: riya.offer }).unwrap();
    assert_eq!(floor.last_view().agent, Some(RIYA));
}

#[test]
fn going_away_stops_one_ring_of_several_and_a_caller_who_hangs_up_stops_all() {
    let mut floor = wave_of_three();
    let call = floor.call_in(SUPPORT);
    let [asha, riya, dev] = ring_three(&mut floor);

    floor.toggle(RIYA, Toggle::Away);
    assert!(stopped(&floor, RIYA, &riya, RingStop::DeclinedByStatus));
    assert!(!stopped(&floor, ASHA, &asha, RingStop::DeclinedByStatus));
    floor.seen.clear();
    floor.feed(Input::Sip(SipEvent::Cancelled { dialog: call.dialog }));

    for (agent, ring) in [(ASHA, &asha), (DEV, &dev)] {
        assert!(stopped(&floor, agent, ring, RingStop::CallerHungUp));
    }
    floor.pass(5_000);
    assert!(
        !floor.took(
            |it| matches!(it, Effect::Live { message, .. } if matches!(**message, ServerMessage::RingLease { .. }))
        )
    );
    assert_eq!((floor.center.active_calls(), floor.center.active_legs()), (0, 0));
}

#[test]
fn a_wave_is_written_once_and_its_leases_go_to_each() {
    let mut floor = wave_of_three();
    floor.invite("127.0.0.1:5070", SUPPORT, Some(offer()));
    let before = floor.views().len();
    floor.opened();
    assert_eq!(floor.views().len(), before + 1, "three rings are one version of the record");
    ring_three(&mut floor);
    floor.seen.clear();

    floor.pass(1_000);

    for agent in [ASHA, RIYA, DEV] {
        assert!(floor.told(agent, |it| matches!(it, ServerMessage::RingLease { .. })));
    }
}
