//! A scripted peer: writes raw requests and responses, and reads what comes back.

use std::net::SocketAddr;
use std::time::Duration;

use cordboard_sip::message::{HeaderId, Headers, Message, Request, Response, parse};
use cordboard_sip::{Command, DialogId, Event, Stats};

use crate::sim::Network;

pub(crate) const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
pub(crate) const ANSWER: &str =
    "v=0\r\no=- 2 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 5000 RTP/AVP 0\r\n";

/// A network with one endpoint and one peer that follows a script.
pub(crate) struct Stage {
    pub(crate) net: Network,
    pub(crate) us: SocketAddr,
    pub(crate) peer: SocketAddr,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self::on("192.0.2.1:5060", "192.0.2.9:5060")
    }

    pub(crate) fn on(us: &str, peer: &str) -> Self {
        let mut net = Network::new();
        let us = net.endpoint(us, 7);
        Self { net, us, peer: peer.parse().unwrap() }
    }

    pub(crate) fn send(&mut self, bytes: impl Into<Vec<u8>>) {
        self.net.inject(self.peer, self.us, bytes);
    }

    pub(crate) fn wait(&mut self, duration: Duration) {
        self.net.run_for(duration);
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.net.command(self.us, command);
    }

    pub(crate) fn event(&mut self) -> Option<Event> {
        self.net.take_event().map(|(_, event)| event)
    }

    /// The next message to the peer.
    pub(crate) fn next(&mut self) -> Option<Message> {
        let (_, bytes) = self.net.take(self.peer)?;
        Some(parse(&bytes).unwrap().message)
    }

    #[track_caller]
    pub(crate) fn response(&mut self) -> Response {
        match self.next() {
            Some(Message::Response(response)) => response,
            other => panic!("expected a response, got {other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn request(&mut self) -> Request {
        match self.next() {
            Some(Message::Request(request)) => request,
            other => panic!("expected a request, got {other:?}"),
        }
    }

    /// The next message must be a response with this status.
    #[track_caller]
    pub(crate) fn expect(&mut self, status: u16) -> Response {
        let response = self.response();
        assert_eq!(response.status, status, "{:?}", String::from_utf8_lossy(&response.to_bytes()));
        response
    }

    #[track_caller]
    pub(crate) fn expect_silence(&mut self) {
        let message = self.next();
        assert!(message.is_none(), "{message:?}");
    }

    /// Everything still to come is thrown away.
    pub(crate) fn clear(&mut self) {
        while self.next().is_some() {}
        while self.event().is_some() {}
    }

    /// After the linger timers nothing may be left.
    #[track_caller]
    pub(crate) fn expect_idle(&mut self) {
        self.wait(Duration::from_secs(75));
        assert_eq!(self.net.stats(self.us), Stats::default());
    }

    /// An INVITE comes in and is taken by the application; gives its dialog.
    #[track_caller]
    pub(crate) fn incoming(&mut self, call: &Call) -> DialogId {
        self.send(call.invite());
        self.expect(100);
        match self.event() {
            Some(Event::Incoming(incoming)) => incoming.dialog,
            other => panic!("expected a call, got {other:?}"),
        }
    }

    /// A call comes in, is accepted and acknowledged.
    #[track_caller]
    pub(crate) fn established(&mut self, call: &mut Call) -> DialogId {
        let dialog = self.incoming(call);
        self.command(Command::Accept { dialog, sdp: ANSWER.into() });
        let answer = self.expect(200);
        call.learn_tag(&answer.headers);
        self.send(call.ack(1));
        assert_eq!(self.event(), Some(Event::Confirmed { dialog, sdp: None }));
        dialog
    }
}

/// The peer's side of one call, as caller.
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) us: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) to_tag: Option<String>,
    pub(crate) extra: String,
}

impl Call {
    pub(crate) fn new(stage: &Stage, name: &str) -> Self {
        Self { name: name.to_owned(), us: stage.us, peer: stage.peer, to_tag: None, extra: String::new() }
    }

    pub(crate) fn with(mut self, header: &str) -> Self {
        self.extra.push_str(header);
        self.extra.push_str("\r\n");
        self
    }

    pub(crate) fn learn_tag(&mut self, headers: &Headers) {
        self.to_tag = tag(headers, HeaderId::To);
    }

    pub(crate) fn invite(&self) -> String {
        self.invite_with("b1", OFFER)
    }

    pub(crate) fn invite_with(&self, branch: &str, sdp: &str) -> String {
        self.text("INVITE", 1, branch, "application/sdp", sdp)
    }

    pub(crate) fn ack(&self, number: u32) -> String {
        self.text("ACK", number, &format!("ack{number}"), "", "")
    }

    /// The ACK to a failure: the INVITE's branch.
    pub(crate) fn ack_failure(&self) -> String {
        self.text("ACK", 1, "b1", "", "")
    }

    pub(crate) fn cancel(&self) -> String {
        self.text("CANCEL", 1, "b1", "", "")
    }

    pub(crate) fn bye(&self, number: u32) -> String {
        self.text("BYE", number, &format!("bye{number}"), "", "")
    }

    pub(crate) fn text(&self, method: &str, number: u32, branch: &str, content_type: &str, body: &str) -> String {
        let Self { name, us, peer, extra, .. } = self;
        let to_tag = self.to_tag.as_ref().map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let content_type = if body.is_empty() { String::new() } else { format!("Content-Type: {content_type}\r\n") };
        format!(
            "{method} sip:+442079460102@{us} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {peer};branch=z9hG4bK{name}{branch}\r\n\
             Max-Forwards: 70\r\n\
             From: \"Caller\" <sip:+15550100@{peer}>;tag={name}from\r\n\
             To: <sip:+442079460102@{us}>{to_tag}\r\n\
             Call-ID: {name}@peer\r\n\
             CSeq: {number} {method}\r\n\
             Contact: <sip:caller@{peer};transport=udp>\r\n\
             {extra}{content_type}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// The tag of From or To.
pub(crate) fn tag(headers: &Headers, id: HeaderId) -> Option<String> {
    let text = headers.first(id)?.text();
    cordboard_sip::message::NameAddr::parse(&text).unwrap().tag().map(str::to_owned)
}

/// The text of the first header field with this id.
pub(crate) fn text(headers: &Headers, id: HeaderId) -> String {
    headers.first(id).map(|header| header.text().into_owned()).unwrap_or_default()
}

/// A response of the peer to a request of ours.
pub(crate) fn reply(request: &Request, status: u16, to_tag: &str, extra: &str, sdp: &str) -> Vec<u8> {
    let mut response = Response::to_request(request, status, Some(to_tag));
    for line in extra.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response.headers.push_header(cordboard_sip::message::Header::new(name, value));
    }
    if !sdp.is_empty() {
        response.headers.push(HeaderId::ContentType, "application/sdp");
        response.body = sdp.into();
    }
    response.to_bytes()
}
