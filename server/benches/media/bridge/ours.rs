//! The product's media thread in a process of its own, told by lines of JSON what to carry.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{ChildStdin, Command as Process};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cordboard_media::{BrowserCodecs, Codec, Command, Event, RtpParams, Source};
use cordboard_server::net::media::{FromMedia, MediaConfig, MediaHandle, ToMedia, start};
use cordboard_shared::id::LegId;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

use super::proc::Program;
use super::{Answer, LIMIT, Offer};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The argument by which this program knows that it is the one that carries.
pub(crate) const SERVE: &str = "--carry";

/// The other process.
pub(crate) struct Ours {
    pub(super) program: Program,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl Ours {
    pub(super) fn start() -> Result<Self> {
        let mut program = Program::start(Process::new(std::env::current_exe()?).arg(SERVE))?;
        let orders = program.0.stdin.take().context("no pipe")?;
        let mut lines = BufReader::new(program.0.stdout.take().context("no pipe")?).lines();
        let (sender, answers) = channel();
        std::thread::spawn(
            move || while lines.next().is_some_and(|line| line.is_ok_and(|line| sender.send(line).is_ok())) {},
        );
        answers.recv_timeout(LIMIT).context("the media thread does not start")?;
        Ok(Self { program, orders, answers })
    }

    pub(super) fn call(&mut self, offers: &[Offer; 2]) -> Result<[Answer; 2]> {
        serde_json::to_writer(&mut self.orders, offers)?;
        writeln!(self.orders)?;
        let line = self.answers.recv_timeout(LIMIT).context("the media thread does not answer")?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// The other process's main function.
pub(super) fn serve() -> Result<()> {
    let folder = std::env::temp_dir().join(format!("cordboard-bench-{}", std::process::id()));
    let (media, events) = start(MediaConfig {
        webrtc: SocketAddr::new(LOCAL, 0),
        rtp_ip: LOCAL,
        rtp_ports: 40_000..=44_999,
        external_ip: None,
        recordings_dir: folder.clone(),
        browser_codecs: BrowserCodecs::G711,
    })?;
    let mut carrier = Carrier { media, events, legs: 0 };
    writeln!(std::io::stdout().lock(), "ready")?;
    for line in std::io::stdin().lines() {
        let answers = carrier.call(serde_json::from_str(&line?)?)?;
        let mut out = std::io::stdout().lock();
        serde_json::to_writer(&mut out, &answers)?;
        writeln!(out)?;
    }
    carrier.media.send(ToMedia::Shutdown);
    while carrier.events.blocking_recv().is_some() {}
    // Nothing was recorded: there is nothing in it, or it was never made.
    drop(std::fs::remove_dir(&folder));
    Ok(())
}

/// The media thread and how many legs it has.
struct Carrier {
    media: MediaHandle,
    events: UnboundedReceiver<FromMedia>,
    legs: u16,
}

impl Carrier {
    fn call(&mut self, offers: [Offer; 2]) -> Result<[Answer; 2]> {
        let legs = [LegId::demo(self.legs + 1), LegId::demo(self.legs + 2)];
        self.legs += 2;
        let [one, other] = offers;
        let answers = [self.open(legs[0], one)?, self.open(legs[1], other)?];
        for (leg, other) in [(legs[0], legs[1]), (legs[1], legs[0])] {
            self.command(Command::Gate { leg, open: true });
            self.command(Command::Hear { leg, source: Source::Leg(other) });
        }
        Ok(answers)
    }

    fn open(&mut self, leg: LegId, offer: Offer) -> Result<Answer> {
        match offer {
            Offer::Phone(at, payload_type) => {
                let mut codecs = [Codec::Pcmu, Codec::Pcma, Codec::Opus].into_iter();
                let codec =
                    codecs.find(|codec| codec.static_payload_type() == payload_type).context("no such codec")?;
                self.media.send(ToMedia::OpenRtp { leg });
                let to = self.told(|told| match told {
                    FromMedia::RtpOpened { leg: of, local } if of == leg => Some(Ok(local)),
                    FromMedia::RtpFailed { error, .. } => Some(Err(error)),
                    FromMedia::RtpOpened { .. }
                    | FromMedia::Event(_)
                    | FromMedia::Recorded { .. }
                    | FromMedia::RecordingFailed { .. } => None,
                })?;
                let params = RtpParams { dtmf: Some(101), ..RtpParams::new(at, codec, payload_type) };
                self.command(Command::AddRtp { leg, params: Some(params) });
                Ok(Answer::Phone(to))
            }
            Offer::Browser(sdp) => {
                self.command(Command::PeerOffer { leg, sdp });
                let sdp = self.told(|told| match told {
                    FromMedia::Event(Event::PeerAnswer { leg: of, sdp }) if of == leg => Some(Ok(sdp)),
                    FromMedia::Event(Event::PeerFailed { error, .. }) => Some(Err(error)),
                    FromMedia::RtpOpened { .. }
                    | FromMedia::RtpFailed { .. }
                    | FromMedia::Event(_)
                    | FromMedia::Recorded { .. }
                    | FromMedia::RecordingFailed { .. } => None,
                })?;
                Ok(Answer::Browser { sdp, to: self.media.webrtc_addr() })
            }
        }
    }

    fn command(&self, command: Command) {
        self.media.send(ToMedia::Command(command));
    }

    /// Waits until this is told.
    fn told<T>(&mut self, wanted: impl Fn(FromMedia) -> Option<Result<T, String>>) -> Result<T> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            match self.events.try_recv() {
                Ok(told) => match wanted(told) {
                    Some(Ok(found)) => return Ok(found),
                    Some(Err(error)) => bail!("the media thread refused: {error}"),
                    None => {}
                },
                Err(TryRecvError::Empty) => std::thread::sleep(Duration::from_micros(50)),
                Err(TryRecvError::Disconnected) => bail!("the media thread ended"),
            }
        }
        bail!("the media thread does not answer")
    }
}
