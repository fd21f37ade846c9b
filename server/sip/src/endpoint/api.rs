//! What goes into an endpoint and what comes out of it.

mod call;
mod trunk;

use std::net::SocketAddr;
use std::time::Instant;

pub use self::call::{Credentials, Destination, IncomingCall, Invitation, Replaces, Transfer};
pub use self::trunk::{OutboundTrunk, Registration, TrunkHealth, TrunkId};
use crate::flow::{FlowId, LocalAddresses, Target, Transport};
use crate::message::{NameAddr, SipUri};
use crate::origin::{SipUser, TrunkPeers};

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

    /// Whether we placed the call: then its Call-ID is ours.
    pub(crate) fn is_outgoing(self) -> bool {
        self.0 & Self::OUTGOING != 0
    }
}

/// How an endpoint presents itself.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// The addresses that Via and Contact name; the far side must be able to send to them.
    pub local: LocalAddresses,
    /// The realm of our challenges. Phones show it, and passwords that are kept hashed are hashed with it.
    pub realm: String,
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
    /// Connections. Above it one of nobody known makes room for a new one.
    pub streams: usize,
    /// Seconds in `Retry-After` of those 503.
    pub retry_after: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { dialogs: 10_000, server_transactions: 50_000, streams: 4_096, retry_after: 5 }
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
    /// A connection stands.
    StreamOpened {
        /// Its number, never used before.
        flow: FlowId,
        /// The far side's address.
        peer: SocketAddr,
        /// TCP or TLS.
        transport: Transport,
        /// Who asked for it.
        opened: Opened,
    },
    /// Bytes came on a connection, cut anywhere.
    StreamBytes {
        /// The connection.
        flow: FlowId,
        /// Its next bytes.
        bytes: Vec<u8>,
    },
    /// A connection is gone, whoever ended it.
    StreamClosed {
        /// The connection.
        flow: FlowId,
    },
    /// A connection that an [`Output::Transmit`] asked for could not be made, and its bytes are lost.
    StreamFailed {
        /// The target as it was given.
        target: Target,
    },
    /// The application wants something.
    Command(Command),
    /// The deadline of the last [`Output::Timeout`] has come.
    Timeout,
}

/// Who made a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The far side.
    ByPeer,
    /// We did, for this target.
    ByUs(Target),
}

