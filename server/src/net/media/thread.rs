//! The media thread: waits for datagrams, commands and deadlines, feeds the core, and does what it says.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use cordboard_media::dtls::Fingerprint;
use cordboard_media::{Command, CoreConfig, Event, Input, MediaCore, Output};
use cordboard_shared::id::LegId;
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::mpsc::UnboundedSender;

use super::ports::{PortRange, RtpSockets, advertised, bind_webrtc, candidates};
use super::recordings::RecordingWriter;
use super::{FromMedia, MediaConfig, ToMedia};

const WAKE: Token = Token(0);
const WEBRTC: Token = Token(1);
/// A leg has two tokens from here on: even for RTP, odd for RTCP.
const FIRST_LEG: usize = 2;

/// Longer datagrams are not media.
const MAX_DATAGRAM: usize = 2_048;

/// Datagrams taken from one socket before the others have their turn.
const BUDGET: usize = 64;

/// The longest wait while an end of a recording waits for room in the writer's queue.
const RETRY: Duration = Duration::from_millis(20);

/// What the media thread counts since its start.
#[derive(Debug, Default)]
pub struct MediaCounters {
    /// Legs at the moment, of both kinds.
    pub legs: AtomicU64,
    /// Datagrams received on all sockets.
    pub datagrams_received: AtomicU64,
    /// Datagrams sent.
    pub datagrams_sent: AtomicU64,
    /// Datagrams the system did not take.
    pub send_failures: AtomicU64,
    /// Pieces of recordings (100 ms) that were replaced by silence because the disk was too slow.
    pub recording_overflows: AtomicU64,
}

/// What the starter gets.
pub(super) struct Started {
    pub(super) waker: Arc<Waker>,
    pub(super) webrtc: SocketAddr,
    pub(super) fingerprint: Fingerprint,
}

pub(super) fn start(
    config: MediaConfig,
    commands: Receiver<ToMedia>,
    events: UnboundedSender<FromMedia>,
    counters: Arc<MediaCounters>,
) -> io::Result<Started> {
    let poll = Poll::new()?;
    let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
    let mut webrtc = bind_webrtc(config.webrtc)?;
    let bound = webrtc.local_addr()?;
    poll.registry().register(&mut webrtc, WEBRTC, Interest::READABLE)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let core = MediaCore::new(CoreConfig {
        candidates: candidates(bound, config.external_ip),
        browser_codecs: config.browser_codecs,
        media_timeout: CoreConfig::MEDIA_TIMEOUT,
        seed,
    })
    .map_err(io::Error::other)?;
    let fingerprint = core.fingerprint();
    let writer = RecordingWriter::start(config.recordings_dir, events.clone(), Arc::clone(&counters))?;
    let thread = MediaThread {
        poll,
        webrtc,
        core,
        ports: PortRange::new(config.rtp_ip, &config.rtp_ports),
        rtp_ip: advertised(config.rtp_ip, config.external_ip),
        sockets: HashMap::new(),
        by_token: HashMap::new(),
        next_token: FIRST_LEG,
        unread: Vec::new(),
        deadline: None,
        commands,
        events,
        writer,
        counters,
    };
    std::thread::Builder::new().name("media".into()).spawn(move || thread.run())?;
    Ok(Started { waker, webrtc: bound, fingerprint })
}

/// Whether the loop goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Turn,
    End,
}

/// The sockets of one phone leg and the first of their two tokens.
struct LegSockets {
    sockets: RtpSockets,
    token: usize,
}

struct MediaThread {
    poll: Poll,
    webrtc: UdpSocket,
    core: MediaCore,
    ports: PortRange,
    /// The address phones are told.
    rtp_ip: IpAddr,
    sockets: HashMap<LegId, LegSockets>,
    by_token: HashMap<usize, LegId>,
    next_token: usize,
    /// Sockets whose budget ran out before their datagrams did: the system tells of them only once.
    unread: Vec<Token>,
    deadline: Option<Instant>,
    commands: Receiver<ToMedia>,
    events: UnboundedSender<FromMedia>,
    writer: RecordingWriter,
    counters: Arc<MediaCounters>,
}

