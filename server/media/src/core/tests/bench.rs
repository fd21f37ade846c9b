//! Phones and browsers for the tests: each says a tone and keeps what it hears.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::{Codec as RtcCodec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Rtc, RtcConfig};

use crate::core::{BrowserCodecs, CoreConfig, Input, MediaCore};
use crate::dtls::{self, Handshake, Outcome};
use crate::dtmf::DtmfEvent;
use crate::leg::Component;
use crate::packet::RtpPacket;
use crate::srtp::SrtpSession;
use crate::tone::sine;
use crate::transcode::FrameEncoder;
use crate::{Codec, Command, Event, G711, LegId, Output, RtpParams, Source, opus};

pub(super) const CALLER: LegId = LegId::demo(1);
pub(super) const AGENT: LegId = LegId::demo(2);
pub(super) const THIRD: LegId = LegId::demo(3);
pub(super) const SERVER: &str = "192.0.2.1:8082";

/// The far ends make packets that can be repaired: so many of 256 are expected to be lost.
const EXPECTED_LOSS: u8 = 26;

/// What a tone is sent at.
pub(super) const LEVEL: f64 = 16_384.0;

pub(super) struct Bench {
    pub(super) core: MediaCore,
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) phones: BTreeMap<LegId, Phone>,
    pub(super) browsers: BTreeMap<LegId, Browser>,
    /// Events and when they came, in milliseconds since the start.
    pub(super) events: Vec<(u64, Event)>,
    pub(super) recorded: Vec<i16>,
    /// What lies between the phones and the core; nothing when there is none.
    pub(super) network: Option<Network>,
    /// Control packets that were sent.
    pub(super) reports: Vec<(LegId, SocketAddr, Vec<u8>)>,
    /// The phones' side of handshakes.
    pub(super) hands: BTreeMap<(LegId, Component), Hand>,
    /// Which of the datagrams of handshakes get lost, the first one the lowest bit, and how many there were.
    pub(super) lost: u64,
    pub(super) shaken: u32,
}

/// A phone's side of a handshake.
pub(super) struct Hand {
    pub(super) handshake: Handshake,
    pub(super) outcome: Option<Outcome>,
    /// When it ended, in milliseconds since the start.
    pub(super) ended: Option<u64>,
}

impl Hand {
    pub(super) fn new(handshake: Handshake) -> Self {
        Self { handshake, outcome: None, ended: None }
    }
}

/// A bad network from the phones to the core: seeded, so that each run is the same.
pub(super) struct Network {
    loss_percent: u64,
    jitter_ms: u64,
    state: u64,
    sent: u64,
    /// Datagrams on their way, by when they arrive.
    on_way: BTreeMap<(Instant, u64), (LegId, SocketAddr, Vec<u8>)>,
}

impl Network {
    pub(super) fn new(loss_percent: u64, jitter_ms: u64, seed: u64) -> Self {
        Self { loss_percent, jitter_ms, state: seed, sent: 0, on_way: BTreeMap::new() }
    }

    fn random(&mut self) -> u64 {
        // splitmix64
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn send(&mut self, now: Instant, leg: LegId, from: SocketAddr, bytes: Vec<u8>) {
        if self.random() % 100 < self.loss_percent {
            return;
        }
        let delay = Duration::from_micros(10_000 + self.random() % (self.jitter_ms * 1_000 + 1));
        self.sent += 1;
        self.on_way.insert((now + delay, self.sent), (leg, from, bytes));
    }
}

/// A phone that speaks plain RTP.
pub(super) struct Phone {
    pub(super) address: SocketAddr,
    pub(super) codec: Codec,
    pub(super) tone: Option<f64>,
    /// The amplitude of the tone.
    pub(super) level: f64,
    /// What it hides its packets with.
    pub(super) srtp: Option<SrtpSession>,
    /// The payloads it sent, newest last.
    pub(super) said: Vec<Arc<[u8]>>,
    voice: FrameEncoder,
    pub(super) ssrc: u32,
    /// Whether reports may come with the audio, and how many did.
    pub(super) takes_reports: bool,
    pub(super) muxed_reports: usize,
    /// Its sequence number without wrapping, for SRTP.
    pub(super) count: u64,
    pub(super) got: Vec<Got>,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    next: Instant,
    phase: usize,
}

/// One packet that arrived at a phone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Got {
    pub(super) ms: u64,
    pub(super) payload_type: u8,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) marker: bool,
    pub(super) payload: Vec<u8>,
}

