//! What one call brings or wants: an invitation of ours, a call that came in, a transfer that was asked for.

use std::fmt;
use std::net::SocketAddr;

use super::{DialogId, TrunkId};
use crate::flow::Target;
use crate::message::{Headers, NameAddr, Params, SipUri};
use crate::origin::Origin;

/// Where an INVITE of ours goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// One address by one transport, or an open connection.
    Target(Target),
    /// An outbound trunk of [`Command::SetOutboundTrunks`](super::Command::SetOutboundTrunks): its targets are tried in
    /// order, the ones known to be down are left out. A 503 moves on at once, silence after
    /// [`OutboundTrunk::try_for`](super::OutboundTrunk::try_for).
    Trunk(TrunkId),
    /// A registered user: all contacts ring at once, the first 2xx wins, the others are cancelled. Without a contact
    /// the call fails with 480 and [`FailureCause::Unreachable`](super::FailureCause::Unreachable).
    User(String),
}

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self::Target(address.into())
    }
}

impl From<Target> for Destination {
    fn from(target: Target) -> Self {
        Self::Target(target)
    }
}

impl From<TrunkId> for Destination {
    fn from(trunk: TrunkId) -> Self {
        Self::Trunk(trunk)
    }
}

/// User name and password for a digest challenge (RFC 3261 §22). Printing it prints no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A call to be placed. Make one with [`Invitation::new`] and set what else is wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    /// A fresh id.
    pub dialog: DialogId,
    /// Request-URI and To. For [`Destination::User`] the Request-URI is each contact of the user instead; for
    /// [`Destination::Trunk`] the host is the trunk's when it names a domain.
    pub to: SipUri,
    /// From, without tag.
    pub from: NameAddr,
    /// Where the INVITE is sent.
    pub destination: Destination,
    /// Our offer. Empty asks for theirs: [`Event::Answered`](super::Event::Answered) then brings it, and the ACK waits
    /// for [`Command::AckAnswer`](super::Command::AckAnswer).
    pub sdp: Vec<u8>,
    /// Further header fields. Those the endpoint writes itself are passed over.
    pub headers: Vec<(String, String)>,
    /// Requires reliable provisional responses of the callee (RFC 3262); one that cannot give them refuses with 420.
    /// They are taken either way.
    pub require_reliable: bool,
    /// Answers a 401 or 407, once for each realm. Those of a trunk are its own; these go before them.
    pub credentials: Option<Credentials>,
    /// Who calls, vouched for by us: `P-Asserted-Identity` (RFC 3325). Only for a far side that is trusted.
    pub identity: Option<NameAddr>,
    /// Withholds the caller: From becomes anonymous and `Privacy: id` is set (RFC 3323, RFC 3325).
    pub privacy: bool,
    /// The dialog at the far side that this call takes over (RFC 3891), as a rule from [`Event::Refer`](super::Event).
    pub replaces: Option<Replaces>,
    /// Who asked for this call by REFER (RFC 3892).
    pub referred_by: Option<NameAddr>,
    /// Whose call was diverted to here (RFC 5806 `Diversion`).
    pub diversion: Option<NameAddr>,
}

impl Invitation {
    /// A plain call with an offer.
    pub fn new(
        dialog: DialogId,
        to: SipUri,
        from: NameAddr,
        destination: impl Into<Destination>,
        sdp: Vec<u8>,
    ) -> Self {
        Self {
            dialog,
            to,
            from,
            destination: destination.into(),
            sdp,
            headers: Vec::new(),
            require_reliable: false,
            credentials: None,
            identity: None,
            privacy: false,
            replaces: None,
            referred_by: None,
            diversion: None,
        }
    }
}

/// Names a dialog at the side that takes part in it (RFC 3891 §6.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The Call-ID header field.
    pub call_id: String,
    /// The tag of the side this is told to.
    pub to_tag: String,
    /// The tag of the other side.
    pub from_tag: String,
    /// Only while that dialog rings.
    pub early_only: bool,
}

impl Replaces {
    /// Reads the value of a `Replaces` header field; `None` if it is not one.
    pub fn parse(value: &str) -> Option<Self> {
        let (call_id, params) = value.split_once(';')?;
        let params = Params::parse(params);
        let tag = |name| params.value(name).filter(|tag| !tag.is_empty()).map(str::to_owned);
        Some(Self {
            call_id: Some(call_id.trim()).filter(|call_id| !call_id.is_empty())?.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.contains("early-only"),
        })
    }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only {
            f.write_str(";early-only")?;
        }
        Ok(())
    }
}

/// A call that came in.
#[derive(Debug, Clone, PartialEq)]
pub struct IncomingCall {
    /// Its dialog.
    pub dialog: DialogId,
    /// The address the INVITE came from.
    pub source: SocketAddr,
    /// Who sent it, as far as it was proven.
    pub origin: Origin,
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
    /// Who calls, as a trunk vouches that is trusted with it: `P-Asserted-Identity` (RFC 3325). Always `None` from
    /// anybody else, whatever the message says.
    pub asserted: Option<NameAddr>,
    /// Whether the caller wants to stay unnamed: `Privacy`, or an anonymous From. [`Self::asserted`] may still be set;
    /// it is for emergency and tracing, not to be shown.
    pub privacy: bool,
    /// Who diverted the call to here last (RFC 5806 `Diversion`).
    pub diversion: Option<NameAddr>,
    /// The dialog of ours that this call wants to take over (RFC 3891): accept it and hang the other one up, or reject
    /// it. The endpoint has checked that the dialog exists and may be replaced, not who may do so.
    pub replaces: Option<DialogId>,
    /// All header fields.
    pub headers: Headers,
}

/// A transfer the far side asks for (RFC 3515).
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// The dialog it was asked in.
    pub dialog: DialogId,
    /// Whom to call. Nothing has been called yet: whether the asker may is the application's to know.
    pub refer_to: SipUri,
    /// The dialog at the target that the new call takes over: an attended transfer. For [`Invitation::replaces`].
    pub replaces: Option<Replaces>,
    /// The same, when that dialog is one of this endpoint: its two calls can be joined here.
    pub replaced: Option<DialogId>,
    /// Who asks (RFC 3892).
    pub referred_by: Option<NameAddr>,
}
