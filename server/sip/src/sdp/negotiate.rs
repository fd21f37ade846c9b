//! Offer and answer (RFC 3264): one audio stream in G.711, with telephone events.

use std::net::{IpAddr, SocketAddr};

use super::SdpError;
use super::description::{Connection, Direction, Media, SessionDescription};

/// The codecs of the telephone network (RFC 3551 §4.5.14). Both are 8 kHz, 8 bits, 64 kbit/s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioCodec {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
}

impl AudioCodec {
    /// The static payload type.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
        }
    }

    /// The name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
        }
    }
}

/// What the two sides agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NegotiatedAudio {
    /// The codec, both ways.
    pub codec: AudioCodec,
    /// Its payload type in packets to the far side.
    pub payload_type: u8,
    /// Payload type of telephone events (RFC 4733) to the far side, if it takes them.
    pub dtmf: Option<u8>,
    /// Where to send; the port or address may be 0 while on hold.
    pub remote: SocketAddr,
    /// The far side's direction, as it sees itself: it listens if this [receives](Direction::receives). An address of
    /// `0.0.0.0`, the hold of RFC 2543, counts as no wish to receive.
    pub remote_direction: Direction,
}

/// The payload type of telephone events in our offers.
const OFFERED_DTMF: u8 = 101;

/// Answers an offer: the first audio m-line with a common codec is taken, all others are refused with port 0 (RFC 3264
/// §6).
///
/// `prefer` lists what this side speaks, the codec it likes best first; the answer names that one alone.
pub fn answer(
    offer: &SessionDescription,
    local: SocketAddr,
    session_id: u64,
    version: u64,
    prefer: &[AudioCodec],
) -> Result<(SessionDescription, NegotiatedAudio), SdpError> {
    let mut chosen: Option<(usize, NegotiatedAudio)> = None;
    let mut problem = SdpError::NoAudio;
    for (index, media) in offer.media.iter().enumerate().filter(|(_, media)| is_telephone_audio(media)) {
        match agree(offer, media, preferred(media, prefer)) {
            Ok(audio) => {
                chosen = Some((index, audio));
                break;
            }
            Err(error) => problem = error,
        }
    }
    let (chosen, audio) = chosen.ok_or(problem)?;
    let media = offer.media.iter().enumerate();
    let media =
        media.map(|(index, media)| if index == chosen { accepted(local, &audio) } else { refused(media) }).collect();
    Ok((describe(local, session_id, version, media), audio))
}

/// Makes an offer of the codecs in `codecs`, the preferred one first, with telephone events.
pub fn offer(
    local: SocketAddr,
    session_id: u64,
    version: u64,
    codecs: &[AudioCodec],
    direction: Direction,
) -> SessionDescription {
    let codecs = codecs.iter().map(|&codec| (codec, codec.payload_type())).collect::<Vec<_>>();
    describe(local, session_id, version, vec![audio_line(local, &codecs, Some(OFFERED_DTMF), direction)])
}

/// Reads the answer to an offer of ours.
pub fn accept_answer(offer: &SessionDescription, answer: &SessionDescription) -> Result<NegotiatedAudio, SdpError> {
    let ours = offer.media.iter().position(is_telephone_audio).ok_or(SdpError::NoAudio)?;
    let offered = &offer.media[ours];
    // RFC 3264 §6: "For each "m=" line in the offer, there MUST be a corresponding "m=" line in the answer."
    let media = answer.media.get(ours).filter(|media| is_telephone_audio(media)).ok_or(SdpError::NoAudio)?;
    let spoken: Vec<AudioCodec> = [AudioCodec::Pcmu, AudioCodec::Pcma]
        .into_iter()
        .filter(|codec| offered.formats.iter().any(|format| codec_of(offered, format) == Some(*codec)))
        .collect();
    agree(answer, media, listed(media, &spoken))
}

/// RFC 3264 §5.1: an m-line with port 0 is not offered at all; only plain RTP is spoken on telephone legs.
fn is_telephone_audio(media: &Media) -> bool {
    media.kind == "audio" && media.port != 0 && matches!(media.protocol.as_str(), "RTP/AVP" | "RTP/AVPF")
}