/// A browser: a str0m peer in full ICE, as Chrome is.
pub(super) struct Browser {
    pub(super) address: SocketAddr,
    pub(super) tone: Option<f64>,
    pub(super) heard: Vec<i16>,
    pub(super) keys: Vec<DtmfEvent>,
    pub(super) connected: bool,
    pub(super) rtc: Rtc,
    pub(super) pending: Option<SdpPendingOffer>,
    pub(super) mid: Mid,
    pub(super) sequence: u64,
    pub(super) timestamp: u32,
    /// The amplitude of the tone.
    pub(super) level: f64,
    /// How loud it says its packets are (RFC 6464), if it does.
    pub(super) says: Option<i8>,
    voice: FrameEncoder,
    ears: opus::Decoder,
    /// Every datagram it ever sent.
    pub(super) sent: Vec<Vec<u8>>,
    /// The round trip and the loss of what it sends, by our reports.
    pub(super) told: Option<(Duration, f32)>,
    timeout: Instant,
    next: Instant,
    phase: usize,
}

/// The core's addresses in these tests.
pub(super) fn config() -> CoreConfig {
    CoreConfig {
        candidates: vec![SERVER.parse().unwrap()],
        browser_codecs: BrowserCodecs::G711,
        media_timeout: CoreConfig::MEDIA_TIMEOUT,
        seed: [7; 32],
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: CoreConfig) -> Self {
        let now = Instant::now();
        Self {
            core: MediaCore::new(config).unwrap(),
            start: now,
            now,
            phones: BTreeMap::new(),
            browsers: BTreeMap::new(),
            events: Vec::new(),
            recorded: Vec::new(),
            network: None,
            reports: Vec::new(),
            hands: BTreeMap::new(),
            lost: 0,
            shaken: 0,
        }
    }

    /// Two phones that hear each other and say 440 and 1000 Hz.
    pub(super) fn two_phones(codecs: [Codec; 2]) -> Self {
        let mut bench = Self::new();
        bench.add_phone(CALLER, codecs[0], 440.0);
        bench.add_phone(AGENT, codecs[1], 1_000.0);
        bench.join(CALLER, AGENT);
        bench
    }

    pub(super) fn add_phone(&mut self, leg: LegId, codec: Codec, tone: f64) {
        let address = SocketAddr::from(([198, 51, 100, 1], 4_000 + u16::try_from(self.phones.len()).unwrap() * 2));
        let phone = Phone {
            address,
            codec,
            tone: Some(tone),
            level: LEVEL,
            srtp: None,
            said: Vec::new(),
            voice: FrameEncoder::default(),
            ssrc: 0xabc,
            takes_reports: false,
            muxed_reports: 0,
            count: 65_500,
            got: Vec::new(),
            sequence: 65_500,
            timestamp: 0xffff_f000,
            next: self.now,
            phase: 0,
        };
        self.phones.insert(leg, phone);
        self.command(Command::AddRtp { leg, params: Some(params(address, codec)) });
    }

    /// A phone that was called and has not answered.
    pub(super) fn add_phone_without_answer(&mut self, leg: LegId, codec: Codec, tone: f64) {
        let leg_before = self.core.leg_count();
        self.add_phone(leg, codec, tone);
        self.command(Command::Remove { leg });
        self.command(Command::AddRtp { leg, params: None });
        assert_eq!(self.core.leg_count(), leg_before + 1);
    }

    /// A browser that says this tone and is connected; its gate is open.
    pub(super) fn add_browser(&mut self, leg: LegId, codecs: &[Codec], tone: f64) {
        let sdp = self.offer(leg, codecs, tone);
        self.command(Command::PeerOffer { leg, sdp });
        self.run(1_000);
        assert!(self.browsers[&leg].connected, "no DTLS within a second: {:?}", self.events);
        self.command(Command::Gate { leg, open: true });
    }

    /// Makes a browser and its offer.
    pub(super) fn offer(&mut self, leg: LegId, codecs: &[Codec], tone: f64) -> String {
        let address = SocketAddr::from(([203, 0, 113, 5], 50_000 + u16::try_from(self.browsers.len()).unwrap()));
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::new(str0m::crypto::from_feature_flags()))
            .set_rtp_mode(true)
            .set_stats_interval(Some(Duration::from_secs(1)))
            .clear_codecs()
            .enable_pcmu(codecs.contains(&Codec::Pcmu), false)
            .enable_pcma(codecs.contains(&Codec::Pcma), false)
            .enable_opus(true, false);
        let keys = FormatParams::parse_line("0-15");
        config.codec_config().add_config(126.into(), None, RtcCodec::Tele, Frequency::EIGHT_KHZ, None, keys);
        let keys = FormatParams::parse_line("0-15");
        config.codec_config().add_config(110.into(), None, RtcCodec::Tele, Frequency::FORTY_EIGHT_KHZ, None, keys);
        let mut rtc = config.build(self.now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let mut change = rtc.sdp_api();
        let mid = change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = change.apply().unwrap();
        let browser = Browser {
            address,
            tone: Some(tone),
            heard: Vec::new(),
            keys: Vec::new(),
            connected: false,
            rtc,
            pending: Some(pending),
            mid,
            sequence: 1_000,
            timestamp: 77,
            level: LEVEL,
            says: None,
            voice: FrameEncoder::default(),
            ears: opus::Decoder::new().unwrap(),
            sent: Vec::new(),
            told: None,
            timeout: self.now,
            next: self.now,
            phase: 0,
        };
        self.browsers.insert(leg, browser);
        offer.to_sdp_string()
    }

    pub(super) fn join(&mut self, one: LegId, other: LegId) {
        self.command(Command::Hear { leg: one, source: Source::Leg(other) });
        self.command(Command::Hear { leg: other, source: Source::Leg(one) });
    }

    pub(super) fn command(&mut self, command: Command) {
        self.input(Input::Command(command));
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        self.core.handle_input(self.now, input);
        self.drain();
    }

    /// Milliseconds since the start.
    pub(super) fn ms(&self) -> u64 {
        u64::try_from((self.now - self.start).as_millis()).unwrap()
    }

    /// Lets time pass.
    pub(super) fn run(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        loop {
            let core = match self.core.poll_output() {
                Output::Timeout(at) => at,
                other => panic!("not drained: {other:?}"),
            };
            let phones = self.phones.values().filter(|phone| phone.tone.is_some()).map(|phone| phone.next);
            let browsers = self.browsers.values().map(Browser::due);
            let on_way = self.network.iter().flat_map(|network| network.on_way.keys()).map(|(at, _)| *at).next();
            let hands = self.hands.values().filter_map(|hand| hand.handshake.deadline());
            let next =
                phones.chain(browsers).chain(core).chain(on_way).chain(hands).min().filter(|next| *next <= until);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            if core.is_some_and(|at| at <= self.now) {
                self.input(Input::Timeout);
            }
            self.deliver();
            self.hands_due();
            self.phones_speak();
            self.browsers_speak();
        }
        self.now = until;
    }

    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.recorded.clear();
        self.phones.values_mut().for_each(|phone| phone.got.clear());
        self.browsers.values_mut().for_each(|browser| browser.heard.clear());
    }

    pub(super) fn has_event(&self, wanted: &Event) -> bool {
        self.events.iter().any(|(_, event)| event == wanted)
    }

    /// A packet of a key press, under the current timestamp.
    pub(super) fn press(&mut self, leg: LegId, event: u8, duration: u16, end: bool) {
        let phone = self.phones.get_mut(&leg).unwrap();
        let (from, bytes) = (phone.address, phone.packet(101, &DtmfEvent { event, end, duration }.to_bytes()));
        self.input(Input::Rtp { leg, from, bytes: &bytes });
    }

    /// What the network brings by now.
    fn deliver(&mut self) {
        while let Some(entry) = self.network.as_mut().and_then(|network| network.on_way.first_entry())
            && entry.key().0 <= self.now
        {
            let (leg, from, bytes) = entry.remove();
            self.input(Input::Rtp { leg, from, bytes: &bytes });
        }
    }

    /// The phone begins the handshake.
    pub(super) fn shake(&mut self, leg: LegId, component: Component) {
        let mut out = Vec::new();
        self.hands.get_mut(&(leg, component)).unwrap().handshake.start(self.now, &mut out);
        self.hand_sends(leg, component, out);
        self.drain();
    }

    fn hands_due(&mut self) {
        for (leg, component) in self.hands.keys().copied().collect::<Vec<_>>() {
            let mut out = Vec::new();
            let hand = self.hands.get_mut(&(leg, component)).unwrap();
            hand.handshake.timeout(self.now, &mut out);
            self.hand_sends(leg, component, out);
            self.drain();
        }
    }

    fn hand_takes(&mut self, leg: LegId, component: Component, bytes: &[u8]) {
        if self.loses() {
            return;
        }
        let ms = self.ms();
        let Some(hand) = self.hands.get_mut(&(leg, component)) else { return };
        let mut out = Vec::new();
        if let Some(outcome) = hand.handshake.receive(self.now, bytes, &mut out) {
            (hand.outcome, hand.ended) = (Some(outcome), Some(ms));
            if let (Outcome::Keys { keys, .. }, Component::Rtp) = (outcome, component) {
                self.phones.get_mut(&leg).unwrap().srtp = SrtpSession::new(keys);
            }
        }
        self.hand_sends(leg, component, out);
    }

    fn hand_sends(&mut self, leg: LegId, component: Component, datagrams: Vec<Vec<u8>>) {
        let mut from = self.phones[&leg].address;
        for bytes in datagrams {
            if self.loses() {
                continue;
            }
            let bytes = &bytes;
            let input = match component {
                Component::Rtp => Input::Rtp { leg, from, bytes },
                Component::Rtcp => {
                    from.set_port(self.phones[&leg].address.port() + 1);
                    Input::Rtcp { leg, from, bytes }
                }
            };
            self.core.handle_input(self.now, input);
        }
    }

    /// Whether the next datagram of a handshake gets lost.
    fn loses(&mut self) -> bool {
        self.shaken += 1;
        self.lost.checked_shr(self.shaken - 1).is_some_and(|rest| rest & 1 == 1)
    }

    fn phones_speak(&mut self) {
        for leg in self.phones.keys().copied().collect::<Vec<_>>() {
            let phone = self.phones.get_mut(&leg).unwrap();
            let Some(tone) = phone.tone.filter(|_| phone.next <= self.now) else { continue };
            let samples = tone_at(tone, phone.level, &mut phone.phase);
            let payload = phone.voice.encode(phone.codec, samples[..].try_into().unwrap(), EXPECTED_LOSS).unwrap();
            phone.said.push(Arc::clone(&payload));
            phone.next += Duration::from_millis(20);
            let from = phone.address;
            let bytes = phone.packet(phone.codec.static_payload_type(), &payload);
            phone.timestamp = phone.timestamp.wrapping_add(160 * phone.codec.clock_factor());
            match &mut self.network {
                Some(network) => network.send(self.now, leg, from, bytes),
                None => self.input(Input::Rtp { leg, from, bytes: &bytes }),
            }
        }
    }

    fn browsers_speak(&mut self) {
        for leg in self.browsers.keys().copied().collect::<Vec<_>>() {
            let browser = self.browsers.get_mut(&leg).unwrap();
            if browser.due() > self.now {
                continue;
            }
            browser.rtc.handle_input(str0m::Input::Timeout(self.now)).unwrap();
            let mut sent = browser.drain();
            if browser.connected && browser.tone.is_some() && browser.next <= self.now {
                browser.next = self.now + Duration::from_millis(20);
                let samples = tone_at(browser.tone.unwrap(), browser.level, &mut browser.phase);
                let (codec, payload_type) = browser.codec();
                let payload = browser.voice.encode(codec, samples[..].try_into().unwrap(), EXPECTED_LOSS).unwrap();
                browser.write(self.now, payload_type, &payload, false);
                browser.timestamp += 160 * codec.clock_factor();
                sent.extend(browser.drain());
            }
            let from = browser.address;
            for bytes in sent {
                self.input(Input::WebRtc { from, bytes: &bytes });
            }
        }
    }

    pub(super) fn drain(&mut self) {
        loop {
            match self.core.poll_output() {
                Output::Timeout(_) => return,
                Output::Event(Event::Stats { .. }) => {}
                Output::Event(Event::RecordedFrames { samples, .. }) => self.recorded.extend(samples),
                Output::Event(event) => self.on_event(event),
                Output::Rtp { leg, to, bytes } if dtls::is_dtls(&bytes) => {
                    assert_eq!(self.phones[&leg].address, to);
                    self.hand_takes(leg, Component::Rtp, &bytes);
                }
                Output::Rtcp { leg, to, bytes } if dtls::is_dtls(&bytes) => {
                    assert_eq!(self.phones[&leg].address.port() + 1, to.port());
                    self.hand_takes(leg, Component::Rtcp, &bytes);
                }
                Output::Rtp { leg, to, bytes } => {
                    let ms = self.ms();
                    let Some(phone) = self.phones.get_mut(&leg) else { continue };
                    if phone.address == to && phone.takes_reports && crate::rtcp::is_rtcp(&bytes) {
                        phone.muxed_reports += 1;
                    } else if phone.address == to {
                        let mut room = Vec::new();
                        let bytes = match &mut phone.srtp {
                            Some(session) => session.unprotect(self.now, &bytes, &mut room).unwrap(),
                            None => &bytes[..],
                        };
                        let packet = RtpPacket::parse(bytes).unwrap();
                        phone.got.push(Got {
                            ms,
                            payload_type: packet.payload_type,
                            sequence: packet.sequence,
                            timestamp: packet.timestamp,
                            marker: packet.marker,
                            payload: packet.payload.to_vec(),
                        });
                    }
                }
                Output::Rtcp { leg, to, bytes } => {
                    assert!(self.phones.get(&leg).is_none_or(|phone| phone.address.ip() == to.ip()));
                    self.reports.push((leg, to, bytes));
                }
                Output::WebRtc { to, bytes } => {
                    let Some(browser) = self.browsers.values_mut().find(|browser| browser.address == to) else {
                        continue;
                    };
                    browser.receive(self.now, &bytes);
                    let from = browser.address;
                    for bytes in browser.drain() {
                        self.core.handle_input(self.now, Input::WebRtc { from, bytes: &bytes });
                    }
                }
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        if let Event::PeerAnswer { leg, sdp } = &event
            && let Some(browser) = self.browsers.get_mut(leg)
            && let Some(pending) = browser.pending.take()
        {
            let answer = SdpAnswer::from_sdp_string(sdp).unwrap();
            browser.rtc.sdp_api().accept_answer(pending, answer).unwrap();
            browser.timeout = self.now;
        }
        self.events.push((self.ms(), event));
    }
}

impl Phone {
    /// A packet with the next sequence number and the current timestamp.
    pub(super) fn packet(&mut self, payload_type: u8, payload: &[u8]) -> Vec<u8> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let (timestamp, ssrc) = (self.timestamp, self.ssrc);
        let mut bytes = RtpPacket { marker: false, payload_type, sequence, timestamp, ssrc, payload }.to_bytes();
        if let Some(session) = &mut self.srtp {
            session.protect(&mut bytes, self.count).unwrap();
        }
        self.count += 1;
        bytes
    }

    /// Speaks again, from this time on.
    pub(super) fn speak_from(&mut self, now: Instant) {
        self.next = now;
    }

    /// Counts packets that it does not send: as some phones do on hold.
    pub(super) fn count_on(&mut self, packets: u32) {
        #[expect(clippy::cast_possible_truncation, reason = "the number wraps")]
        let wrapped = packets as u16;
        self.sequence = self.sequence.wrapping_add(wrapped);
        self.count += u64::from(packets);
        self.timestamp = self.timestamp.wrapping_add(packets.wrapping_mul(160));
    }

    /// What it played, lost packets left out.
    pub(super) fn heard(&self) -> Vec<i16> {
        let mut opus = opus::Decoder::new().unwrap();
        let audio = self.got.iter().filter(|got| got.payload_type == self.codec.static_payload_type());
        audio.flat_map(|got| decoded(&mut opus, self.codec, &got.payload)).collect()
    }
}

