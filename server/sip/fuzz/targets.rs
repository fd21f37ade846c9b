//! What must hold for any bytes at all: nothing panics, and what was read is read again when it is written.
//!
//! cargo-fuzz runs these on a nightly compiler; the tests of the crate run the same functions over the kept corpus.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cordboard_sip::digest::Challenge;
use cordboard_sip::endpoint::relayable;
use cordboard_sip::framer::{Frame, Framer};
use cordboard_sip::message::{
    Envelope, HeaderId, Headers, MAX_HEADERS, MAX_LINE_BYTES, MAX_MESSAGE_BYTES, Message, NameAddr, Parsed, SipUri,
    Via, parse,
};
use cordboard_sip::sdp::{AudioCodec, SessionDescription, answer};
use cordboard_sip::{
    Command, Endpoint, EndpointConfig, Event, FlowId, Input, Limits, LocalAddresses, Opened, Output, Secret, SipUser,
    Stats, Transport,
};

/// A datagram: parse, print, parse; and an endpoint that gets it.
pub(crate) fn message(data: &[u8]) {
    if let Ok(Parsed { message, defect: None }) = parse(data) {
        let again = parse(&message.to_bytes());
        if prints_within_limits(&message) {
            let again = again.expect("what was printed is a message");
            assert_eq!(again.defect, None, "{message:?}");
            assert_eq!(essence(&again.message), essence(&message));
            let headers = headers_of(&message);
            assert_eq!(Envelope::read(headers_of(&again.message)), Envelope::read(headers));
        }
        let _ = relayable(headers_of(&message), &[], false);
    }
    endpoint(|from, bytes| vec![Input::Datagram { from, bytes }], data);
}

/// A session description: parse, print, parse; and an answer to it.
pub(crate) fn sdp(data: &[u8]) {
    let Ok(description) = SessionDescription::parse(data) else { return };
    let again = SessionDescription::parse(&description.to_bytes()).expect("what was printed is a description");
    assert_eq!(again, description);
    let local = SocketAddr::from(([192, 0, 2, 1], 4_000));
    if let Ok((ours, _)) = answer(&description, local, 1, 1, &[AudioCodec::Pcmu, AudioCodec::Pcma]) {
        assert_eq!(ours.media.len(), description.media.len(), "one line answers each (RFC 3264 §6)");
        SessionDescription::parse(&ours.to_bytes()).expect("ours is a description");
    }
}

/// The value of one header field, taken for each kind in turn.
pub(crate) fn header(data: &[u8]) {
    let text: String = String::from_utf8_lossy(data).chars().filter(|it| !matches!(it, '\r' | '\n')).collect();
    let text = text.trim();
    if let Some(via) = Via::parse(text) {
        assert_eq!(Via::parse(&via.to_string()).as_ref(), Some(&via));
    }
    if let Ok(uri) = text.parse::<SipUri>() {
        assert_eq!(uri.to_string().parse().as_ref(), Ok(&uri));
        let _ = (uri.user(), uri.socket_addr());
    }
    if let Ok(party) = NameAddr::parse(text) {
        assert_eq!(NameAddr::parse(&party.to_string()).as_ref(), Ok(&party));
    }
    if let Some(challenge) = Challenge::parse(text) {
        let value = challenge.answer(text, "secret", "INVITE", text, "cnonce", 1);
        assert!(!value.contains(['\r', '\n']), "nothing is smuggled into a header field");
    }
    // As a REGISTER's proof and Contact, and as everything else an endpoint reads.
    for name in ["Authorization", "Contact", "Via", "To", "Expires", "Require", "Record-Route", "Replaces"] {
        let request = format!(
            "REGISTER sip:192.0.2.1 SIP/2.0\r\n{name}: {text}\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
             From: <sip:ada@192.0.2.1>;tag=1\r\nTo: <sip:ada@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\r\n"
        );
        endpoint(|from, bytes| vec![Input::Datagram { from, bytes }], request.as_bytes());
    }
}

