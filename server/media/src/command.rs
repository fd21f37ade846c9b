//! All a media core can be told.

use std::net::SocketAddr;
use std::sync::Arc;

use cordboard_shared::id::{LegId, RecordingId};

use crate::dtls::DtlsParams;
use crate::srtp::SrtpParams;
use crate::{BrowserCodecs, Clip, Codec};

/// Names one playing of a clip, so that its end can be told from the end of another. The caller counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlayId(pub u64);

/// What a media core can be told to do.
///
/// A command for a leg that is not (or no longer) known does nothing, since commands cross with the end of a leg;
/// only [`Command::Record`] and [`Command::RecordCall`] answer, with a recording of length zero.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// What browsers are answered with from now on; connections that stand keep what they have.
    SetBrowserCodecs(BrowserCodecs),
    /// A phone leg whose socket the shell has opened. Without parameters it neither sends nor accepts anything yet,
    /// since the far side's address and codec are not known before its answer. Its gate is open.
    AddRtp {
        /// The new leg.
        leg: LegId,
        /// Where and how the far side wants its audio.
        params: Option<RtpParams>,
    },
    /// New parameters of a phone leg, from the answer or a later offer. A new remote address starts the source lock anew.
    UpdateRtp {
        /// A leg made by [`Command::AddRtp`].
        leg: LegId,
        /// Where and how the far side wants its audio from now on.
        params: RtpParams,
    },
    /// A browser leg from its SDP offer, answered by [`Event::PeerAnswer`](crate::Event::PeerAnswer) or
    /// [`Event::PeerFailed`](crate::Event::PeerFailed).
    ///
    /// An offer for a leg that exists renegotiates it or restarts its ICE; one with another certificate comes from a
    /// reloaded page and replaces the connection, while what the leg hears and who hears it stay as they are.
    /// The gate of a new browser leg is **closed**: nothing of the microphone goes anywhere before [`Command::Gate`] opens it.
    PeerOffer {
        /// The new or existing leg.
        leg: LegId,
        /// The offer as the browser made it.
        sdp: String,
    },
    /// A trickled ICE candidate of a browser leg. Ones that cannot be used (`.local` names, TCP) are passed over:
    /// the browser sends the first check and is learned from that.
    PeerCandidate {
        /// A leg made by [`Command::PeerOffer`].
        leg: LegId,
        /// The candidate line, with or without its `candidate:` prefix.
        candidate: String,
    },
    /// Sets what is sent to this leg; it replaces what was sent before.
    Hear {
        /// Who hears.
        leg: LegId,
        /// What is heard.
        source: Source,
    },
    /// Opens or closes what this leg sends. While closed it reaches nobody: no other leg, no recorder, no digit event.
    Gate {
        /// The leg that sends.
        leg: LegId,
        /// Whether others get what it sends.
        open: bool,
    },
    /// Whether the keys of this leg are kept from those who hear it: they are told by
    /// [`Event::Digit`](crate::Event::Digit) all the same, so that codes for the server reach nobody else. Keys that come as
    /// tones in the sound are heard; at first nothing is kept.
    KeepDigits {
        /// Who presses.
        leg: LegId,
        /// Kept or passed on.
        keep: bool,
    },
    /// Sends DTMF events (RFC 4733) towards this leg, one after the other, in place of its source; tones, when events were
    /// not agreed on. Does nothing while the leg cannot be sent to.
    SendDigits {
        /// Who gets the digits.
        leg: LegId,
        /// Any of `0`–`9`, `*`, `#`, `A`–`D`; other characters are passed over.
        digits: String,
    },
    /// Records what this leg sends.
    Record {
        /// The leg that is recorded.
        leg: LegId,
        /// The new recording.
        recording: RecordingId,
        /// Ends after this many milliseconds.
        max_ms: u32,
        /// Ends after this many milliseconds of silence in a row, if given.
        silence_ms: Option<u32>,
    },
    /// Plays a clip on top of what a leg hears, whatever that is and however it changes: an announcement during a call.
    /// [`Event::PlayFinished`](crate::Event::PlayFinished) follows at its end. Both sides hear it when it is played to both
    /// legs. One at a time: another one takes its place, and the first is then not told to have ended.
    PlayOver {
        /// Who hears it.
        leg: LegId,
        /// The samples.
        clip: Arc<Clip>,
        /// The name its end is told by.
        play: PlayId,
    },
    /// Ends what [`Self::PlayOver`] plays, without telling of its end.
    StopPlayOver {
        /// Who heard it.
        leg: LegId,
    },
    /// Records a call in two channels on one time line: what each side sends, silence where nothing comes, without gaps.
    /// It goes on while a side is missing, and ends by [`Self::StopRecord`], by its length, or with the last of its legs.
    RecordCall {
        /// The new recording.
        recording: RecordingId,
        /// The caller.
        left: Option<LegId>,
        /// Our side.
        right: Option<LegId>,
        /// Ends after this many milliseconds, those of pauses not counted.
        max_ms: u32,
    },
    /// Puts another leg, or none, in the place of one side of a [`Self::RecordCall`]: after a transfer.
    RecordSide {
        /// The recording.
        recording: RecordingId,
        /// Which side.
        side: Side,
        /// Who is recorded there from now on.
        leg: Option<LegId>,
    },
    /// Keeps nothing of what is said from now on, until [`Self::ResumeRecord`]; the time of the pause is not in the
    /// recording. Answered by [`Event::RecordPaused`](crate::Event::RecordPaused), once.
    PauseRecord {
        /// The recording.
        recording: RecordingId,
    },
    /// Goes on with a paused recording. Answered by [`Event::RecordResumed`](crate::Event::RecordResumed), once.
    ResumeRecord {
        /// The recording.
        recording: RecordingId,
    },
    /// Ends a recording; [`Event::RecordFinished`](crate::Event::RecordFinished) follows.
    StopRecord {
        /// The recording to end.
        recording: RecordingId,
    },
    /// Ends a leg. Those that heard it hear silence; its recordings end.
    Remove {
        /// The leg to end.
        leg: LegId,
    },
}

