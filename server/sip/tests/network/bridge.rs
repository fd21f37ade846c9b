//! The smallest back-to-back user agent on top of an endpoint, between two scripted peers: A calls, B is called.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::endpoint::{EndCause, relayable};
use cordboard_sip::message::{HeaderId, Message, Method, NameAddr, Request, Response, parse};
use cordboard_sip::{Command, DialogId, Event, Invitation, Stats};

use crate::peer::{ANSWER, Call, OFFER, Stage, reply};

pub(crate) const B_CONTACT: &str = "Contact: <sip:callee@192.0.2.20:5060>";

/// The stage of A, with B beside it, and what joins their legs.
pub(crate) struct Bridge {
    pub(crate) stage: Stage,
    pub(crate) b: SocketAddr,
    /// Each leg's other leg.
    other: BTreeMap<DialogId, DialogId>,
    pub(crate) ended: Vec<EndCause>,
}

impl Bridge {
    pub(crate) fn new() -> Self {
        let b = "192.0.2.20:5060".parse().unwrap();
        Self { stage: Stage::new(), b, other: BTreeMap::new(), ended: Vec::new() }
    }

    pub(crate) fn a_sends(&mut self, bytes: impl Into<Vec<u8>>) {
        self.stage.send(bytes);
        self.pump();
    }

    pub(crate) fn b_sends(&mut self, bytes: impl Into<Vec<u8>>) {
        self.stage.net.inject(self.b, self.stage.us, bytes);
        self.pump();
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.stage.wait(duration);
        self.pump();
    }

    /// The next message to B.
    pub(crate) fn next_b(&mut self) -> Option<Message> {
        let (_, bytes) = self.stage.net.take(self.b)?;
        Some(parse(&bytes).unwrap().message)
    }

    #[track_caller]
    pub(crate) fn request_b(&mut self, method: &Method) -> Request {
        match self.next_b() {
            Some(Message::Request(request)) if &request.method == method => request,
            other => panic!("expected {method:?}, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn response_b(&mut self, status: u16) -> Response {
        match self.next_b() {
            Some(Message::Response(response)) if response.status == status => response,
            other => panic!("expected {status}, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn silence(&mut self) {
        self.stage.expect_silence();
        let message = self.next_b();
        assert!(message.is_none(), "{message:?}");
    }

    /// A calls, B's INVITE is given.
    #[track_caller]
    pub(crate) fn called(&mut self, call: &Call) -> Request {
        self.a_sends(call.invite());
        self.stage.expect(100);
        self.request_b(&Method::Invite)
    }

    /// A calls, B answers, both have their ACK. Gives B's INVITE.
    #[track_caller]
    pub(crate) fn talking(&mut self, call: &mut Call) -> Request {
        let invite = self.called(call);
        self.b_sends(reply(&invite, 200, "b", B_CONTACT, ANSWER));
        self.request_b(&Method::Ack);
        let answer = self.stage.expect(200);
        call.learn_tag(&answer.headers);
        self.a_sends(call.ack(1));
        invite
    }

    /// A request of B in its dialog.
    pub(crate) fn of_b(&self, invite: &Request, method: &str, number: u32, fields: &str, body: &str) -> String {
        let header = |id| crate::peer::text(&invite.headers, id);
        let (ours, theirs, call_id) = (header(HeaderId::From), header(HeaderId::To), header(HeaderId::CallId));
        let (us, b) = (self.stage.us, self.b);
        format!(
            "{method} sip:{us} SIP/2.0\r\nVia: SIP/2.0/UDP {b};branch=z9hG4bKb{number}{method}\r\nMax-Forwards: 70\r\n\
             From: {theirs};tag=b\r\nTo: {ours}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n{B_CONTACT}\r\n\
             {fields}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    #[track_caller]
    pub(crate) fn expect_idle(&mut self) {
        self.wait(Duration::from_secs(75));
        assert_eq!(self.stage.net.stats(self.stage.us), Stats::default());
    }

    fn pump(&mut self) {
        while let Some(event) = self.stage.event() {
            self.relay(event);
        }
    }

    /// What happens on one leg is done on the other.
    fn relay(&mut self, event: Event) {
        if let Event::Incoming(call) = event {
            let out = self.stage.net.at(self.stage.us).new_dialog_id();
            self.other.insert(call.dialog, out);
            self.other.insert(out, call.dialog);
            let to = format!("sip:callee@{}", self.b).parse().unwrap();
            let from = NameAddr::parse("<sip:relay@192.0.2.1>").unwrap();
            let mut invitation = Invitation::new(out, to, from, self.b, call.sdp.unwrap_or_else(|| OFFER.into()));
            invitation.headers = relayable(&call.headers, &[], call.privacy);
            return self.stage.command(invitation.into());
        }
        let Some((command, over)) = self.answer_to(event) else { return };
        if let Some(dialog) = over
            && let Some(other) = self.other.remove(&dialog)
        {
            self.other.remove(&other);
        }
        self.stage.command(command);
    }

    /// The command for the other leg, and the leg that is over.
    fn answer_to(&mut self, event: Event) -> Option<(Command, Option<DialogId>)> {
        let other = |dialog: DialogId| self.other.get(&dialog).copied();
        let sdp_or = |sdp: Option<Vec<u8>>| sdp.unwrap_or_else(|| ANSWER.into());
        Some(match event {
            Event::Progress { dialog, status, sdp, .. } => {
                (Command::Progress { dialog: other(dialog)?, status, sdp }, None)
            }
            Event::Answered { dialog, sdp } => (Command::Accept { dialog: other(dialog)?, sdp: sdp_or(sdp) }, None),
            Event::Reinvite { dialog, sdp } => (Command::Offer { dialog: other(dialog)?, sdp: sdp_or(sdp) }, None),
            Event::OfferAnswered { dialog, sdp } => {
                (Command::AnswerOffer { dialog: other(dialog)?, sdp: sdp_or(sdp) }, None)
            }
            Event::OfferRefused { dialog, status } => (Command::RejectOffer { dialog: other(dialog)?, status }, None),
            Event::Info { dialog, content_type, body } => {
                (Command::Info { dialog: other(dialog)?, content_type, body }, None)
            }
            Event::Refer(transfer) => {
                let far = other(transfer.dialog)?;
                self.stage.command(Command::AcceptRefer { dialog: transfer.dialog });
                let refer = Command::Refer { dialog: far, to: transfer.refer_to, replaces: None, referred_by: None };
                (refer, None)
            }
            Event::ReferProgress { dialog, status, end } => {
                (Command::NotifyRefer { dialog: other(dialog)?, status, end }, None)
            }
            Event::Failed { dialog, status, .. } => {
                let reject = Command::Reject { dialog: other(dialog)?, status, retry_after: None, reason: None };
                (reject, Some(dialog))
            }
            Event::Cancelled { dialog } => (Command::HangUp { dialog: other(dialog)? }, Some(dialog)),
            Event::Ended { dialog, cause } => {
                let far = other(dialog);
                self.ended.push(cause);
                (Command::HangUp { dialog: far? }, Some(dialog))
            }
            Event::Incoming(_)
            | Event::Confirmed { .. }
            | Event::Redirected { .. }
            | Event::TrunkState { .. }
            | Event::Registered { .. }
            | Event::Unregistered { .. } => return None,
        })
    }
}
