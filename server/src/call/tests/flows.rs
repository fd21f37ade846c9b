//! Call flows as callers meet them.

use cordboard_shared::flow::{Flow, FlowState, Node};
use cordboard_shared::schedule::{Day, Slot, WeeklyHours};

use super::*;
use crate::call::flow::{WebhookBody, WebhookQuestion};

fn message(audio: &str, next: Option<&str>) -> Node {
    Node::Message { audio: audio.to_owned(), next: next.map(str::to_owned) }
}

fn ask(webhook: bool, failed: Option<&str>) -> Node {
    Node::Input {
        audio: "audio:question".to_owned(),
        digits_max: 4,
        no_input_seconds: 3,
        webhook: webhook.then(|| "https://crm.example.com/ivr".to_owned()),
        timeout_ms: 2_000,
        answers: BTreeMap::from([("gold".to_owned(), "vip".to_owned())]),
        next: Some("next".to_owned()),
        failed: failed.map(str::to_owned),
    }
}

impl Floor {
    /// The demo company with other nodes in its main flow.
    fn with_flow(start: &str, nodes: &[(&str, Node)], edit: impl FnOnce(&mut Flow, &mut Directory)) -> Self {
        let mut floor = Self::new();
        floor.set_flow(start, nodes, edit);
        floor
    }

    fn set_flow(&mut self, start: &str, nodes: &[(&str, Node)], edit: impl FnOnce(&mut Flow, &mut Directory)) {
        let mut directory = Directory::clone(&self.center.directory);
        let mut flow = Flow::clone(&directory.flows[0]);
        flow.version += 1;
        flow.start = start.to_owned();
        flow.nodes = nodes.iter().map(|(name, node)| ((*name).to_owned(), node.clone())).collect();
        edit(&mut flow, &mut directory);
        directory.flows[0] = Arc::new(flow);
        self.feed(Input::Directory(Arc::new(directory)));
    }

    fn heard(&self, leg: LegId) -> String {
        self.spoken(leg).join(" ")
    }

    fn question(&self) -> Option<WebhookQuestion> {
        self.seen.iter().rev().find_map(|it| match it {
            Effect::AskWebhook(question) => Some((**question).clone()),
            _ => None,
        })
    }

    fn press(&mut self, leg: LegId, keys: &str) {
        for key in keys.chars() {
            self.digit(leg, key);
        }
    }
}

#[test]
fn digits_go_to_the_webhook_and_its_answer_says_where_the_call_goes() {
    let nodes = [
        ("ask", ask(true, Some("sorry"))),
        ("vip", message("audio:gold", None)),
        ("next", message("audio:next", None)),
        ("sorry", message("audio:sorry", None)),
    ];
    for (answer, heard) in [(Ok("gold"), "gold"), (Ok("lead"), "next"), (Err("it answered 500"), "sorry")] {
        let mut floor = Floor::with_flow("ask", &nodes, |_, _| {});
        let call = floor.call_in(MAIN);
        assert_eq!(floor.heard(call.leg), "question");
        floor.press(call.leg, "12");
        assert_eq!(floor.hears(call.leg), Some(Source::Silence), "a key cuts the question short");
        floor.press(call.leg, "34");
        let question = floor.question().unwrap();
        assert_eq!((question.url.as_str(), question.timeout_ms), ("https://crm.example.com/ivr", 2_000));
        let WebhookBody { node, digits, language, to, .. } = question.body;
        assert_eq!((node.as_str(), digits.0.as_str(), language.as_str(), to.0.as_str()), ("ask", "1234", "en", MAIN));

        floor.press(call.leg, "5");
        let answer = answer.map(str::to_owned).map_err(str::to_owned);
        let (id, hop) = (question.call, question.hop);
        floor.feed(Input::WebhookAnswered { call: id, hop: hop + 1, answer: Ok("gold".to_owned()) });
        assert_eq!(floor.heard(call.leg), "question", "an answer to another question changes nothing");
        floor.feed(Input::WebhookAnswered { call: id, hop, answer });
        assert_eq!(floor.heard(call.leg), heard);
    }
}

