//! Whatever the server writes is read here as `serde_json` itself reads it.

use cordboard_shared::agent::{Actor, Block, Source, Stamp, Verdict};
use cordboard_shared::call::{MediaState, RecordingState};
use cordboard_shared::department::{Department, Fallback, Member, Sticky, StickyMode, Strategy};
use cordboard_shared::event::{DeviceViewKind, FloorState, ServerFrame, ServerMessage, Snapshot};
use cordboard_shared::id::{AgentId, EmergencyId};
use cordboard_shared::policy::{Policy, ReachPatch};
use cordboard_shared::schedule::{Day, Slot};
use cordboard_shared::{Pii, ProblemCode};
use serde_json::json;

use super::*;
use crate::model::log::tests::call;
use crate::model::roster::GroupMember;
use crate::model::roster::tests::{ASHA, presence, snapshot};

fn live_call() -> LiveCall {
    LiveCall {
        call: call(1_000),
        media: MediaState::Open,
        muted: true,
        peer: Pii("Ada".to_owned()),
        quality: None,
        held_by_peer: false,
        recording: RecordingState::Off,
        transfer: None,
        device: None,
    }
}

fn ring() -> Ring {
    Ring {
        offer: OfferId::demo(7),
        call: call(1_000).uid,
        from: Pii("+442079460199".to_owned()),
        name: Some(Pii("Ada".to_owned())),
        department: Some(DepartmentId::demo(1)),
        waited_ms: 12,
        why: "first in order".to_owned(),
        ring_ms: 25_000,
        lease_ms: 3_000,
        callback: false,
    }
}

fn department() -> Department {
    let mut department = Department::new(DepartmentId::demo(1), "support", "Support", Strategy::Serial);
    department.members =
        vec![Member { agent: ASHA, order: 1, always_include: false, skills: [("tax".to_owned(), 3)].into() }];
    department.fallback = vec![Fallback::Voicemail { mailbox: "support".to_owned() }, Fallback::Disconnect];
    department.caller_id = "+442079460101".parse().ok();
    department
}

/// The frame as the server writes it.
fn written(message: ServerMessage) -> String {
    let frame = ServerFrame { seq: 7, pos: "1.0.9".parse().ok(), re: Some("c1".to_owned()), message };
    serde_json::to_string(&frame).unwrap()
}

#[test]
fn every_frame_reads_as_it_was_written() {
    let mut paused = presence(ASHA, 3, Verdict::Paused);
    paused.facts.pause = Some(Block {
        stamp: Stamp { since: Millis(5), by: Actor::system(), source: Source::Admin },
        reason: Some("stock take".to_owned()),
        until: None,
    });
    paused.matrix = Some([(1, 'S'), (15, 'R')].into());
    let offer = OfferId::demo(7);
    let support = DepartmentId::demo(1);
    let uid = call(1_000).uid;
    let error = Problem::new(ProblemCode::OfferEnded, "too late").with("current", json!({"a": 1}));
    let pairs = [
        (ServerMessage::Ok(json!({"sdp": "v=0"})), Message::Ok(json!({"sdp": "v=0"}))),
        (ServerMessage::Error(error.clone()), Message::Error(error)),
        (ServerMessage::Gap {}, Message::Gap),
        (ServerMessage::Ping { t: -5 }, Message::Ping(-5)),
        (ServerMessage::PresenceChanged(Box::new(paused.clone())), Message::Presence(Box::new(paused))),
        (ServerMessage::Ring(Box::new(ring())), Message::Ring(Box::new(ring()))),
        (ServerMessage::RingLease { offer, lease_ms: 3_000 }, Message::RingLease(offer, 3_000)),
        (
            ServerMessage::RingStop { offer, reason: RingStop::AnsweredElsewhere },
            Message::RingStop(offer, RingStop::AnsweredElsewhere),
        ),
        (ServerMessage::CallState(Box::new(live_call())), Message::CallState(Box::new(live_call()))),
        (ServerMessage::CallAudio { call: uid, verdict: "ok".to_owned() }, Message::CallAudio(uid, "ok".to_owned())),
        (ServerMessage::CallLogged(Box::new(call(1_000))), Message::CallLogged(Box::new(call(1_000)))),
        (
            ServerMessage::QueueChanged {
                department: support,
                waiting: 2,
                longest_ms: 9,
                by_verdict: [(Verdict::Away, 1)].into(),
            },
            Message::Queue(support, 2, 9),
        ),
        (ServerMessage::CallbacksChanged {}, Message::Callbacks),
        (ServerMessage::SignOutSoon { at: Millis(8) }, Message::SignOutSoon(Millis(8))),
        (ServerMessage::AwaySet { reason: "missed_2".to_owned() }, Message::AwaySet("missed_2".to_owned())),
        (ServerMessage::AwayOver {}, Message::AwayOver),
        (ServerMessage::FloorChanged { calls: vec![floor_call()] }, Message::Floor(vec![floor_call()])),
        (ServerMessage::DevicesChanged { devices: vec![desk_phone()] }, Message::Devices(vec![desk_phone()])),
        (ServerMessage::Draining { retry_ms: 500 }, Message::Draining(500)),
    ];
    for (message, wanted) in pairs {
        let text = written(message);
        let wanted = Frame { seq: 7, pos: "1.0.9".parse().ok(), re: Some("c1".to_owned()), message: wanted };
        assert_eq!(frame(&text, WITH_CALLS), Ok(wanted), "{text}");
    }
}

#[test]
fn without_a_telephone_a_call_is_only_noticed() {
    let text = written(ServerMessage::Ring(Box::new(ring())));
    assert_eq!(frame(&text, WITHOUT_CALLS).unwrap().message, Message::RingsElsewhere);
    let text = written(ServerMessage::CallLogged(Box::new(call(1_000))));
    assert_eq!(frame(&text, WITHOUT_CALLS).unwrap().message, Message::Other);
}