fn decoded(opus: &mut opus::Decoder, codec: Codec, payload: &[u8]) -> Vec<i16> {
    match codec.g711() {
        Some(codec) => codec.decode_all(payload).collect(),
        None => opus.decode(payload).unwrap(),
    }
}

impl Browser {
    fn due(&self) -> Instant {
        if self.connected && self.tone.is_some() { self.timeout.min(self.next) } else { self.timeout }
    }

    fn codec(&self) -> (Codec, u8) {
        let media = self.rtc.media(self.mid).unwrap();
        let types: Vec<u8> = media.remote_pts().iter().map(|payload_type| **payload_type).collect();
        let known = [(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::Opus, 111)];
        known.into_iter().find(|(_, payload_type)| types.contains(payload_type)).unwrap()
    }

    pub(super) fn write(&mut self, now: Instant, payload_type: u8, payload: &[u8], marker: bool) {
        let write = RtpWrite::new(payload_type.into(), self.sequence.into(), self.timestamp, now, payload);
        let says = ExtensionValues {
            audio_level: self.says,
            voice_activity: self.says.map(|level| level > -60),
            ..ExtensionValues::default()
        };
        self.sequence += 1;
        self.rtc.direct_api().stream_tx_by_mid(self.mid, None).unwrap().write_rtp(write.marker(marker).ext_vals(says));
        self.rtc.handle_input(str0m::Input::Timeout(now)).unwrap();
    }

    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) {
        let to = self.address;
        let Ok(receive) = Receive::new(Protocol::Udp, SERVER.parse().unwrap(), to, bytes) else { return };
        self.rtc.handle_input(str0m::Input::Receive(now, receive)).unwrap();
    }

    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            match self.rtc.poll_output().unwrap() {
                str0m::Output::Timeout(at) => {
                    self.timeout = at;
                    self.sent.extend(sent.iter().cloned());
                    return sent;
                }
                str0m::Output::Transmit(transmit) => sent.push(transmit.contents.to_vec()),
                str0m::Output::Event(str0m::Event::Connected) => self.connected = true,
                str0m::Output::Event(str0m::Event::RtpPacket(packet)) => match *packet.header.payload_type {
                    0 => self.heard.extend(G711::Mu.decode_all(&packet.payload)),
                    8 => self.heard.extend(G711::A.decode_all(&packet.payload)),
                    111 => self.heard.extend(self.ears.decode(&packet.payload).unwrap()),
                    110 | 126 => self.keys.extend(DtmfEvent::parse(&packet.payload)),
                    other => panic!("payload type {other} was not agreed on"),
                },
                str0m::Output::Event(str0m::Event::MediaEgressStats(stats)) => {
                    self.told = stats.rtt.zip(stats.loss).or(self.told);
                }
                str0m::Output::Event(_) => {}
            }
        }
    }
}

pub(super) fn params(remote: SocketAddr, codec: Codec) -> RtpParams {
    RtpParams { dtmf: Some(101), ..RtpParams::new(remote, codec, codec.static_payload_type()) }
}

/// The next 20 ms of a steady tone.
fn tone_at(frequency: f64, level: f64, phase: &mut usize) -> Vec<i16> {
    // All tones of the tests fit a whole number of times into a second.
    let second = sine(frequency, 1_000, level);
    let samples = second[*phase..*phase + 160].to_vec();
    *phase = (*phase + 160) % second.len();
    samples
}
