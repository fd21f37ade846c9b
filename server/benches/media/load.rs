//! Phones and browsers that call each other through a bridge.

mod browser;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use cordboard_media::Codec;
use cordboard_media::packet::RtpPacket;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use self::browser::Browser;
use crate::bridge::{Answer, Bridge, By, Offer};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Connecting takes longer only if it is broken.
const LIMIT: Duration = Duration::from_secs(10);

/// So many browsers are connected one after the other and timed; the others follow all at once.
const TIMED: usize = 50;

const FRAME: Duration = Duration::from_millis(20);

/// Who is at one end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Phone(Codec),
    Browser,
}

/// All calls of a run.
pub(crate) struct Load {
    pub(crate) bridge: Bridge,
    poll: Poll,
    ends: Vec<End>,
    started: Instant,
    counted: Counted,
    /// Whether payloads arrive as they were sent, and so can carry the time.
    stamped: bool,
}

/// What the far ends saw.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    pub(crate) sent: u64,
    pub(crate) got: u64,
    /// In nanoseconds.
    pub(crate) delays: Vec<u64>,
}

/// One end of a call.
struct End {
    kind: Kind,
    socket: UdpSocket,
    /// Where a phone sends to.
    to: Option<SocketAddr>,
    browser: Option<Box<Browser>>,
    /// Frames of sound in its codec, sent in turn.
    frames: Vec<Vec<u8>>,
    next: Instant,
    count: u32,
}

impl Load {
    /// Starts the bridge.
    pub(crate) fn start(by: By, kinds: [Kind; 2]) -> Result<Self> {
        Ok(Self {
            bridge: Bridge::start(by)?,
            poll: Poll::new()?,
            ends: Vec::new(),
            started: Instant::now(),
            counted: Counted::default(),
            stamped: kinds[0] == kinds[1] || kinds.contains(&Kind::Browser),
        })
    }

    /// Connects so many further calls; how long it took from offer to ICE and DTLS done, in nanoseconds, for browsers.
    pub(crate) fn connect(&mut self, kinds: [Kind; 2], calls: usize) -> Result<Vec<u64>> {
        let mut times = Vec::new();
        let before = self.ends.len() / 2;
        for call in before..before + calls {
            let at = self.ends.len();
            let offers = [self.open(kinds[0])?, self.open(kinds[1])?];
            let begun = Instant::now();
            let answers = self.bridge.call(call, offers)?;
            for (at, answer) in (at..).zip(answers) {
                self.answered(at, answer)?;
            }
            if kinds.contains(&Kind::Browser) && call < TIMED {
                self.settle()?;
                times.push(u64::try_from(begun.elapsed().as_nanos())?);
            }
        }
        self.settle()?;
        Ok(times)
    }

    /// Lets all talk for this long.
    pub(crate) fn talk(&mut self, time: Duration) -> Result<()> {
        let begun = Instant::now();
        let until = begun + time;
        let count = u32::try_from(self.ends.len()).unwrap_or(1);
        for (index, end) in (0..).zip(&mut self.ends) {
            // Spread over the 20 ms, as real calls are.
            end.next = begun + FRAME * index / count;
        }
        let mut ready = Events::with_capacity(1_024);
        while Instant::now() < until {
            for at in 0..self.ends.len() {
                let now = Instant::now();
                while self.ends[at].next <= now {
                    self.speak(at, now);
                }
            }
            let due = self.ends.iter().map(|end| end.next).min().unwrap_or(until).min(until);
            self.receive(&mut ready, due)?;
        }
        Ok(())
    }

    /// Lets what is on its way arrive.
    pub(crate) fn listen(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        let mut ready = Events::with_capacity(1_024);
        while Instant::now() < until {
            self.receive(&mut ready, until)?;
        }
        Ok(())
    }

    /// What was counted since this was asked last.
    pub(crate) fn take_counted(&mut self) -> Counted {
        std::mem::take(&mut self.counted)
    }

    fn open(&mut self, kind: Kind) -> Result<Offer> {
        let mut socket = UdpSocket::bind(SocketAddr::new(LOCAL, 0))?;
        self.poll.registry().register(&mut socket, Token(self.ends.len()), Interest::READABLE)?;
        let local = socket.local_addr()?;
        let mut browser = None;
        let (offer, frames) = match kind {
            Kind::Phone(codec) => (Offer::Phone(local, codec.static_payload_type()), sound(codec)?),
            Kind::Browser => {
                let mut made = Box::new(Browser::new(local)?);
                let sdp = made.offer()?;
                browser = Some(made);
                (Offer::Browser(sdp), sound(Codec::Pcmu)?)
            }
        };
        self.ends.push(End { kind, socket, to: None, browser, frames, next: Instant::now(), count: 0 });
        Ok(offer)
    }

