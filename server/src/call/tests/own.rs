//! People's own calls, their desk phones, and calls that are handed over.

use cordboard_routing::Row;
use cordboard_shared::call::StepKind;
use cordboard_shared::event::{FloorState, TransferMode};
use cordboard_shared::telephony::{Guard, Telephony};
use cordboard_sip::endpoint::{Destination, FailureCause};

use super::outside::*;
use super::*;

#[test]
fn a_number_is_called_when_the_own_browser_is_there_and_both_talk() {
    let mut floor = with_trunk();
    floor.sign_in(ASHA_TAB, ASHA);
    let call = dial(&mut floor, ASHA_TAB, "+44 20 7946 0180").unwrap();
    assert!(invites(&floor).is_empty(), "the own device comes first");
    let desk = floor.browser_up(ASHA_TAB, call);
    let far = open(&mut floor);
    let invitation = invites(&floor).pop().unwrap();
    assert_eq!(invitation.to.user().as_deref(), Some(OUTSIDE));
    assert!(matches!(invitation.destination, Destination::Trunk(_)));
    assert!(invitation.identity.is_some());

    let dialog = invitation.dialog;
    floor.feed(Input::Sip(SipEvent::Progress { dialog, status: 180, sdp: None, early: String::new() }));
    assert!(matches!(floor.hears(desk), Some(Source::Loop { .. })), "ringback");
    assert!(!floor.took(|it| matches!(it, Effect::Media(Media::Gate { open: true, .. }))));
    floor.feed(Input::Sip(SipEvent::Answered { dialog, sdp: Some(answer_to(&invitation)) }));

    assert_eq!((floor.hears(desk), floor.hears(far)), (Some(Source::Leg(far)), Some(Source::Leg(desk))));
    let shown = live(&floor, ASHA);
    assert_eq!((shown.call.state, shown.peer.0.as_str()), (CallState::Connected, OUTSIDE));
    let allowed = floor.decisions().pop().unwrap();
    assert_eq!((allowed.row, &*allowed.members[0].cell), (15, "15/available"));
    let busy = dial(&mut floor, ASHA_TAB, OUTSIDE).unwrap_err();
    assert_eq!(busy.code(), Some(ProblemCode::NotAllowed), "one at a time");
    floor.now = floor.now + 5_000;
    hang_up_far(&mut floor, dialog);
    let view = floor.logged().unwrap();
    assert_eq!((view.result, view.talk_ms, view.agent), (Some(CallResult::Answered), 5_000, Some(ASHA)));
    nothing_is_left(&floor);
}

#[test]
fn a_busy_number_and_one_that_does_not_exist_end_the_call_with_their_cause() {
    for (status, cause) in
        [(486, CallCause::Busy), (603, CallCause::Declined), (404, CallCause::Unreachable), (480, CallCause::NoAnswer)]
    {
        let mut floor = with_trunk();
        floor.sign_in(ASHA_TAB, ASHA);
        let call = dial(&mut floor, ASHA_TAB, OUTSIDE).unwrap();
        floor.browser_up(ASHA_TAB, call);
        open(&mut floor);
        let dialog = invites(&floor)[0].dialog;
        floor.feed(Input::Sip(SipEvent::Failed { dialog, status, cause: FailureCause::Rejected }));
        let view = floor.logged().unwrap();
        assert_eq!((view.cause, view.sip_status), (Some(cause), Some(status)));
        nothing_is_left(&floor);
    }
}