fn agree(
    description: &SessionDescription,
    media: &Media,
    common: Option<(AudioCodec, u8)>,
) -> Result<NegotiatedAudio, SdpError> {
    let (codec, payload_type) = common.ok_or(SdpError::NoCommonCodec)?;
    let dtmf = media.formats.iter().filter_map(|format| format.parse::<u8>().ok()).find(|&payload_type| {
        media.rtpmap(payload_type).is_some_and(|encoding| encoding.eq_ignore_ascii_case("telephone-event/8000"))
    });
    let ip = description.connection_of(media).and_then(Connection::ip).ok_or(SdpError::NoAddress)?;
    let stated = description.direction_of(media);
    let remote_direction = if ip.is_unspecified() { without_receiving(stated) } else { stated };
    Ok(NegotiatedAudio { codec, payload_type, dtmf, remote: SocketAddr::new(ip, media.port), remote_direction })
}

/// The codec this side likes best among those of an m-line, with its payload type there.
fn preferred(media: &Media, spoken: &[AudioCodec]) -> Option<(AudioCodec, u8)> {
    spoken.iter().find_map(|&codec| {
        let format = media.formats.iter().find(|format| codec_of(media, format) == Some(codec))?;
        Some((codec, format.parse().ok()?))
    })
}

/// The first codec of an m-line that this side speaks: the far side lists what it likes best first (RFC 3264 §6.1).
fn listed(media: &Media, spoken: &[AudioCodec]) -> Option<(AudioCodec, u8)> {
    media.formats.iter().find_map(|format| {
        let codec = codec_of(media, format).filter(|codec| spoken.contains(codec))?;
        Some((codec, format.parse().ok()?))
    })
}

/// RFC 3264 §8.4: `c=0.0.0.0` was the old way to say "neither RTP nor RTCP should be sent to the peer".
fn without_receiving(direction: Direction) -> Direction {
    match direction {
        Direction::SendRecv | Direction::SendOnly => Direction::SendOnly,
        Direction::RecvOnly | Direction::Inactive => Direction::Inactive,
    }
}

/// The codec of a format: by its rtpmap, or by its static number without one.
fn codec_of(media: &Media, format: &str) -> Option<AudioCodec> {
    let payload_type: u8 = format.parse().ok().filter(|&number| number < 128)?;
    match media.rtpmap(payload_type) {
        Some(encoding) => {
            let mut parts = encoding.split('/');
            let (name, rate) = (parts.next()?, parts.next()?);
            let mono = parts.next().is_none_or(|channels| channels == "1");
            [AudioCodec::Pcmu, AudioCodec::Pcma]
                .into_iter()
                .find(|codec| mono && rate == "8000" && name.eq_ignore_ascii_case(codec.name()))
        }
        None => [AudioCodec::Pcmu, AudioCodec::Pcma].into_iter().find(|codec| codec.payload_type() == payload_type),
    }
}

fn accepted(local: SocketAddr, audio: &NegotiatedAudio) -> Media {
    audio_line(local, &[(audio.codec, audio.payload_type)], audio.dtmf, audio.remote_direction.reversed())
}

/// RFC 3264 §6: "To reject an offered stream, the port number in the corresponding stream in the answer MUST be set to
/// zero."
fn refused(media: &Media) -> Media {
    Media {
        kind: media.kind.clone(),
        port: 0,
        protocol: media.protocol.clone(),
        formats: media.formats.clone(),
        connection: None,
        attributes: Vec::new(),
        direction: None,
    }
}

fn audio_line(local: SocketAddr, codecs: &[(AudioCodec, u8)], dtmf: Option<u8>, direction: Direction) -> Media {
    let mut formats: Vec<String> = codecs.iter().map(|(_, number)| number.to_string()).collect();
    let mut attributes: Vec<String> =
        codecs.iter().map(|(codec, number)| format!("rtpmap:{number} {}/8000", codec.name())).collect();
    if let Some(number) = dtmf {
        formats.push(number.to_string());
        attributes.push(format!("rtpmap:{number} telephone-event/8000"));
        attributes.push(format!("fmtp:{number} 0-15"));
    }
    attributes.push("ptime:20".to_owned());
    Media {
        kind: "audio".to_owned(),
        port: local.port(),
        protocol: "RTP/AVP".to_owned(),
        formats,
        connection: None,
        attributes,
        direction: Some(direction),
    }
}

fn describe(local: SocketAddr, session_id: u64, version: u64, media: Vec<Media>) -> SessionDescription {
    let origin = match local.ip() {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => ip.to_string(),
    };
    SessionDescription {
        session_id,
        version,
        origin,
        connection: Some(Connection::Address(local.ip())),
        direction: None,
        media,
    }
}
