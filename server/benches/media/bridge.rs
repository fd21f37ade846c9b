//! Who carries the calls from one end to the other: the product, a peer, or nobody.

mod ours;
mod proc;
mod rtpengine;

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use self::ours::Ours;
pub(crate) use self::ours::SERVE;
use self::rtpengine::Rtpengine;

/// Longer waits for an answer mean that something is broken.
const LIMIT: Duration = Duration::from_secs(20);

/// How one end wants to be reached.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Offer {
    /// A phone at this address that speaks the codec of this payload type.
    Phone(SocketAddr, u8),
    /// A browser with this SDP offer.
    Browser(String),
}

/// Where an end has to send to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// A phone: there.
    Phone(SocketAddr),
    /// A browser: what its SDP answer says, and what of it is the address.
    Browser { sdp: String, to: SocketAddr },
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    /// The product's media thread, in a process of its own.
    Ours,
    /// rtpengine in userspace.
    Rtpengine,
    /// The phones send to each other: what the far ends themselves add.
    Nobody,
}

/// One of them, running.
pub(crate) enum Bridge {
    Ours(Ours),
    Rtpengine(Rtpengine),
    Nobody,
}

/// Whether the peer can be measured here.
pub(crate) fn has_rtpengine() -> bool {
    rtpengine::is_installed()
}

/// Carries calls for the process that started this one, until that closes the pipe.
pub(crate) fn serve() -> Result<()> {
    ours::serve()
}

impl Bridge {
    pub(crate) fn start(by: By) -> Result<Self> {
        Ok(match by {
            By::Ours => Self::Ours(Ours::start()?),
            By::Rtpengine => Self::Rtpengine(Rtpengine::start()?),
            By::Nobody => Self::Nobody,
        })
    }

    /// Joins two ends in a call.
    pub(crate) fn call(&mut self, number: usize, offers: [Offer; 2]) -> Result<[Answer; 2]> {
        match self {
            Self::Ours(ours) => ours.call(&offers),
            Self::Rtpengine(peer) => peer.call(number, offers),
            Self::Nobody => match offers {
                [Offer::Phone(one, _), Offer::Phone(other, _)] => Ok([Answer::Phone(other), Answer::Phone(one)]),
                [Offer::Browser(_), _] | [_, Offer::Browser(_)] => bail!("a browser calls no phone without help"),
            },
        }
    }

    /// Processor time so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        match self {
            Self::Ours(ours) => ours.program.cpu(),
            Self::Rtpengine(peer) => peer.program.cpu(),
            Self::Nobody => Ok(Duration::ZERO),
        }
    }

    /// Bytes of memory in use.
    pub(crate) fn memory(&self) -> Result<u64> {
        match self {
            Self::Ours(ours) => ours.program.memory(),
            Self::Rtpengine(peer) => peer.program.memory(),
            Self::Nobody => Ok(0),
        }
    }
}
