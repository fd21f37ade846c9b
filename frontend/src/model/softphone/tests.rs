//! The telephone of one tab, driven frame by frame.

use cordboard_shared::Pii;
use cordboard_shared::call::{CallCause, RecordingState};
use cordboard_shared::event::RingStop;

use super::*;
use crate::model::log::tests::call as call_view;
use crate::model::roster::tests::ASHA;

const OFFER: OfferId = OfferId::demo(7);
const NOW: Millis = Millis(1_000);

fn uid() -> CallId {
    call_view(1_000).uid
}

fn ring() -> Ring {
    Ring {
        offer: OFFER,
        call: uid(),
        from: Pii("+442079460199".to_owned()),
        name: None,
        department: None,
        waited_ms: 0,
        why: "first in order".to_owned(),
        ring_ms: 25_000,
        lease_ms: 3_000,
        callback: false,
    }
}

fn live(state: CallState) -> LiveCall {
    let mut call = call_view(1_000);
    call.state = state;
    call.agent = Some(ASHA);
    LiveCall {
        call,
        media: MediaState::Open,
        muted: false,
        peer: Pii(String::new()),
        quality: None,
        held_by_peer: false,
        recording: RecordingState::Off,
        transfer: None,
        device: None,
    }
}

fn phone(leader: bool) -> Softphone {
    let mut phone = Softphone::default();
    phone.handle_input(NOW, Input::SignedIn(ASHA));
    phone.handle_input(NOW, Input::LeaderChanged(leader));
    phone
}

/// What it does, without what it says.
fn feed(phone: &mut Softphone, now: Millis, input: Input) -> Vec<Output> {
    phone.handle_input(now, input);
    let mut outputs = Vec::new();
    while let Some(output) = phone.poll_output() {
        match output {
            Output::Tell(_)
            | Output::Alert(_)
            | Output::Notify(_)
            | Output::EndNotice
            | Output::ClaimSound(_)
            | Output::Listen(_) => {}
            Output::Sound(..)
            | Output::Silence
            | Output::Acknowledge(_)
            | Output::OpenPeer(..)
            | Output::ClosePeer(_)
            | Output::OpenMicrophone
            | Output::AttachMicrophone(_)
            | Output::EnableMicrophone(_)
            | Output::SendAnswer(_)
            | Output::SendDecline(_)
            | Output::SendPress(..) => outputs.push(output),
        }
    }
    outputs
}

fn rang(phone: &mut Softphone) -> Vec<Output> {
    feed(phone, NOW, Input::Rang(Box::new(ring())))
}

fn connected(phone: &mut Softphone) {
    rang(phone);
    feed(phone, NOW, Input::PeerOffered(uid()));
    feed(phone, NOW, Input::AnswerPressed(OFFER));
    feed(phone, NOW, Input::AnswerTaken(OFFER));
    feed(phone, NOW, Input::PeerReady(uid()));
    feed(phone, NOW, Input::CallChanged(Box::new(live(CallState::Connected))));
}

#[test]
fn the_leader_sounds_and_connects_and_acknowledges_once_it_is_heard() {
    let mut phone = phone(true);

    assert_eq!(rang(&mut phone), [Output::Sound(OFFER, 3_000), Output::OpenPeer(uid(), false)]);
    assert_eq!(feed(&mut phone, NOW, Input::RingerSounds(OFFER)), [Output::Acknowledge(OFFER)]);
    assert_eq!(phone.incoming().unwrap().ends_at, Millis(26_000));
}

#[test]
fn another_tab_shows_the_call_and_stays_silent() {
    let mut phone = phone(false);

    assert_eq!(rang(&mut phone), []);
    assert!(phone.incoming().is_some());
    assert_eq!(feed(&mut phone, NOW, Input::RingerSounds(OFFER)), []);
}

#[test]
fn a_tab_that_becomes_leader_while_it_rings_takes_over_the_ringer() {
    let mut phone = phone(false);
    rang(&mut phone);

    let outputs = feed(&mut phone, NOW, Input::LeaderChanged(true));

    assert_eq!(outputs, [Output::Sound(OFFER, 3_000), Output::OpenPeer(uid(), false)]);
}

