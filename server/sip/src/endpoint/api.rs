//! What goes into an endpoint and what comes out of it.

use std::net::SocketAddr;
use std::time::Instant;

use crate::message::{Headers, NameAddr, SipUri};

/// One dialog of one endpoint, from the INVITE on.
///
/// Incoming calls are numbered by the endpoint. For outgoing ones take
/// [`Endpoint::new_dialog_id`](super::Endpoint::new_dialog_id), or choose a number where the endpoint cannot be asked:
/// [`DialogId::outgoing`]. The two never collide with incoming ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DialogId(u64);

impl DialogId {
    const OUTGOING: u64 = 1 << 63;

    /// The id of an outgoing call with a number of the caller's choice. Use each once, and do not mix with
    /// `new_dialog_id`.
    pub fn outgoing(number: u64) -> Self {
        Self(number | Self::OUTGOING)
    }

    pub(crate) fn incoming(number: u64) -> Self {
        Self(number & !Self::OUTGOING)
    }
}

/// How an endpoint presents itself.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// The address that Via and Contact name; the far side must be able to send to it.
    pub local: SocketAddr,
    /// `User-Agent` and `Server`.
    pub user_agent: String,
    /// Bounds of the tables.
    pub limits: Limits,
}

/// Bounds of the tables: what a flood can cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Dialogs, ringing ones included. Above it a new INVITE gets 503.
    pub dialogs: usize,
    /// Server transactions, finished ones that still absorb repeats included. Above it new requests outside a dialog
    /// get 503.
    pub server_transactions: usize,
    /// Seconds in `Retry-After` of those 503.
    pub retry_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { dialogs: 10_000, server_transactions: 50_000, retry_after: 5 }
    }
}

/// All that can happen to an endpoint.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "commands are handed over one at a time, never kept by the thousand")]
pub enum Input {
    /// A UDP datagram came.
    Datagram {
        /// The address it came from.
        from: SocketAddr,
        /// Its content.
        bytes: Vec<u8>,
    },
    /// The application wants something.
    Command(Command),
    /// The deadline of the last [`Output::Timeout`] has come.
    Timeout,
}

/// All that an endpoint asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send a datagram.
    Transmit {
        /// Where to.
        to: SocketAddr,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Something the application wants to know.
    Event(Event),
    /// Nothing more for now; call again with [`Input::Timeout`] at this time.
    Timeout(Option<Instant>),
}

