//! Callers and phones: INVITE, 180, 200, ACK, BYE, 200, as many a second as wished, from sockets of one thread.
//!
//! Callers send on the beat whether the far side keeps up or not. Messages are read by the product's parser and written
//! out by hand. A request without an answer is sent again (RFC 3261 §17.1); phones answer each copy of a request alike.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use cordboard_sip::digest::Challenge;
use cordboard_sip::message::{HeaderId, Headers, Message, Method, Request, Response, parse};
use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token};

use crate::office::Desk;
use crate::table::Times;

/// The first pause before a request is sent again (RFC 3261, T1), and how often it is sent.
const T1: Duration = Duration::from_millis(500);
const TRIES: u32 = 7;
/// A call that is not over after this long has failed.
const LIMIT: Duration = Duration::from_secs(20);
/// How often requests without an answer are looked for.
const LOOK: Duration = Duration::from_millis(100);

/// Where calls are sent, and to whom.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// The socket it leaves by, counted from 0.
    pub(crate) caller: usize,
    /// Where the INVITE goes.
    pub(crate) to: SocketAddr,
    /// Whom it asks for.
    pub(crate) uri: String,
}

/// What came of a load.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) placed: usize,
    pub(crate) completed: usize,
    /// Calls that failed, by what was heard last.
    pub(crate) failed: BTreeMap<String, usize>,
    /// Requests sent again.
    pub(crate) repeated: usize,
    /// From the INVITE to its 180.
    pub(crate) ringing: Times,
    /// From the INVITE to its 200; the phones answer as soon as they ring.
    pub(crate) answered: Times,
}

/// All sockets: first the callers', then the phones'.
pub(crate) struct Load {
    poll: Poll,
    sockets: Vec<UdpSocket>,
    callers: usize,
    calls: BTreeMap<u64, Call>,
    next: u64,
    outcome: Outcome,
    buffer: Vec<u8>,
}

struct Call {
    way: Way,
    sent: Instant,
    state: State,
    /// The request that waits for an answer.
    unanswered: Option<Unanswered>,
    /// To, with the far side's tag; its Contact; the proxies on the path, nearest first.
    remote: String,
    target: String,
    routes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Calling,
    Ringing,
    /// Talks until then.
    Up(Instant),
    HangingUp,
}

struct Unanswered {
    text: String,
    again: Instant,
    pause: Duration,
    tries: u32,
}

impl Load {
    /// Opens a socket for each caller's address and each phone, and registers the phones when there is a registrar.
    pub(crate) fn open(callers: &[IpAddr], desks: &[Desk], registrar: Option<SocketAddr>) -> Result<Self> {
        let mut load = Self {
            poll: Poll::new()?,
            sockets: Vec::new(),
            callers: callers.len(),
            calls: BTreeMap::new(),
            next: 0,
            outcome: Outcome::default(),
            buffer: vec![0; 65_536],
        };
        for ip in callers {
            load.add(std::net::UdpSocket::bind((*ip, 0))?)?;
        }
        for desk in desks {
            let socket = std::net::UdpSocket::bind((desk.ip, 0))?;
            if let Some(registrar) = registrar {
                register(&socket, desk, registrar).with_context(|| format!("the phone {}", desk.username))?;
            }
            load.add(socket)?;
        }
        Ok(load)
    }

    /// Where a phone is, counted from 0.
    pub(crate) fn phone(&self, index: usize) -> Result<SocketAddr> {
        Ok(self.sockets.get(self.callers + index).context("no such phone")?.local_addr()?)
    }

