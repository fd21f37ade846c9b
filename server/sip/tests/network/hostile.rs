//! Garbage, truncations and mutations: no panic, nothing left behind, and the next call is fine.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::message::{Message, NameAddr, Request, parse};
use cordboard_sip::{Command, DialogId, Event, Invitation, Stats};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply};

const INPUTS: u32 = 200_000;

#[test]
fn two_hundred_thousand_hostile_datagrams_leave_nothing_behind() {
    let mut stage = Stage::new();
    let mut rng = ChaCha8Rng::seed_from_u64(0xBAD);
    let mut corpus = corpus(&stage);
    let fixed = corpus.len();
    let mut seen = [0_u32; 2];
    let mut transfers = 0;
    let mut open = Vec::new();
    for number in 0..INPUTS {
        if number % 500 == 0 {
            // Fresh calls of ours give the mutations something to hit: answers with branches and tags that are known.
            corpus.truncate(fixed);
            for dialog in open.drain(..) {
                stage.command(Command::HangUp { dialog });
            }
            corpus.extend(answers_to_a_call_of_ours(&mut stage));
            corpus.extend(requests_in_a_call_of_theirs(&mut stage, number, &mut open));
        }
        let bytes = hostile(&mut rng, &corpus);
        stage.send(bytes);
        while let Some((_, event)) = stage.net.take_event() {
            seen[usize::from(matches!(event, Event::Incoming(_)))] += 1;
            transfers += u32::from(matches!(event, Event::Refer(_)));
            act(&mut stage, event, &mut rng);
        }
        if number % 64 == 0 {
            stage.wait(Duration::from_millis(64));
            stage.clear_mail();
        }
    }
    assert!(seen[0] > 1_000 && seen[1] > 1_000, "the mutations reached the dialogs: {seen:?}");
    assert!(transfers > 40, "{transfers}");
    for dialog in open {
        stage.command(Command::HangUp { dialog });
    }
    for _ in 0..300 {
        stage.wait(Duration::from_secs(1));
        while let Some((_, event)) = stage.net.take_event() {
            act(&mut stage, event, &mut rng);
        }
        stage.clear_mail();
    }
    assert_eq!(stage.net.stats(stage.us), Stats::default());

    let mut call = Call::new(&stage, "after");
    stage.established(&mut call);
}

#[test]
fn every_truncation_of_an_invite_is_answered_or_dropped() {
    let mut stage = Stage::new();
    let call = Call::new(&stage, "cut");
    let invite = call.invite();
    let head = invite.find("\r\n\r\n").unwrap() + 4;
    for length in 0..invite.len() {
        stage.send(&invite.as_bytes()[..length]);
        // Cut in its header fields there is nobody sure to answer; cut in its body, it is answered with 400.
        if length < head {
            stage.expect_silence();
        } else {
            stage.expect(400);
        }
        assert_eq!(stage.event(), None);
    }
    assert_eq!(stage.net.stats(stage.us), Stats::default());
    stage.incoming(&call);
}

#[test]
fn an_invite_with_a_thousand_header_fields_draws_400_and_the_next_call_is_fine() {
    let mut stage = Stage::new();
    for extra in
        ["X-Flood: y\r\n", "Via: SIP/2.0/UDP 192.0.2.8;branch=z9hG4bKx\r\n", "Record-Route: <sip:192.0.2.8;lr>\r\n"]
    {
        let call = Call::new(&stage, "flood").with(&extra.repeat(1_000));
        stage.send(call.invite());
        stage.expect(400);
    }
    assert_eq!(stage.net.stats(stage.us), Stats::default());
    let call = Call::new(&stage, "fine");
    stage.incoming(&call);
}

#[test]
fn a_hundred_thousand_strangers_find_a_bound() {
    let mut stage = Stage::new();
    let limits = cordboard_sip::Limits { dialogs: 50, server_transactions: 200, retry_after: 1, ..Default::default() };
    stage.us = stage.net.endpoint_with("192.0.2.1:5060", 3, limits);
    let mut most = Stats::default();
    for number in 0..20_000 {
        stage.send(Call::new(&stage, &format!("n{number}")).invite());
        if let Some(Event::Incoming(call)) = stage.event() {
            stage.command(Command::Reject { dialog: call.dialog, status: 404, retry_after: None, reason: None });
        }
        let stats = stage.net.stats(stage.us);
        most.server_transactions = most.server_transactions.max(stats.server_transactions);
        most.timers = most.timers.max(stats.timers);
        stage.clear_mail();
    }
    assert_eq!(most.server_transactions, 200);
    assert!(most.timers <= 400, "{most:?}");
    stage.expect_idle();
}

