//! Whatever the server writes is read here as `serde_json` itself reads it.

use cordboard_shared::agent::{Actor, Block, Source, Stamp, Verdict};
use cordboard_shared::call::MediaState;
use cordboard_shared::department::{Department, Fallback, Member, Strategy};
use cordboard_shared::event::{Ring, RingStop};
use cordboard_shared::id::{AgentId, DepartmentId, OfferId};
use cordboard_shared::{Millis, Pii, ProblemCode};
use serde_json::json;

use super::*;
use crate::model::log::tests::call;
use crate::model::roster::tests::{ASHA, presence, snapshot};

fn live_call() -> LiveCall {
    LiveCall { call: call(1_000), media: MediaState::Open, muted: true, peer: Pii("Ada".to_owned()), quality: None }
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

#[test]
fn every_frame_reads_as_it_was_written() {
    let mut full = snapshot();
    full.calls = vec![live_call()];
    full.offers = vec![ring()];
    full.departments = vec![department()];
    let mut paused = presence(ASHA, 3, Verdict::Paused);
    paused.facts.pause = Some(Block {
        stamp: Stamp { since: Millis(5), by: Actor::system(), source: Source::Admin },
        reason: Some("stock take".to_owned()),
        until: None,
    });
    paused.matrix = Some([(1, 'S'), (15, 'R')].into());
    let offer = OfferId::demo(7);
    let uid = call(1_000).uid;
    let messages = [
        ServerMessage::Ok(json!({"sdp": "v=0"})),
        ServerMessage::Error(Problem::new(ProblemCode::OfferEnded, "too late").with("current", json!({"a": 1}))),
        ServerMessage::Snapshot(Box::new(full)),
        ServerMessage::Gap {},
        ServerMessage::Ping { t: -5 },
        ServerMessage::PresenceChanged(Box::new(paused)),
        ServerMessage::Ring(Box::new(ring())),
        ServerMessage::RingLease { offer, lease_ms: 3_000 },
        ServerMessage::RingStop { offer, reason: RingStop::AnsweredElsewhere },
        ServerMessage::CallState(Box::new(live_call())),
        ServerMessage::CallAudio { call: uid, verdict: "ok".to_owned() },
        ServerMessage::CallLogged(Box::new(call(1_000))),
        ServerMessage::QueueChanged {
            department: DepartmentId::demo(1),
            waiting: 2,
            longest_ms: 9,
            by_verdict: [(Verdict::Away, 1)].into(),
        },
        ServerMessage::Draining { retry_ms: 500 },
    ];
    for message in messages {
        let written = ServerFrame { seq: 7, pos: "1.0.9".parse().ok(), re: Some("c1".to_owned()), message };
        let text = serde_json::to_string(&written).unwrap();
        assert_eq!(frame(&text), Ok(Heard::Frame(Box::new(written))), "{text}");
    }
}

#[test]
fn a_frame_of_a_newer_server_still_counts() {
    let text = r#"{"seq":8,"type":"weather.changed","data":{"sun":true}}"#;

    assert_eq!(frame(text), Ok(Heard::Numbered(8)));
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
        assert!(frame(text).is_err(), "{text}");
    }
}

#[test]
fn an_error_body_keeps_the_members_of_its_case() {
    let written = Problem::new(ProblemCode::RateLimited, "slow down").with("retry_after", 5);

    assert_eq!(problem(&serde_json::to_string(&written).unwrap()), Ok(written));
}