/// All that an application can tell an endpoint. A command for a dialog that is gone, or not in the state for it, is
/// passed over: the event that says so is on its way.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "commands are handed over one at a time, never kept by the thousand")]
pub enum Command {
    /// Sends a provisional response, 180 or 183, to an incoming INVITE.
    Progress {
        /// The ringing dialog.
        dialog: DialogId,
        /// 101 to 199.
        status: u16,
        /// Early media.
        sdp: Option<Vec<u8>>,
    },
    /// Answers an incoming INVITE with 200.
    Accept {
        /// The ringing dialog.
        dialog: DialogId,
        /// Our answer, or our offer when the INVITE had none.
        sdp: Vec<u8>,
    },
    /// Refuses an incoming INVITE. The dialog is gone at once and sends no further event.
    Reject {
        /// The ringing dialog.
        dialog: DialogId,
        /// 300 to 699.
        status: u16,
        /// Seconds in `Retry-After`.
        retry_after: Option<u32>,
        /// Value of a `Reason` header (RFC 3326), as in `Q.850;cause=1`.
        reason: Option<String>,
    },
    /// Ends a call in any state: BYE when confirmed, CANCEL (after the first provisional response) when calling, 480
    /// when still ringing here. Yields [`Event::Ended`] with [`EndCause::LocalBye`], or [`Event::Failed`] with
    /// [`FailureCause::Cancelled`] when calling, at once.
    HangUp {
        /// The dialog.
        dialog: DialogId,
    },
    /// Answers [`Event::Reinvite`] with 200.
    AnswerOffer {
        /// The dialog.
        dialog: DialogId,
        /// Our answer, or our offer when the re-INVITE had none.
        sdp: Vec<u8>,
    },
    /// Refuses [`Event::Reinvite`]; the session stays as it was.
    RejectOffer {
        /// The dialog.
        dialog: DialogId,
        /// 300 to 699, as a rule 488.
        status: u16,
    },
    /// Sends a re-INVITE with our offer in a confirmed dialog; [`Event::OfferAnswered`] or [`Event::OfferRefused`]
    /// follows.
    Offer {
        /// The dialog.
        dialog: DialogId,
        /// Our offer.
        sdp: Vec<u8>,
    },
    /// Places a call.
    Invite {
        /// A fresh id.
        dialog: DialogId,
        /// Request-URI and To.
        to: SipUri,
        /// From, without tag.
        from: NameAddr,
        /// Where the INVITE is sent.
        destination: SocketAddr,
        /// Our offer; empty for none (the 2xx then brings theirs, which the ACK cannot answer: always offer).
        sdp: Vec<u8>,
        /// Further header fields.
        headers: Vec<(String, String)>,
    },
    /// Sends an INFO in a confirmed dialog.
    Info {
        /// The dialog.
        dialog: DialogId,
        /// `application/dtmf-relay`, say.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// Answers new INVITEs with 503 from now on; running dialogs go on.
    SetDraining {
        /// Seconds in `Retry-After`.
        retry_after: u32,
    },
}

/// All that an endpoint tells the application. After [`Event::Cancelled`], [`Event::Failed`] and [`Event::Ended`] a
/// dialog sends nothing more.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A call came in; 100 has been sent.
    Incoming(Box<IncomingCall>),
    /// The caller gave up while it rang; 200 to the CANCEL and 487 have been sent.
    Cancelled {
        /// The dialog.
        dialog: DialogId,
    },
    /// The ACK to our 200 came: of the first INVITE always, of a re-INVITE only if we made the offer.
    Confirmed {
        /// The dialog.
        dialog: DialogId,
        /// Their answer, when the INVITE had no offer.
        sdp: Option<Vec<u8>>,
    },
    /// The far side wants to change the session, by re-INVITE or UPDATE. Answer it.
    Reinvite {
        /// The dialog.
        dialog: DialogId,
        /// Their offer; `None` asks for ours.
        sdp: Option<Vec<u8>>,
    },
    /// An INFO came and has been answered with 200.
    Info {
        /// The dialog.
        dialog: DialogId,
        /// Content-Type as written.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// Our call makes progress.
    Progress {
        /// The dialog.
        dialog: DialogId,
        /// 101 to 199.
        status: u16,
        /// Early media.
        sdp: Option<Vec<u8>>,
    },
    /// Our call was answered; the ACK has been sent.
    Answered {
        /// The dialog.
        dialog: DialogId,
        /// Their answer.
        sdp: Option<Vec<u8>>,
    },
    /// Our re-INVITE was accepted; the ACK has been sent.
    OfferAnswered {
        /// The dialog.
        dialog: DialogId,
        /// Their answer.
        sdp: Option<Vec<u8>>,
    },
    /// Our re-INVITE was refused; the session stays as it was.
    OfferRefused {
        /// The dialog.
        dialog: DialogId,
        /// The status; 491 also when another change was under way here.
        status: u16,
    },
    /// Our call was not answered.
    Failed {
        /// The dialog.
        dialog: DialogId,
        /// The final status; 408, 487 or 503 where the cause says that no peer sent it.
        status: u16,
        /// Who failed it.
        cause: FailureCause,
    },
    /// An answered call is over, or a ringing one was hung up here.
    Ended {
        /// The dialog.
        dialog: DialogId,
        /// Who ended it.
        cause: EndCause,
    },
}

/// Why a call of ours was not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureCause {
    /// The far side refused.
    Rejected,
    /// The far side did not answer for 64*T1, or rang for longer than three minutes without a sign.
    Timeout,
    /// We hung up first.
    Cancelled,
    /// A table is full, or the dialog id is in use.
    Overload,
}

/// Why a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndCause {
    /// The far side sent BYE.
    RemoteBye,
    /// We hung up.
    LocalBye,
    /// The ACK to our 200 did not come for 64*T1; BYE has been sent.
    NoAck,
    /// A request of ours in the dialog drew no answer; BYE has been sent.
    Timeout,
    /// The far side said that it does not know the dialog (481).
    Gone,
}

/// A call that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingCall {
    /// Its dialog.
    pub dialog: DialogId,
    /// The address the INVITE came from.
    pub source: SocketAddr,
    /// Who is called.
    pub request_uri: SipUri,
    /// Who calls, as they say.
    pub from: NameAddr,
    /// Whom they called at first.
    pub to: NameAddr,
    /// The Call-ID header field.
    pub sip_call_id: String,
    /// Their offer; `None` asks for ours in the 200.
    pub sdp: Option<Vec<u8>>,
    /// All header fields.
    pub headers: Headers,
}

/// Table sizes. All are 0 when the endpoint is idle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Server transactions.
    pub server_transactions: usize,
    /// Client transactions.
    pub client_transactions: usize,
    /// Dialogs, ringing, calling and leaving ones included.
    pub dialogs: usize,
    /// Armed timers.
    pub timers: usize,
}
