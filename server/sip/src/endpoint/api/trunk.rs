//! Trunks that calls leave by: what they are made of, and what is known about them.

use std::time::Duration;

use super::Credentials;
use crate::flow::Target;
use crate::message::SipUri;

/// The id of a trunk, as the application names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkId(pub String);

/// A trunk that calls leave by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundTrunk {
    /// Its id.
    pub id: TrunkId,
    /// Where its INVITEs go, in order of preference.
    pub targets: Vec<Target>,
    /// The host that Request-URI, To and From name; `None` leaves the ones of the invitation.
    pub domain: Option<String>,
    /// Answers the trunk's challenges.
    pub credentials: Option<Credentials>,
    /// Keeps a registration at the trunk.
    pub registration: Option<Registration>,
    /// Asks each target with OPTIONS this often whether it is alive: three misses mark it down, two answers up again.
    /// `None` never asks and takes all targets for up.
    pub options_every: Option<Duration>,
    /// How long one target may be silent after an INVITE before the next one is tried; 3.5 s unless there is a reason.
    pub try_for: Duration,
}

impl OutboundTrunk {
    /// A trunk with targets and nothing else.
    pub fn new(id: TrunkId, targets: Vec<Target>) -> Self {
        Self {
            id,
            targets,
            domain: None,
            credentials: None,
            registration: None,
            options_every: None,
            try_for: Self::TRY_FOR,
        }
    }

    /// Long enough for four copies of an INVITE over UDP, short enough for a caller who waits.
    pub const TRY_FOR: Duration = Duration::from_millis(3_500);
}

/// A registration we keep at a trunk (RFC 3261 §10.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where the REGISTER is sent.
    pub registrar: Target,
    /// The address of record: To and From, and with its host the Request-URI.
    pub address_of_record: SipUri,
    /// Answers the challenge.
    pub credentials: Credentials,
    /// How long we ask the binding to last; the registrar may shorten it.
    pub expires: Duration,
}

/// What is known about an outbound trunk. Each change is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrunkHealth {
    /// Whether the registration stands; `None` for a trunk that needs none.
    pub registered: Option<bool>,
    /// Whether at least one target is taken for up.
    pub reachable: bool,
    /// The status that refused the last registration; 408 when nobody answered.
    pub refused: Option<u16>,
}
