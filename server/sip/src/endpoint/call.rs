//! The states of one call, with what exists in each.

use std::collections::VecDeque;
use std::time::Duration;

use super::api::{Credentials, DialogId, Invitation};
use super::challenge::Authorization;
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::message::{Request, SipUri};
use crate::reliable::ReliableSender;
use crate::session_timer::{SessionTimer, Terms};
use crate::transaction::TxId;
use crate::trunk::{TrunkKey, TrunkTimer};

/// One call: a dialog, or an INVITE that may become one.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) id: DialogId,
    /// Call-ID and our tag: the two ends of a call to ourselves differ in the tag.
    pub(super) key: (String, String),
    /// Answers challenges to our requests; only ever in calls we placed.
    pub(super) credentials: Option<Credentials>,
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

/// A dialog, early or confirmed, with the changes of its session that are under way.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) dialog: Dialog,
    /// A re-INVITE or UPDATE the application has not answered yet.
    pub(super) pending: Option<PendingOffer>,
    /// Our own re-INVITE or UPDATE, an UPDATE without a description included.
    pub(super) offering: Option<Offering>,
    /// An offer that waits until another change is through, or until its time after a 491.
    pub(super) waiting: Option<Vec<u8>>,
    /// How often our offer has crossed theirs.
    pub(super) crossed: u8,
    /// Our last description: what a refresh by re-INVITE repeats.
    pub(super) ours: Vec<u8>,
    /// Their last description.
    pub(super) theirs: Option<Vec<u8>>,
    /// Whether the far side takes UPDATE.
    pub(super) takes_update: bool,
    /// Whether the first offer has its answer: only then may the session change.
    pub(super) settled: bool,
}

impl Session {
    pub(super) fn new(dialog: Dialog, takes_update: bool) -> Self {
        Self {
            dialog,
            pending: None,
            offering: None,
            waiting: None,
            crossed: 0,
            ours: Vec::new(),
            theirs: None,
            takes_update,
            settled: false,
        }
    }

    /// Whether an offer of ours waits for its answer.
    pub(super) fn has_offered(&self) -> bool {
        self.offering.as_ref().is_some_and(|offering| !offering.sdp.is_empty())
    }
}

/// A change of the session that we asked for.
#[derive(Debug)]
pub(super) struct Offering {
    pub(super) tx: TxId,
    pub(super) sdp: Vec<u8>,
    /// Whether the application wants it, or only the session timer.
    pub(super) refresh: bool,
}

#[derive(Debug)]
pub(super) struct Ringing {
    pub(super) session: Session,
    pub(super) tx: TxId,
    pub(super) request: Request,
    pub(super) number: u32,
    pub(super) flow: Flow,
    /// The last provisional response, repeated each minute (RFC 3261 §13.3.1.1).
    pub(super) progress: Option<(u16, Option<Vec<u8>>)>,
    /// Provisional responses must be reliable (RFC 3262).
    pub(super) reliable: Option<ReliableSender>,
    /// The 2xx waits for the PRACK of an answer in a provisional response.
    pub(super) accepted: Option<Vec<u8>>,
    /// The session timer our 2xx will grant.
    pub(super) terms: Terms,
}

/// An INVITE of ours with all the ways it may take.
#[derive(Debug)]
pub(super) struct Calling {
    pub(super) invitation: Invitation,
    /// The number of the last INVITE.
    pub(super) number: u32,
    /// By which trunk, and how long each of its targets may be silent.
    pub(super) trunk: Option<(TrunkKey, Duration)>,
    /// Ways still to be tried, one after the other.
    pub(super) ways: VecDeque<Way>,
    /// INVITEs that wait for their final response.
    pub(super) attempts: Vec<Attempt>,
    /// One per To tag that answered provisionally: forks.
    pub(super) early: Vec<Early>,
    /// The best of the final responses so far.
    pub(super) best: Option<Final>,
    /// Whether the application has heard of progress: then no other way is tried, the caller heard the first one ring.
    pub(super) told: bool,
}

/// One way an INVITE may take.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) flow: Flow,
    /// The Request-URI, where it is not the invitation's: a contact of a registered user.
    pub(super) uri: Option<SipUri>,
    /// Which target of the trunk.
    pub(super) target: usize,
}

