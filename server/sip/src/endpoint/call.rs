//! The states of one call, with what exists in each.

use std::time::Duration;

use super::api::DialogId;
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::Request;
use crate::transaction::TxId;

/// One call: a dialog, or an INVITE that may become one.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: DialogId,
    /// Call-ID and our tag: the two ends of a call to ourselves differ in the tag.
    pub(super) key: (String, String),
    pub(super) state: CallState,
}

#[derive(Debug)]
pub(super) enum CallState {
    /// An INVITE came and has no final response.
    Ringing(Box<Ringing>),
    /// We sent an INVITE and have no final response.
    Calling(Box<Calling>),
    /// There was a 2xx.
    Confirmed(Box<Confirmed>),
    /// The application has been told that it is over; the ACK or the answer to our BYE is still to come.
    Leaving(Box<Leaving>),
}

#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) dialog: Dialog,
    pub(super) tx: TxId,
    pub(super) request: Request,
    pub(super) number: u32,
    pub(super) flow: Flow,
    /// The last provisional response, repeated each minute (RFC 3261 §13.3.1.1).
    pub(super) progress: Option<(u16, Option<Vec<u8>>)>,
}

#[derive(Debug)]
pub(super) struct Calling {
    pub(super) tx: TxId,
    /// One per To tag that answered provisionally: forks.
    pub(super) early: Vec<Dialog>,
    pub(super) progress: bool,
    pub(super) cancel: Cancel,
}

/// How far a hang-up of a call that is not answered yet has come (RFC 3261 §9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    /// Not wanted.
    No,
    /// "If no provisional response has been received, the CANCEL request MUST NOT be sent."
    AfterProvisional,
    /// Sent.
    Sent,
}

#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) dialog: Dialog,
    pub(super) unacked: Option<Unacked>,
    /// A re-INVITE or UPDATE the application has not answered yet.
    pub(super) pending: Option<PendingOffer>,
    /// Our own re-INVITE.
    pub(super) offering: Option<TxId>,
}

impl Confirmed {
    /// Whether an offer of ours waits for its answer, in a re-INVITE or in a 200.
    pub(super) fn has_offered(&self) -> bool {
        let in_answer = self.unacked.as_ref().is_some_and(|unacked| unacked.news == AckNews::ConfirmedWithAnswer);
        self.offering.is_some() || in_answer
    }
}

/// A 2xx that waits for its ACK; repeated by us, not by the transaction (RFC 3261 §13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) number: u32,
    pub(super) bytes: Vec<u8>,
    pub(super) flow: Flow,
    pub(super) interval: Duration,
    pub(super) news: AckNews,
}

/// What the ACK means to the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckNews {
    /// The call stands; its body is of no interest.
    Confirmed,
    /// The call or the change stands, and the ACK brings their answer.
    ConfirmedWithAnswer,
    /// Nothing new.
    Nothing,
}

#[derive(Debug)]
pub(super) struct PendingOffer {
    pub(super) tx: TxId,
    pub(super) request: Request,
    pub(super) number: u32,
    pub(super) flow: Flow,
}

#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) dialog: Dialog,
    /// RFC 3261 §15: the callee "MUST NOT send a BYE on a confirmed dialog until it has received an ACK for its 2xx
    /// response".
    pub(super) unacked: Option<Unacked>,
}

/// Deadlines of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CallTimer {
    /// Repeat the 2xx.
    RepeatAnswer,
    /// Give up waiting for the ACK.
    NoAck,
    /// Repeat the provisional response, so that no proxy gives up.
    Extend,
    /// Timer C: nothing provisional came for three minutes.
    C,
    /// A cancelled INVITE drew no final response (RFC 3261 §9.1).
    CancelTimeout,
}

impl CallTimer {
    pub(super) const ALL: [Self; 5] = [Self::RepeatAnswer, Self::NoAck, Self::Extend, Self::C, Self::CancelTimeout];
}
