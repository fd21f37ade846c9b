//! One endpoint and nothing around it: inputs in, outputs out, time by hand.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cordboard_sip::message::{Message, Request, Response, parse};
use cordboard_sip::{
    Command, Endpoint, EndpointConfig, Event, FlowId, Input, Limits, LocalAddresses, Opened, Output, Secret, SipUser,
    Stats, Target, Transport,
};

pub(crate) const PHONE: &str = "192.0.2.50:5062";

pub(crate) struct Bare {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: Instant,
    pub(crate) sent: Vec<(Target, Vec<u8>)>,
    pub(crate) events: Vec<Event>,
    pub(crate) closed: Vec<FlowId>,
}

impl Bare {
    pub(crate) fn new() -> Self {
        let address: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let local = LocalAddresses::udp(address)
            .with(Transport::Tcp, address)
            .with(Transport::Tls, "192.0.2.1:5061".parse().unwrap())
            .with(Transport::Udp, "[2001:db8::1]:5060".parse().unwrap());
        let (realm, user_agent) = ("cordboard".to_owned(), "test".to_owned());
        let config = EndpointConfig { local, realm, user_agent, limits: Limits::default() };
        let endpoint = Endpoint::new(config, 7);
        Self { endpoint, now: Instant::now(), sent: Vec::new(), events: Vec::new(), closed: Vec::new() }
    }

    /// With the user ada, whose password is open.
    pub(crate) fn registrar() -> Self {
        let mut bare = Self::new();
        bare.command(Command::SetUsers(vec![user("ada", "open"), user("bo", "other")]));
        bare
    }

    pub(crate) fn feed(&mut self, input: Input) {
        self.endpoint.handle_input(self.now, input);
        loop {
            match self.endpoint.poll_output() {
                Output::Transmit { to, bytes } => self.sent.push((to, bytes)),
                Output::Event(event) => self.events.push(event),
                Output::Close { flow } => self.closed.push(flow),
                Output::Timeout(_) => return,
            }
        }
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.feed(Input::Command(command));
    }

    pub(crate) fn datagram(&mut self, from: &str, bytes: impl Into<Vec<u8>>) {
        self.feed(Input::Datagram { from: from.parse().unwrap(), bytes: bytes.into() });
    }

    pub(crate) fn open(&mut self, flow: u64, peer: &str, transport: Transport) -> FlowId {
        let flow = FlowId(flow);
        self.feed(Input::StreamOpened { flow, peer: peer.parse().unwrap(), transport, opened: Opened::ByPeer });
        flow
    }

    pub(crate) fn bytes(&mut self, flow: FlowId, bytes: impl Into<Vec<u8>>) {
        self.feed(Input::StreamBytes { flow, bytes: bytes.into() });
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Output::Timeout(Some(next)) = self.endpoint.poll_output() {
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    /// The next response, and the way it takes.
    #[track_caller]
    pub(crate) fn response(&mut self) -> (Target, Response) {
        assert!(!self.sent.is_empty(), "nothing was sent");
        let (to, bytes) = self.sent.remove(0);
        match parse(&bytes).unwrap().message {
            Message::Response(response) => (to, response),
            Message::Request(request) => panic!("{request:?}"),
        }
    }

    /// The next request, and the way it takes.
    #[track_caller]
    pub(crate) fn request(&mut self) -> (Target, Request) {
        assert!(!self.sent.is_empty(), "nothing was sent");
        let (to, bytes) = self.sent.remove(0);
        match parse(&bytes).unwrap().message {
            Message::Request(request) => (to, request),
            Message::Response(response) => panic!("{response:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn expect_idle(&mut self) {
        self.wait(Duration::from_hours(2));
        assert_eq!(self.endpoint.stats(), Stats::default());
    }
}

pub(crate) fn user(name: &str, password: &str) -> SipUser {
    SipUser { username: name.to_owned(), secret: Secret::Password(password.to_owned()) }
}

/// A message of one start line, the header fields each has, more of them, and a body.
pub(crate) fn text(method: &str, uri: &str, via: &str, number: u32, more: &str, body: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{via};branch=z9hG4bK{method}{number}\r\nMax-Forwards: 70\r\n\
         From: <sip:ada@192.0.2.1>;tag=f\r\nTo: <sip:ada@192.0.2.1>\r\nCall-ID: c\r\nCSeq: {number} {method}\r\n\
         {more}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
