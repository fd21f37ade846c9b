//! SIP on real sockets: TCP and TLS, IPv4 and IPv6, bytes cut anywhere, certificates by name, and crowds.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use cordboard_server::net::sip::{CertificateFiles, SipConfig, SipError, SipHandle, start};
use cordboard_sip::message::NameAddr;
use cordboard_sip::sdp::{AudioCodec, Direction, SessionDescription, answer, offer};
use cordboard_sip::{Command, DialogId, Event, Invitation, Target, Transport};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

const PATIENCE: Duration = Duration::from_secs(20);

fn any() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn any6() -> SocketAddr {
    "[::1]:0".parse().unwrap()
}

/// Writes a certificate for a name, signed by itself, and its key.
fn certificate(folder: &Path, name: &str) -> CertificateFiles {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    CertificateFiles { name: Some(name.to_owned()), certificate, key }
}

/// Starts a shell whose application takes every call.
fn answering(config: &SipConfig) -> SipHandle {
    let (handle, mut events) = start(config, 1).unwrap();
    let commands = handle.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            if let Event::Incoming(call) = event {
                let dialog = call.dialog;
                commands.send(Command::Progress { dialog, status: 180, sdp: None });
                let theirs = SessionDescription::parse(&call.sdp.unwrap()).unwrap();
                let (ours, _) = answer(&theirs, rtp(), 1, 1, &[AudioCodec::Pcmu]).unwrap();
                commands.send(Command::Accept { dialog, sdp: ours.to_bytes() });
            }
        }
    });
    handle
}

fn rtp() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 20_000))
}

fn at(handle: &SipHandle, transport: Transport, six: bool) -> SocketAddr {
    let found = handle.bound().iter().find(|(kind, address)| *kind == transport && address.is_ipv6() == six);
    found.unwrap().1
}

fn options(transport: &str, number: u32) -> String {
    format!(
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/{transport} 127.0.0.1;branch=z9hG4bK{number};rport\r\n\
         From: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {number}\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

/// Reads until so many responses came; gives their status lines.
async fn statuses(stream: &mut (impl AsyncRead + Unpin), count: usize) -> Vec<String> {
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    loop {
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with("SIP/2.0 ")).map(str::to_owned).collect();
        if lines.len() >= count && text.ends_with("\r\n\r\n") {
            return lines;
        }
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "the connection ended after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
}

/// Whole, in 17-byte pieces, and two at once: each is answered.
async fn speaks_sip(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), transport: &str) {
    stream.write_all(options(transport, 1).as_bytes()).await.unwrap();
    assert_eq!(statuses(stream, 1).await, ["SIP/2.0 200 OK"]);
    for piece in options(transport, 2).as_bytes().chunks(17) {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(statuses(stream, 1).await, ["SIP/2.0 200 OK"]);
    stream.write_all([options(transport, 3), options(transport, 4)].concat().as_bytes()).await.unwrap();
    assert_eq!(statuses(stream, 2).await, ["SIP/2.0 200 OK", "SIP/2.0 200 OK"]);
    stream.write_all(b"\r\n\r\n").await.unwrap();
    let mut pong = [0; 2];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut pong)).await.unwrap().unwrap();
    assert_eq!(&pong, b"\r\n");
}

fn trusting(files: &CertificateFiles) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

#[tokio::test]
async fn tcp_carries_messages_however_they_are_cut_in_both_families() {
    let handle = answering(&SipConfig { udp: vec![any(), any6()], tcp: vec![any(), any6()], ..Default::default() });
    for six in [false, true] {
        let mut stream = TcpStream::connect(at(&handle, Transport::Tcp, six)).await.unwrap();
        speaks_sip(&mut stream, "TCP").await;
        let socket = UdpSocket::bind(if six { any6() } else { any() }).await.unwrap();
        socket.send_to(options("UDP", 9).as_bytes(), at(&handle, Transport::Udp, six)).await.unwrap();
        let mut buffer = [0; 4_096];
        let (length, _) = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
        assert!(buffer[..length].starts_with(b"SIP/2.0 200"));
    }
}

#[tokio::test]
async fn tls_answers_each_name_with_its_own_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let files = ["one.example.com", "two.example.com"].map(|name| certificate(folder.path(), name));
    let handle = answering(&SipConfig { tls: vec![any()], certificates: files.to_vec(), ..Default::default() });
    let address = at(&handle, Transport::Tls, false);
    for files in &files {
        let name = files.name.clone().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let mut stream = trusting(files).connect(ServerName::try_from(name).unwrap(), stream).await.unwrap();
        speaks_sip(&mut stream, "TLS").await;
    }
    // The certificate of the other name is not taken.
    let stream = TcpStream::connect(address).await.unwrap();
    let other = ServerName::try_from("two.example.com").unwrap();
    assert!(trusting(&files[0]).connect(other, stream).await.is_err());
}

#[tokio::test]
async fn a_call_of_ours_goes_by_tls_to_who_can_prove_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "trunk.example.com");
    let far = answering(&SipConfig { tls: vec![any()], certificates: vec![files.clone()], ..Default::default() });
    let config = SipConfig { udp: vec![any()], authorities: Some(files.certificate.clone()), ..Default::default() };
    let (near, mut events) = start(&config, 2).unwrap();
    let call = |number, name: &str| {
        let address = at(&far, Transport::Tls, false);
        let from = NameAddr::parse("<sip:us@127.0.0.1>").unwrap();
        let sdp = offer(rtp(), 1, 1, &[AudioCodec::Pcmu], Direction::SendRecv).to_bytes();
        let target = Target::Tls { address, server_name: Some(name.to_owned()) };
        let to = "sip:100@trunk.example.com".parse().unwrap();
        near.send(Invitation::new(DialogId::outgoing(number), to, from, target, sdp).into());
    };

    call(1, "trunk.example.com");
    assert!(matches!(next(&mut events).await, Event::Answered { .. }));
    near.send(Command::HangUp { dialog: DialogId::outgoing(1) });
    assert!(matches!(next(&mut events).await, Event::Ended { .. }));
    call(2, "other.example.com");
    assert!(matches!(next(&mut events).await, Event::Failed { status: 503, .. }));
}