#[test]
fn nothing_goes_out_that_the_guard_does_not_allow() {
    let mut floor = with_trunk();
    floor.sign_in(ASHA_TAB, ASHA);
    for number in [
        "00442079460180",
        "011442079460180",
        "9011442079460180",
        "+9011442079460180",
        "+12025550100",
        "+0044207946018",
        "sip:+442079460180@203.0.113.9",
        "+442079460180@203.0.113.9",
        "*72",
    ] {
        assert!(dial(&mut floor, ASHA_TAB, number).is_err(), "{number}");
    }
    assert!(invites(&floor).is_empty());

    // A stranger's INVITE, REFER and a trunk's diversion send nothing either.
    floor.invite("203.0.113.9:5060", "00442079460180", Some(offer()));
    floor.invite("127.0.0.1:5070", "+12025550100", Some(offer()));
    assert!(invites(&floor).is_empty());
    let (call, dialog, _) = talk_outside(&mut floor);
    let before = invites(&floor).len();
    let refer_to = SipUri::new(Some("+442079460181"), "127.0.0.1:5060".parse().unwrap());
    let asked =
        cordboard_sip::endpoint::Transfer { dialog, refer_to, replaces: None, replaced: None, referred_by: None };
    floor.feed(Input::Sip(SipEvent::Refer(Box::new(asked))));
    assert!(floor.commanded(|it| matches!(it, Sip::RejectRefer { status: 403, .. })).is_some());
    for to in ["00442079460181", "+12025550100"] {
        let transfer = ClientMessage::Transfer { call, to: to.to_owned(), mode: TransferMode::Blind };
        assert!(floor.client(ASHA_TAB, transfer).is_err());
    }
    assert_eq!(invites(&floor).len(), before);
}

#[test]
fn a_redirection_passes_the_same_guard() {
    for (to, follows) in [("+442079460181", true), ("+12025550100", false), ("0011", false)] {
        let mut floor = with_trunk();
        floor.sign_in(ASHA_TAB, ASHA);
        let call = dial(&mut floor, ASHA_TAB, OUTSIDE).unwrap();
        floor.browser_up(ASHA_TAB, call);
        open(&mut floor);
        let dialog = invites(&floor)[0].dialog;
        let contact = NameAddr::new(None, SipUri::new(Some(to), "203.0.113.9:5060".parse().unwrap()));
        floor.feed(Input::Sip(SipEvent::Redirected { dialog, status: 302, contacts: vec![contact] }));
        let sent = invites(&floor);
        assert_eq!(sent.len(), if follows { 2 } else { 1 }, "{to}");
        assert!(sent.iter().all(|it| matches!(it.destination, Destination::Trunk(_))));
    }
}

#[test]
fn caps_on_calls_a_minute_and_at_once_hold() {
    let mut floor = with_trunk();
    for _ in 0..3 {
        let (_, dialog, _) = talk_outside(&mut floor);
        hang_up_far(&mut floor, dialog);
    }
    let refused = dial(&mut floor, ASHA_TAB, OUTSIDE).unwrap_err();
    assert_eq!(refused.code(), Some(ProblemCode::NotAllowed));
    floor.now = floor.now + 60_000;
    let telephony = Telephony {
        guard: Guard { calls: 1, ..floor.center.directory.telephony.guard.clone() },
        ..(*floor.center.directory.telephony).clone()
    };
    set_telephony(&mut floor, telephony);
    talk_outside(&mut floor);
    floor.sign_in(RIYA_TAB, RIYA);
    assert!(dial(&mut floor, RIYA_TAB, OUTSIDE).is_err());
    assert_eq!(floor.center.totals().caps_reached, 2);
}

#[test]
fn an_outgoing_call_ends_at_the_longest_length() {
    let mut floor = with_trunk();
    talk_outside(&mut floor);
    floor.pass(120 * 60_000);
    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { .. })).is_some());
    assert_eq!(floor.logged().unwrap().ended_by, Some(EndedBy::System));
}

