//! Whole calls through the core: SIP, media and panel events in, effects out, on the demo company.

use cordboard_media::{Command as Media, Event as MediaEvent, RecordEnd, Source};
use cordboard_routing::Durable;
use cordboard_shared::agent::{Actor, AgentFacts, Apply, Intent, Seat, Stamp, Toggle, ToggleFact};
use cordboard_shared::call::{CallCause, CallResult, CallState, CallView, EndedBy};
use cordboard_shared::decision::{Decision, Reason};
use cordboard_shared::event::{
    ClientMessage, DeviceState, Hello, Microphone, PageAudio, Ring, RingStop, ServerMessage,
};
use cordboard_shared::id::SessionId;
use cordboard_shared::policy::Policy;
use cordboard_shared::{FeedPosition, Problem, ProblemCode, Version};
use cordboard_sip::endpoint::{EndCause, IncomingCall};
use cordboard_sip::message::{Headers, NameAddr, SipUri};
use cordboard_sip::sdp::{self, AudioCodec};
use cordboard_sip::{Command as Sip, Event as SipEvent};
use serde_json::Value;

use super::*;

mod callbacks;
mod door;
mod floor;
mod flows;
mod outside;
mod own;
mod people;
mod phones;
mod secure;
mod trace;
mod waiting;
mod waves;

use floor::{CALLER, CallIn, Floor, offer, recorded};

const ASHA: AgentId = AgentId::demo(0x21);
const RIYA: AgentId = AgentId::demo(0x22);
const DEV: AgentId = AgentId::demo(0x23);
const KEN: AgentId = AgentId::demo(0x26);
const MEERA: AgentId = AgentId::demo(0x12);
const DIRECT: &str = "+442079460103";
const SUPPORT: &str = "+442079460102";
const MAIN: &str = "+442079460101";
const START: Millis = Millis(1_795_000_000_000);

#[test]
fn a_direct_call_rings_is_answered_and_joined_and_ends_with_the_caller() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    let call = floor.call_in(DIRECT);
    assert!(floor.commanded(|it| matches!(it, Sip::Progress { status: 180, .. })).is_some());
    let ring = floor.ring_of(ASHA).unwrap();

    floor.client(SocketId(1), ClientMessage::RingAck { offer: ring.offer }).unwrap();
    let desk = floor.browser_up(SocketId(1), ring.call);
    floor.client(SocketId(1), ClientMessage::Answer { offer: ring.offer }).unwrap();

    assert!(floor.commanded(|it| matches!(it, Sip::Accept { .. })).is_some());
    let caller = call.leg;
    assert_eq!(floor.hears(caller), Some(Source::Leg(desk)));
    assert_eq!(floor.hears(desk), Some(Source::Leg(caller)));
    assert!(floor.took(|it| *it == Effect::Media(Media::Gate { leg: desk, open: true })));

    floor.now = floor.now + 7_000;
    floor.feed(Input::Sip(SipEvent::Ended { dialog: call.dialog, cause: EndCause::RemoteBye }));
    let view = floor.last_view();
    assert_eq!(
        (view.state, view.result, view.ended_by),
        (CallState::Ended, Some(CallResult::Answered), Some(EndedBy::Caller))
    );
    assert_eq!((view.agent, view.talk_ms), (Some(ASHA), 7_000));
    assert_eq!((floor.center.active_calls(), floor.center.active_legs()), (0, 0));
}

#[test]
fn the_microphone_reaches_nobody_before_answer() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.call_in(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();

    let desk = floor.browser_up(SocketId(1), ring.call);

    assert!(!floor.took(|it| matches!(it, Effect::Media(Media::Gate { open: true, .. }))));
    assert_eq!(floor.hears(desk), None);
}

#[test]
fn going_away_while_ringing_stops_the_browser_and_rings_the_next() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.sign_in(SocketId(2), RIYA);
    floor.call_in(SUPPORT);
    let ring = floor.ring_of(ASHA).unwrap();

    floor.toggle(ASHA, Toggle::Away);

    assert!(floor.told(ASHA, |it| {
        matches!(it, ServerMessage::RingStop { offer, reason: RingStop::DeclinedByStatus } if *offer == ring.offer)
    }));
    assert!(floor.ring_of(RIYA).is_some());
    let late = floor.client(SocketId(1), ClientMessage::Answer { offer: ring.offer }).unwrap_err();
    assert_eq!(late.code(), Some(ProblemCode::OfferEnded));
}