fn emergency() -> EmergencyRoute {
    EmergencyRoute {
        id: EmergencyId::demo(1),
        name: "Storm".to_owned(),
        reason: "half the team cannot come in".to_owned(),
        departments: vec![DepartmentId::demo(1)],
        starts: Millis(1),
        ends: Millis(2),
        by: Actor::system(),
    }
}

fn policy() -> Policy {
    Policy { version: 4, departments: vec![department()], emergencies: vec![emergency()], ..Policy::default() }
}

fn group() -> Group {
    Group {
        id: DepartmentId::demo(1),
        slug: "support".to_owned(),
        name: "Support".to_owned(),
        members: vec![GroupMember { agent: ASHA }],
    }
}

fn floor_call() -> FloorCall {
    FloorCall {
        call: call(1_000).uid,
        number: Pii("+442079460199".to_owned()),
        name: None,
        state: FloorState::Parked,
        department: None,
        agents: vec![ASHA],
        slot: Some("701".to_owned()),
        since: Millis(9),
    }
}

fn desk_phone() -> DeviceView {
    DeviceView {
        id: "phone:1001".to_owned(),
        kind: DeviceViewKind::Phone,
        name: "Desk phone 1001".to_owned(),
        ready: true,
        rings: true,
    }
}

#[test]
fn a_snapshot_gives_what_the_panel_needs_of_it() {
    let wanted = Picture {
        groups: vec![group()],
        offers: vec![ring()],
        calls: vec![live_call()],
        floor: Floor { calls: vec![floor_call()], devices: vec![desk_phone()], dispositions: vec!["Sale".to_owned()] },
        emergencies: vec![emergency()],
        ..snapshot()
    };
    let given = Snapshot {
        me: wanted.me.clone(),
        presence: wanted.presence.clone(),
        agents: wanted.agents.clone(),
        presences: wanted.presences.clone(),
        departments: vec![department()],
        numbers: Vec::new(),
        offers: wanted.offers.clone(),
        calls: wanted.calls.clone(),
        zone: wanted.zone.clone(),
        policy: Some(Box::new(policy())),
        away_reasons: wanted.away_reasons.clone(),
        floor: wanted.floor.calls.clone(),
        devices: wanted.floor.devices.clone(),
        dispositions: wanted.floor.dispositions.clone(),
        as_of: wanted.as_of,
    };

    let text = written(ServerMessage::Snapshot(Box::new(given)));
    let with = frame(&text, WITH_CALLS).unwrap();
    assert_eq!(with.message, Message::Snapshot(Box::new(wanted.clone())));
    let without = frame(&text, WITHOUT_CALLS).unwrap();
    let wanted = Picture { offers: Vec::new(), calls: Vec::new(), floor: Floor::default(), ..wanted };
    assert_eq!(without.message, Message::Snapshot(Box::new(wanted)));
}

#[test]
fn a_new_policy_gives_departments_and_emergencies_and_is_read_whole_where_it_is_edited() {
    let frame = frame(&written(ServerMessage::PolicyChanged(Box::new(policy()))), WITH_CALLS).unwrap();
    let wanted = Message::Policy { version: 4, groups: vec![group()], emergencies: vec![emergency()] };
    assert_eq!(frame.message, wanted);

    let mut full = policy();
    full.departments[0].hours.open =
        vec![Slot { days: vec![Day::Mon], from: "22:00".parse().unwrap(), to: "06:00".parse().unwrap() }];
    full.departments[0].sticky =
        Some(Sticky { mode: StickyMode::Strict, hours: 48, fallback: Some(Fallback::Callback) });
    full.people = [(ASHA, ReachPatch { callbacks_reach_away: Some(false), ..ReachPatch::default() })].into();
    assert_eq!(from_str::<Policy>(&serde_json::to_string(&full).unwrap()), Ok(full));
}

#[test]
fn a_frame_of_a_newer_server_still_counts() {
    let text = r#"{"seq":8,"type":"weather.changed","data":{"sun":true}}"#;

    let read = frame(text, WITH_CALLS).unwrap();
    assert_eq!((read.seq, read.message), (8, Message::Other));
}

#[test]
fn unknown_members_are_ignored_and_nonsense_is_an_error() {
    let profile = json!({"id": ASHA, "name": "Asha", "email": "a@b", "role": "agent", "extension": "21", "new": [1]});
    let read: cordboard_shared::agent::AgentProfile = from_str(&profile.to_string()).unwrap();
    assert_eq!(read.id, AgentId::demo(0x21));

    for text in [
        "",
        "[]",
        "{}",
        r#"{"seq":1}"#,
        r#"{"seq":"x","type":"gap","data":{}}"#,
        r#"{"seq":1,"type":"ring","data":{}}"#,
    ] {
        assert!(frame(text, WITH_CALLS).is_err(), "{text}");
    }
}

#[test]
fn an_error_body_keeps_the_members_of_its_case() {
    let written = Problem::new(ProblemCode::RateLimited, "slow down").with("retry_after", 5);

    assert_eq!(problem(&serde_json::to_string(&written).unwrap()), Ok(written));
}

#[test]
fn a_variant_may_hold_a_value() {
    use cordboard_shared::api::flows::PreviewInput;

    let all = r#"["nothing", {"key": "1"}, {"digits": "1234"}]"#;
    let read: Vec<PreviewInput> = from_str(all).unwrap();
    assert_eq!(read, [PreviewInput::Nothing, PreviewInput::Key('1'), PreviewInput::Digits("1234".to_owned())]);
    assert!(from_str::<PreviewInput>("{}").is_err());
}