#[test]
fn a_colleague_is_called_by_extension_under_row_seven() {
    let mut floor = Floor::new();
    floor.sign_in(ASHA_TAB, ASHA);
    floor.sign_in(RIYA_TAB, RIYA);
    let call = dial(&mut floor, ASHA_TAB, "22").unwrap();
    let asha = floor.browser_up(ASHA_TAB, call);
    let rows: Vec<_> = floor.decisions().iter().map(|it| (it.row, it.members[0].cell.to_string())).collect();
    assert_eq!(rows, [(14, "14/available".to_owned()), (7, "7/available".to_owned())]);
    assert!(matches!(floor.hears(asha), Some(Source::Loop { .. })));
    let ring = floor.ring_of(RIYA).unwrap();
    assert_eq!(ring.name.as_ref().map(|name| name.0.as_str()), Some("Asha Rao"));
    let riya = riya_answers(&mut floor);
    assert_eq!((floor.hears(asha), floor.hears(riya)), (Some(Source::Leg(riya)), Some(Source::Leg(asha))));
    assert_eq!(live(&floor, ASHA).peer.0, "Riya Sen");
    assert_eq!(live(&floor, RIYA).peer.0, "Asha Rao");

    floor.client(ASHA_TAB, ClientMessage::Hold { call }).unwrap();
    assert!(matches!(floor.hears(riya), Some(Source::Loop { .. })));
    assert!(live(&floor, RIYA).held_by_peer);
    assert_eq!(live(&floor, ASHA).call.state, CallState::Held);
    floor.client(ASHA_TAB, ClientMessage::Resume { call }).unwrap();
    assert_eq!(floor.hears(riya), Some(Source::Leg(asha)));
    floor.client(ASHA_TAB, ClientMessage::HangUp { call }).unwrap();
    assert_eq!(floor.logged().unwrap().result, Some(CallResult::Answered));
    nothing_is_left(&floor);
}

#[test]
fn a_colleague_who_is_away_gets_a_message() {
    let mut floor = Floor::new();
    floor.sign_in(ASHA_TAB, ASHA);
    floor.sign_in(RIYA_TAB, RIYA);
    floor.toggle(RIYA, Toggle::Away);
    let call = dial(&mut floor, ASHA_TAB, "22").unwrap();
    floor.browser_up(ASHA_TAB, call);
    assert!(floor.ring_of(RIYA).is_none());
    assert_eq!(floor.decisions()[1].members[0].cell, "7/away");
    assert_eq!(floor.last_view().result, Some(CallResult::Voicemail));
    floor.client(ASHA_TAB, ClientMessage::HangUp { call }).unwrap();
    nothing_is_left(&floor);
}

#[test]
fn a_blind_transfer_rings_the_colleague_and_the_caller_hears_them() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    floor.sign_in(RIYA_TAB, RIYA);
    let id = floor.ring_of(ASHA).unwrap().call;
    let transfer = ClientMessage::Transfer { call: id, to: "22".to_owned(), mode: TransferMode::Blind };
    floor.client(ASHA_TAB, transfer).unwrap();
    assert!(matches!(floor.hears(call.leg), Some(Source::Loop { .. })));
    assert_eq!(floor.decisions().last().unwrap().row, 8);
    assert_eq!(floor.decisions().len(), 2, "the first decision stands beside it");
    let riya = riya_answers(&mut floor);
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(riya)));
    hang_up_far(&mut floor, call.dialog);
    let view = floor.logged().unwrap();
    assert_eq!(view.agent, Some(RIYA));
    assert!(steps(&view).starts_with(&[StepKind::Transfer, StepKind::Left]));
    nothing_is_left(&floor);
}

#[test]
fn a_transfer_that_cannot_be_is_refused_with_the_reason_before_anything_happens() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    let id = floor.ring_of(ASHA).unwrap().call;
    let before = floor.hears(call.leg);
    for mode in [TransferMode::Blind, TransferMode::Warm] {
        let transfer = ClientMessage::Transfer { call: id, to: format!("agent:{RIYA}"), mode };
        let refused = floor.client(ASHA_TAB, transfer).unwrap_err();
        assert_eq!(refused.code(), Some(ProblemCode::CannotTransfer));
        assert!(refused.detail.contains("No device"), "{}", refused.detail);
    }
    assert_eq!(floor.hears(call.leg), before);
}