#[test]
fn a_webhook_that_never_answers_and_digits_that_never_come_lead_on() {
    let nodes = [("ask", ask(true, Some("sorry"))), ("sorry", message("audio:sorry", None))];
    let mut floor = Floor::with_flow("ask", &nodes, |_, _| {});
    let call = floor.call_in(MAIN);
    floor.press(call.leg, "7#");
    assert_eq!(floor.question().unwrap().body.digits.0, "7");
    floor.pass(2_400);
    assert_eq!(floor.heard(call.leg), "question");
    floor.pass(200);
    assert_eq!(floor.heard(call.leg), "sorry");

    let mut floor = Floor::with_flow("ask", &nodes, |_, _| {});
    let call = floor.call_in(MAIN);
    floor.finish_play(call.leg);
    floor.pass(2_900);
    assert_eq!(floor.heard(call.leg), "question");
    floor.pass(200);
    assert_eq!((floor.heard(call.leg).as_str(), floor.question()), ("sorry", None));
}

#[test]
fn the_language_a_caller_chooses_holds_for_all_that_follows() {
    let language = Node::Language {
        audio: "audio:languages".to_owned(),
        keys: BTreeMap::from([('2', "hi".to_owned())]),
        next: Some("ask".to_owned()),
    };
    let nodes = [("language", language), ("ask", ask(true, None)), ("next", message("audio:next", None))];
    let mut floor = Floor::with_flow("language", &nodes, |flow, _| flow.language = Some("en".to_owned()));
    let call = floor.call_in(MAIN);
    floor.press(call.leg, "72");
    assert_eq!(floor.heard(call.leg), "question", "7 is passed over");
    floor.press(call.leg, "1#");
    assert_eq!(floor.question().unwrap().body.language, "hi");
}

#[test]
fn a_closed_flow_runs_its_other_node_or_says_so() {
    // 2026-11-21 is a Saturday; START lies in November, and the demo's zone is London.
    let closed = |flow: &mut Flow| {
        let slot = Slot { days: Day::ALL.to_vec(), from: "00:00".parse().unwrap(), to: "00:01".parse().unwrap() };
        flow.hours = WeeklyHours { zone: None, open: vec![slot], holidays: Vec::new() };
    };
    let nodes = [("welcome", message("audio:welcome", None)), ("night", message("audio:night", None))];
    let mut floor = Floor::with_flow("welcome", &nodes, |flow, _| {
        closed(flow);
        flow.closed = Some("night".to_owned());
    });
    let call = floor.call_in(MAIN);
    assert_eq!(floor.heard(call.leg), "night");

    let mut floor = Floor::with_flow("welcome", &nodes, |flow, _| closed(flow));
    let call = floor.call_in(MAIN);
    assert_eq!(floor.heard(call.leg), "closed");
    floor.finish_play(call.leg);
    let view = floor.last_view();
    assert_eq!((view.result, view.cause), (Some(CallResult::Missed), Some(CallCause::OutOfHours)));
}

#[test]
fn a_missed_call_service_rings_and_never_answers() {
    let nodes = [("welcome", message("audio:welcome", None))];
    let mut floor = Floor::with_flow("welcome", &nodes, |flow, _| flow.missed_call_rings = Some(2));
    let call = floor.call_in(MAIN);
    assert!(floor.commanded(|it| matches!(it, Sip::Progress { status: 180, .. })).is_some());
    floor.press(call.leg, "1");
    floor.pass(9_900);
    assert!(!floor.rejected_with(603));
    floor.pass(200);
    assert!(floor.rejected_with(603));
    assert!(floor.commanded(|it| matches!(it, Sip::Accept { .. })).is_none());
    assert_eq!(floor.last_view().result, Some(CallResult::Missed));
}

#[test]
fn a_running_call_keeps_the_version_it_began_with() {
    let old = [("welcome", message("audio:welcome", Some("more"))), ("more", message("audio:old", None))];
    let mut floor = Floor::with_flow("welcome", &old, |_, _| {});
    let call = floor.call_in(MAIN);
    let version = floor.last_view().flow.unwrap().version;
    let new = [("welcome", message("audio:welcome", Some("more"))), ("more", message("audio:new", None))];
    floor.set_flow("welcome", &new, |_, _| {});
    floor.finish_play(call.leg);
    assert_eq!(floor.heard(call.leg), "old");

    let next = floor.call_in(MAIN);
    assert_eq!(floor.last_view().flow.unwrap().version, version + 1);
    floor.finish_play(next.leg);
    assert_eq!(floor.heard(next.leg), "new");
}