/// All that an endpoint asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this, on a connection in one piece.
    Transmit {
        /// Where to.
        to: Target,
        /// The content.
        bytes: Vec<u8>,
    },
    /// Close a connection once what was sent on it is written. [`Input::StreamClosed`] need not follow.
    Close {
        /// The connection.
        flow: FlowId,
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
    /// Changes the session with our offer: by re-INVITE in a confirmed dialog, by UPDATE in one that still rings (where
    /// the far side takes it and the first offer has its answer). [`Event::OfferAnswered`] or [`Event::OfferRefused`]
    /// follows.
    ///
    /// An offer that crosses theirs (491) is made again after the pause of RFC 3261 §14.1; one that comes while another
    /// change is under way waits for its end, and a later one takes its place.
    Offer {
        /// The dialog.
        dialog: DialogId,
        /// Our offer.
        sdp: Vec<u8>,
    },
    /// Places a call. [`Event::Progress`] and then one of [`Event::Answered`], [`Event::Redirected`] and
    /// [`Event::Failed`] follow.
    Invite(Box<Invitation>),
    /// Answers the offer that [`Event::Answered`] brought after an invitation without one: goes out in the ACK.
    AckAnswer {
        /// The dialog.
        dialog: DialogId,
        /// Our answer.
        sdp: Vec<u8>,
    },
    /// Sends an incoming INVITE elsewhere with 302. The dialog is gone at once and sends no further event.
    Redirect {
        /// The ringing dialog.
        dialog: DialogId,
        /// Where to, preferred first.
        contacts: Vec<NameAddr>,
    },
    /// Asks the far side of a confirmed dialog to call somebody else (RFC 3515); [`Event::ReferProgress`] follows.
    Refer {
        /// The dialog.
        dialog: DialogId,
        /// Whom they shall call.
        to: SipUri,
        /// A dialog of ours with that party, which the new call takes over: an attended transfer.
        replaces: Option<DialogId>,
        /// Who asks (RFC 3892).
        referred_by: Option<NameAddr>,
    },
    /// Takes [`Event::Refer`] on: 202, and a first NOTIFY with 100. Tell the outcome with [`Command::NotifyRefer`].
    AcceptRefer {
        /// The dialog.
        dialog: DialogId,
    },
    /// Refuses [`Event::Refer`].
    RejectRefer {
        /// The dialog.
        dialog: DialogId,
        /// 300 to 699, as a rule 403 or 603.
        status: u16,
    },
    /// Tells the asker of a transfer how the new call goes, by NOTIFY with a `message/sipfrag` body.
    NotifyRefer {
        /// The dialog.
        dialog: DialogId,
        /// The status of the new call.
        status: u16,
        /// Nothing more will be told. A final status ends it in any case.
        end: bool,
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
    /// The trunks that calls leave by, all of them; those not named any more are signed off. What has not changed keeps
    /// its state.
    SetOutboundTrunks(Vec<OutboundTrunk>),
    /// Replaces the users that phones may register as. Contacts of users that are gone or have another password are
    /// forgotten.
    SetUsers(Vec<SipUser>),
    /// Replaces the trunks that calls are taken from.
    SetTrunks(Vec<TrunkPeers>),
    /// Answers new INVITEs with 503 from now on; running dialogs go on.
    SetDraining {
        /// Seconds in `Retry-After`.
        retry_after: u32,
    },
}

impl From<Invitation> for Command {
    fn from(invitation: Invitation) -> Self {
        Self::Invite(Box::new(invitation))
    }
}

/// All that an endpoint tells the application. After [`Event::Cancelled`], [`Event::Redirected`], [`Event::Failed`] and
/// [`Event::Ended`] a dialog sends nothing more.
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
    /// The far side wants to change the session, by re-INVITE or UPDATE; also while it rings. Answer it.
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
        /// The To tag: tells the branches of a forked call apart. Empty when the far side sent none.
        early: String,
    },
    /// The far side sends our call elsewhere (3xx). The dialog is over; nothing has been called: whether to follow, and
    /// at whose cost, is the application's to decide.
    Redirected {
        /// The dialog.
        dialog: DialogId,
        /// 300 to 399.
        status: u16,
        /// Where to, preferred first (by `q`, then as written).
        contacts: Vec<NameAddr>,
    },
    /// Our call was answered; the ACK has been sent, but for an invitation without an offer (see
    /// [`Command::AckAnswer`]). Branches of a fork that answer later are hung up by the endpoint.
    Answered {
        /// The dialog.
        dialog: DialogId,
        /// Their answer.
        sdp: Option<Vec<u8>>,
    },
    /// Our offer was accepted; the ACK has been sent. Comes unasked when the answer to a session refresh of the
    /// endpoint's differs from the last one.
    OfferAnswered {
        /// The dialog.
        dialog: DialogId,
        /// Their answer.
        sdp: Option<Vec<u8>>,
    },
    /// Our offer was refused; the session stays as it was.
    OfferRefused {
        /// The dialog.
        dialog: DialogId,
        /// The status; 491 when theirs and ours crossed time and again, or when the dialog cannot be changed yet.
        status: u16,
    },
    /// The far side wants its call transferred. Answer with [`Command::AcceptRefer`] or [`Command::RejectRefer`].
    Refer(Box<Transfer>),
    /// How the transfer goes that we asked for.
    ReferProgress {
        /// The dialog.
        dialog: DialogId,
        /// The status of the new call, or the one that refused the REFER; 408 when there was no answer, 100 when it was
        /// taken on.
        status: u16,
        /// Nothing more will be told.
        end: bool,
    },
    /// An outbound trunk changed, just now; also told once for each new trunk.
    TrunkState {
        /// The trunk.
        trunk: TrunkId,
        /// What is known about it.
        health: TrunkHealth,
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
    /// A phone registered, or one of several contacts went.
    Registered {
        /// The user.
        username: String,
        /// How many contacts the user has now, at least one.
        contacts: usize,
    },
    /// The user's last contact expired, was removed, or lost its connection.
    Unregistered {
        /// The user.
        username: String,
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
    /// There was nowhere to send it: no trunk of that name, no target of it that is up, no contact of the user, or a
    /// connection that could not be made.
    Unreachable,
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
    /// The session was not refreshed in time (RFC 4028); BYE has been sent.
    Expired,
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
    /// Connections.
    pub streams: usize,
    /// Contacts of phones.
    pub contacts: usize,
    /// Armed timers, those of connections and contacts left out.
    pub timers: usize,
}