#[test]
fn a_call_nobody_takes_comes_back_and_then_goes_to_the_department() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(SUPPORT);
    floor.sign_in(RIYA_TAB, RIYA);
    let id = floor.ring_of(ASHA).unwrap().call;
    let transfer = ClientMessage::Transfer { call: id, to: "22".to_owned(), mode: TransferMode::Blind };
    floor.client(ASHA_TAB, transfer).unwrap();
    let first = floor.ring_of(ASHA).unwrap().offer;
    let ring = floor.ring_of(RIYA).unwrap();
    floor.client(RIYA_TAB, ClientMessage::Decline { offer: ring.offer }).unwrap();
    let back = floor.ring_of(ASHA).unwrap();
    assert_ne!(back.offer, first);
    assert!(steps(&floor.last_view()).contains(&StepKind::TransferBack));

    floor.client(ASHA_TAB, ClientMessage::Decline { offer: back.offer }).unwrap();
    assert_eq!(floor.decisions().last().unwrap().row, Row::Queue.number());
    hang_up_far(&mut floor, call.dialog);
    nothing_is_left(&floor);
}

/// Asha talks to a caller and asks Riya, who answers.
fn consult(floor: &mut Floor) -> (CallIn, CallId, CallId, LegId, LegId) {
    let call = floor.talk_to_asha(DIRECT);
    floor.sign_in(RIYA_TAB, RIYA);
    let id = floor.ring_of(ASHA).unwrap().call;
    let transfer = ClientMessage::Transfer { call: id, to: "22".to_owned(), mode: TransferMode::Warm };
    let answer = floor.client(ASHA_TAB, transfer).unwrap();
    let consult: CallId = answer["call"].as_str().unwrap().parse().unwrap();
    assert!(matches!(floor.hears(call.leg), Some(Source::Loop { .. })), "the caller hears music");
    let asha = floor.browser_up(ASHA_TAB, consult);
    let riya = riya_answers(floor);
    assert_eq!(floor.hears(asha), Some(Source::Leg(riya)));
    (call, id, consult, asha, riya)
}

#[test]
fn a_warm_transfer_joins_the_caller_and_the_one_asked() {
    let mut floor = Floor::new();
    let (call, id, ..) = consult(&mut floor);
    assert_eq!(floor.decisions().last().unwrap().row, 9);
    floor.client(ASHA_TAB, ClientMessage::TransferComplete { call: id }).unwrap();
    let riya = floor.desk(call.leg);
    assert_eq!(floor.hears(riya), Some(Source::Leg(call.leg)));
    assert_eq!(floor.center.active_calls(), 1);
    // Riya's panel brings the sound of the call she has now.
    let again = floor.browser_up(RIYA_TAB, id);
    assert_eq!(again, riya, "her leg stays");
    hang_up_far(&mut floor, call.dialog);
    let view = floor.logged().unwrap();
    assert_eq!((view.uid, view.agent), (id, Some(RIYA)));
    nothing_is_left(&floor);
}

#[test]
fn who_asks_while_talking_at_a_desk_phone_asks_at_that_phone() {
    let mut floor = Floor::new();
    floor.sign_in(ASHA_TAB, DEV);
    let (_, dialog, _) = ring_desk_phone(&mut floor);
    let id = floor.ring_of(DEV).unwrap().call;
    pick_up(&mut floor, dialog);
    floor.sign_in(RIYA_TAB, RIYA);
    let transfer = ClientMessage::Transfer { call: id, to: "22".to_owned(), mode: TransferMode::Warm };
    floor.client(ASHA_TAB, transfer).unwrap();
    open(&mut floor);
    let asked = invites(&floor).pop().unwrap();
    assert_eq!(asked.destination, Destination::User("1001".to_owned()));
    assert_ne!(asked.dialog, dialog);
}