#[test]
fn with_nobody_left_a_message_is_recorded_and_the_log_says_why() {
    let mut floor = Floor::new();
    let call = floor.call_in(SUPPORT);
    assert!(floor.commanded(|it| matches!(it, Sip::Accept { .. })).is_some());
    floor.finish_play(call.leg);
    floor.finish_play(call.leg);
    let recording = floor.recording().unwrap();

    floor.feed(Input::Media(FromMedia::Event(MediaEvent::RecordFinished {
        recording,
        ms: 60_000,
        why: RecordEnd::MaxLength,
    })));
    floor.feed(Input::Media(recorded(recording)));
    floor.finish_play(call.leg);

    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { .. })).is_some());
    let view = floor.last_view();
    assert_eq!((view.result, view.cause), (Some(CallResult::Voicemail), Some(CallCause::NoAvailableAgent)));
    assert_eq!(view.recordings.len(), 1);
    let decision = floor.decisions().pop().unwrap();
    assert!(decision.members.iter().all(|member| member.reason == Reason::SkippedNoDevice));
    assert_eq!(decision.members.len(), 4);
}

#[test]
fn a_message_whose_caller_hangs_up_is_filed_when_its_file_is_closed() {
    let mut floor = Floor::new();
    let call = floor.call_in(SUPPORT);
    floor.finish_play(call.leg);
    floor.finish_play(call.leg);
    let recording = floor.recording().unwrap();

    floor.feed(Input::Sip(SipEvent::Ended { dialog: call.dialog, cause: EndCause::RemoteBye }));
    assert!(
        !floor
            .took(|it| matches!(it, Effect::Live { message, .. } if matches!(**message, ServerMessage::CallLogged(_))))
    );
    floor.feed(Input::Media(recorded(recording)));

    let logged = floor.logged().unwrap();
    assert_eq!((logged.result, logged.ended_by), (Some(CallResult::Voicemail), Some(EndedBy::Caller)));
    assert_eq!(logged.recordings[0].id, recording);
}

#[test]
fn a_caller_who_hangs_up_in_the_greeting_left_no_message() {
    let mut floor = Floor::new();
    let call = floor.call_in(SUPPORT);
    floor.feed(Input::Sip(SipEvent::Ended { dialog: call.dialog, cause: EndCause::RemoteBye }));
    assert_eq!(floor.logged().unwrap().result, Some(CallResult::Missed));
}

#[test]
fn strangers_unknown_numbers_and_foreign_codecs_get_their_sip_status() {
    let mut floor = Floor::new();
    floor.invite("203.0.113.9:5060", DIRECT, Some(offer()));
    assert!(floor.rejected_with(403));
    assert_eq!(floor.views().len(), 0, "a stranger costs no row");

    floor.invite("127.0.0.1:5070", "+441110000000", Some(offer()));
    assert!(floor.rejected_with(404));
    assert_eq!(floor.last_view().result, Some(CallResult::Rejected));

    let g722 = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 9\r\n";
    floor.invite("127.0.0.1:5070", DIRECT, Some(g722.to_vec()));
    assert!(floor.rejected_with(488));

    floor.invite("127.0.0.1:5070", DIRECT, Some(b"nonsense".to_vec()));
    assert!(floor.rejected_with(400));
    assert_eq!(floor.center.active_calls(), 0);
}

