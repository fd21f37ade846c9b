//! Offer and answer (RFC 3264): one audio stream in G.711 or Opus, with telephone events, in the clear or encrypted.

use std::net::{IpAddr, SocketAddr};

use super::description::{Connection, Direction, Media, SessionDescription};
use super::{Keying, Protection, SdpError, Secrecy};

/// The codecs of telephone legs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AudioCodec {
    /// G.711 µ-law (RFC 3551 §4.5.14): 8 kHz, 8 bits, 64 kbit/s.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// Opus (RFC 6716, RFC 7587).
    Opus,
}

impl AudioCodec {
    const ALL: [Self; 3] = [Self::Pcmu, Self::Pcma, Self::Opus];

    /// The static payload type, or the one we offer it by.
    pub fn payload_type(self) -> u8 {
        match self {
            Self::Pcmu => 0,
            Self::Pcma => 8,
            Self::Opus => 111,
        }
    }

    /// The name in `a=rtpmap`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU",
            Self::Pcma => "PCMA",
            Self::Opus => "opus",
        }
    }

    /// What follows the payload type in `a=rtpmap`. RFC 7587 §7: Opus always says 48,000 and two channels.
    fn encoding(self) -> &'static str {
        match self {
            Self::Pcmu => "PCMU/8000",
            Self::Pcma => "PCMA/8000",
            Self::Opus => "opus/48000/2",
        }
    }

    /// The telephone events that go with it: RFC 4733 §2.1 wants the clock of the audio.
    fn events(self) -> &'static str {
        match self {
            Self::Pcmu | Self::Pcma => "telephone-event/8000",
            Self::Opus => "telephone-event/48000",
        }
    }

    /// The payload type of those events in our offers.
    fn offered_events(self) -> u8 {
        match self {
            Self::Pcmu | Self::Pcma => 101,
            Self::Opus => 110,
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
    /// How packets are protected.
    pub protection: Protection,
    /// Control packets go with the sound, both ways (RFC 5761).
    pub mux: bool,
}

/// What an offer of ours says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferTerms {
    /// Codecs with their payload types, preferred first.
    pub codecs: Vec<(AudioCodec, u8)>,
    /// Payload type of telephone events, where it is one already.
    pub dtmf: Option<u8>,
    /// Our direction.
    pub direction: Direction,
    /// Our keys: with any, the audio is encrypted.
    pub keying: Option<Keying>,
    /// Whether control packets may go with the sound (RFC 5761 §5.1.1).
    pub mux: bool,
}

impl OfferTerms {
    /// Of these codecs, the preferred one first, both ways and in the clear.
    pub fn new(codecs: &[AudioCodec]) -> Self {
        let codecs = codecs.iter().map(|&codec| (codec, codec.payload_type())).collect();
        Self { codecs, dtmf: None, direction: Direction::SendRecv, keying: None, mux: false }
    }

    /// Of what was agreed on before. RFC 3264 §8.3.2: a payload type keeps its codec for the whole session.
    pub fn again(audio: &NegotiatedAudio) -> Self {
        let codecs = vec![(audio.codec, audio.payload_type)];
        Self { codecs, dtmf: audio.dtmf, direction: Direction::SendRecv, keying: None, mux: audio.mux }
    }