#[test]
fn a_consultation_is_swapped_called_off_and_handed_over_by_hanging_up() {
    let mut floor = Floor::new();
    let (call, id, _, asha, riya) = consult(&mut floor);
    floor.client(ASHA_TAB, ClientMessage::Swap { call: id }).unwrap();
    assert!(matches!(floor.hears(riya), Some(Source::Loop { .. })));
    assert!(matches!(floor.hears(call.leg), Some(Source::Leg(_))));
    floor.client(ASHA_TAB, ClientMessage::Swap { call: id }).unwrap();
    assert_eq!(floor.hears(riya), Some(Source::Leg(asha)));
    floor.client(ASHA_TAB, ClientMessage::TransferCancel { call: id }).unwrap();
    assert!(matches!(floor.hears(call.leg), Some(Source::Leg(_))), "the caller is taken back");
    assert_eq!(floor.center.active_calls(), 1);

    let mut floor = Floor::new();
    let (call, id, ..) = consult(&mut floor);
    floor.client(ASHA_TAB, ClientMessage::HangUp { call: id }).unwrap();
    assert!(matches!(floor.hears(call.leg), Some(Source::Leg(_))));
    hang_up_far(&mut floor, call.dialog);
    assert_eq!(floor.logged().unwrap().agent, Some(RIYA));
    nothing_is_left(&floor);

    let mut floor = Floor::new();
    let (call, ..) = consult(&mut floor);
    hang_up_far(&mut floor, call.dialog);
    assert_eq!(floor.center.active_calls(), 1, "the two talk on");
}

#[test]
fn a_parked_call_is_taken_by_a_colleague_or_comes_back() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(SUPPORT);
    floor.sign_in(RIYA_TAB, RIYA);
    let id = floor.ring_of(ASHA).unwrap().call;
    let slot = floor.client(ASHA_TAB, ClientMessage::Park { call: id }).unwrap();
    assert_eq!(slot["slot"], "701");
    assert!(matches!(floor.hears(call.leg), Some(Source::Loop { .. })));
    let on_floor = floor.center.floor_for(RIYA);
    assert_eq!((on_floor[0].state, on_floor[0].slot.as_deref()), (FloorState::Parked, Some("701")));
    floor.client(RIYA_TAB, ClientMessage::Take { call: id }).unwrap();
    let riya = floor.browser_up(RIYA_TAB, id);
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(riya)));
    floor.client(RIYA_TAB, ClientMessage::Park { call: id }).unwrap();
    floor.seen.clear();
    floor.pass(180_000);
    assert!(floor.ring_of(RIYA).is_some(), "back to the one who parked it");
    hang_up_far(&mut floor, call.dialog);
    nothing_is_left(&floor);
}

#[test]
fn a_desk_phone_takes_a_parked_call_by_its_place() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(SUPPORT);
    let id = floor.ring_of(ASHA).unwrap().call;
    floor.client(ASHA_TAB, ClientMessage::Park { call: id }).unwrap();
    floor.feed(Input::Sip(SipEvent::Registered { username: "1001".to_owned(), contacts: 1 }));
    let dialog = phone_dials(&mut floor, "701");
    let leg = open(&mut floor);
    assert!(floor.commanded(|it| matches!(it, Sip::Accept { dialog: of, .. } if *of == dialog)).is_some());
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(leg)));
}

#[test]
fn a_call_that_rings_at_a_colleague_is_picked_up_under_row_twelve() {
    let mut floor = Floor::new();
    floor.sign_in(ASHA_TAB, ASHA);
    let call = floor.call_in(SUPPORT);
    floor.sign_in(RIYA_TAB, RIYA);
    let id = floor.ring_of(ASHA).unwrap().call;
    floor.client(RIYA_TAB, ClientMessage::Take { call: id }).unwrap();
    assert_eq!(floor.decisions().last().unwrap().members[0].cell, "12/available");
    assert!(floor.told(ASHA, |it| matches!(it, ServerMessage::RingStop { .. })));
    let riya = floor.browser_up(RIYA_TAB, id);
    assert_eq!(floor.hears(call.leg), Some(Source::Leg(riya)));
    floor.sign_in(SocketId(7), AgentId::demo(0x24));
    assert!(floor.client(SocketId(7), ClientMessage::Take { call: id }).is_err(), "not of another department");
}