impl MediaThread {
    fn run(mut self) {
        let mut ready = Events::with_capacity(256);
        loop {
            let settled = self.writer.retry();
            let wait = self.wait(settled);
            match self.poll.poll(&mut ready, wait) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "the media thread cannot wait for its sockets");
                    break;
                }
            }
            let mut tokens = std::mem::take(&mut self.unread);
            tokens.extend(ready.iter().map(mio::event::Event::token));
            tokens.sort_unstable();
            tokens.dedup();
            for token in tokens {
                self.read(token);
            }
            self.tick();
            if self.obey() == Next::End {
                break;
            }
        }
        self.shut_down();
    }

    fn wait(&self, settled: bool) -> Option<Duration> {
        if !self.unread.is_empty() {
            return Some(Duration::ZERO);
        }
        let wait = self.deadline.map(|at| at.saturating_duration_since(Instant::now()));
        if settled { wait } else { Some(wait.map_or(RETRY, |wait| wait.min(RETRY))) }
    }

    /// Reads one socket until it is empty or its budget is spent.
    fn read(&mut self, token: Token) {
        let mut buffer = [0; MAX_DATAGRAM];
        for _ in 0..BUDGET {
            let leg = self.by_token.get(&(token.0 & !1)).copied();
            let received = match (token, leg.and_then(|leg| self.sockets.get(&leg))) {
                (WAKE, _) => return,
                (WEBRTC, _) => self.webrtc.recv_from(&mut buffer),
                (_, Some(found)) if token.0 == found.token => found.sockets.rtp.recv_from(&mut buffer),
                (_, Some(found)) => found.sockets.rtcp.recv_from(&mut buffer),
                // Closed in the same turn.
                (_, None) => return,
            };
            let (length, from) = match received {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // A destination answered that nobody listens there; the socket is as good as before.
                Err(_) => continue,
            };
            self.counters.datagrams_received.fetch_add(1, Ordering::Relaxed);
            let bytes = &buffer[..length];
            let input = match leg {
                None => Input::WebRtc { from, bytes },
                Some(leg) if token.0.is_multiple_of(2) => Input::Rtp { leg, from, bytes },
                Some(leg) => Input::Rtcp { leg, from, bytes },
            };
            self.feed(input);
            // A socket that is never empty must not hold up the frames of all the others.
            self.tick();
        }
        self.unread.push(token);
    }

    /// Tells the core that its deadline is reached, if it is.
    fn tick(&mut self) {
        if self.deadline.is_some_and(|at| at <= Instant::now()) {
            self.feed(Input::Timeout);
        }
    }

    /// Carries out what was commanded.
    fn obey(&mut self) -> Next {
        loop {
            match self.commands.try_recv() {
                Ok(ToMedia::OpenRtp { leg }) => self.open(leg),
                Ok(ToMedia::Command(command)) => self.command(command),
                Ok(ToMedia::Shutdown) | Err(TryRecvError::Disconnected) => return Next::End,
                Err(TryRecvError::Empty) => return Next::Turn,
            }
        }
    }

    fn command(&mut self, command: Command) {
        let removed = if let Command::Remove { leg } = &command { Some(*leg) } else { None };
        self.feed(Input::Command(command));
        if let Some(leg) = removed {
            self.close(leg);
        }
        // A thousand commands at once must not hold up the frames.
        self.tick();
    }

    fn open(&mut self, leg: LegId) {
        let opened = match self.sockets.get(&leg) {
            Some(found) => Ok(found.sockets.port),
            None => self.open_new(leg),
        };
        let event = match opened {
            Ok(port) => FromMedia::RtpOpened { leg, local: SocketAddr::new(self.rtp_ip, port) },
            Err(error) => {
                tracing::error!(%error, leg.id = %leg, "no RTP ports for a leg");
                FromMedia::RtpFailed { leg, error: error.to_string() }
            }
        };
        self.tell(event);
    }

    fn open_new(&mut self, leg: LegId) -> io::Result<u16> {
        let mut sockets = self.ports.open()?;
        let token = self.next_token;
        let registry = self.poll.registry();
        registry.register(&mut sockets.rtp, Token(token), Interest::READABLE)?;
        registry.register(&mut sockets.rtcp, Token(token + 1), Interest::READABLE)?;
        self.next_token += 2;
        let port = sockets.port;
        self.by_token.insert(token, leg);
        self.sockets.insert(leg, LegSockets { sockets, token });
        Ok(port)
    }

    fn close(&mut self, leg: LegId) {
        let Some(mut found) = self.sockets.remove(&leg) else { return };
        self.by_token.remove(&found.token);
        for socket in [&mut found.sockets.rtp, &mut found.sockets.rtcp] {
            if let Err(error) = self.poll.registry().deregister(socket) {
                tracing::warn!(%error, leg.id = %leg, "a socket cannot be taken out of the poll");
            }
        }
    }

    /// Gives one input to the core and does all that comes of it.
    fn feed(&mut self, input: Input<'_>) {
        let now = Instant::now();
        let leg = leg_of(&input);
        // One leg that trips over a bug must not end all the others.
        if catch_unwind(AssertUnwindSafe(|| self.core.handle_input(now, input))).is_err() {
            tracing::error!(leg.id = ?leg, "the media core panicked; the leg is removed");
            if let Some(leg) = leg {
                let remove = || self.core.handle_input(now, Input::Command(Command::Remove { leg }));
                if catch_unwind(AssertUnwindSafe(remove)).is_err() {
                    tracing::error!(leg.id = %leg, "the leg cannot be removed");
                }
                self.close(leg);
            }
        }
        loop {
            match self.core.poll_output() {
                Output::WebRtc { to, bytes } => self.count_sent(&self.webrtc.send_to(&bytes, to)),
                Output::Rtp { leg, to, bytes } => {
                    if let Some(found) = self.sockets.get(&leg) {
                        self.count_sent(&found.sockets.rtp.send_to(&bytes, to));
                    }
                }
                Output::Rtcp { leg, to, bytes } => {
                    if let Some(found) = self.sockets.get(&leg) {
                        self.count_sent(&found.sockets.rtcp.send_to(&bytes, to));
                    }
                }
                Output::Event(event) => self.on_event(event),
                Output::Timeout(at) => {
                    self.deadline = at;
                    break;
                }
            }
        }
        self.counters.legs.store(self.core.leg_count() as u64, Ordering::Relaxed);
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::RecordedFrames { recording, channels, samples } => self.writer.frames(recording, channels, samples),
            Event::RecordFinished { recording, ms, .. } => {
                self.tell(FromMedia::Event(event));
                self.writer.finish(recording, ms);
            }
            Event::PeerAnswer { .. }
            | Event::PeerFailed { .. }
            | Event::PeerConnected { .. }
            | Event::PeerLost { .. }
            | Event::Digit { .. }
            | Event::PlayFinished { .. }
            | Event::FirstAudio { .. }
            | Event::RecordPaused { .. }
            | Event::RecordResumed { .. }
            | Event::MediaLost { .. }
            | Event::MediaBack { .. }
            | Event::SecureFailed { .. }
            | Event::Audio { .. }
            | Event::Stats { .. } => self.tell(FromMedia::Event(event)),
        }
    }

    /// A datagram the system does not take is lost, as on any network.
    fn count_sent(&self, sent: &io::Result<usize>) {
        match sent {
            Ok(_) => self.counters.datagrams_sent.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.counters.send_failures.fetch_add(1, Ordering::Relaxed),
        };
    }

    fn tell(&self, event: FromMedia) {
        // Nobody listens any more when the server is going down.
        drop(self.events.send(event));
    }

    fn shut_down(mut self) {
        for leg in self.core.legs() {
            self.feed(Input::Command(Command::Remove { leg }));
        }
        let Self { writer, events, .. } = self;
        writer.shut_down();
        drop(events);
    }
}

/// Whose bug it is, when the core trips over this.
fn leg_of(input: &Input<'_>) -> Option<LegId> {
    match input {
        Input::Rtp { leg, .. } | Input::Rtcp { leg, .. } => Some(*leg),
        Input::Command(command) => command.leg(),
        Input::WebRtc { .. } | Input::Timeout => None,
    }
}
