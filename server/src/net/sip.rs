//! The shell of the SIP core: sockets of every transport, one loop.
//!
//! It moves bytes and opens connections when asked; what they mean, how long a connection may stay and who may have one
//! is the core's to say.

mod connection;
mod dial;
mod listen;
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use cordboard_sip::{
    Command, Endpoint, EndpointConfig, Event, FlowId, Input, Limits, LocalAddresses, Opened, Output, Stats, Target,
    Transport,
};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use self::connection::FromStreams;
use self::dial::Dialer;
pub use self::tls::TlsError;

/// Datagrams that may wait between reader and loop; more are dropped, as the network would.
const QUEUE: usize = 8_192;
/// Pieces of connections that may wait; who sends more waits.
const STREAM_QUEUE: usize = 1_024;

/// Where SIP listens, and how it is seen.
#[derive(Clone, Debug, Default)]
pub struct SipConfig {
    /// UDP, one per address family.
    pub udp: Vec<SocketAddr>,
    /// TCP.
    pub tcp: Vec<SocketAddr>,
    /// TLS.
    pub tls: Vec<SocketAddr>,
    /// Certificates for TLS; the first one also serves who names no host.
    pub certificates: Vec<CertificateFiles>,
    /// Certificate authorities to trust besides the system's, for trunks with one of their own.
    pub authorities: Option<PathBuf>,
    /// The address the far sides see, for the family it is of.
    pub external_ip: Option<IpAddr>,
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The host name it is for; `None` for whoever asks.
    pub name: Option<String>,
    /// The certificate, with those that vouch for it behind it.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why SIP cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SipError {
    /// A socket could not be bound.
    #[error("cannot listen at {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No address was given at all.
    #[error("no address to listen at")]
    NoAddress,
    /// A certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Speaks to the SIP loop. All clones speak to the same one.
#[derive(Clone, Debug)]
pub struct SipHandle {
    commands: mpsc::UnboundedSender<Command>,
    stats: watch::Receiver<Stats>,
    bound: Arc<[(Transport, SocketAddr)]>,
    local: SocketAddr,
}

impl SipHandle {
    /// Passes this on to the endpoint. Does nothing once that has ended.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Where the endpoint listens: the first UDP address, or the first at all.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// All that is listened on.
    pub fn bound(&self) -> &[(Transport, SocketAddr)] {
        &self.bound
    }

    /// Where the endpoint is reached from this machine.
    pub fn loopback_addr(&self) -> SocketAddr {
        let ip = match self.local.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.local.port())
    }

    /// Table sizes, as of the last datagram or command.
    pub fn stats(&self) -> Stats {
        *self.stats.borrow()
    }

    /// The same for somebody who must not keep the endpoint up.
    pub fn stats_reader(&self) -> watch::Receiver<Stats> {
        self.stats.clone()
    }
}

/// Binds the sockets and starts the loop.
pub fn start(config: &SipConfig, seed: u64) -> Result<(SipHandle, mpsc::UnboundedReceiver<Event>), SipError> {
    let dialer = Dialer::new(tls::connector(config.authorities.as_deref())?);
    let acceptor = match config.tls.as_slice() {
        [] => None,
        [..] => Some(tls::acceptor(&config.certificates)?),
    };
    let mut bound = Vec::new();
    let mut udp = Vec::new();
    for &address in &config.udp {
        let socket = listen::udp(address).map_err(|source| SipError::Bind { address, source })?;
        bound.push((Transport::Udp, socket.1));
        udp.push(Arc::new(socket.0));
    }
    let mut listeners = Vec::new();
    for (transport, &address) in
        config.tcp.iter().map(|it| (Transport::Tcp, it)).chain(config.tls.iter().map(|it| (Transport::Tls, it)))
    {
        let (listener, at) = listen::tcp(address).map_err(|source| SipError::Bind { address, source })?;
        bound.push((transport, at));
        listeners.push((transport, listener));
    }

    let local = seen_as(&bound, config.external_ip).ok_or(SipError::NoAddress)?;
    let endpoint_config = EndpointConfig {
        local,
        realm: "cordboard".to_owned(),
        user_agent: concat!("Cordboard/", env!("CARGO_PKG_VERSION")).to_owned(),
        limits: Limits::default(),
    };
    let endpoint = Endpoint::new(endpoint_config, seed);
    let (commands, command_queue) = mpsc::unbounded_channel();
    let (events, event_queue) = mpsc::unbounded_channel();
    let (stats, stats_reader) = watch::channel(Stats::default());
    let (datagrams, datagram_queue) = mpsc::channel(QUEUE);
    let (pieces, piece_queue) = mpsc::channel(STREAM_QUEUE);
    for socket in &udp {
        tokio::spawn(listen::read(socket.clone(), datagrams.clone()));
    }
    let ids = Arc::new(FlowIds::default());
    for (transport, listener) in listeners {
        let acceptor = acceptor.clone().filter(|_| transport == Transport::Tls);
        tokio::spawn(listen::accept(listener, acceptor, ids.clone(), pieces.clone()));
    }
    let shell = Loop { endpoint, udp, streams: HashMap::new(), dialer, ids, pieces, events, stats };
    tokio::spawn(run(shell, datagram_queue, piece_queue, command_queue));
    let first = bound.first().map(|(_, address)| *address).ok_or(SipError::NoAddress)?;
    Ok((SipHandle { commands, stats: stats_reader, bound: bound.into(), local: first }, event_queue))
}