#[test]
fn a_disabled_flow_takes_no_call() {
    let nodes = [("welcome", message("audio:welcome", None))];
    let mut floor = Floor::with_flow("welcome", &nodes, |flow, _| flow.state = FlowState::Disabled);
    floor.invite("127.0.0.1:5070", MAIN, Some(offer()));
    assert!(floor.rejected_with(404));
    assert_eq!(floor.last_view().cause, Some(CallCause::NoFlow));
}

#[test]
fn an_extension_is_dialed_during_the_welcome_where_the_account_lets_callers() {
    let nodes = [("welcome", message("audio:welcome", None))];
    for (direct, rings) in [(false, false), (true, true)] {
        let mut floor = Floor::with_flow("welcome", &nodes, |_, directory| {
            let mut telephony = cordboard_shared::telephony::Telephony::clone(&directory.telephony);
            telephony.direct_dialing = direct;
            directory.telephony = Arc::new(telephony);
        });
        floor.sign_in(SocketId(1), ASHA);
        let call = floor.call_in(MAIN);
        floor.press(call.leg, "21");
        assert_eq!(floor.ring_of(ASHA).is_some(), rings, "direct dialing {direct}");
    }
}

#[test]
fn an_extension_that_comes_with_the_number_is_rung_at_once() {
    for (direct, user, rings) in
        [(true, "442079460101,21", true), (true, "442079460101,99", false), (false, "442079460101,21", false)]
    {
        let nodes = [("welcome", message("audio:welcome", None))];
        let mut floor = Floor::with_flow("welcome", &nodes, |_, directory| {
            let mut telephony = cordboard_shared::telephony::Telephony::clone(&directory.telephony);
            telephony.direct_dialing = direct;
            directory.telephony = Arc::new(telephony);
        });
        floor.sign_in(SocketId(1), ASHA);
        let call = floor.call_in(user);
        assert_eq!(floor.ring_of(ASHA).is_some(), rings, "{user}");
        assert_eq!(floor.heard(call.leg) == "welcome", !rings, "{user}");
    }
}

#[test]
fn a_voicemail_node_has_its_own_greeting_and_length() {
    let node =
        Node::Voicemail { mailbox: "support".to_owned(), audio: Some("audio:leave-it".to_owned()), seconds: Some(6) };
    let mut floor = Floor::with_flow("box", &[("box", node)], |_, _| {});
    let call = floor.call_in(MAIN);
    assert_eq!(floor.heard(call.leg), "leave-it");
    floor.finish_play(call.leg);
    floor.finish_play(call.leg);
    assert!(floor.took(|it| matches!(it, Effect::Media(Media::Record { max_ms: 6_000, .. }))));
}

#[test]
fn a_person_who_does_not_answer_is_followed_by_the_next_node() {
    let extension =
        |next: Option<&str>| Node::Extension { extension: "21".parse().unwrap(), next: next.map(str::to_owned) };
    let sorry = ("sorry", message("audio:sorry", None));
    // Nobody is signed in: the person cannot be rung.
    let mut floor = Floor::with_flow("asha", &[("asha", extension(Some("sorry"))), sorry.clone()], |_, _| {});
    let call = floor.call_in(MAIN);
    assert_eq!(floor.heard(call.leg), "sorry");

    let mut floor = Floor::with_flow("asha", &[("asha", extension(None)), sorry], |_, _| {});
    let call = floor.call_in(MAIN);
    assert_eq!(floor.heard(call.leg), "voicemail", "their own box");
}

#[test]
fn messages_that_lead_to_each_other_end_by_themselves() {
    let nodes = [("a", message("", Some("b"))), ("b", message("", Some("a")))];
    let mut floor = Floor::with_flow("a", &nodes, |_, _| {});
    floor.call_in(MAIN);
    assert_eq!(floor.last_view().state, CallState::Ended);
    assert!(floor.last_view().steps.len() <= 200);
}

#[test]
fn each_node_stands_in_the_journey() {
    let nodes = [("welcome", message("audio:welcome", Some("bye"))), ("bye", message("audio:goodbye", None))];
    let mut floor = Floor::with_flow("welcome", &nodes, |_, _| {});
    let call = floor.call_in(MAIN);
    floor.finish_play(call.leg);
    let steps: Vec<_> = floor.last_view().steps.into_iter().filter_map(|step| step.text).map(|text| text.0).collect();
    assert_eq!(steps, ["welcome", "bye"]);
}
