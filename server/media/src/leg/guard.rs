//! How the packets of a phone are protected: not at all, by keys of its SDP, or by keys of a handshake.

use std::net::SocketAddr;
use std::time::Instant;

use crate::RtcpTo;
use crate::dtls::{DtlsParams, DtlsRole, Handshake, Identity, Outcome, SecureFailure};
use crate::srtp::{SrtpParams, SrtpSession};

/// The content type of handshake records (RFC 5246 §6.2.1).
const HANDSHAKE: u8 = 22;

/// What is done with each packet of a phone.
#[derive(Debug)]
pub(crate) enum Guard {
    /// They go in the clear.
    Clear,
    /// Encryption was agreed on, and the keys cannot be used: nothing passes.
    Shut,
    /// By keys that the two descriptions named (RFC 4568).
    Keyed(Box<SrtpSession>),
    /// By keys of a handshake (RFC 5764): nothing passes before its end.
    Dtls(Box<DtlsGuard>),
}

/// Which socket of a leg. RFC 5764 §3: without `a=rtcp-mux` each has an association of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Component {
    Rtp,
    Rtcp,
}

/// What a handshake wants.
#[derive(Debug)]
pub(crate) enum GuardOutput {
    Send(Component, SocketAddr, Vec<u8>),
    /// Packets can be sent from now on.
    Open,
    Failed(SecureFailure),
}

/// The associations of one leg.
#[derive(Debug)]
pub(crate) struct DtlsGuard {
    params: DtlsParams,
    rtp: Association,
    /// That of the control packets, where they do not go with the sound.
    rtcp: Option<Association>,
}

#[derive(Debug)]
struct Association {
    handshake: Handshake,
    session: Option<SrtpSession>,
    /// Where its datagrams go, and whether one has come from there.
    far: Option<SocketAddr>,
    heard: bool,
}

impl Guard {
    pub(crate) fn set_keys(&mut self, keys: SrtpParams) {
        if let Self::Keyed(session) = self {
            session.update(keys);
        } else {
            *self = SrtpSession::new(keys).map_or(Self::Shut, |session| Self::Keyed(Box::new(session)));
        }
    }

    /// Whether packets can be sent.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Self::Clear | Self::Keyed(_) => true,
            Self::Shut => false,
            Self::Dtls(dtls) => dtls.rtp.session.is_some(),
        }
    }

    /// What protects packets of sound; `Err` when nothing may pass.
    pub(crate) fn rtp(&mut self) -> Result<Option<&mut SrtpSession>, Shut> {
        match self {
            Self::Clear => Ok(None),
            Self::Shut => Err(Shut),
            Self::Keyed(session) => Ok(Some(session)),
            Self::Dtls(dtls) => dtls.rtp.session.as_mut().map(Some).ok_or(Shut),
        }
    }

    /// What protects control packets; `Err` when nothing may pass.
    pub(crate) fn rtcp(&mut self) -> Result<Option<&mut SrtpSession>, Shut> {
        match self {
            Self::Dtls(dtls) => match &mut dtls.rtcp {
                Some(own) => own.session.as_mut().map(Some).ok_or(Shut),
                None => dtls.rtp.session.as_mut().map(Some).ok_or(Shut),
            },
            Self::Clear | Self::Shut | Self::Keyed(_) => self.rtp(),
        }
    }

    pub(crate) fn dtls(&mut self) -> Option<&mut DtlsGuard> {
        match self {
            Self::Dtls(dtls) => Some(dtls),
            Self::Clear | Self::Shut | Self::Keyed(_) => None,
        }
    }
}

/// Nothing may pass now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shut;

impl DtlsGuard {
    pub(crate) fn new(identity: &Identity, params: DtlsParams) -> Self {
        Self { rtp: Association::new(identity, params.role), rtcp: None, params }
    }

    pub(crate) fn is_of(&self, params: &DtlsParams) -> bool {
        self.params == *params
    }

    /// Where the far side is reached by its description; handshakes that are ours to begin begin.
    pub(crate) fn signal(
        &mut self,
        now: Instant,
        identity: &Identity,
        (rtp, rtcp): (SocketAddr, RtcpTo),
        out: &mut Vec<GuardOutput>,
    ) {
        let control = match rtcp {
            RtcpTo::Mux => None,
            RtcpTo::Address(at) => Some(at),
            RtcpTo::NextPort => rtp.port().checked_add(1).map(|port| SocketAddr::new(rtp.ip(), port)),
        };
        match (control, &mut self.rtcp) {
            (None, own) => *own = None,
            (Some(at), Some(own)) => own.signal(at),
            (Some(at), own @ None) => {
                own.insert(Association::new(identity, self.params.role)).signal(at);
            }
        }
        self.rtp.signal(rtp);
        self.rtp.start(now, Component::Rtp, out);
        if let Some(own) = &mut self.rtcp {
            own.start(now, Component::Rtcp, out);
        }
    }