    /// Places calls by these ways in turn, so many a second for so long; each talks for `talk`. All are over at the end.
    pub(crate) fn run(&mut self, ways: &[Way], rate: u32, span: Duration, talk: Duration) -> Result<Outcome> {
        ensure!(rate > 0 && !ways.is_empty(), "nothing to place");
        self.outcome = Outcome::default();
        let beat = Duration::from_secs(1) / rate;
        let begun = Instant::now();
        let (mut due, mut look) = (begun, begun + LOOK);
        let mut ready = Events::with_capacity(1_024);
        let mut turn = ways.iter().cycle();
        loop {
            let now = Instant::now();
            while due <= now && due < begun + span {
                if let Some(way) = turn.next() {
                    self.invite(way.clone(), now);
                }
                due += beat;
            }
            if look <= now {
                self.look(now, talk);
                look = now + LOOK;
            }
            self.hang_up_due(now);
            let placing = due < begun + span;
            if !placing && self.calls.is_empty() {
                return Ok(std::mem::take(&mut self.outcome));
            }
            // Hang-ups come in the order of the answers, so a coarse beat of a millisecond is enough for them.
            let wait = if placing { due.saturating_duration_since(now) } else { LOOK };
            self.poll.poll(&mut ready, Some(wait.min(Duration::from_millis(1))))?;
            let tokens: Vec<usize> = ready.iter().map(|event| event.token().0).collect();
            for at in tokens {
                self.read(at, talk)?;
            }
        }
    }

    fn add(&mut self, socket: std::net::UdpSocket) -> Result<()> {
        socket.set_nonblocking(true)?;
        let mut socket = UdpSocket::from_std(socket);
        self.poll.registry().register(&mut socket, Token(self.sockets.len()), Interest::READABLE)?;
        self.sockets.push(socket);
        Ok(())
    }

