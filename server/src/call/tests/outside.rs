//! What tests of calls to the outside and of phones have in common: a trunk, and a far side that answers.

use cordboard_shared::call::StepKind;
use cordboard_shared::event::LiveCall;
use cordboard_shared::id::TrunkId;
use cordboard_shared::telephony::{Encryption, Guard, OutboundTrunk, Telephony};
use cordboard_sip::Origin;
use cordboard_sip::endpoint::Destination;

use super::*;

pub(super) const OUTSIDE: &str = "+442079460180";
pub(super) const ASHA_TAB: SocketId = SocketId(1);
pub(super) const RIYA_TAB: SocketId = SocketId(2);

/// The demo company with a trunk to go out by.
pub(super) fn with_trunk() -> Floor {
    with_trunk_and(|_| {})
}

/// The same with other rules.
pub(super) fn with_trunk_and(edit: impl FnOnce(&mut Policy)) -> Floor {
    let mut floor = Floor::with_policy(edit);
    let telephony = Telephony {
        outbound: vec![OutboundTrunk {
            trunk: TrunkId::demo(0x4001),
            targets: vec!["127.0.0.1:5080".to_owned()],
            credentials: None,
            registrar: None,
            options_seconds: 0,
            encryption: Encryption::Off,
        }],
        guard: Guard { prefixes: vec!["+44".to_owned()], per_minute: 3, ..Guard::default() },
        ..(*floor.center.directory.telephony).clone()
    };
    set_telephony(&mut floor, telephony);
    floor
}

pub(super) fn set_telephony(floor: &mut Floor, telephony: Telephony) {
    let mut directory = (*floor.center.directory).clone();
    directory.telephony = Arc::new(telephony);
    floor.feed(Input::Directory(Arc::new(directory)));
}

pub(super) fn dial(floor: &mut Floor, socket: SocketId, to: &str) -> Result<CallId, Problem> {
    let dial = ClientMessage::Dial { to: to.to_owned(), department: None, device: None, callback: None };
    floor.client(socket, dial).map(|value| value["call"].as_str().unwrap().parse().unwrap())
}

pub(super) fn invites(floor: &Floor) -> Vec<cordboard_sip::Invitation> {
    let invite = |it: &Effect| match it {
        Effect::Sip(command) => match &**command {
            Sip::Invite(invitation) => Some((**invitation).clone()),
            _ => None,
        },
        _ => None,
    };
    floor.seen.iter().filter_map(invite).collect()
}

/// Opens the sockets of the leg asked for last.
pub(super) fn open(floor: &mut Floor) -> LegId {
    let Some(Effect::OpenRtp(leg)) = floor.find(|it| matches!(it, Effect::OpenRtp(_))) else { panic!("no leg") };
    floor.feed(Input::Media(FromMedia::RtpOpened { leg, local: "127.0.0.1:20010".parse().unwrap() }));
    leg
}

/// The answer of a far phone to our offer.
pub(super) fn answer_to(invitation: &cordboard_sip::Invitation) -> Vec<u8> {
    let offer = sdp::SessionDescription::parse(&invitation.sdp).unwrap();
    sdp::answer(&offer, "127.0.0.1:4100".parse().unwrap(), 1, 1, &[AudioCodec::Pcmu]).unwrap().0.to_bytes()
}

pub(super) fn live(floor: &Floor, agent: AgentId) -> LiveCall {
    let shown = |it: &Effect| match it {
        Effect::Live { to: Audience::Agent(to), message } if *to == agent => match &**message {
            ServerMessage::CallState(call) => Some((**call).clone()),
            _ => None,
        },
        _ => None,
    };
    floor.seen.iter().rev().find_map(shown).unwrap()
}

pub(super) fn steps(view: &CallView) -> Vec<StepKind> {
    view.steps.iter().map(|step| step.what).collect()
}

/// Asha has called outside, and talks.
pub(super) fn talk_outside(floor: &mut Floor) -> (CallId, DialogId, LegId) {
    floor.sign_in(ASHA_TAB, ASHA);
    let call = dial(floor, ASHA_TAB, "+44 20 7946 0180").unwrap();
    floor.browser_up(ASHA_TAB, call);
    let far = open(floor);
    let invitation = invites(floor).pop().unwrap();
    let answer = answer_to(&invitation);
    floor.feed(Input::Sip(SipEvent::Answered { dialog: invitation.dialog, sdp: Some(answer) }));
    (call, invitation.dialog, far)
}

pub(super) fn hang_up_far(floor: &mut Floor, dialog: DialogId) {
    floor.feed(Input::Sip(SipEvent::Ended { dialog, cause: EndCause::RemoteBye }));
}

pub(super) fn nothing_is_left(floor: &Floor) {
    assert_eq!((floor.center.active_calls(), floor.center.active_legs()), (0, 0));
    assert!(floor.center.dialogs.is_empty());
    assert_eq!(floor.center.engine().stuck_agents(floor.now), 0);
}

/// Signs Riya in, lets her tab confirm and answer what rings there.
pub(super) fn riya_answers(floor: &mut Floor) -> LegId {
    let ring = floor.ring_of(RIYA).unwrap();
    floor.client(RIYA_TAB, ClientMessage::RingAck { offer: ring.offer }).unwrap();
    let leg = floor.browser_up(RIYA_TAB, ring.call);
    floor.client(RIYA_TAB, ClientMessage::Answer { offer: ring.offer }).unwrap();
    leg
}

/// Dev's desk phone is registered, and a call rings there.
pub(super) fn ring_desk_phone(floor: &mut Floor) -> (CallIn, DialogId, LegId) {
    floor.feed(Input::Sip(SipEvent::Registered { username: "1001".to_owned(), contacts: 1 }));
    let call = floor.call_in(SUPPORT);
    let leg = open(floor);
    let invitation = invites(floor).pop().unwrap();
    assert_eq!(invitation.destination, Destination::User("1001".to_owned()));
    let dialog = invitation.dialog;
    floor.feed(Input::Sip(SipEvent::Progress { dialog, status: 180, sdp: None, early: String::new() }));
    (call, dialog, leg)
}

pub(super) fn pick_up(floor: &mut Floor, dialog: DialogId) {
    let invitation = invites(floor).into_iter().find(|it| it.dialog == dialog).unwrap();
    let sdp = Some(answer_to(&invitation));
    floor.feed(Input::Sip(SipEvent::Answered { dialog, sdp }));
}

/// Dev's desk phone sends an INVITE.
pub(super) fn phone_dials(floor: &mut Floor, to: &str) -> DialogId {
    floor.dialogs += 1;
    let dialog = DialogId::outgoing(1_000 + floor.dialogs);
    let local = "127.0.0.1:5060".parse().unwrap();
    let to = SipUri::new(Some(to), local);
    floor.feed(Input::Sip(SipEvent::Incoming(Box::new(IncomingCall {
        dialog,
        source: "203.0.113.77:5060".parse().unwrap(),
        origin: Origin::Phone("1001".to_owned()),
        request_uri: to.clone(),
        from: NameAddr::new(None, SipUri::new(Some("1001"), local)),
        to: NameAddr::new(None, to),
        sip_call_id: "y".to_owned(),
        sdp: Some(offer()),
        asserted: None,
        privacy: false,
        diversion: None,
        replaces: None,
        headers: Headers::default(),
    }))));
    dialog
}