#[test]
fn an_invite_without_an_offer_gets_ours_and_their_answer_opens_the_sound() {
    let mut floor = Floor::new();
    floor.invite("127.0.0.1:5070", SUPPORT, None);
    let call = floor.opened();
    let Some(Sip::Accept { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Accept { .. })) else {
        panic!("not accepted")
    };
    let ours = sdp::SessionDescription::parse(&sdp).unwrap();
    let (answer, _) = sdp::answer(&ours, "127.0.0.1:4444".parse().unwrap(), 1, 1, &[AudioCodec::Pcma]).unwrap();

    floor.feed(Input::Sip(SipEvent::Confirmed { dialog: call.dialog, sdp: Some(answer.to_bytes()) }));

    assert!(
        floor.took(|it| matches!(it, Effect::Media(Media::UpdateRtp { params, .. }) if params.remote.port() == 4444))
    );
}

#[test]
fn keys_lead_through_the_menu_and_no_input_twice_leads_to_support() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    let call = floor.call_in(MAIN);
    floor.digit(call.leg, '2');
    floor.now = floor.now + 2_000;
    floor.feed(Input::Timeout);
    let sales = floor.decisions()[0].department;
    assert_eq!(sales, floor.center.directory.department_by_slug("sales").map(|it| it.id));

    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    let call = floor.call_in(MAIN);
    for _ in 0..2 {
        floor.finish_play(call.leg);
        floor.now = floor.now + 10_000;
        floor.feed(Input::Timeout);
    }
    assert!(floor.ring_of(ASHA).is_some());

    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    let call = floor.call_in(MAIN);
    floor.digit(call.leg, '2');
    floor.digit(call.leg, '1');
    assert_eq!(floor.decisions()[0].row, 6, "an extension was dialed");
    assert!(floor.ring_of(ASHA).is_some());
}

#[test]
fn an_answer_without_sound_goes_back_to_the_line_after_three_seconds() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.sign_in(SocketId(2), RIYA);
    let call = floor.call_in(SUPPORT);
    let ring = floor.ring_of(ASHA).unwrap();
    floor.client(SocketId(1), ClientMessage::Answer { offer: ring.offer }).unwrap();

    floor.now = floor.now + 3_000;
    floor.feed(Input::Timeout);

    assert!(floor.ring_of(RIYA).is_some());
    assert!(matches!(floor.hears(call.leg), Some(Source::Loop { .. })));
    let decisions = floor.decisions();
    let asha = &decisions[0].members[0];
    assert_eq!((asha.agent, asha.reason), (ASHA, Reason::NotReachable));
}

#[test]
fn hold_plays_music_and_resume_joins_again_and_mute_closes_the_gate() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    let call = floor.call_in(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();
    let desk = floor.browser_up(SocketId(1), ring.call);
    floor.client(SocketId(1), ClientMessage::Answer { offer: ring.offer }).unwrap();

    floor.client(SocketId(1), ClientMessage::Hold { call: ring.call }).unwrap();
    assert!(matches!(floor.hears(call.leg), Some(Source::Loop { .. })));
    assert_eq!(floor.hears(desk), Some(Source::Silence));
    assert_eq!(floor.last_view().state, CallState::Held);

    floor.client(SocketId(1), ClientMessage::Resume { call: ring.call }).unwrap();
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(desk)));

    floor.client(SocketId(1), ClientMessage::Mute { call: ring.call }).unwrap();
    assert!(matches!(
        floor.find(|it| matches!(it, Effect::Media(Media::Gate { .. }))),
        Some(Effect::Media(Media::Gate { open: false, .. }))
    ));

    floor.sign_in(SocketId(2), RIYA);
    let foreign = floor.client(SocketId(2), ClientMessage::HangUp { call: ring.call }).unwrap_err();
    assert_eq!(foreign.code(), Some(ProblemCode::CallEnded), "another's call is not one's own");
}

#[test]
fn a_reloaded_panel_comes_back_into_its_call_and_the_caller_hears_music_meanwhile() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    let call = floor.call_in(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();
    let desk = floor.browser_up(SocketId(1), ring.call);
    floor.client(SocketId(1), ClientMessage::Answer { offer: ring.offer }).unwrap();

    floor.feed(Input::Media(FromMedia::Event(MediaEvent::PeerLost { leg: desk })));
    floor.feed(Input::SocketClosed(SocketId(1)));
    assert!(matches!(floor.hears(call.leg), Some(Source::Loop { .. })));

    floor.sign_in(SocketId(9), ASHA);
    let new_desk = floor.browser_up(SocketId(9), ring.call);
    assert_ne!(new_desk, desk);
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(new_desk)));
}