    fn read(&mut self, at: usize, talk: Duration) -> Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Ok((length, from)) = self.sockets[at].recv_from(&mut buffer) {
            // What nobody can read would fail its call by the limit.
            let Ok(parsed) = parse(&buffer[..length]) else { continue };
            match parsed.message {
                Message::Request(request) if at >= self.callers => self.ring(at, from, &request)?,
                Message::Request(request) => self.asked(at, from, &request)?,
                Message::Response(response) => self.heard(&response, Instant::now(), talk),
            }
        }
        self.buffer = buffer;
        Ok(())
    }

    /// A phone is asked for something.
    fn ring(&self, at: usize, from: SocketAddr, request: &Request) -> Result<()> {
        let here = self.sockets[at].local_addr()?;
        match request.method {
            Method::Ack => {}
            Method::Invite => {
                self.answer(at, from, request, 180, None)?;
                self.answer(at, from, request, 200, Some(sdp(here)))?;
            }
            _ => self.answer(at, from, request, 200, None)?,
        }
        Ok(())
    }

    /// A caller is asked for something: only a call that ends from over there is expected.
    fn asked(&mut self, at: usize, from: SocketAddr, request: &Request) -> Result<()> {
        if request.method != Method::Ack {
            self.answer(at, from, request, 200, None)?;
        }
        if request.method == Method::Bye {
            self.fail(call_of(&request.headers), "BYE from the far side");
        }
        Ok(())
    }

    fn answer(&self, at: usize, to: SocketAddr, request: &Request, status: u16, body: Option<String>) -> Result<()> {
        let mut response = Response::to_request(request, status, Some("phone"));
        for header in request.headers.all(HeaderId::RecordRoute) {
            response.headers.push_header(header.clone());
        }
        response.headers.push(HeaderId::Contact, format!("<sip:phone@{}>", self.sockets[at].local_addr()?));
        if let Some(body) = body {
            response.headers.push(HeaderId::ContentType, "application/sdp");
            response.body = body.into_bytes();
        }
        self.send(at, to, &response.to_bytes());
        Ok(())
    }

    /// A caller hears an answer.
    fn heard(&mut self, response: &Response, now: Instant, talk: Duration) {
        let id = call_of(&response.headers);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let to_invite = response.headers.text_of("CSeq").is_some_and(|value| value.ends_with("INVITE"));
        match (to_invite, response.status, call.state) {
            (true, 100..=199, State::Calling | State::Ringing) => {
                call.unanswered = None;
                if response.status == 180 && call.state == State::Calling {
                    call.state = State::Ringing;
                    self.outcome.ringing.add(now - call.sent);
                }
            }
            (true, 200..=299, state) => {
                call.unanswered = None;
                call.remote = response.headers.text_of("To").unwrap_or_default().into_owned();
                let contact = response.headers.text_of("Contact").unwrap_or_default();
                uri_of(&contact).clone_into(&mut call.target);
                // RFC 3261 §12.1.2: the proxies nearest to us stand last.
                call.routes = response.headers.list(HeaderId::RecordRoute);
                call.routes.reverse();
                if matches!(state, State::Calling | State::Ringing) {
                    call.state = State::Up(now + talk);
                    self.outcome.answered.add(now - call.sent);
                }
                self.within(id, "ACK", 1, now);
            }
            (true, 300.., State::Calling | State::Ringing) => {
                call.remote = response.headers.text_of("To").unwrap_or_default().into_owned();
                self.refused(id);
                self.fail(id, &response.status.to_string());
            }
            (false, 200.., State::HangingUp) => {
                self.calls.remove(&id);
                self.outcome.completed += 1;
            }
            _ => {}
        }
    }

    fn invite(&mut self, way: Way, now: Instant) {
        let id = self.next;
        self.next += 1;
        self.outcome.placed += 1;
        let Some(here) = self.here(way.caller) else { return };
        let body = sdp(here);
        let text = format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKi{id};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:+4477009{last:05}@{here}>;tag=c{id}\r\nTo: <{uri}>\r\nCall-ID: {id}@{here}\r\nCSeq: 1 INVITE\r\n\
             Contact: <sip:caller@{here}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
            uri = way.uri,
            last = id % 100_000,
        );
        self.send(way.caller, way.to, text.as_bytes());
        let call = Call {
            remote: format!("<{}>", way.uri),
            target: way.uri.clone(),
            routes: Vec::new(),
            way,
            sent: now,
            state: State::Calling,
            unanswered: Some(Unanswered { text, again: now + T1, pause: T1, tries: 1 }),
        };
        self.calls.insert(id, call);
    }

    /// A request within a call that is up: its ACK (RFC 3261 §13.2.2.4) or its BYE.
    fn within(&mut self, id: u64, method: &str, sequence: u32, now: Instant) {
        let Some(call) = self.calls.get(&id) else { return };
        let Some(here) = self.here(call.way.caller) else { return };
        let routes: String = call.routes.iter().flat_map(|route| ["Route: ", route, "\r\n"]).collect();
        let text = format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{method}{id};rport\r\nMax-Forwards: 70\r\n{routes}\
             From: <sip:+4477009{:05}@{here}>;tag=c{id}\r\nTo: {}\r\nCall-ID: {id}@{here}\r\nCSeq: {sequence} {method}\r\n\
             Content-Length: 0\r\n\r\n",
            call.target,
            id % 100_000,
            call.remote,
        );
        self.send(call.way.caller, call.way.to, text.as_bytes());
        if method == "BYE"
            && let Some(call) = self.calls.get_mut(&id)
        {
            call.state = State::HangingUp;
            call.unanswered = Some(Unanswered { text, again: now + T1, pause: T1, tries: 1 });
        }
    }

    /// The ACK of a refusal, which belongs to the INVITE's transaction (RFC 3261 §17.1.1.3).
    fn refused(&mut self, id: u64) {
        let Some(call) = self.calls.get(&id) else { return };
        let Some(here) = self.here(call.way.caller) else { return };
        let text = format!(
            "ACK {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKi{id};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:+4477009{:05}@{here}>;tag=c{id}\r\nTo: {}\r\nCall-ID: {id}@{here}\r\nCSeq: 1 ACK\r\n\
             Content-Length: 0\r\n\r\n",
            id % 100_000,
            call.remote,
            uri = call.way.uri,
        );
        self.send(call.way.caller, call.way.to, text.as_bytes());
    }

    fn hang_up_due(&mut self, now: Instant) {
        let is_due = |call: &Call| matches!(call.state, State::Up(until) if until <= now);
        // Calls end about in the order they began.
        let due: Vec<u64> = self.calls.iter().filter(|(_, call)| is_due(call)).map(|(id, _)| *id).collect();
        for id in due {
            self.within(id, "BYE", 2, now);
        }
    }

    /// Sends again what was not answered, and gives up what takes too long.
    fn look(&mut self, now: Instant, talk: Duration) {
        let mut again = Vec::new();
        let mut over = Vec::new();
        for (id, call) in &mut self.calls {
            if now - call.sent > LIMIT + talk {
                over.push(*id);
            } else if let Some(unanswered) = call.unanswered.as_mut().filter(|it| it.again <= now && it.tries < TRIES) {
                unanswered.tries += 1;
                unanswered.pause *= 2;
                unanswered.again = now + unanswered.pause;
                again.push((call.way.caller, call.way.to, unanswered.text.clone()));
            }
        }
        for (caller, to, text) in again {
            self.outcome.repeated += 1;
            self.send(caller, to, text.as_bytes());
        }
        for id in over {
            self.fail(id, "no end within the limit");
        }
    }

    fn fail(&mut self, id: u64, why: &str) {
        if self.calls.remove(&id).is_some() {
            *self.outcome.failed.entry(why.to_owned()).or_default() += 1;
        }
    }

    fn here(&self, caller: usize) -> Option<SocketAddr> {
        self.sockets.get(caller)?.local_addr().ok()
    }

    fn send(&self, at: usize, to: SocketAddr, bytes: &[u8]) {
        if let Some(socket) = self.sockets.get(at) {
            // What the system does not take is lost, as on any network.
            drop(socket.send_to(bytes, to));
        }
    }
}