impl Stage {
    fn clear_mail(&mut self) {
        for address in [self.peer, SocketAddr::from(([127, 0, 0, 1], 5060))] {
            while self.net.take(address).is_some() {}
        }
    }
}

/// An application that decides by chance, and always decides.
fn act(stage: &mut Stage, event: Event, rng: &mut ChaCha8Rng) {
    match event {
        Event::Incoming(call) => {
            let dialog = call.dialog;
            stage.command(Command::Progress { dialog, status: 180, sdp: None });
            match rng.next_u32() % 3 {
                0 => stage.command(Command::Accept { dialog, sdp: ANSWER.into() }),
                1 => stage.command(Command::Reject { dialog, status: 486, retry_after: None, reason: None }),
                _ => stage.command(Command::HangUp { dialog }),
            }
        }
        Event::Answered { dialog, .. } if rng.next_u32().is_multiple_of(2) => {
            let to = "sip:elsewhere@192.0.2.3".parse().unwrap();
            stage.command(Command::Offer { dialog, sdp: OFFER.into() });
            stage.command(Command::Refer { dialog, to, replaces: None, referred_by: None });
            stage.command(Command::HangUp { dialog });
        }
        Event::Confirmed { dialog, .. } | Event::Answered { dialog, .. } | Event::Progress { dialog, .. } => {
            stage.command(Command::HangUp { dialog });
        }
        Event::Refer(transfer) => {
            let dialog = transfer.dialog;
            match rng.next_u32() % 3 {
                0 => stage.command(Command::RejectRefer { dialog, status: 603 }),
                1 => stage.command(Command::AcceptRefer { dialog }),
                _ => {
                    stage.command(Command::AcceptRefer { dialog });
                    stage.command(Command::NotifyRefer { dialog, status: 200, end: true });
                }
            }
        }
        Event::Reinvite { dialog, .. } => stage.command(Command::AnswerOffer { dialog, sdp: ANSWER.into() }),
        Event::Cancelled { .. }
        | Event::Info { .. }
        | Event::OfferAnswered { .. }
        | Event::OfferRefused { .. }
        | Event::Failed { .. }
        | Event::Ended { .. }
        | Event::Redirected { .. }
        | Event::ReferProgress { .. }
        | Event::TrunkState { .. }
        | Event::Registered { .. }
        | Event::Unregistered { .. } => {}
    }
}

fn corpus(stage: &Stage) -> Vec<Vec<u8>> {
    let mut call = Call::new(stage, "seed").with("Record-Route: <sip:192.0.2.9;lr>");
    let mut corpus = vec![call.invite(), call.cancel(), call.ack_failure(), call.text("OPTIONS", 1, "o", "", "")];
    call.to_tag = Some("tag".to_owned());
    corpus.extend([call.ack(1), call.bye(2), call.text("INFO", 3, "i", "text/plain", "x")]);
    corpus.extend([
        call.text("UPDATE", 4, "u", "application/sdp", OFFER),
        call.text("INVITE", 5, "r", "application/sdp", OFFER),
    ]);
    let mut wanting = Call::new(stage, "want").with("Require: 100rel").with("Supported: timer").with("Min-SE: 90");
    wanting = wanting.with("Session-Expires: 1800;refresher=uac").with("Replaces: seed@peer;to-tag=a;from-tag=b");
    wanting = wanting.with("P-Asserted-Identity: <tel:+44900>").with("Privacy: id").with("Diversion: <sip:d@h>");
    corpus.push(wanting.invite());
    corpus.into_iter().map(String::into_bytes).collect()
}