    /// The telephone events of each clock that is spoken, with their payload types.
    fn events(&self) -> Vec<(&'static str, u8)> {
        let mut events: Vec<(&'static str, u8)> = Vec::new();
        for (codec, _) in &self.codecs {
            if events.iter().all(|(known, _)| *known != codec.events()) {
                let mut number = self.dtmf.unwrap_or(codec.offered_events());
                while self.codecs.iter().any(|(_, taken)| *taken == number) {
                    number = if number < 127 { number + 1 } else { 96 };
                }
                events.push((codec.events(), number));
            }
        }
        events
    }
}

/// Answers an offer in the clear: see [`answer_by`].
pub fn answer(
    offer: &SessionDescription,
    local: SocketAddr,
    session_id: u64,
    version: u64,
    prefer: &[AudioCodec],
) -> Result<(SessionDescription, NegotiatedAudio), SdpError> {
    answer_by(offer, local, (session_id, version), prefer, Secrecy::Plain)
}

/// Answers an offer: the first audio m-line with a common codec, and keys where it is encrypted, is taken; all others are
/// refused with port 0 (RFC 3264 §6).
///
/// `prefer` lists what this side speaks, the codec it likes best first; the answer names that one alone. Opus is taken
/// only from an offer that likes it better than what else is spoken, and only with telephone events of its clock, unless
/// there are none at all or nothing else is spoken: keys must go through. `numbers` are session id and version.
pub fn answer_by(
    offer: &SessionDescription,
    local: SocketAddr,
    numbers: (u64, u64),
    prefer: &[AudioCodec],
    mut secrecy: Secrecy<'_>,
) -> Result<(SessionDescription, NegotiatedAudio), SdpError> {
    let mut chosen: Option<(usize, NegotiatedAudio, Option<Keying>)> = None;
    let mut problem = SdpError::NoAudio;
    for (index, media) in offer.media.iter().enumerate().filter(|(_, media)| media.is_telephone_audio()) {
        if !secrecy.takes(media) {
            if !media.is_secure() {
                problem = SdpError::NotEncrypted;
            }
            continue;
        }
        let audio = match agree(offer, media, preferred(media, prefer)) {
            Ok(audio) => audio,
            Err(error) => {
                problem = error;
                continue;
            }
        };
        let theirs = offer.keying_of(media);
        let keys = theirs.as_ref().and_then(|theirs| secrecy.keys(theirs, audio.remote));
        if theirs.is_some() == keys.is_some() {
            chosen = Some((index, audio, keys));
            break;
        }
        problem = SdpError::NotEncrypted;
    }
    let (chosen, audio, keys) = chosen.ok_or(problem)?;
    let media = offer.media.iter().enumerate();
    let media = media.map(|(index, media)| {
        if index == chosen { accepted(local, &audio, &media.protocol, keys.as_ref()) } else { refused(media) }
    });
    Ok((describe(local, numbers.0, numbers.1, media.collect()), audio))
}

/// Makes an offer in the clear of the codecs in `codecs`, the preferred one first, with telephone events.
pub fn offer(
    local: SocketAddr,
    session_id: u64,
    version: u64,
    codecs: &[AudioCodec],
    direction: Direction,
) -> SessionDescription {
    offer_by(local, (session_id, version), &OfferTerms { direction, ..OfferTerms::new(codecs) })
}

/// Makes an offer with telephone events; `numbers` are session id and version.
pub fn offer_by(local: SocketAddr, numbers: (u64, u64), terms: &OfferTerms) -> SessionDescription {
    let keying = terms.keying.as_ref();
    let protocol = keying.map_or("RTP/AVP", Keying::profile);
    let media = audio_line(local, protocol, &terms.codecs, &terms.events(), terms.direction, (keying, terms.mux));
    describe(local, numbers.0, numbers.1, vec![media])
}

/// Reads the answer to an offer of ours. What was offered encrypted is taken encrypted alone, and what was not, not.
pub fn accept_answer(offer: &SessionDescription, answer: &SessionDescription) -> Result<NegotiatedAudio, SdpError> {
    let ours = offer.media.iter().position(Media::is_telephone_audio).ok_or(SdpError::NoAudio)?;
    let offered = &offer.media[ours];
    // RFC 3264 §6: "For each "m=" line in the offer, there MUST be a corresponding "m=" line in the answer."
    let media = answer.media.get(ours).filter(|media| media.is_telephone_audio()).ok_or(SdpError::NoAudio)?;
    match (offer.protection_of(offered), answer.protection_of(media)) {
        (asked, given) if asked == given => {}
        (Protection::Clear, _) => return Err(SdpError::NoAudio),
        (Protection::Sdes | Protection::Dtls, _) => return Err(SdpError::NotEncrypted),
    }
    let spoken: Vec<AudioCodec> = AudioCodec::ALL
        .into_iter()
        .filter(|codec| offered.formats.iter().any(|format| codec_of(offered, format) == Some(*codec)))
        .collect();
    let audio = agree(answer, media, listed(media, &spoken))?;
    Ok(NegotiatedAudio { mux: audio.mux && offered.is_mux(), ..audio })
}

fn agree(
    description: &SessionDescription,
    media: &Media,
    common: Option<(AudioCodec, u8)>,
) -> Result<NegotiatedAudio, SdpError> {
    let (codec, payload_type) = common.ok_or(SdpError::NoCommonCodec)?;
    let dtmf = events_of(media).find(|(_, encoding)| encoding.eq_ignore_ascii_case(codec.events()));
    let ip = description.connection_of(media).and_then(Connection::ip).ok_or(SdpError::NoAddress)?;
    let stated = description.direction_of(media);
    let remote_direction = if ip.is_unspecified() { without_receiving(stated) } else { stated };
    Ok(NegotiatedAudio {
        codec,
        payload_type,
        dtmf: dtmf.map(|(number, _)| number),
        remote: SocketAddr::new(ip, media.port),
        remote_direction,
        protection: description.protection_of(media),
        mux: media.is_mux(),
    })
}

/// The telephone events of an m-line, of any clock.
fn events_of(media: &Media) -> impl Iterator<Item = (u8, &str)> {
    media.formats.iter().filter_map(|format| {
        let number = format.parse::<u8>().ok()?;
        let encoding = media.rtpmap(number)?;
        let is_events = encoding.get(..16).is_some_and(|start| start.eq_ignore_ascii_case("telephone-event/"));
        is_events.then_some((number, encoding))
    })
}

/// The codec this side likes best among those of an m-line, with its payload type there.
fn preferred(media: &Media, spoken: &[AudioCodec]) -> Option<(AudioCodec, u8)> {
    let keys_go_through = {
        let mut events = events_of(media).peekable();
        events.peek().is_none() || events.any(|(_, encoding)| encoding.eq_ignore_ascii_case(AudioCodec::Opus.events()))
    };
    if keys_go_through && let Some(opus @ (AudioCodec::Opus, _)) = listed(media, spoken) {
        return Some(opus);
    }
    let first = |codec| {
        let format = media.formats.iter().find(|format| codec_of(media, format) == Some(codec))?;
        Some((codec, format.parse().ok()?))
    };
    // Keys that go through only by INFO are better than no call.
    spoken.iter().copied().filter(|codec| *codec != AudioCodec::Opus).find_map(first).or_else(|| listed(media, spoken))
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
    let Some(encoding) = media.rtpmap(payload_type) else {
        return [AudioCodec::Pcmu, AudioCodec::Pcma].into_iter().find(|codec| codec.payload_type() == payload_type);
    };
    AudioCodec::ALL.into_iter().find(|codec| {
        let wanted = codec.encoding();
        let mono = encoding.strip_suffix("/1").filter(|_| *codec != AudioCodec::Opus);
        encoding.eq_ignore_ascii_case(wanted) || mono.is_some_and(|encoding| encoding.eq_ignore_ascii_case(wanted))
    })
}

fn accepted(local: SocketAddr, audio: &NegotiatedAudio, protocol: &str, keying: Option<&Keying>) -> Media {
    let codecs = [(audio.codec, audio.payload_type)];
    let events = audio.dtmf.map(|number| (audio.codec.events(), number));
    let direction = audio.remote_direction.reversed();
    audio_line(local, protocol, &codecs, events.as_slice(), direction, (keying, audio.mux))
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

fn audio_line(
    local: SocketAddr,
    protocol: &str,
    codecs: &[(AudioCodec, u8)],
    events: &[(&str, u8)],
    direction: Direction,
    (keying, mux): (Option<&Keying>, bool),
) -> Media {
    let mut formats: Vec<String> = codecs.iter().map(|(_, number)| number.to_string()).collect();
    let mut attributes = keying.map(Keying::attributes).unwrap_or_default();
    if mux {
        attributes.push("rtcp-mux".to_owned());
    }
    for (codec, number) in codecs {
        attributes.push(format!("rtpmap:{number} {}", codec.encoding()));
        if *codec == AudioCodec::Opus {
            // RFC 7587 §7.1: lost frames are made up for from the correction in the next one.
            attributes.push(format!("fmtp:{number} useinbandfec=1"));
        }
    }
    for (encoding, number) in events {
        formats.push(number.to_string());
        attributes.push(format!("rtpmap:{number} {encoding}"));
        attributes.push(format!("fmtp:{number} 0-15"));
    }
    attributes.push("ptime:20".to_owned());
    Media {
        kind: "audio".to_owned(),
        port: local.port(),
        protocol: protocol.to_owned(),
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
        attributes: Vec::new(),
        media,
    }
}