#[test]
fn without_a_fresh_lease_the_ringer_stops_by_itself() {
    let mut phone = phone(true);
    rang(&mut phone);

    assert_eq!(feed(&mut phone, Millis(2_000), Input::LeaseRenewed(OFFER, 3_000)), [Output::Sound(OFFER, 3_000)]);
    assert_eq!(phone.deadline(), Some(Millis(5_000)));
    assert_eq!(feed(&mut phone, Millis(5_000), Input::Timeout), [Output::Silence]);
    assert_eq!(feed(&mut phone, Millis(5_100), Input::LeaseRenewed(OFFER, 3_000)), []);
    assert!(!phone.sounds(Millis(5_100)));
}

#[test]
fn answer_waits_for_the_offer_of_the_sound_connection() {
    let mut phone = phone(true);
    rang(&mut phone);

    assert_eq!(feed(&mut phone, NOW, Input::AnswerPressed(OFFER)), [Output::OpenMicrophone]);
    assert_eq!(feed(&mut phone, NOW, Input::PeerOffered(uid())), [Output::SendAnswer(OFFER)]);
    assert_eq!(feed(&mut phone, NOW, Input::AnswerPressed(OFFER)), [], "a second press does nothing");
    assert_eq!(feed(&mut phone, NOW, Input::AnswerTaken(OFFER)), [Output::Silence, Output::AttachMicrophone(uid())]);
}

#[test]
fn a_tab_that_is_not_the_leader_makes_its_own_connection_to_answer() {
    let mut phone = phone(false);
    rang(&mut phone);

    let outputs = feed(&mut phone, NOW, Input::AnswerPressed(OFFER));

    assert_eq!(outputs, [Output::OpenMicrophone, Output::OpenPeer(uid(), false)]);
    assert_eq!(feed(&mut phone, NOW, Input::PeerOffered(uid())), [Output::SendAnswer(OFFER)]);
}

#[test]
fn ring_stop_and_call_state_may_come_before_the_answers_own_answer() {
    let mut phone = phone(true);
    rang(&mut phone);
    feed(&mut phone, NOW, Input::PeerOffered(uid()));
    feed(&mut phone, NOW, Input::AnswerPressed(OFFER));

    assert_eq!(feed(&mut phone, NOW, Input::RingStopped(OFFER, RingStop::Answered)), [Output::Silence]);
    assert_eq!(feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Connected)))), []);
    assert_eq!(feed(&mut phone, NOW, Input::AnswerTaken(OFFER)), [Output::AttachMicrophone(uid())]);
    feed(&mut phone, NOW, Input::PeerReady(uid()));
    assert_eq!(phone.sound(), Sound::Here);
}

#[test]
fn the_tab_that_lost_goes_quiet_and_lets_go_of_its_connection() {
    let mut phone = phone(true);
    rang(&mut phone);

    let outputs = feed(&mut phone, NOW, Input::RingStopped(OFFER, RingStop::AnsweredElsewhere));

    assert_eq!(outputs, [Output::Silence, Output::ClosePeer(uid())]);
    assert_eq!(phone.incoming(), None);
    feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Connected))));
    assert_eq!(phone.sound(), Sound::Elsewhere);
}

#[test]
fn the_sound_of_a_call_answered_in_another_tab_can_be_brought_here() {
    let mut phone = phone(true);
    feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Connected))));

    let outputs = feed(&mut phone, NOW, Input::BringHerePressed);

    assert_eq!(outputs, [Output::OpenMicrophone, Output::OpenPeer(uid(), true), Output::AttachMicrophone(uid())]);
    assert_eq!(phone.sound(), Sound::Connecting);
}

