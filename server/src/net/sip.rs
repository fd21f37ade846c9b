//! The shell of the SIP core: one UDP socket, one reader, one loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use cordboard_sip::{Command, Endpoint, EndpointConfig, Event, Input, Limits, Output, Stats, Target};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

/// Datagrams that may wait between reader and loop; more are dropped, as the network would.
const QUEUE: usize = 8_192;
/// Asked of the kernel for bursts, in bytes.
const RECEIVE_BUFFER: usize = 4 * 1_024 * 1_024;
/// Largest datagram.
const LARGEST: usize = 65_536;

/// Speaks to the SIP loop. All clones speak to the same one.
#[derive(Clone, Debug)]
pub struct SipHandle {
    commands: mpsc::UnboundedSender<Command>,
    stats: watch::Receiver<Stats>,
    local: SocketAddr,
}

impl SipHandle {
    /// Passes this on to the endpoint. Does nothing once that has ended.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Where the endpoint listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
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
}

/// Binds the socket and starts the loop.
pub fn start(
    address: SocketAddr,
    external_ip: Option<IpAddr>,
    seed: u64,
) -> io::Result<(SipHandle, mpsc::UnboundedReceiver<Event>)> {
    let socket = bind(address)?;
    let local = socket.local_addr()?;
    let seen_as = SocketAddr::new(external_ip.unwrap_or(local.ip()), local.port());
    let config = EndpointConfig {
        local: seen_as.into(),
        realm: "cordboard".to_owned(),
        user_agent: concat!("Cordboard/", env!("CARGO_PKG_VERSION")).to_owned(),
        limits: Limits::default(),
    };
    let endpoint = Endpoint::new(config, seed);
    let (commands, command_queue) = mpsc::unbounded_channel();
    let (events, event_queue) = mpsc::unbounded_channel();
    let (stats, stats_reader) = watch::channel(Stats::default());
    let socket = Arc::new(socket);
    let (datagrams, datagram_queue) = mpsc::channel(QUEUE);
    tokio::spawn(read(socket.clone(), datagrams));
    tokio::spawn(run(Loop { endpoint, socket, events, stats }, datagram_queue, command_queue));
    Ok((SipHandle { commands, stats: stats_reader, local }, event_queue))
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::DGRAM,
        Some(socket2::Protocol::UDP),
    )?;
    // The kernel gives what it allows; less only means that longer bursts are lost and repeated.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

async fn read(socket: Arc<UdpSocket>, datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>) {
    let mut buffer = vec![0; LARGEST];
    loop {
        tokio::select! {
            () = datagrams.closed() => return,
            received = socket.recv_from(&mut buffer) => match received {
                Ok((length, from)) => {
                    // A full queue drops the datagram: SIP repeats what matters.
                    let _ = datagrams.try_send((from, buffer[..length].to_vec()));
                }
                // An ICMP error of an earlier datagram; the socket is fine.
                Err(error) => tracing::debug!(%error, "a SIP datagram could not be read"),
            }
        }
    }
}

struct Loop {
    endpoint: Endpoint,
    socket: Arc<UdpSocket>,
    events: mpsc::UnboundedSender<Event>,
    stats: watch::Sender<Stats>,
}

async fn run(
    mut shell: Loop,
    mut datagrams: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) {
    let mut deadline: Option<Instant> = None;
    loop {
        let input = tokio::select! {
            command = commands.recv() => match command {
                Some(command) => Input::Command(command),
                None => return,
            },
            datagram = datagrams.recv() => match datagram {
                Some((from, bytes)) => Input::Datagram { from, bytes },
                None => return,
            },
            () = sleep_until(deadline) => Input::Timeout,
        };
        shell.endpoint.handle_input(Instant::now(), input);
        deadline = shell.drain().await;
        shell.stats.send_replace(shell.endpoint.stats());
    }
}

impl Loop {
    async fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.endpoint.poll_output() {
                // Nothing but UDP is listened on, so nothing else is ever asked for.
                Output::Close { .. }
                | Output::Transmit { to: Target::Tcp(_) | Target::Tls { .. } | Target::Flow(_), .. } => {}
                Output::Transmit { to: Target::Udp(to), bytes } => {
                    if let Err(error) = self.socket.send_to(&bytes, to).await {
                        tracing::debug!(%error, "a SIP datagram could not be sent");
                    }
                }
                Output::Event(event) => {
                    let _ = self.events.send(event);
                }
                Output::Timeout(deadline) => return deadline,
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