/// The addresses that Via and Contact name.
fn seen_as(bound: &[(Transport, SocketAddr)], external_ip: Option<IpAddr>) -> Option<LocalAddresses> {
    let seen = |address: SocketAddr| match external_ip {
        Some(ip) if ip.is_ipv4() == address.is_ipv4() => SocketAddr::new(ip, address.port()),
        Some(_) | None => address,
    };
    let mut bound = bound.iter();
    let &(transport, address) = bound.next()?;
    let first = LocalAddresses::only(transport, seen(address));
    Some(bound.fold(first, |all, &(transport, address)| all.with(transport, seen(address))))
}

/// Numbers for connections, each used once.
#[derive(Debug, Default)]
struct FlowIds(AtomicU64);

impl FlowIds {
    fn next(&self) -> FlowId {
        FlowId(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

struct Loop {
    endpoint: Endpoint,
    udp: Vec<Arc<UdpSocket>>,
    streams: HashMap<FlowId, mpsc::Sender<Vec<u8>>>,
    dialer: Dialer,
    ids: Arc<FlowIds>,
    pieces: mpsc::Sender<FromStreams>,
    events: mpsc::UnboundedSender<Event>,
    stats: watch::Sender<Stats>,
}

async fn run(
    mut shell: Loop,
    mut datagrams: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    mut pieces: mpsc::Receiver<FromStreams>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let mut deadline: Option<Instant> = None;
    loop {
        let input = tokio::select! {
            command = commands.recv() => match command {
                Some(command) => Some(Input::Command(command)),
                None => return,
            },
            // Without a UDP socket this branch is never ready again.
            Some((from, bytes)) = datagrams.recv() => Some(Input::Datagram { from, bytes }),
            Some(piece) = pieces.recv() => shell.piece(piece),
            () = sleep_until(deadline) => Some(Input::Timeout),
        };
        if let Some(input) = input {
            deadline = shell.feed(input).await;
        }
        shell.stats.send_replace(shell.endpoint.stats());
    }
}

impl Loop {
    async fn feed(&mut self, input: Input) -> Option<Instant> {
        let opened = match &input {
            Input::StreamOpened { flow, .. } => self.dialer.waiting(*flow),
            Input::Datagram { .. }
            | Input::StreamBytes { .. }
            | Input::StreamClosed { .. }
            | Input::StreamFailed { .. }
            | Input::Command(_)
            | Input::Timeout => Vec::new(),
        };
        self.endpoint.handle_input(Instant::now(), input);
        for (flow, bytes) in opened {
            self.write(flow, bytes);
        }
        self.drain().await
    }

    /// News of a connection, as the core hears it.
    fn piece(&mut self, piece: FromStreams) -> Option<Input> {
        match piece {
            FromStreams::Accepted { flow, peer, transport, writer } => {
                self.streams.insert(flow, writer);
                Some(Input::StreamOpened { flow, peer, transport, opened: Opened::ByPeer })
            }
            FromStreams::Dialed { target, flow, peer, transport, writer } => {
                self.dialer.done(&target, flow);
                self.streams.insert(flow, writer);
                Some(Input::StreamOpened { flow, peer, transport, opened: Opened::ByUs(target) })
            }
            FromStreams::NotDialed { target, error } => {
                tracing::debug!(%error, ?target, "a SIP connection could not be made");
                self.dialer.failed(&target);
                Some(Input::StreamFailed { target })
            }
            // Bytes of a connection that was closed here meanwhile are nobody's.
            FromStreams::Bytes { flow, bytes } => {
                self.streams.contains_key(&flow).then_some(Input::StreamBytes { flow, bytes })
            }
            FromStreams::Closed { flow } => {
                self.streams.remove(&flow);
                Some(Input::StreamClosed { flow })
            }
        }
    }

    async fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { to: Target::Udp(to), bytes } => self.datagram(to, &bytes).await,
                Output::Transmit { to: Target::Flow(flow), bytes } => self.write(flow, bytes),
                Output::Transmit { to: target @ (Target::Tcp(_) | Target::Tls { .. }), bytes } => {
                    self.dialer.send(target, bytes, &self.ids, &self.pieces);
                }
                // Without its sender the connection writes what it has and ends.
                Output::Close { flow } => drop(self.streams.remove(&flow)),
                Output::Event(event) => {
                    let _ = self.events.send(event);
                }
                Output::Timeout(deadline) => return deadline,
            }
        }
    }

    async fn datagram(&self, to: SocketAddr, bytes: &[u8]) {
        let family = |socket: &&Arc<UdpSocket>| socket.local_addr().is_ok_and(|own| own.is_ipv4() == to.is_ipv4());
        let Some(socket) = self.udp.iter().find(family) else {
            return tracing::debug!(%to, "no UDP socket of this address family");
        };
        if let Err(error) = socket.send_to(bytes, to).await {
            tracing::debug!(%error, "a SIP datagram could not be sent");
        }
    }

    /// Hands bytes to a connection. One that does not read what it asked for is given up.
    fn write(&mut self, flow: FlowId, bytes: Vec<u8>) {
        let full = self.streams.get(&flow).is_some_and(|writer| writer.try_send(bytes).is_err());
        if full {
            self.streams.remove(&flow);
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