#[test]
fn a_tab_that_is_refused_the_sound_leaves_it_where_it_is_and_does_not_ask_again() {
    let mut phone = phone(true);
    connected(&mut phone);
    feed(&mut phone, NOW, Input::PeerFailed(uid(), "The sound connection broke.".to_owned()));
    let due = phone.deadline().unwrap();
    feed(&mut phone, due, Input::Timeout);

    assert_eq!(feed(&mut phone, due, Input::PeerRefused(uid())), [Output::ClosePeer(uid())]);
    assert_eq!(phone.sound(), Sound::Elsewhere);
    feed(&mut phone, due, Input::CallChanged(Box::new(live(CallState::Connected))));
    assert_eq!(phone.deadline(), None);
}

#[test]
fn after_a_reload_the_leader_rejoins_a_call_whose_sound_is_lost() {
    let mut phone = phone(true);
    let mut call = live(CallState::Connected);
    call.media = MediaState::Lost;

    feed(&mut phone, NOW, Input::SnapshotTaken { offers: Vec::new(), calls: vec![call] });
    let due = phone.deadline().unwrap();
    let outputs = feed(&mut phone, due, Input::Timeout);

    assert_eq!(outputs, [Output::OpenMicrophone, Output::OpenPeer(uid(), false), Output::AttachMicrophone(uid())]);
}

#[test]
fn after_a_reload_the_tab_that_had_the_sound_takes_it_again() {
    let mut phone = phone(false);
    feed(&mut phone, NOW, Input::SoundWasHere(uid()));
    let calls = vec![live(CallState::Connected)];

    feed(&mut phone, NOW, Input::SnapshotTaken { offers: Vec::new(), calls });
    let due = phone.deadline().unwrap();

    assert_eq!(
        feed(&mut phone, due, Input::Timeout),
        [Output::OpenMicrophone, Output::OpenPeer(uid(), false), Output::AttachMicrophone(uid())]
    );
    assert_eq!(phone.deadline(), None);
}

#[test]
fn a_tab_whose_sound_was_taken_by_another_one_lets_go_of_it() {
    let mut phone = phone(true);
    connected(&mut phone);

    assert_eq!(feed(&mut phone, NOW, Input::SoundTaken(uid())), [Output::ClosePeer(uid())]);
    assert_eq!(phone.sound(), Sound::Elsewhere);
    feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Connected))));
    assert_eq!(phone.deadline(), None, "it does not take it back");
}

#[test]
fn the_leader_takes_the_sound_of_a_tab_that_was_closed_unless_that_one_comes_back() {
    let mut phone = phone(true);
    feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Connected))));

    feed(&mut phone, NOW, Input::SoundReleased(uid()));
    assert_eq!(phone.deadline(), Some(Millis(3_500)));
    feed(&mut phone, NOW, Input::SoundTaken(uid()));
    assert_eq!(phone.deadline(), None);

    feed(&mut phone, NOW, Input::SoundReleased(uid()));
    let outputs = feed(&mut phone, Millis(3_500), Input::Timeout);
    assert_eq!(outputs, [Output::OpenMicrophone, Output::OpenPeer(uid(), false), Output::AttachMicrophone(uid())]);
}

#[test]
fn the_leader_leaves_the_sound_to_the_tab_that_answered() {
    let mut phone = phone(true);
    rang(&mut phone);
    feed(&mut phone, NOW, Input::RingStopped(OFFER, RingStop::Answered));
    let mut call = live(CallState::Connected);
    call.media = MediaState::Lost;

    feed(&mut phone, NOW, Input::CallChanged(Box::new(call)));
    assert_eq!(phone.deadline(), Some(Millis(3_500)));
    feed(&mut phone, Millis(2_000), Input::CallChanged(Box::new(live(CallState::Connected))));

    assert_eq!(phone.deadline(), None);
    assert_eq!(feed(&mut phone, Millis(9_000), Input::Timeout), []);
}

#[test]
fn going_away_while_it_rings_silences_at_once() {
    let mut phone = phone(true);
    rang(&mut phone);

    let outputs = feed(&mut phone, NOW, Input::RingStopped(OFFER, RingStop::DeclinedByStatus));

    assert_eq!(outputs, [Output::Silence, Output::ClosePeer(uid())]);
    assert!(!phone.sounds(NOW));
}