    fn answered(&mut self, at: usize, answer: Answer) -> Result<()> {
        let end = &mut self.ends[at];
        match (answer, &mut end.browser) {
            (Answer::Browser { sdp, to }, Some(browser)) => browser.answer(&sdp, to)?,
            (Answer::Phone(to) | Answer::Browser { to, .. }, _) => end.to = Some(to),
        }
        Ok(())
    }

    /// Waits until all browsers are connected.
    fn settle(&mut self) -> Result<()> {
        let begun = Instant::now();
        let mut ready = Events::with_capacity(1_024);
        loop {
            let now = Instant::now();
            for End { browser, socket, .. } in &mut self.ends {
                if let Some(browser) = browser {
                    browser.tick(now, socket);
                }
            }
            let waiting =
                self.ends.iter().flat_map(|end| &end.browser).filter(|browser| !browser.is_connected()).count();
            if waiting == 0 {
                return Ok(());
            }
            ensure!(begun.elapsed() < LIMIT, "{waiting} browsers did not connect");
            let due = self.ends.iter().flat_map(|end| &end.browser).map(|browser| browser.deadline()).min();
            self.receive(&mut ready, due.unwrap_or(now).min(now + FRAME))?;
        }
    }

    fn speak(&mut self, at: usize, now: Instant) {
        let stamp = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(0);
        let end = &mut self.ends[at];
        end.next += FRAME;
        let mut payload = end.frames[end.count as usize % end.frames.len()].clone();
        if self.stamped
            && let Some(front) = payload.first_chunk_mut()
        {
            *front = stamp.to_be_bytes();
        }
        end.count += 1;
        let sent = match (&mut end.browser, end.kind) {
            (Some(browser), _) => browser.speak(now, end.count, payload, &end.socket),
            (None, Kind::Phone(codec)) => {
                #[expect(clippy::cast_possible_truncation, reason = "the number wraps")]
                let sequence = end.count as u16;
                let clock = if codec == Codec::Opus { 960 } else { 160 };
                let packet = RtpPacket {
                    marker: end.count == 1,
                    payload_type: codec.static_payload_type(),
                    sequence,
                    timestamp: end.count.wrapping_mul(clock),
                    ssrc: 7,
                    payload: &payload,
                };
                end.to.is_some_and(|to| end.socket.send_to(&packet.to_bytes(), to).is_ok())
            }
            (None, Kind::Browser) => false,
        };
        self.counted.sent += u64::from(sent);
    }

    /// Waits for datagrams until then at the latest, and takes all that are there.
    fn receive(&mut self, ready: &mut Events, until: Instant) -> Result<()> {
        self.poll.poll(ready, Some(until.saturating_duration_since(Instant::now())))?;
        for event in &*ready {
            self.receive_at(event.token().0);
        }
        Ok(())
    }

    /// Takes all that waits at one end.
    fn receive_at(&mut self, at: usize) {
        let mut buffer = [0; 2_048];
        while let Ok((length, from)) = self.ends[at].socket.recv_from(&mut buffer) {
            let now = self.started.elapsed();
            let bytes = &buffer[..length];
            let End { browser, socket, .. } = &mut self.ends[at];
            let payloads = match browser {
                Some(browser) => browser.receive(Instant::now(), from, bytes, socket),
                None => RtpPacket::parse(bytes).map(|packet| packet.payload.to_vec()).into_iter().collect(),
            };
            for payload in payloads {
                self.counted.got += 1;
                if self.stamped
                    && let Some(stamp) = payload.first_chunk()
                {
                    let sent = Duration::from_nanos(u64::from_be_bytes(*stamp));
                    // Silence that filled a gap carries no time.
                    if let Some(delay) = now.checked_sub(sent).filter(|delay| *delay < Duration::from_secs(1)) {
                        self.counted.delays.push(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX));
                    }
                }
            }
        }
    }
}

/// A second of a voice-like sound in this codec, in frames.
fn sound(codec: Codec) -> Result<Vec<Vec<u8>>> {
    let samples = cordboard_media::tone::hold_music();
    let frames = samples.samples().chunks_exact(160).take(50);
    if let Some(codec) = codec.g711() {
        return Ok(frames.map(|frame| codec.encode_all(frame)).collect());
    }
    let mut encoder = opus::Encoder::new(8_000, opus::Channels::Mono, opus::Application::Voip)?;
    frames.map(|frame| Ok(encoder.encode_vec(frame, 400)?)).collect()
}