#[test]
fn star_two_and_an_extension_transfer_and_are_not_sent_to_the_caller() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    floor.sign_in(RIYA_TAB, RIYA);
    let id = floor.ring_of(ASHA).unwrap().call;
    floor.client(ASHA_TAB, ClientMessage::Digits { call: id, digits: "5*7".to_owned() }).unwrap();
    assert!(floor.took(|it| matches!(it, Effect::Media(Media::SendDigits { digits, .. }) if digits == "5*7")));
    floor.client(ASHA_TAB, ClientMessage::Digits { call: id, digits: "*".to_owned() }).unwrap();
    floor.pass(1_000);
    assert!(floor.took(|it| matches!(it, Effect::Media(Media::SendDigits { digits, .. }) if digits == "*")));
    floor.seen.clear();
    floor.client(ASHA_TAB, ClientMessage::Digits { call: id, digits: "*222#".to_owned() }).unwrap();
    assert!(!floor.took(|it| matches!(it, Effect::Media(Media::SendDigits { .. }))));
    assert!(floor.ring_of(RIYA).is_some());
    hang_up_far(&mut floor, call.dialog);
    nothing_is_left(&floor);
}

#[test]
fn hold_is_told_to_a_phone_and_theirs_is_shown() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    let id = floor.ring_of(ASHA).unwrap().call;
    floor.client(ASHA_TAB, ClientMessage::Hold { call: id }).unwrap();
    let Some(Sip::Offer { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Offer { .. })) else {
        panic!("not told")
    };
    assert!(String::from_utf8(sdp).unwrap().contains("a=sendonly"));
    floor.client(ASHA_TAB, ClientMessage::Resume { call: id }).unwrap();
    let Some(Sip::Offer { sdp, .. }) = floor.commanded(|it| matches!(it, Sip::Offer { .. })) else {
        panic!("not told")
    };
    assert!(String::from_utf8(sdp).unwrap().contains("a=sendrecv"));

    for held in ["a=sendonly", "a=inactive"] {
        let theirs = String::from_utf8(offer()).unwrap().replace("a=sendrecv", held);
        floor.feed(Input::Sip(SipEvent::Reinvite { dialog: call.dialog, sdp: Some(theirs.into_bytes()) }));
        assert!(live(&floor, ASHA).held_by_peer, "{held}");
    }
    floor.feed(Input::Sip(SipEvent::Reinvite { dialog: call.dialog, sdp: Some(offer()) }));
    assert!(!live(&floor, ASHA).held_by_peer);
    hang_up_far(&mut floor, call.dialog);
    assert_eq!(steps(&floor.logged().unwrap()), [StepKind::Held, StepKind::Resumed]);
}

#[test]
fn silence_ends_a_call_unless_it_is_held_and_verdicts_are_told() {
    let mut floor = Floor::new();
    let call = floor.talk_to_asha(DIRECT);
    let id = floor.ring_of(ASHA).unwrap().call;
    let verdict = cordboard_media::AudioVerdict::NothingFromCarrier;
    floor.feed(Input::Media(FromMedia::Event(MediaEvent::Audio { leg: call.leg, verdict })));
    assert!(floor.told(ASHA, |it| {
        matches!(it, ServerMessage::CallAudio { verdict, .. } if verdict == "nothing_from_carrier")
    }));
    floor.client(ASHA_TAB, ClientMessage::Hold { call: id }).unwrap();
    floor.feed(Input::Media(FromMedia::Event(MediaEvent::MediaLost { leg: call.leg })));
    assert_eq!(floor.center.active_calls(), 1);
    floor.client(ASHA_TAB, ClientMessage::Resume { call: id }).unwrap();
    let lost = |floor: &mut Floor| floor.feed(Input::Media(FromMedia::Event(MediaEvent::MediaLost { leg: call.leg })));
    lost(&mut floor);
    floor.feed(Input::Media(FromMedia::Event(MediaEvent::MediaBack { leg: call.leg })));
    floor.pass(60_000);
    assert_eq!(floor.center.active_calls(), 1, "the sound came back");
    lost(&mut floor);
    // Ten seconds were over when the news came; the account's time is thirty.
    floor.pass(19_999);
    assert_eq!(floor.center.active_calls(), 1);
    floor.pass(1);
    let view = floor.logged().unwrap();
    assert_eq!(view.ended_by, Some(EndedBy::Carrier));
    assert!(steps(&view).contains(&StepKind::SoundBack));
    nothing_is_left(&floor);
}