/// One INVITE on its way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) tx: TxId,
    pub(super) way: Way,
    pub(super) progress: bool,
    /// What challenges and a 422 made of it.
    pub(super) extras: Extras,
}

/// What an INVITE must say because an earlier one was refused.
#[derive(Debug, Clone, Default)]
pub(super) struct Extras {
    /// The answers to challenges, one per realm.
    pub(super) authorizations: Vec<Authorization>,
    /// Whether one of them has been renewed because its nonce was too old.
    pub(super) renewed: bool,
    /// The shortest session interval somebody on the way takes.
    pub(super) min_se: Option<u32>,
}

/// What an INVITE ended with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Final {
    pub(super) status: u16,
    pub(super) cause: super::api::FailureCause,
    pub(super) contacts: Vec<crate::message::NameAddr>,
}

/// An early dialog of a call of ours.
#[derive(Debug)]
pub(super) struct Early {
    /// Whose INVITE made it.
    pub(super) tx: TxId,
    pub(super) session: Session,
    /// The number of the last reliable provisional response (RFC 3262).
    pub(super) rseq: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Confirmed {
    pub(super) session: Session,
    pub(super) unacked: Option<Unacked>,
    /// The ACK to their offer in a 2xx waits for the application's answer: transaction and number of the INVITE.
    pub(super) answer_due: Option<(TxId, u32)>,
    pub(super) timer: Option<SessionTimer>,
    /// A transfer they asked for.
    pub(super) refer_in: Option<ReferIn>,
    /// A transfer we asked for: the number of the REFER.
    pub(super) refer_out: Option<u32>,
    /// How many REFERs have come.
    pub(super) refers: u32,
}

impl Confirmed {
    pub(super) fn new(session: Session) -> Self {
        Self { session, unacked: None, answer_due: None, timer: None, refer_in: None, refer_out: None, refers: 0 }
    }

    /// Whether an offer of ours waits for its answer, in a re-INVITE or in a 200.
    pub(super) fn has_offered(&self) -> bool {
        let in_answer = self.unacked.as_ref().is_some_and(|unacked| unacked.news == AckNews::ConfirmedWithAnswer);
        self.session.has_offered() || in_answer
    }

    /// Whether some change of the session is under way, in either direction.
    pub(super) fn is_busy(&self) -> bool {
        self.session.offering.is_some()
            || self.session.pending.is_some()
            || self.unacked.is_some()
            || self.answer_due.is_some()
    }
}

/// A transfer the far side asked for.
#[derive(Debug)]
pub(super) struct ReferIn {
    /// The REFER, until the application has decided.
    pub(super) asked: Option<(TxId, Request)>,
    /// The `id` parameter of its NOTIFYs; none for the first REFER of a dialog (RFC 3515 §2.4.6).
    pub(super) id: Option<u32>,
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
    pub(super) terms: Terms,
}

#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) dialog: Dialog,
    /// RFC 3261 §15: the callee "MUST NOT send a BYE on a confirmed dialog until it has received an ACK for its 2xx
    /// response".
    pub(super) unacked: Option<Unacked>,
}

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// Something of a call.
    Call(DialogId, CallTimer),
    /// A cancelled INVITE drew no final response (RFC 3261 §9.1).
    Cancelled(TxId),
    /// Something of a trunk.
    Trunk(TrunkKey, TrunkTimer),
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
    /// Repeat a reliable provisional response (RFC 3262).
    RepeatProgress,
    /// Give up waiting for its PRACK.
    NoPrack,
    /// Timer C: nothing provisional came for three minutes.
    C,
    /// A target of a trunk is silent.
    Try,
    /// Make our offer again that crossed theirs (RFC 3261 §14.1).
    Glare,
    /// Refresh the session (RFC 4028).
    Refresh,
    /// The session was not refreshed.
    Lapse,
}

impl CallTimer {
    pub(super) const ALL: [Self; 10] = [
        Self::RepeatAnswer,
        Self::NoAck,
        Self::Extend,
        Self::RepeatProgress,
        Self::NoPrack,
        Self::C,
        Self::Try,
        Self::Glare,
        Self::Refresh,
        Self::Lapse,
    ];
}