/// A call of the peer's that stands for a while, and what may come in it.
fn requests_in_a_call_of_theirs(stage: &mut Stage, number: u32, open: &mut Vec<DialogId>) -> Vec<Vec<u8>> {
    stage.clear_mail();
    let name = format!("live{number}");
    let mut call = Call::new(stage, &name);
    stage.send(call.invite());
    let Some(dialog) = std::iter::from_fn(|| stage.event()).find_map(|event| match event {
        Event::Incoming(incoming) => Some(incoming.dialog),
        _ => None,
    }) else {
        return Vec::new();
    };
    stage.clear_mail();
    stage.command(Command::Accept { dialog, sdp: ANSWER.into() });
    call.learn_tag(&stage.expect(200).headers);
    stage.send(call.ack(1));
    while stage.event().is_some() {}
    open.push(dialog);
    let tag = call.to_tag.clone().unwrap();
    let fields = |text: String, fields: &str| text.replace("Content-Length", &format!("{fields}Content-Length"));
    let refer = "Refer-To: <sip:c@h?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\nReferred-By: <sip:x@y>\r\n";
    let notify = "Event: refer;id=2\r\nSubscription-State: active;expires=60\r\n";
    let replacing = format!("Replaces: {name}@peer;to-tag={tag};from-tag={name}from");
    let texts = [
        fields(call.text("REFER", 20, "refer", "", ""), refer),
        fields(call.text("NOTIFY", 21, "notify", "message/sipfrag", "SIP/2.0 180 Ringing\r\n"), notify),
        fields(call.text("PRACK", 22, "prack", "", ""), "RAck: 1 1 INVITE\r\n"),
        fields(call.text("UPDATE", 23, "update", "application/sdp", OFFER), "Session-Expires: 90;refresher=uac\r\n"),
        call.text("INVITE", 24, "change", "application/sdp", OFFER),
        Call::new(stage, "takes").with(&replacing).invite(),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

fn answers_to_a_call_of_ours(stage: &mut Stage) -> Vec<Vec<u8>> {
    stage.clear_mail();
    let dialog = stage.net.at(stage.us).new_dialog_id();
    let to = "sip:x@192.0.2.9:5060".parse().unwrap();
    let from = NameAddr::parse("<sip:y@192.0.2.1>").unwrap();
    let (destination, sdp) = (stage.peer, OFFER.into());
    stage.command(Invitation::new(dialog, to, from, destination, sdp).into());
    let invite: Request = loop {
        let (_, bytes) = stage.net.take(stage.peer).expect("an INVITE");
        if let Message::Request(request) = parse(&bytes).unwrap().message {
            break request;
        }
    };
    let contact = "Contact: <sip:x@192.0.2.9:5060>\nRecord-Route: <sip:192.0.2.9;lr>";
    let mut answers: Vec<Vec<u8>> =
        [100, 180, 200, 486].map(|status| reply(&invite, status, "them", contact, ANSWER)).to_vec();
    answers.push(reply(&invite, 200, "fork", contact, ANSWER));
    answers
}

fn hostile(rng: &mut ChaCha8Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut pick = |bound: usize| rng.next_u32() as usize % bound.max(1);
    if pick(20) == 0 {
        return (0..pick(600)).map(|_| u8::try_from(pick(256)).unwrap()).collect();
    }
    let mut bytes = corpus[pick(corpus.len())].clone();
    // A new branch now and then, so that not all is a repeat.
    if pick(2) == 0 {
        let text = String::from_utf8_lossy(&bytes).replace("seed", &format!("s{}", pick(100_000)));
        bytes = text.into_bytes();
    }
    for _ in 0..pick(4) {
        if bytes.is_empty() {
            break;
        }
        let at = pick(bytes.len());
        match pick(8) {
            0 => bytes[at] ^= 1 << pick(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..(at + pick(40)).min(bytes.len()))),
            3 => {
                let other = &corpus[pick(corpus.len())];
                let from = pick(other.len());
                bytes.splice(at..at, other[from..(from + pick(200)).min(other.len())].iter().copied());
            }
            4 => drop(bytes.splice(at..at, "9".repeat(pick(200)).into_bytes())),
            5 => drop(bytes.splice(at..at, "é\u{202E}𝄞".bytes())),
            6 => bytes[at] = b"\r\n<>\";,:@=%[] \0"[pick(15)],
            _ => {
                let line: Vec<u8> = bytes[at..].iter().copied().take_while(|&byte| byte != b'\n').collect();
                let end = at + line.len();
                bytes.splice(end..end, [b"\n".as_slice(), &line].concat());
            }
        }
    }
    bytes
}