#[test]
fn only_the_person_rung_may_answer_and_a_ring_that_nobody_confirms_moves_on() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.sign_in(SocketId(2), RIYA);
    floor.call_in(SUPPORT);
    let ring = floor.ring_of(ASHA).unwrap();
    assert!(floor.client(SocketId(2), ClientMessage::Answer { offer: ring.offer }).is_err());

    floor.now = floor.now + 1_000;
    floor.feed(Input::Timeout);

    assert!(floor.ring_of(RIYA).is_some());
    assert_eq!(floor.decisions()[0].members[0].reason, Reason::DeviceDidNotConfirm);
}

#[test]
fn leases_are_renewed_each_second_while_it_rings() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(1), ASHA);
    floor.call_in(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();
    floor.client(SocketId(1), ClientMessage::RingAck { offer: ring.offer }).unwrap();
    floor.seen.clear();

    for _ in 0..3 {
        floor.now = floor.now + 1_000;
        floor.feed(Input::Timeout);
    }

    let leases = floor
        .seen
        .iter()
        .filter(|it| matches!(it, Effect::Live { message, .. } if matches!(**message, ServerMessage::RingLease { .. })))
        .count();
    assert_eq!(leases, 3);
}

#[test]
fn a_test_call_is_an_invite_of_our_own_and_is_answered_with_its_call() {
    let mut floor = Floor::new();
    let reply = ReplyTo(77);
    floor.feed(Input::TestCall { to: SUPPORT.parse().unwrap(), reply });
    let Some(Effect::OpenRtp(leg)) = floor.find(|it| matches!(it, Effect::OpenRtp(_))) else { panic!("no leg") };
    floor.feed(Input::Media(FromMedia::RtpOpened { leg, local: "127.0.0.1:20000".parse().unwrap() }));
    let Some(Sip::Invite(invitation)) = floor.commanded(|it| matches!(it, Sip::Invite(_))) else { panic!("no INVITE") };
    let headers = invitation.headers;
    assert_eq!(invitation.to.user().as_deref(), Some(SUPPORT));

    let mut received = Headers::default();
    received.push_header(cordboard_sip::message::Header::new(&headers[0].0, headers[0].1.as_bytes()));
    floor.invite_with("127.0.0.1:5060", SUPPORT, Some(offer()), received);

    let call = floor.last_view().uid;
    assert!(floor.took(
        |it| matches!(it, Effect::Reply { to, result: Ok(value) } if *to == reply && value["uid"] == call.to_string())
    ));
}

#[test]
fn sound_that_moves_and_never_comes_up_sends_the_caller_back_to_the_line() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(SUPPORT);
    let ring = floor.ring_of(ASHA).unwrap();
    floor.sign_in(SocketId(9), ASHA);
    floor.sign_in(SocketId(2), RIYA);

    floor.client(SocketId(9), ClientMessage::RtcOffer { call: ring.call, sdp: "v=0".to_owned(), takes: true }).unwrap();
    assert!(matches!(floor.hears(call.leg), Some(Source::Loop { .. })), "the caller hears music meanwhile");
    floor.now = floor.now + 30_000;
    floor.feed(Input::Timeout);

    assert!(floor.ring_of(RIYA).is_some());
}