#[test]
fn nothing_is_muted_or_held_before_the_server_says_so_but_the_microphone() {
    let mut phone = phone(true);
    connected(&mut phone);

    let outputs = feed(&mut phone, NOW, Input::Pressed(Press::Mute));
    assert_eq!(outputs, [Output::EnableMicrophone(false), Output::SendPress(uid(), Press::Mute)]);
    assert!(!phone.current().unwrap().muted);
    feed(&mut phone, NOW, Input::PressDone(uid(), Press::Mute));
    assert!(phone.current().unwrap().muted);

    assert_eq!(feed(&mut phone, NOW, Input::Pressed(Press::Hold)), [Output::SendPress(uid(), Press::Hold)]);
    assert_eq!(feed(&mut phone, NOW, Input::Pressed(Press::Resume)), [], "one thing at a time");
    feed(&mut phone, NOW, Input::PressRefused("the call is over".to_owned()));
    assert_eq!(phone.current().unwrap().call.state, CallState::Connected);
    assert_eq!(phone.problem(), Some("the call is over"));
}

#[test]
fn a_refused_mute_opens_the_microphone_again() {
    let mut phone = phone(true);
    connected(&mut phone);
    feed(&mut phone, NOW, Input::Pressed(Press::Mute));

    assert_eq!(feed(&mut phone, NOW, Input::PressRefused("no".to_owned())), [Output::EnableMicrophone(true)]);
}

#[test]
fn the_end_of_the_call_closes_everything() {
    let mut phone = phone(true);
    connected(&mut phone);

    assert_eq!(feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Ended)))), [Output::ClosePeer(uid())]);
    assert_eq!(phone.current(), None);
    assert_eq!(feed(&mut phone, NOW, Input::CallLogged(uid())), []);
}

fn other_uid() -> CallId {
    call_view(2_000).uid
}

/// A call this person has placed, as it rings at the far side.
fn placed(state: CallState) -> LiveCall {
    let mut call = live(state);
    call.call.uid = other_uid();
    call.call.direction = Direction::Internal;
    call.call.agent = Some(AgentId::demo(0x22));
    call.media = MediaState::Gated;
    call
}

#[test]
fn a_placed_call_is_connected_here_at_once_and_shown_while_it_rings_there() {
    let mut phone = phone(true);

    let outputs = feed(&mut phone, NOW, Input::Placed(other_uid()));
    assert_eq!(
        outputs,
        [Output::OpenMicrophone, Output::OpenPeer(other_uid(), false), Output::AttachMicrophone(other_uid())]
    );
    feed(&mut phone, NOW, Input::CallChanged(Box::new(placed(CallState::Ringing))));

    assert_eq!(phone.current().map(state_word), Some("Calling"));
    assert_eq!(phone.sound(), Sound::Connecting);
}

#[test]
fn a_call_to_a_colleague_that_somebody_else_placed_is_not_the_own_one() {
    let mut phone = phone(true);

    feed(&mut phone, NOW, Input::CallChanged(Box::new(placed(CallState::Connected))));

    assert_eq!(phone.current(), None);
}

#[test]
fn an_own_call_that_nobody_answers_says_why() {
    let mut phone = phone(true);
    feed(&mut phone, NOW, Input::Placed(other_uid()));
    feed(&mut phone, NOW, Input::CallChanged(Box::new(placed(CallState::Ringing))));
    let mut over = placed(CallState::Ended);
    over.call.answered_at = None;
    over.call.cause = Some(CallCause::Busy);

    phone.handle_input(NOW, Input::CallChanged(Box::new(over)));
    let said: Vec<Output> = std::iter::from_fn(|| phone.poll_output()).collect();

    assert!(said.contains(&Output::Alert("The call ended: the number was busy.".to_owned())), "{said:?}");
    assert_eq!(phone.current(), None);
}