#[test]
fn a_department_that_records_says_so_first_and_keeps_two_channels() {
    let mut floor = Floor::with_policy(|policy| {
        policy.departments[0].recording = cordboard_shared::department::RecordingRule::On;
    });
    let call = floor.talk_to_asha(SUPPORT);
    let id = floor.ring_of(ASHA).unwrap().call;
    let Some(Effect::Media(Media::PlayOver { play, .. })) =
        floor.find(|it| matches!(it, Effect::Media(Media::PlayOver { .. })))
    else {
        panic!("not announced")
    };
    assert!(!floor.took(|it| matches!(it, Effect::Media(Media::RecordCall { .. }))));
    floor.feed(Input::Media(FromMedia::Event(MediaEvent::PlayFinished { leg: call.leg, play })));
    let Some(Effect::Media(Media::RecordCall { recording, left, right, .. })) =
        floor.find(|it| matches!(it, Effect::Media(Media::RecordCall { .. })))
    else {
        panic!("not recorded")
    };
    assert_eq!((left, right), (Some(call.leg), Some(floor.desk(call.leg))));
    floor.client(ASHA_TAB, ClientMessage::Record { call: id, on: false }).unwrap();
    assert!(floor.took(|it| matches!(it, Effect::Media(Media::PauseRecord { .. }))));
    assert_eq!(live(&floor, ASHA).recording, cordboard_shared::call::RecordingState::Paused);
    hang_up_far(&mut floor, call.dialog);
    assert!(floor.logged().is_none(), "the file is not closed yet");
    floor.feed(Input::Media(recorded(recording)));
    let view = floor.logged().unwrap();
    assert_eq!(view.recordings[0].kind, cordboard_shared::call::RecordingKind::Call);
    assert!(steps(&view).contains(&StepKind::RecordingPaused));
}

#[test]
fn a_call_is_filed_under_a_word_of_the_account() {
    let mut floor = Floor::new();
    floor.talk_to_asha(DIRECT);
    let call = floor.ring_of(ASHA).unwrap().call;
    let file = |word: &str| ClientMessage::Disposition { call, disposition: Some(word.to_owned()) };
    assert!(floor.client(ASHA_TAB, file("Nonsense")).is_err());
    floor.client(ASHA_TAB, file("Resolved")).unwrap();
    assert_eq!(floor.last_view().disposition.as_deref(), Some("Resolved"));
}

#[test]
fn a_fault_in_one_call_ends_that_call_with_a_record_and_no_other() {
    let mut floor = Floor::new();
    let first = floor.talk_to_asha(DIRECT);
    floor.sign_in(RIYA_TAB, RIYA);
    let second = floor.call_in(SUPPORT);
    riya_answers(&mut floor);

    floor.center.breaks = true;
    floor.digit(second.leg, '5');

    assert_eq!(floor.center.totals().panics, 1);
    assert_eq!(floor.logged().unwrap().ended_by, Some(EndedBy::System));
    assert!(floor.commanded(|it| matches!(it, Sip::HangUp { dialog } if *dialog == second.dialog)).is_some());
    assert_eq!(floor.center.active_calls(), 1);
    hang_up_far(&mut floor, first.dialog);
    nothing_is_left(&floor);
}