/// A byte stream: it falls into the same messages however it is cut, and an endpoint survives it.
pub(crate) fn stream(data: &[u8]) {
    let whole = frames(data, data.len().max(1));
    for piece in [1, 7] {
        assert_eq!(frames(data, piece), whole, "in pieces of {piece}");
    }
    let flow = FlowId(1);
    let inputs = |peer, bytes: Vec<u8>| {
        let opened = Input::StreamOpened { flow, peer, transport: Transport::Tcp, opened: Opened::ByPeer };
        let pieces = bytes.chunks(19).map(|piece| Input::StreamBytes { flow, bytes: piece.to_vec() });
        std::iter::once(opened).chain(pieces).collect()
    };
    endpoint(inputs, data);
}

fn frames(data: &[u8], piece: usize) -> Vec<String> {
    let mut framer = Framer::default();
    let mut seen = Vec::new();
    for piece in data.chunks(piece) {
        framer.push(piece);
        while let Some(frame) = framer.next() {
            seen.push(match frame {
                Ok(Frame::Message(parsed)) => format!("{parsed:?}"),
                Ok(Frame::Last(parsed)) => format!("last {parsed:?}"),
                Ok(Frame::Ping) => "ping".to_owned(),
                Err(error) => format!("{error:?}"),
            });
        }
    }
    seen
}

/// Gives an endpoint these inputs, takes every call, and lets the time pass that empties its tables.
fn endpoint(inputs: impl FnOnce(SocketAddr, Vec<u8>) -> Vec<Input>, data: &[u8]) {
    let local = LocalAddresses::udp(SocketAddr::from(([192, 0, 2, 1], 5_060)));
    let (realm, user_agent) = ("cordboard".to_owned(), "fuzz".to_owned());
    let mut endpoint = Endpoint::new(EndpointConfig { local, realm, user_agent, limits: Limits::default() }, 1);
    let ada = SipUser { username: "ada".to_owned(), secret: Secret::Password("open".to_owned()) };
    // Half of all inputs meet a registrar that challenges, half an endpoint that takes calls.
    let registrar = data.len().is_multiple_of(2);
    let mut now = Instant::now();
    let mut todo = inputs(SocketAddr::from(([192, 0, 2, 9], 5_060)), data.to_vec());
    if registrar {
        todo.insert(0, Input::Command(Command::SetUsers(vec![ada])));
    }
    todo.reverse();
    for _ in 0..10_000 {
        let input = todo.pop().unwrap_or(Input::Timeout);
        endpoint.handle_input(now, input);
        let deadline = loop {
            match endpoint.poll_output() {
                Output::Event(Event::Incoming(call)) => {
                    let dialog = call.dialog;
                    todo.insert(0, Input::Command(Command::HangUp { dialog }));
                    todo.insert(0, Input::Command(Command::Accept { dialog, sdp: b"v=0\r\n".to_vec() }));
                }
                Output::Event(_) | Output::Transmit { .. } | Output::Close { .. } => {}
                Output::Timeout(deadline) => break deadline,
            }
        };
        match deadline {
            Some(deadline) if todo.is_empty() => now = now.max(deadline),
            None if todo.is_empty() => break,
            Some(_) | None => now += Duration::from_millis(1),
        }
    }
    assert_eq!(endpoint.stats(), Stats::default(), "nothing stays behind");
}

fn headers_of(message: &Message) -> &Headers {
    match message {
        Message::Request(request) => &request.headers,
        Message::Response(response) => &response.headers,
    }
}

/// Start line, header fields and body.
type Essence = (String, Vec<(String, Vec<u8>)>, Vec<u8>);

/// All of a message but its Content-Length, which is always written anew.
fn essence(message: &Message) -> Essence {
    let headers = headers_of(message).iter().filter(|header| header.id() != Some(HeaderId::ContentLength));
    let headers = headers.map(|header| (header.name().to_owned(), header.value().to_vec())).collect();
    match message {
        Message::Request(it) => (format!("{:?} {:?}", it.method, it.uri), headers, it.body.clone()),
        Message::Response(it) => (format!("{} {:?}", it.status, it.reason), headers, it.body.clone()),
    }
}

/// Printing adds a space behind each colon and a Content-Length: at the limits themselves that is one too many.
fn prints_within_limits(message: &Message) -> bool {
    let headers = headers_of(message);
    headers.len() < MAX_HEADERS
        && message.to_bytes().len() <= MAX_MESSAGE_BYTES
        && headers.iter().all(|header| header.name().len() + header.value().len() + 2 <= MAX_LINE_BYTES)
}