#[test]
fn only_who_asks_for_the_sound_takes_it_from_a_device_that_has_it() {
    let mut floor = Floor::new();
    floor.sign_in(SocketId(9), ASHA);
    let call = floor.talk_to_asha(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();
    let before = floor.hears(call.leg);
    let offer = |takes| ClientMessage::RtcOffer { call: ring.call, sdp: "v=0".to_owned(), takes };

    for later in [0, 60_000] {
        floor.now = floor.now + later;
        let late = floor.client(SocketId(9), offer(false));
        assert_eq!(late.unwrap_err().code(), Some(ProblemCode::AnsweredElsewhere), "{later} ms after");
        assert_eq!(floor.hears(call.leg), before);
    }
    let second = floor.client(SocketId(9), ClientMessage::Answer { offer: ring.offer }).unwrap_err();
    assert_eq!(second.code(), Some(ProblemCode::AnsweredElsewhere), "one call, one tab");

    floor.client(SocketId(9), offer(true)).unwrap();
    assert_ne!(floor.hears(call.leg), before);
}

#[test]
fn a_tab_that_comes_back_has_its_sound_again_before_its_old_connection_is_missed() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    let ring = floor.ring_of(ASHA).unwrap();
    let before = floor.hears(call.leg);
    floor.open_tab(SocketId(9), ASHA, "tab 1");

    floor
        .client(SocketId(9), ClientMessage::RtcOffer { call: ring.call, sdp: "v=0".to_owned(), takes: false })
        .unwrap();

    assert_ne!(floor.hears(call.leg), before, "the caller hears music until it is up");
}

#[test]
fn a_cancel_that_beats_our_200_is_no_answered_call() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    floor.feed(Input::Sip(SipEvent::Cancelled { dialog: call.dialog }));
    let view = floor.last_view();
    assert_eq!((view.result, view.answered_at, view.sip_status), (Some(CallResult::Missed), None, Some(487)));
}

#[test]
fn a_conversation_that_lost_its_sound_stays_an_answered_call() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    let desk = floor.desk(call.leg);
    floor.now = floor.now + 60_000;
    floor.feed(Input::Media(FromMedia::Event(MediaEvent::PeerLost { leg: desk })));
    floor.now = floor.now + 30_000;
    floor.feed(Input::Timeout);
    floor.now = floor.now + 5_000;
    floor.feed(Input::Sip(SipEvent::Ended { dialog: call.dialog, cause: EndCause::RemoteBye }));
    let view = floor.logged().unwrap();
    assert_eq!((view.result, view.agent, view.talk_ms), (Some(CallResult::Answered), Some(ASHA), 90_000));
}

#[test]
fn a_wrong_key_plays_the_menu_again_to_its_end() {
    let mut floor = Floor::new();
    let call = floor.call_in(MAIN);
    floor.finish_play(call.leg);
    floor.now = floor.now + 4_000;
    floor.digit(call.leg, '9');
    floor.now = floor.now + 1_500;
    floor.feed(Input::Timeout);
    assert!(floor.decisions().is_empty(), "the wait for a key begins after the prompt");
}

#[test]
fn a_prompt_that_cannot_be_sent_ends_by_its_length() {
    let mut floor = Floor::new();
    floor.call_in(SUPPORT);
    for _ in 0..2 {
        floor.now = floor.now + 6_000;
        floor.feed(Input::Timeout);
    }
    assert!(floor.recording().is_some(), "greeting and beep are over although nothing said so");
}

#[test]
fn our_offer_without_a_usable_answer_ends_the_call() {
    let mut floor = Floor::new();
    floor.invite("127.0.0.1:5070", SUPPORT, None);
    let call = floor.opened();
    floor.feed(Input::Sip(SipEvent::Confirmed { dialog: call.dialog, sdp: None }));
    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { .. })).is_some());
    assert_eq!(floor.center.active_calls(), 0);
}

#[test]
fn each_description_of_a_session_keeps_its_id_and_raises_its_version() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    let origin = |sdp: &[u8]| {
        let text = String::from_utf8(sdp.to_vec()).unwrap();
        let line = text.lines().find(|line| line.starts_with("o=")).unwrap().to_owned();
        let mut words = line.split(' ').skip(1).map(|word| word.parse::<u64>().unwrap());
        (words.next().unwrap(), words.next().unwrap())
    };
    let Some(Sip::Accept { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Accept { .. })) else {
        panic!("no 200")
    };
    let (session, version) = origin(&sdp);
    for change in 1..=2 {
        floor.feed(Input::Sip(SipEvent::Reinvite { dialog: call.dialog, sdp: Some(offer()) }));
        let Some(Sip::AnswerOffer { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::AnswerOffer { .. })) else {
            panic!("no answer")
        };
        assert_eq!(origin(&sdp), (session, version + change));
    }
}
