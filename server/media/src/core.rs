//! The media core: legs, who hears whom, and what is recorded.

use std::net::SocketAddr;
use std::time::Instant;

use cordboard_shared::id::LegId;

use crate::{Command, Output};

/// What a core has to know from the start.
#[derive(Debug, Clone)]
pub struct CoreConfig {
    /// The addresses browsers are told to send to, all of them reaching the one `WebRTC` socket.
    pub candidates: Vec<SocketAddr>,
    /// Seeds stream identifiers, first sequence numbers and timestamps. Fresh randomness in the product.
    pub seed: [u8; 32],
}

/// What goes into a core.
#[derive(Debug, PartialEq)]
pub enum Input<'a> {
    /// A datagram from the `WebRTC` socket.
    WebRtc {
        /// Who sent it.
        from: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// A datagram from the RTP socket of a phone leg.
    Rtp {
        /// Whose socket.
        leg: LegId,
        /// Who sent it.
        from: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// A datagram from the RTCP socket of a phone leg. Nothing is made of it yet.
    Rtcp {
        /// Whose socket.
        leg: LegId,
        /// Who sent it.
        from: SocketAddr,
        /// What.
        bytes: &'a [u8],
    },
    /// Something to do.
    Command(Command),
    /// The deadline given by [`Output::Timeout`] is reached.
    Timeout,
}

/// Carries the audio of all calls. Knows no socket, no clock and no file.
pub struct MediaCore {
    _config: CoreConfig,
}

impl MediaCore {
    /// A core without legs.
    pub fn new(config: CoreConfig) -> Self {
        Self { _config: config }
    }

    /// Takes one input. [`Self::poll_output`] must then be called until it gives [`Output::Timeout`].
    pub fn handle_input(&mut self, now: Instant, input: Input<'_>) {
        let _ = (now, input);
    }

    /// The next thing to do; [`Output::Timeout`] when there is nothing for now.
    pub fn poll_output(&mut self) -> Output {
        Output::Timeout(None)
    }
}