#[test]
fn of_several_calls_the_one_talked_on_is_in_hand_and_alone_has_the_microphone() {
    let mut phone = phone(true);
    connected(&mut phone);
    feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Held))));
    phone.handle_input(NOW, Input::Placed(other_uid()));
    phone.handle_input(NOW, Input::CallChanged(Box::new(placed(CallState::Ringing))));

    let outputs: Vec<Output> = std::iter::from_fn(|| phone.poll_output()).collect();
    assert!(outputs.contains(&Output::Listen(other_uid())), "{outputs:?}");
    assert!(!outputs.contains(&Output::ClosePeer(uid())), "the held call keeps its connection");
    assert_eq!(phone.current().map(|call| call.call.uid), Some(other_uid()));
    assert_eq!(phone.others().iter().map(|call| call.call.uid).collect::<Vec<_>>(), [uid()]);

    assert_eq!(
        feed(&mut phone, NOW, Input::PressedOn(uid(), Press::Resume)),
        [Output::SendPress(uid(), Press::Resume)]
    );
    phone.handle_input(NOW, Input::PressDone(uid(), Press::Resume));
    assert!(std::iter::from_fn(|| phone.poll_output()).any(|output| output == Output::Listen(uid())));
    assert_eq!(phone.current().map(|call| call.call.uid), Some(uid()));
}

#[test]
fn the_end_of_one_call_brings_the_held_one_back_to_the_card() {
    let mut phone = phone(true);
    connected(&mut phone);
    feed(&mut phone, NOW, Input::CallChanged(Box::new(live(CallState::Held))));
    feed(&mut phone, NOW, Input::Placed(other_uid()));
    feed(&mut phone, NOW, Input::CallChanged(Box::new(placed(CallState::Ringing))));

    assert_eq!(feed(&mut phone, NOW, Input::CallLogged(other_uid())), [Output::ClosePeer(other_uid())]);

    assert_eq!(phone.current().map(state_word), Some("On hold"));
    assert_eq!(phone.last(), None, "nobody talked on the call that ended");
    feed(&mut phone, NOW, Input::CallLogged(uid()));
    assert_eq!(phone.last().map(|call| call.call.uid), Some(uid()));
}

#[test]
fn a_call_that_was_moved_to_a_phone_lets_go_of_the_sound_here() {
    let mut phone = phone(true);
    connected(&mut phone);
    let mut moved = live(CallState::Connected);
    moved.device = Some("phone:1001".to_owned());

    assert_eq!(feed(&mut phone, NOW, Input::CallChanged(Box::new(moved))), [Output::ClosePeer(uid())]);
    assert_eq!(phone.sound(), Sound::Elsewhere);
    assert_eq!(phone.deadline(), None, "it does not take it back");
}

#[test]
fn what_the_server_measured_is_shown_until_it_is_well_again() {
    let mut phone = phone(true);
    connected(&mut phone);

    feed(&mut phone, NOW, Input::SoundMeasured(uid(), "microphone_silent".to_owned()));
    assert_eq!(phone.audio(), Some("Your microphone is silent: the other side hears nothing."));
    feed(&mut phone, NOW, Input::SoundMeasured(uid(), "ok".to_owned()));
    assert_eq!(phone.audio(), None);
}

#[test]
fn a_snapshot_drops_what_is_gone_and_keeps_what_still_rings() {
    let mut phone = phone(true);
    rang(&mut phone);

    let same = Input::SnapshotTaken { offers: vec![ring()], calls: Vec::new() };
    assert_eq!(feed(&mut phone, NOW, same), []);
    let gone = Input::SnapshotTaken { offers: Vec::new(), calls: Vec::new() };
    assert_eq!(feed(&mut phone, NOW, gone), [Output::Silence, Output::ClosePeer(uid())]);
    assert_eq!(phone.incoming(), None);
}

#[test]
fn a_connection_that_cannot_be_made_leaves_the_call_ringing_with_a_reason() {
    let mut phone = phone(true);
    rang(&mut phone);
    feed(&mut phone, NOW, Input::AnswerPressed(OFFER));

    feed(&mut phone, NOW, Input::PeerFailed(uid(), "no network".to_owned()));

    let incoming = phone.incoming().unwrap();
    assert_eq!(incoming.stage, Stage::Ringing);
    assert_eq!(incoming.problem.as_deref(), Some("no network"));
}