/// The call a message belongs to: the number its Call-ID begins with.
fn call_of(headers: &Headers) -> u64 {
    let id = headers.text_of("Call-ID").unwrap_or_default();
    id.split('@').next().and_then(|number| number.parse().ok()).unwrap_or(u64::MAX)
}

/// What stands between the angle brackets.
fn uri_of(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

fn sdp(here: SocketAddr) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP 0 101\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n",
        here.port(),
        ip = here.ip(),
    )
}

/// Registers a phone for ten minutes: asked for a proof, it gives one.
fn register(socket: &std::net::UdpSocket, desk: &Desk, registrar: SocketAddr) -> Result<()> {
    socket.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (here, name, uri) = (socket.local_addr()?, &desk.username, format!("sip:{registrar}"));
    let mut proof = String::new();
    let mut buffer = vec![0; 65_536];
    for sequence in 1..=2_u32 {
        let text = format!(
            "REGISTER {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bKr{name}x{sequence};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:{name}@{registrar}>;tag=r{name}\r\nTo: <sip:{name}@{registrar}>\r\nCall-ID: r{name}\r\n\
             CSeq: {sequence} REGISTER\r\nContact: <sip:{name}@{here}>\r\nExpires: 600\r\n{proof}Content-Length: 0\r\n\r\n"
        );
        socket.send_to(text.as_bytes(), registrar)?;
        let (length, _) = socket.recv_from(&mut buffer).context("no answer to a REGISTER")?;
        let Message::Response(response) = parse(&buffer[..length])?.message else { bail!("a request came") };
        match response.status {
            200 => return Ok(()),
            401 => {
                let found = Challenge::of_response(&response.headers);
                let (_, challenge) = found.first().context("nothing to answer")?;
                let value = challenge.answer(name, desk.password, "REGISTER", &uri, "bench", 1);
                proof = format!("Authorization: {value}\r\n");
            }
            status => bail!("a REGISTER was answered by {status}"),
        }
    }
    bail!("the proof was not taken")
}