/// The next event that is no progress.
async fn next(events: &mut mpsc::UnboundedReceiver<Event>) -> Event {
    loop {
        match tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap() {
            Event::Progress { .. } => {}
            event => return event,
        }
    }
}

#[tokio::test]
async fn a_tcp_connection_that_is_refused_fails_its_call_at_once() {
    let (handle, mut events) = start(&SipConfig { udp: vec![any()], ..Default::default() }, 3).unwrap();
    let nobody = TcpListener::bind(any()).await.unwrap().local_addr().unwrap();
    let from = NameAddr::parse("<sip:us@127.0.0.1>").unwrap();
    let to = "sip:100@127.0.0.1".parse().unwrap();
    let before = std::time::Instant::now();
    handle.send(Invitation::new(DialogId::outgoing(1), to, from, Target::Tcp(nobody), Vec::new()).into());
    assert!(matches!(next(&mut events).await, Event::Failed { status: 503, .. }));
    assert!(before.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_thousand_silent_connections_do_not_keep_others_out() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificate(folder.path(), "one.example.com");
    let config = SipConfig {
        udp: vec![any()],
        tcp: vec![any()],
        tls: vec![any()],
        certificates: vec![files.clone()],
        ..Default::default()
    };
    let handle = answering(&config);
    let mut crowd = Vec::new();
    for number in 0..300 {
        let kind = if number % 2 == 0 { Transport::Tcp } else { Transport::Tls };
        let mut stream = TcpStream::connect(at(&handle, kind, false)).await.unwrap();
        // Half a request line, half a handshake.
        let _ = stream.write_all(if number % 2 == 0 { b"INVITE sip" } else { b"\x16\x03\x01" }).await;
        crowd.push(stream);
    }
    let mut stream = TcpStream::connect(at(&handle, Transport::Tcp, false)).await.unwrap();
    speaks_sip(&mut stream, "TCP").await;
    assert!(handle.stats().streams <= 64, "{:?}", handle.stats());
    drop(crowd);
}

#[tokio::test]
async fn tls_without_a_certificate_does_not_start() {
    assert!(matches!(start(&SipConfig { tls: vec![any()], ..Default::default() }, 1), Err(SipError::Tls(_))));
    assert!(matches!(start(&SipConfig::default(), 1), Err(SipError::NoAddress)));
}

#[tokio::test]
async fn sipp_calls_us_100_times_by_tcp() {
    let handle = answering(&SipConfig { udp: vec![any()], tcp: vec![any()], ..Default::default() });
    let address = at(&handle, Transport::Tcp, false).to_string();
    let own = UdpSocket::bind(any()).await.unwrap().local_addr().unwrap().port().to_string();
    let sipp = tokio::process::Command::new("sipp")
        .args(["-sn", "uac", &address, "-t", "t1", "-r", "50", "-m", "100", "-d", "100", "-p", &own])
        .args(["-i", "127.0.0.1", "-nostdin", "-timeout", "60s", "-timeout_error"])
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .expect("SIPp must be installed: Debian package sip-tester");
    assert!(sipp.success(), "SIPp counts failed calls");
}

/// Sends an INVITE of more than 1,300 bytes to an address that a URI without a transport means.
fn send_large(handle: &SipHandle, peer: SocketAddr) {
    let dialog = DialogId::outgoing(1);
    let to = format!("sip:100@{peer}").parse().unwrap();
    let from = NameAddr::parse("<sip:us@127.0.0.1>").unwrap();
    let sdp = offer(rtp(), 1, 1, &[AudioCodec::Pcmu], Direction::SendRecv).to_bytes();
    let mut invitation = Invitation::new(dialog, to, from, Target::Udp(peer), sdp);
    invitation.headers.push(("X-Long".to_owned(), "x".repeat(2_000)));
    handle.send(invitation.into());
}

#[tokio::test]
async fn a_long_request_goes_by_tcp_where_the_far_side_has_it() {
    let (handle, _events) = start(&SipConfig { udp: vec![any()], ..SipConfig::default() }, 1).unwrap();
    let listener = TcpListener::bind(any()).await.unwrap();
    send_large(&handle, listener.local_addr().unwrap());
    let (mut stream, _) = tokio::time::timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut text = String::new();
    let mut buffer = [0; 4_096];
    while !text.contains("m=audio") {
        let length = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(length > 0, "the connection ended after {text:?}");
        text.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    assert!(text.starts_with("INVITE ") && text.contains("\r\nVia: SIP/2.0/TCP 127.0.0.1:"), "{text}");
}

#[tokio::test]
async fn a_long_request_comes_back_to_udp_where_the_connection_is_refused() {
    let (handle, _events) = start(&SipConfig { udp: vec![any()], ..SipConfig::default() }, 1).unwrap();
    let socket = UdpSocket::bind(any()).await.unwrap();
    send_large(&handle, socket.local_addr().unwrap());
    let mut buffer = vec![0; 65_535];
    let (length, _) = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer)).await.unwrap().unwrap();
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(length > 1_300 && text.contains("\r\nVia: SIP/2.0/UDP 127.0.0.1:"), "{text}");
}