    /// Takes a datagram of a handshake. `false` when it is none of this leg's.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        component: Component,
        (from, signalled): (SocketAddr, Option<SocketAddr>),
        bytes: &[u8],
        out: &mut Vec<GuardOutput>,
    ) -> bool {
        let association = match component {
            Component::Rtp => &mut self.rtp,
            Component::Rtcp => match &mut self.rtcp {
                Some(own) => own,
                None => return false,
            },
        };
        if !association.takes(from, signalled, bytes) {
            return false;
        }
        let mut datagrams = Vec::new();
        let outcome = association.handshake.receive(now, bytes, &mut datagrams);
        association.sent(component, datagrams, out);
        self.ended(component, outcome, out);
        true
    }

    pub(crate) fn timeout(&mut self, now: Instant, out: &mut Vec<GuardOutput>) {
        for component in [Component::Rtp, Component::Rtcp] {
            let association = match component {
                Component::Rtp => &mut self.rtp,
                Component::Rtcp => match &mut self.rtcp {
                    Some(own) => own,
                    None => continue,
                },
            };
            let mut datagrams = Vec::new();
            let outcome = association.handshake.timeout(now, &mut datagrams);
            association.sent(component, datagrams, out);
            self.ended(component, outcome, out);
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let own = self.rtcp.as_ref().and_then(|own| own.handshake.deadline());
        self.rtp.handshake.deadline().into_iter().chain(own).min()
    }

    fn ended(&mut self, component: Component, outcome: Option<Outcome>, out: &mut Vec<GuardOutput>) {
        let Some(outcome) = outcome else { return };
        let session = match outcome {
            // RFC 5763 §5: "If the fingerprint … does not match the hashed certificate, then the endpoint MUST tear
            // down the media session immediately."
            Outcome::Keys { certificate, .. } if !self.params.fingerprints.contains(&certificate) => {
                return out.push(GuardOutput::Failed(SecureFailure::Fingerprint));
            }
            Outcome::Keys { keys, .. } => SrtpSession::new(keys),
            Outcome::Failed => None,
        };
        match component {
            Component::Rtp if session.is_some() => {
                self.rtp.session = session;
                out.push(GuardOutput::Open);
            }
            Component::Rtp => out.push(GuardOutput::Failed(SecureFailure::Handshake)),
            // Without control packets a call is a call.
            Component::Rtcp => {
                if let Some(own) = &mut self.rtcp {
                    own.session = session;
                }
            }
        }
    }
}

impl Association {
    fn new(identity: &Identity, role: DtlsRole) -> Self {
        Self { handshake: Handshake::new(identity, role), session: None, far: None, heard: false }
    }

    /// The description says where the far side is. Who has proven to be elsewhere, is.
    fn signal(&mut self, at: SocketAddr) {
        if !self.heard && !at.ip().is_unspecified() && at.port() != 0 {
            self.far = Some(at);
        }
    }

    fn start(&mut self, now: Instant, component: Component, out: &mut Vec<GuardOutput>) {
        if self.far.is_none() {
            return;
        }
        let mut datagrams = Vec::new();
        self.handshake.start(now, &mut datagrams);
        self.sent(component, datagrams, out);
    }

    fn sent(&self, component: Component, datagrams: Vec<Vec<u8>>, out: &mut Vec<GuardOutput>) {
        if let Some(to) = self.far {
            out.extend(datagrams.into_iter().map(|bytes| GuardOutput::Send(component, to, bytes)));
        }
    }

    /// Whether a datagram from there is of the far side: from where its description says, or from whoever came first
    /// when it is behind a NAT. The certificate tells whether it was.
    fn takes(&mut self, from: SocketAddr, signalled: Option<SocketAddr>, bytes: &[u8]) -> bool {
        let known = self.heard && self.far == Some(from);
        let same_family = self.far.is_none_or(|far| far.is_ipv4() == from.is_ipv4());
        let first = !self.heard && same_family && bytes.first() == Some(&HANDSHAKE);
        if known || first || signalled == Some(from) {
            (self.far, self.heard) = (Some(from), true);
            return true;
        }
        false
    }
}
