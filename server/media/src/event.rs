//! All a media core says.

use std::net::SocketAddr;
use std::time::Instant;

use cordboard_shared::id::{LegId, RecordingId};

use crate::PlayId;
use crate::dtls::SecureFailure;

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The answer to a browser's offer.
    PeerAnswer {
        /// The browser leg.
        leg: LegId,
        /// The answer, for `setRemoteDescription`.
        sdp: String,
    },
    /// An offer could not be answered. A leg that existed before goes on as it was; a new one was not made.
    PeerFailed {
        /// The browser leg.
        leg: LegId,
        /// Why, in words for a log.
        error: String,
    },
    /// ICE and DTLS are up: audio flows. Said again after each [`Event::PeerLost`] that was got over.
    PeerConnected {
        /// The browser leg.
        leg: LegId,
    },
    /// The browser's connection is gone: closed, or no answer to ICE checks. The leg stays until it is removed, and
    /// a new offer brings it back.
    PeerLost {
        /// The browser leg.
        leg: LegId,
    },
    /// A DTMF event arrived from this leg; each key press is said once, when it begins.
    Digit {
        /// Who pressed.
        leg: LegId,
        /// One of `0`–`9`, `*`, `#`, `A`–`D`.
        digit: char,
    },
    /// A clip was sent to its end. Not said when something else was put in its place before.
    PlayFinished {
        /// Who heard it.
        leg: LegId,
        /// The name given with the clip.
        play: PlayId,
    },
    /// The next samples of a recording, 8 kHz, in order and without gaps.
    RecordedFrames {
        /// The recording they belong to.
        recording: RecordingId,
        /// One for [`Command::Record`](crate::Command::Record), two for [`Command::RecordCall`](crate::Command::RecordCall).
        channels: u8,
        /// The samples; those of two channels take turns, the left one first.
        samples: Vec<i16>,
    },
    /// A recording keeps nothing from here on.
    RecordPaused {
        /// The recording.
        recording: RecordingId,
        /// Its length so far in milliseconds.
        ms: u32,
    },
    /// A paused recording goes on.
    RecordResumed {
        /// The recording.
        recording: RecordingId,
        /// Its length so far in milliseconds: where the pause left its seam.
        ms: u32,
    },
    /// A recording ended; all its samples were given out before.
    RecordFinished {
        /// The recording.
        recording: RecordingId,
        /// Its length in milliseconds.
        ms: u32,
        /// What ended it.
        why: RecordEnd,
    },
    /// The first audio packet of this leg was accepted, gate open or not.
    FirstAudio {
        /// Who sent it.
        leg: LegId,
    },
    /// A phone leg that ought to send has sent nothing at all for [`CoreConfig::media_timeout`](crate::CoreConfig). Never
    /// said of a leg on hold, nor before the leg was told what to hear.
    MediaLost {
        /// The leg.
        leg: LegId,
    },
    /// Packets of a leg that was lost arrive again.
    MediaBack {
        /// The leg.
        leg: LegId,
    },
    /// A phone leg that must be encrypted by DTLS is not, and never will be: nothing is sent to it nor taken from it.
    SecureFailed {
        /// The leg.
        leg: LegId,
        /// Why.
        why: SecureFailure,
    },
    /// How the audio of a leg is, when that changes. Judged while somebody listens to the leg and its gate is open; what is
    /// wrong is known within two seconds.
    Audio {
        /// The leg the trouble is with.
        leg: LegId,
        /// How it is.
        verdict: AudioVerdict,
    },
    /// Counters of a leg, every five seconds and when it is removed.
    Stats {
        /// The leg.
        leg: LegId,
        /// Its counters since it was made.
        stats: AudioStats,
    },
}

/// How the audio that comes from a leg is. Packets are judged first, their sound second: silence is legal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AudioVerdict {
    /// Nothing is wrong, or no more.
    Fine,
    /// The browser sends packets, but for two seconds not the faintest noise: a muted or wrong microphone.
    MicrophoneSilent,
    /// No packets from the browser for two seconds.
    NothingFromBrowser,
    /// No packets from the phone for two seconds, though it is not on hold.
    NothingFromCarrier,
    /// Too many packets are missing or late, either way.
    NetworkPoor,
}

/// What ended a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordEnd {
    /// It reached its longest length.
    MaxLength,
    /// Nobody spoke for the time given.
    Silence,
    /// It was stopped by command.
    Stopped,
    /// Its leg is gone, or the last of its legs.
    LegGone,
}

/// Counters of one leg since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AudioStats {
    /// Audio and DTMF packets accepted from the leg.
    pub received: u64,
    /// Packets its sequence numbers say are missing. A late packet is taken off again.
    pub lost: u64,
    /// Datagrams not accepted: from a stranger, malformed, repeated or of an unknown payload type.
    pub refused: u64,
    /// Packets sent to the leg.
    pub sent: u64,
    /// Interarrival jitter in microseconds (RFC 3550 §6.4.1).
    pub jitter_us: u32,
    /// Packets we sent that the far side's reports say are missing (RFC 3550 §6.4.1).
    pub remote_lost: u64,
    /// Round trip in microseconds by the far side's last report, once there was one.
    pub rtt_us: Option<u32>,
}

/// What the shell must do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this datagram from the `WebRTC` socket.
    WebRtc {
        /// Where to.
        to: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// Send this datagram from the RTP socket of the leg.
    Rtp {
        /// Whose socket.
        leg: LegId,
        /// Where to.
        to: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// Send this datagram from the RTCP socket of the leg.
    Rtcp {
        /// Whose socket.
        leg: LegId,
        /// Where to.
        to: SocketAddr,
        /// What.
        bytes: Vec<u8>,
    },
    /// Something to tell the rest of the server.
    Event(Event),
    /// Nothing more for now. Come back with [`Input::Timeout`](crate::Input::Timeout) at this time, if any.
    Timeout(Option<Instant>),
}
