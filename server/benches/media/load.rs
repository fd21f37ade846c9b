//! Phones and browsers that call each other through the media thread.

mod browser;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cordboard_media::packet::RtpPacket;
use cordboard_media::{BrowserCodecs, Codec, Command, Event, RtpParams, Source};
use cordboard_server::net::media::{FromMedia, MediaConfig, MediaHandle, ToMedia, start};
use cordboard_shared::id::LegId;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use self::browser::Browser;
use crate::proc;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Nothing takes longer unless it is broken.
const LIMIT: Duration = Duration::from_secs(30);

const FRAME: Duration = Duration::from_millis(20);

/// Who is at one end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Phone(Codec),
    Browser,
}

/// All calls of a run.
pub(crate) struct Load {
    media: MediaHandle,
    events: UnboundedReceiver<FromMedia>,
    thread: u32,
    poll: Poll,
    ends: Vec<End>,
    started: Instant,
    sent: u64,
    got: u64,
    delays: Vec<f64>,
    /// Whether payloads arrive as they were sent, and so can carry the time.
    stamped: bool,
    folder: std::path::PathBuf,
}

/// One end of a call.
struct End {
    leg: LegId,
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
    /// Starts the media thread and opens the legs of these calls.
    pub(crate) fn start(kinds: [Kind; 2], codecs: BrowserCodecs, calls: usize) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("cordboard-bench-{}", std::process::id()));
        let (media, events) = start(MediaConfig {
            webrtc: SocketAddr::new(LOCAL, 0),
            rtp_ip: LOCAL,
            rtp_ports: 40_000..=44_999,
            external_ip: None,
            recordings_dir: folder.clone(),
            browser_codecs: codecs,
        })?;
        let mut load = Self {
            media,
            events,
            thread: proc::thread_named("media")?,
            poll: Poll::new()?,
            ends: Vec::new(),
            started: Instant::now(),
            sent: 0,
            got: 0,
            delays: Vec::new(),
            stamped: kinds[0] == kinds[1] || kinds.contains(&Kind::Browser),
            folder,
        };
        for call in 0..calls {
            let legs = [0, 1].map(|side| LegId::demo(u16::try_from(call * 2 + side + 1).unwrap_or(u16::MAX)));
            for (kind, leg) in kinds.into_iter().zip(legs) {
                load.open(kind, leg)?;
            }
            for ([leg, other], kind) in [legs, [legs[1], legs[0]]].into_iter().zip(kinds) {
                // The leg of a browser is made by its offer.
                if kind != Kind::Browser {
                    load.command(Command::Hear { leg, source: Source::Leg(other) });
                }
            }
        }
        Ok(load)
    }

    /// Connects the browsers, one after the other; how long each took, in microseconds.
    pub(crate) fn connect(&mut self) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        for at in 0..self.ends.len() {
            let leg = self.ends[at].leg;
            let Some(sdp) = self.ends[at].browser.as_mut().map(|browser| browser.offer()).transpose()? else {
                continue;
            };
            let begun = Instant::now();
            self.command(Command::PeerOffer { leg, sdp });
            let limit = begun + LIMIT;
            loop {
                match self.events.try_recv() {
                    Ok(FromMedia::Event(Event::PeerAnswer { leg: of, sdp })) if of == leg => {
                        if let Some(browser) = &mut self.ends[at].browser {
                            browser.answer(&sdp)?;
                        }
                    }
                    Ok(FromMedia::Event(Event::PeerConnected { leg: of })) if of == leg => break,
                    Ok(FromMedia::Event(Event::PeerFailed { error, .. })) => bail!("a browser was refused: {error}"),
                    Ok(_) | Err(TryRecvError::Empty) => {}
                    Err(TryRecvError::Disconnected) => bail!("the media thread ended"),
                }
                if Instant::now() > limit {
                    bail!("a browser did not connect");
                }
                self.receive(at);
                let End { browser, socket, .. } = &mut self.ends[at];
                if let Some(browser) = browser {
                    browser.tick(Instant::now(), socket);
                }
                std::thread::sleep(Duration::from_micros(100));
            }
            times.push(begun.elapsed().as_nanos() as f64 / 1_000.0);
            self.command(Command::Gate { leg, open: true });
            // The two ends of a call stand side by side.
            let other = self.ends[at ^ 1].leg;
            self.command(Command::Hear { leg, source: Source::Leg(other) });
        }
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
        loop {
            let now = Instant::now();
            if now >= until {
                break;
            }
            for at in 0..self.ends.len() {
                while self.ends[at].next <= now {
                    self.speak(at, now);
                }
            }
            let due = self.ends.iter().map(|end| end.next).min().unwrap_or(until).min(until);
            self.poll.poll(&mut ready, Some(due.saturating_duration_since(Instant::now())))?;
            let tokens: Vec<usize> = ready.iter().map(|event| event.token().0).collect();
            for at in tokens {
                self.receive(at);
            }
            while self.events.try_recv().is_ok() {}
        }
        Ok(())
    }

    /// Counts from here on.
    pub(crate) fn forget(&mut self) {
        (self.sent, self.got) = (0, 0);
        self.delays.clear();
    }

    /// The processor time of the media thread so far.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        proc::cpu(self.thread)
    }

    /// Ends all calls; packets sent, packets received, and delays in microseconds.
    pub(crate) fn end(mut self) -> (u64, u64, Vec<f64>) {
        self.media.send(ToMedia::Shutdown);
        while self.events.blocking_recv().is_some() {}
        // Nothing was recorded: there is nothing in it, or it was never made.
        drop(std::fs::remove_dir(&self.folder));
        (self.sent, self.got, self.delays)
    }

    fn open(&mut self, kind: Kind, leg: LegId) -> Result<()> {
        let mut socket = UdpSocket::bind(SocketAddr::new(LOCAL, 0))?;
        self.poll.registry().register(&mut socket, Token(self.ends.len()), Interest::READABLE)?;
        let local = socket.local_addr()?;
        let mut end =
            End { leg, kind, socket, to: None, browser: None, frames: Vec::new(), next: Instant::now(), count: 0 };
        match kind {
            Kind::Phone(codec) => {
                self.media.send(ToMedia::OpenRtp { leg });
                end.to = Some(self.opened(leg)?);
                let params = RtpParams { dtmf: Some(101), ..RtpParams::new(local, codec, codec.static_payload_type()) };
                self.command(Command::AddRtp { leg, params: Some(params) });
                end.frames = sound(codec)?;
            }
            Kind::Browser => {
                end.browser = Some(Box::new(Browser::new(local, self.media.webrtc_addr())?));
                end.frames = sound(Codec::Pcmu)?;
            }
        }
        self.ends.push(end);
        Ok(())
    }

    fn opened(&mut self, leg: LegId) -> Result<SocketAddr> {
        loop {
            match self.events.blocking_recv().context("the media thread ended")? {
                FromMedia::RtpOpened { leg: of, local } if of == leg => return Ok(local),
                FromMedia::RtpFailed { error, .. } => bail!("no ports: {error}"),
                FromMedia::RtpOpened { .. }
                | FromMedia::Event(_)
                | FromMedia::Recorded { .. }
                | FromMedia::RecordingFailed { .. } => {}
            }
        }
    }

    fn command(&self, command: Command) {
        self.media.send(ToMedia::Command(command));
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
        self.sent += u64::from(sent);
    }

    /// Takes all that waits at one end.
    fn receive(&mut self, at: usize) {
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
                self.got += 1;
                if self.stamped
                    && let Some(stamp) = payload.first_chunk()
                {
                    let sent = Duration::from_nanos(u64::from_be_bytes(*stamp));
                    // Silence that filled a gap carries no time.
                    if let Some(delay) = now.checked_sub(sent).filter(|delay| *delay < Duration::from_secs(1)) {
                        self.delays.push(delay.as_nanos() as f64 / 1_000.0);
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