impl Command {
    /// The leg it is for.
    pub fn leg(&self) -> Option<LegId> {
        match self {
            Self::AddRtp { leg, .. }
            | Self::UpdateRtp { leg, .. }
            | Self::PeerOffer { leg, .. }
            | Self::PeerCandidate { leg, .. }
            | Self::Hear { leg, .. }
            | Self::Gate { leg, .. }
            | Self::SendDigits { leg, .. }
            | Self::KeepDigits { leg, .. }
            | Self::PlayOver { leg, .. }
            | Self::StopPlayOver { leg }
            | Self::Record { leg, .. }
            | Self::Remove { leg } => Some(*leg),
            Self::SetBrowserCodecs(_)
            | Self::RecordCall { .. }
            | Self::RecordSide { .. }
            | Self::PauseRecord { .. }
            | Self::ResumeRecord { .. }
            | Self::StopRecord { .. } => None,
        }
    }
}

/// What a leg hears: exactly one thing at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Silence, sent as packets, so that the far side does not take the call for dead.
    Silence,
    /// What another leg sends; silence while that sends nothing.
    Leg(LegId),
    /// What several legs send, mixed: a conversation of three, a supervisor who listens to both sides.
    /// What is heard of each is what [`Source::Leg`] would give; the leg itself is left out when it is among them.
    Mix(Vec<LegId>),
    /// A clip once, then silence and [`Event::PlayFinished`](crate::Event::PlayFinished). It begins when the leg can be sent to.
    Clip {
        /// The samples.
        clip: Arc<Clip>,
        /// The name its end is told by.
        play: PlayId,
    },
    /// A clip over and over: music on hold, ringback.
    Loop {
        /// The samples.
        clip: Arc<Clip>,
    },
}

/// A side of a recorded call, and its channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The caller: the first channel.
    Left,
    /// Our side: the second channel.
    Right,
}

/// Where and how a phone leg wants its audio, from its SDP. Made by [`RtpParams::new`], refined field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RtpParams {
    /// Address of its `c=` and `m=` lines. Used until packets from elsewhere prove a NAT between.
    pub remote: SocketAddr,
    /// The negotiated codec, both ways.
    pub codec: Codec,
    /// The RTP payload type of that codec, both ways.
    pub payload_type: u8,
    /// The RTP payload type of `telephone-event` at the clock rate of the codec, if negotiated. Without it, keys are
    /// listened for in the sound.
    pub dtmf: Option<u8>,
    /// Which ways audio flows, as we see it.
    pub flow: Flow,
    /// Where its control packets go.
    pub rtcp: RtcpTo,
    /// How its packets are protected, both ways.
    pub security: Security,
}

/// How the packets of a phone leg are protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// Not at all (`RTP/AVP`).
    Clear,
    /// With keys that the two descriptions name (`RTP/SAVP` with `a=crypto`, RFC 4568).
    Sdes(SrtpParams),
    /// With keys of a handshake between certificates that they name (`UDP/TLS/RTP/SAVP`, RFC 5764).
    Dtls(DtlsParams),
}

impl RtpParams {
    /// Audio both ways in the clear, control packets to the port after that of the audio, no telephone events.
    pub fn new(remote: SocketAddr, codec: Codec, payload_type: u8) -> Self {
        Self {
            remote,
            codec,
            payload_type,
            dtmf: None,
            flow: Flow::Both,
            rtcp: RtcpTo::NextPort,
            security: Security::Clear,
        }
    }
}

/// Which ways the audio of a phone leg flows, as agreed in SDP (RFC 3264 §5.1), seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flow {
    /// `sendrecv`.
    #[default]
    Both,
    /// The far side does not send: its absence is no fault. `sendonly` of ours: we hold, or the far side is muted.
    Send,
    /// The far side does not listen: nothing is sent. `recvonly` of ours: we are held without music.
    Receive,
    /// Neither: held both ways.
    Neither,
}

impl Flow {
    /// Whether we send.
    pub const fn sends(self) -> bool {
        matches!(self, Self::Both | Self::Send)
    }

    /// Whether packets are to be expected.
    pub const fn receives(self) -> bool {
        matches!(self, Self::Both | Self::Receive)
    }
}

/// Where the control packets of a phone leg go (RTCP, RFC 3550 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RtcpTo {
    /// To the port after that of the audio (RFC 3550 §11), from our own such port.
    #[default]
    NextPort,
    /// To the address of `a=rtcp` (RFC 3605).
    Address(SocketAddr),
    /// With the audio: `a=rtcp-mux` (RFC 5761).
    Mux,
}
