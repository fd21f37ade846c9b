//! Sockets that others send to: UDP readers and the accepting of connections.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cordboard_sip::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;

use super::FlowIds;
use super::connection::{FromStreams, WRITE_QUEUE, carry};

/// Asked of the kernel for bursts, in bytes.
const RECEIVE_BUFFER: usize = 4 * 1_024 * 1_024;
/// Largest datagram.
const LARGEST: usize = 65_536;
/// Connections the kernel may hold before they are accepted.
const BACKLOG: i32 = 1_024;
/// How long a TLS handshake may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(8);
/// TLS handshakes at once, and those of one address.
const HANDSHAKES: usize = 256;
const HANDSHAKES_PER_ADDRESS: usize = 32;
/// How long to wait when the process has no file descriptor left.
const OUT_OF_FILES: Duration = Duration::from_millis(50);

/// Binds a UDP socket; gives its address, too.
pub(super) fn udp(address: SocketAddr) -> io::Result<(UdpSocket, SocketAddr)> {
    let socket = socket(address, Type::DGRAM, Protocol::UDP)?;
    // The kernel gives what it allows; less only means that longer bursts are lost and repeated.
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    socket.bind(&address.into())?;
    let socket = UdpSocket::from_std(socket.into())?;
    let bound = socket.local_addr()?;
    Ok((socket, bound))
}

/// Listens for connections; gives the address, too.
pub(super) fn tcp(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = socket(address, Type::STREAM, Protocol::TCP)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

fn socket(address: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol))?;
    if address.is_ipv6() {
        // Each family has a socket of its own, so that no IPv4 address comes in IPv6 clothes.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Reads datagrams until the loop is gone.
pub(super) async fn read(socket: Arc<UdpSocket>, datagrams: mpsc::Sender<(SocketAddr, Vec<u8>)>) {
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

/// Accepts connections until the loop is gone.
pub(super) async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    ids: Arc<FlowIds>,
    pieces: mpsc::Sender<FromStreams>,
) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
    let callers = Callers::default();
    loop {
        let accepted = tokio::select! {
            () = pieces.closed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "a SIP connection could not be accepted");
                tokio::time::sleep(OUT_OF_FILES).await;
                continue;
            }
        };
        // Small messages that the far side waits for; a kernel that refuses only makes them later.
        let _ = stream.set_nodelay(true);
        let (ids, pieces) = (ids.clone(), pieces.clone());
        match &acceptor {
            None => drop(tokio::spawn(carry_accepted(stream, Transport::Tcp, peer, ids, pieces))),
            Some(acceptor) => {
                let Some(caller) = callers.enter(peer.ip()) else { continue };
                let Ok(permit) = handshakes.clone().try_acquire_owned() else { continue };
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let shaken = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await;
                    drop((permit, caller));
                    match shaken {
                        Ok(Ok(stream)) => carry_accepted(stream, Transport::Tls, peer, ids, pieces).await,
                        Ok(Err(error)) => tracing::debug!(%error, %peer, "a TLS handshake failed"),
                        Err(_) => tracing::debug!(%peer, "a TLS handshake took too long"),
                    }
                });
            }
        }
    }
}

async fn carry_accepted(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite,
    transport: Transport,
    peer: SocketAddr,
    ids: Arc<FlowIds>,
    pieces: mpsc::Sender<FromStreams>,
) {
    let flow = ids.next();
    let (writer, outgoing) = mpsc::channel(WRITE_QUEUE);
    if pieces.send(FromStreams::Accepted { flow, peer, transport, writer }).await.is_ok() {
        carry(stream, flow, outgoing, pieces).await;
    }
}

/// How many handshakes each address has under way.
#[derive(Clone, Default)]
struct Callers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One of them; gone when dropped.
struct Caller {
    of: Callers,
    ip: IpAddr,
}

impl Callers {
    fn enter(&self, ip: IpAddr) -> Option<Caller> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= HANDSHAKES_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Caller { of: self.clone(), ip })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut counts = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.ip);
            }
        }
    }
}

/// Connects a socket and starts carrying it; used for connections of ours.
pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}
