//! The telephone without its socket: what comes in, what is to be done, what goes out.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::line::Sounding;
use super::message::{Message, address, parameter, place, proof, tail};
use super::srtp::{self, Key};

/// The first pause before a request is sent again (RFC 3261, T1).
const T1: Duration = Duration::from_millis(500);
/// The longest (T2).
const T2: Duration = Duration::from_secs(4);
/// How often a message is sent at most.
const TRIES: u32 = 11;

/// A message and where it goes.
pub(super) type Datagram = (SocketAddr, String);

/// What it does with calls that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Rings, and answers at once.
    Answers,
    /// Rings until it is told.
    Rings,
    /// Refuses with a status.
    Refuses(u16),
    /// Says nothing at all.
    Silent,
}

/// Where a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Sent, and nothing heard.
    Calling,
    /// Rings on either side.
    Ringing,
    /// Answered.
    Up,
    /// Over, with the final status; 200 after a conversation.
    Over(u16),
}

/// Which way sound goes, as one side offers it (RFC 3264 section 8.4 for hold).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// The offerer sends only: hold with music.
    SendOnly,
    /// The offerer listens only.
    RecvOnly,
    /// Neither: hold.
    Inactive,
    /// Both ways by name, at the address 0.0.0.0: hold of old (RFC 2543).
    Nowhere,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) state: State,
    pub(super) invite: Message,
    pub(super) sound: Option<Sounding>,
    /// What the far side offered last.
    pub(super) theirs: Direction,
    pub(super) accepted_offers: u32,
    pub(super) bye_status: Option<u16>,
    /// What this side offered last.
    ours: Direction,
    id: String,
    /// Values of From and To in requests of this side.
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    sequence: u32,
    from: SocketAddr,
    outgoing: bool,
    tag: String,
    version: u32,
    /// Our 2xx that waits for its ACK.
    unacknowledged: Option<Repeat>,
    gives_up: bool,
    /// Where the far side wants its sound.
    aimed: Option<SocketAddr>,
    /// Our key, and whether the sound is encrypted.
    key: Key,
    pub(super) encrypted: bool,
    /// The tag and key of the far side's line.
    pub(super) far_key: Option<(String, Key)>,
}

#[derive(Debug)]
struct Repeat {
    to: SocketAddr,
    text: String,
    next: Instant,
    pause: Duration,
    tries: u32,
}

#[derive(Debug)]
struct Pending {
    method: &'static str,
    branch: String,
    uri: String,
    /// Headers between Via and Content-Length, with CSeq's number apart.
    headers: String,
    sequence: u32,
    body: Option<String>,
    call: Option<usize>,
    proven: bool,
    provisional: bool,
    repeat: Repeat,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) manner: Manner,
    pub(super) first_sequence: u16,
    pub(super) sends_while_held: bool,
    pub(super) encrypts: bool,
    /// Header lines of its INVITEs, each with its end.
    pub(super) more_headers: String,
    pub(super) registered: Option<u16>,
    pub(super) calls: Vec<Call>,
    pub(super) requests: Vec<Message>,
    pub(super) out: Vec<Datagram>,
    number: String,
    place: String,
    server: SocketAddr,
    tone: f64,
    amplitude: f64,
    sign_in: Option<(String, String)>,
    pending: Vec<Pending>,
    /// Answers to requests, for their copies.
    answered: VecDeque<(String, String)>,
    made: u32,
    story: VecDeque<String>,
}

impl Call {
    /// The value of our `a=crypto`: always the same key, by the tag of theirs.
    fn crypto(&self) -> Option<String> {
        let tag = self.far_key.as_ref().map_or("1", |(tag, _)| tag);
        self.encrypted.then(|| srtp::line(tag, &self.key))
    }
}

impl Core {
    pub(super) fn new(number: &str, port: u16, server: SocketAddr, tone: f64, amplitude: f64) -> Self {
        Self {
            manner: Manner::Answers,
            first_sequence: 1_000,
            sends_while_held: false,
            encrypts: false,
            more_headers: String::new(),
            registered: None,
            calls: Vec::new(),
            requests: Vec::new(),
            out: Vec::new(),
            number: number.to_owned(),
            place: format!("127.0.0.1:{port}"),
            server,
            tone,
            amplitude,
            sign_in: None,
            pending: Vec::new(),
            answered: VecDeque::new(),
            made: 0,
            story: VecDeque::new(),
        }
    }

    pub(super) fn note(&mut self, line: &str) {
        if self.story.len() >= 40 {
            self.story.pop_front();
        }
        self.story.push_back(line.to_owned());
    }

    /// The last messages, by their first lines.
    pub(super) fn story(&self) -> String {
        self.story.iter().fold("the last messages:".to_owned(), |text, line| text + "\n  " + line)
    }

    fn name(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}{}x{}", self.place.replace(['.', ':'], ""), self.made)
    }

    fn contact(&self) -> String {
        format!("sip:{}@{}", self.number, self.place)
    }

    pub(super) fn register(&mut self, user: &str, password: &str) {
        self.sign_in = Some((user.to_owned(), password.to_owned()));
        self.registered = None;
        user.clone_into(&mut self.number);
        let (tag, id) = (self.name("t"), self.name("r"));
        let server = self.server;
        let headers = format!(
            "From: <sip:{user}@{server}>;tag={tag}\r\nTo: <sip:{user}@{server}>\r\nCall-ID: {id}\r\n\
             Contact: <{}>\r\nExpires: 300\r\n",
            self.contact()
        );
        self.request("REGISTER", &format!("sip:{server}"), headers, 1, None, None, server);
    }

    pub(super) fn dial(&mut self, number: &str) -> Result<usize> {
        let (tag, id, server) = (self.name("t"), self.name("c"), self.server);
        let sound = Sounding::open(self.tone, self.amplitude, self.first_sequence)?;
        let (key, encrypted) = (srtp::fresh()?, self.encrypts);
        let crypto = encrypted.then(|| srtp::line("1", &key));
        let sdp = self.sdp(sound.port, 1, Direction::SendRecv, crypto);
        let (target, local) =
            (format!("sip:{number}@{server}"), format!("<sip:{}@{}>;tag={tag}", self.number, self.place));
        let index = self.calls.len();
        let headers = format!(
            "From: {local}\r\nTo: <{target}>\r\nCall-ID: {id}\r\nContact: <{}>\r\n\
             Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, NOTIFY, INFO, UPDATE\r\n{}",
            self.contact(),
            self.more_headers
        );
        let invite = self.request("INVITE", &target, headers, 1, Some(sdp), Some(index), server);
        let invite = Message::read(invite.as_bytes()).context("an INVITE that cannot be read")?;
        self.calls.push(Call {
            state: State::Calling,
            invite,
            sound: Some(sound),
            theirs: Direction::SendRecv,
            accepted_offers: 0,
            bye_status: None,
            ours: Direction::SendRecv,
            id,
            local,
            remote: format!("<{target}>"),
            target,
            routes: Vec::new(),
            sequence: 1,
            from: server,
            outgoing: true,
            tag,
            version: 1,
            unacknowledged: None,
            gives_up: false,
            aimed: None,
            key,
            encrypted,
            far_key: None,
        });
        Ok(index)
    }

    pub(super) fn answer(&mut self, index: usize) -> Result<()> {
        let call = &mut self.calls[index];
        if call.outgoing || call.state != State::Ringing {
            bail!("this call does not ring here: {:?}", call.state);
        }
        call.state = State::Up;
        let (port, version) = (call.sound.as_ref().map_or(0, |sound| sound.port), call.version);
        let crypto = call.crypto();
        let sdp = self.sdp(port, version, Direction::SendRecv, crypto);
        let contact = self.contact();
        let call = &mut self.calls[index];
        let text = call.invite.response(200, &call.tag, &contact, Some(&sdp));
        let (to, branch) = (call.from, call.invite.branch().to_owned());
        call.unacknowledged = Some(repeat(to, &text));
        self.aim(index);
        self.reply(to, branch + "INVITE", text);
        Ok(())
    }

    pub(super) fn refuse(&mut self, index: usize, status: u16) -> Result<()> {
        let contact = self.contact();
        let call = &mut self.calls[index];
        if call.outgoing || call.state != State::Ringing {
            bail!("this call does not ring here: {:?}", call.state);
        }
        call.state = State::Over(status);
        call.sound = None;
        let text = call.invite.response(status, &call.tag, &contact, None);
        let (to, branch) = (call.from, call.invite.branch().to_owned());
        self.reply(to, branch + "INVITE", text);
        Ok(())
    }

    pub(super) fn hang_up(&mut self, index: usize) -> Result<()> {
        match (self.calls[index].state, self.calls[index].outgoing) {
            (State::Up, _) => {
                self.within(index, "BYE", "", None);
                self.calls[index].state = State::Over(200);
                Ok(())
            }
            (State::Calling | State::Ringing, true) => {
                self.calls[index].gives_up = true;
                self.cancel(index);
                Ok(())
            }
            (State::Calling | State::Ringing, false) => self.refuse(index, 486),
            (State::Over(_), _) => Ok(()),
        }
    }

    /// RFC 3261 section 9.1: only after a provisional response, in the transaction of the INVITE.
    fn cancel(&mut self, index: usize) {
        let invite = self.pending.iter_mut().find(|it| it.method == "INVITE" && it.call == Some(index));
        let Some(invite) = invite.filter(|it| it.provisional) else { return };
        let kept = invite.headers.lines().filter(|line| !line.starts_with("Contact") && !line.starts_with("Allow"));
        let headers = kept.fold(String::new(), |text, line| text + line + "\r\n");
        let (branch, uri, sequence) = (invite.branch.clone(), invite.uri.clone(), invite.sequence);
        let text = self.text("CANCEL", &uri, &branch, &headers, sequence, None);
        let to = self.server;
        self.pending.push(Pending {
            method: "CANCEL",
            branch,
            uri,
            headers,
            sequence,
            body: None,
            call: None,
            proven: true,
            provisional: false,
            repeat: repeat(to, &text),
        });
        self.send(to, text);
    }

    pub(super) fn reinvite(&mut self, index: usize, direction: Direction) -> Result<()> {
        let call = &mut self.calls[index];
        if call.state != State::Up {
            bail!("this call is not up: {:?}", call.state);
        }
        call.version += 1;
        call.ours = direction;
        let (port, version) = (call.sound.as_ref().map_or(0, |sound| sound.port), call.version);
        let crypto = call.crypto();
        let sdp = self.sdp(port, version, direction, crypto);
        self.within(index, "INVITE", "", Some(sdp));
        Ok(())
    }

    pub(super) fn refer(&mut self, index: usize, target: &str, replaces: Option<usize>) {
        let mut to = target.to_owned();
        if let Some(other) = replaces {
            let other = &self.calls[other];
            let remote = parameter(&other.remote, "tag").unwrap_or_default();
            // RFC 3891: the tags as the one sees them who is to be replaced.
            let _ = write!(to, "?Replaces={}%3Bto-tag%3D{remote}%3Bfrom-tag%3D{}", other.id, other.tag);
        }
        let more = format!("Refer-To: <{to}>\r\nReferred-By: <{}>\r\n", self.contact());
        self.within(index, "REFER", &more, None);
    }

    /// A request within a dialog.
    fn within(&mut self, index: usize, method: &'static str, more: &str, body: Option<String>) {
        let contact = self.contact();
        let call = &mut self.calls[index];
        call.sequence += 1;
        let routes = call.routes.iter().fold(String::new(), |text, route| text + "Route: " + route + "\r\n");
        let headers = format!(
            "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nContact: <{contact}>\r\n{routes}{more}",
            call.local, call.remote, call.id
        );
        let (uri, sequence) = (call.target.clone(), call.sequence);
        let to = call.routes.first().and_then(|route| place(address(route))).or_else(|| place(&uri));
        let to = to.unwrap_or(call.from);
        self.request(method, &uri, headers, sequence, body, Some(index), to);
    }

    #[expect(clippy::too_many_arguments, reason = "all of them make the one request")]
    fn request(
        &mut self,
        method: &'static str,
        uri: &str,
        headers: String,
        sequence: u32,
        body: Option<String>,
        call: Option<usize>,
        to: SocketAddr,
    ) -> String {
        let branch = self.name("z9hG4bK");
        let text = self.text(method, uri, &branch, &headers, sequence, body.as_deref());
        let uri = uri.to_owned();
        let repeat = repeat(to, &text);
        self.pending.push(Pending {
            method,
            branch,
            uri,
            headers,
            sequence,
            body,
            call,
            proven: false,
            provisional: false,
            repeat,
        });
        self.send(to, text.clone());
        text
    }

    fn text(&self, method: &str, uri: &str, branch: &str, headers: &str, sequence: u32, body: Option<&str>) -> String {
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch={branch};rport\r\nMax-Forwards: 70\r\n{headers}\
             CSeq: {sequence} {method}\r\n{}",
            self.place,
            tail(body)
        )
    }

    fn sdp(&self, port: u16, version: u32, direction: Direction, crypto: Option<String>) -> String {
        let (host, way) = match direction {
            Direction::SendRecv => ("127.0.0.1", "sendrecv"),
            Direction::SendOnly => ("127.0.0.1", "sendonly"),
            Direction::RecvOnly => ("127.0.0.1", "recvonly"),
            Direction::Inactive => ("127.0.0.1", "inactive"),
            Direction::Nowhere => ("0.0.0.0", "sendrecv"),
        };
        let (profile, crypto) = match crypto {
            Some(value) => ("RTP/SAVP", format!("a=crypto:{value}\r\n")),
            None => ("RTP/AVP", String::new()),
        };
        format!(
            "v=0\r\no={} 7 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
             m=audio {port} {profile} 0 101\r\n{crypto}a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
             a=fmtp:101 0-15\r\na={way}\r\n",
            self.number
        )
    }

    fn send(&mut self, to: SocketAddr, text: String) {
        let first = text.lines().next().unwrap_or_default().to_owned();
        self.note(&format!("-> {first}"));
        self.out.push((to, text));
    }

    fn reply(&mut self, to: SocketAddr, key: String, text: String) {
        if self.answered.len() >= 64 {
            self.answered.pop_front();
        }
        self.answered.push_back((key, text.clone()));
        self.send(to, text);
    }

    /// Sends again what was not answered.
    pub(super) fn tick(&mut self, now: Instant) {
        let waiting = self.pending.iter_mut().filter(|it| !(it.provisional && it.method == "INVITE"));
        let repeats = waiting.map(|it| &mut it.repeat);
        let repeats = repeats.chain(self.calls.iter_mut().filter_map(|call| call.unacknowledged.as_mut()));
        let mut again = Vec::new();
        for repeat in repeats.filter(|it| it.next <= now && it.tries < TRIES) {
            repeat.tries += 1;
            repeat.pause = (repeat.pause * 2).min(T2);
            repeat.next = now + repeat.pause;
            again.push((repeat.to, repeat.text.clone()));
        }
        for (to, text) in again {
            self.send(to, text);
        }
    }

    pub(super) fn take(&mut self, from: SocketAddr, datagram: &[u8]) -> Result<()> {
        let Some(message) = Message::read(datagram) else { return Ok(()) };
        let cseq = message.header("cseq").unwrap_or_default().to_owned();
        self.note(&format!("<- {} ({cseq})", message.start));
        match message.status() {
            Some(status) => self.response(&message, status),
            None => self.called(from, &message),
        }
    }

    fn response(&mut self, message: &Message, status: u16) -> Result<()> {
        let (branch, (sequence, method)) = (message.branch(), message.sequence());
        let Some(place_of) = self.pending.iter().position(|it| it.branch == branch && it.method == method) else {
            // A 2xx again: its ACK was lost (RFC 3261 section 13.2.2.4).
            let id = message.header("call-id").unwrap_or_default();
            if let Some(index) = self.calls.iter().position(|it| it.id == id)
                && method == "INVITE"
                && (200..300).contains(&status)
            {
                self.acknowledge(index, sequence);
            }
            return Ok(());
        };
        if status < 200 {
            self.provisional(place_of, message, status);
            return Ok(());
        }
        let pending = self.pending.remove(place_of);
        if method == "INVITE" && status >= 300 {
            let to = message.header("to").unwrap_or_default();
            let lines = pending.headers.lines().filter(|line| line.starts_with("From") || line.starts_with("Call-ID"));
            let headers = lines.fold(format!("To: {to}\r\n"), |text, line| text + line + "\r\n");
            let text = self.text("ACK", &pending.uri, &pending.branch, &headers, sequence, None);
            self.send(pending.repeat.to, text);
        }
        if matches!(status, 401 | 407) && !pending.proven {
            return self.prove(pending, message);
        }
        match (method, pending.call) {
            ("REGISTER", _) => self.registered = Some(status),
            ("INVITE", Some(index)) => self.invite_answered(index, message, status, sequence),
            ("BYE", Some(index)) => self.calls[index].bye_status = Some(status),
            (_, _) => {}
        }
        Ok(())
    }

    fn provisional(&mut self, place_of: usize, message: &Message, status: u16) {
        let pending = &mut self.pending[place_of];
        pending.provisional = true;
        let Some(index) = pending.call.filter(|_| pending.method == "INVITE") else { return };
        let call = &mut self.calls[index];
        if call.gives_up {
            self.cancel(index);
            return;
        }
        if status >= 180 && call.state == State::Calling {
            call.state = State::Ringing;
        }
        if !message.body.is_empty() {
            self.learn(index, &message.body);
            self.aim(index);
        }
    }

    fn invite_answered(&mut self, index: usize, message: &Message, status: u16, sequence: u32) {
        let call = &mut self.calls[index];
        if status >= 300 {
            if !matches!(call.state, State::Up) {
                call.state = State::Over(status);
                call.sound = None;
            }
            return;
        }
        call.accepted_offers += 1;
        if call.state != State::Up {
            call.state = State::Up;
            message.header("to").unwrap_or_default().clone_into(&mut call.remote);
            call.routes = message.all("record-route").map(str::to_owned).collect();
            call.routes.reverse();
        }
        if let Some(contact) = message.header("contact") {
            address(contact).clone_into(&mut call.target);
        }
        self.learn(index, &message.body);
        self.aim(index);
        self.acknowledge(index, sequence);
        if self.calls[index].gives_up {
            // The answer crossed the CANCEL.
            self.within(index, "BYE", "", None);
            self.calls[index].state = State::Over(200);
        }
    }

    fn acknowledge(&mut self, index: usize, sequence: u32) {
        let branch = self.name("z9hG4bK");
        let call = &self.calls[index];
        let routes = call.routes.iter().fold(String::new(), |text, route| text + "Route: " + route + "\r\n");
        let headers = format!("From: {}\r\nTo: {}\r\nCall-ID: {}\r\n{routes}", call.local, call.remote, call.id);
        let to = call.routes.first().and_then(|route| place(address(route))).or_else(|| place(&call.target));
        let (to, uri) = (to.unwrap_or(call.from), call.target.clone());
        let text = self.text("ACK", &uri, &branch, &headers, sequence, None);
        self.send(to, text);
    }

    fn prove(&mut self, pending: Pending, message: &Message) -> Result<()> {
        let Some((user, password)) = self.sign_in.clone() else {
            if let Some(index) = pending.call {
                self.calls[index].state = State::Over(401);
            }
            return Ok(());
        };
        let status = message.status().unwrap_or(401);
        let (wanted, given) = if status == 401 {
            ("www-authenticate", "Authorization")
        } else {
            ("proxy-authenticate", "Proxy-Authorization")
        };
        let challenge = message.all(wanted).find(|it| it.contains("SHA-256")).context("no challenge by SHA-256")?;
        let proof = proof(challenge, pending.method, &pending.uri, &user, &password);
        let sequence = pending.sequence + 1;
        if let Some(call) = pending.call.and_then(|index| self.calls.get_mut(index)) {
            call.sequence = sequence;
        }
        let headers = format!("{}{given}: {proof}\r\n", pending.headers);
        let (call, to) = (pending.call, pending.repeat.to);
        self.request(pending.method, &pending.uri, headers, sequence, pending.body, call, to);
        if let Some(last) = self.pending.last_mut() {
            last.proven = true;
        }
        Ok(())
    }

    fn called(&mut self, from: SocketAddr, request: &Message) -> Result<()> {
        let (method, key) = (request.method().to_owned(), format!("{}{}", request.branch(), request.method()));
        if method != "ACK"
            && let Some((_, text)) = self.answered.iter().rev().find(|(it, _)| *it == key)
        {
            let text = text.clone();
            self.send(from, text);
            return Ok(());
        }
        self.requests.push(request.clone());
        let contact = self.contact();
        let id = request.header("call-id").unwrap_or_default();
        let tagged = parameter(request.header("to").unwrap_or_default(), "tag").is_some();
        let index = self.calls.iter().rposition(|call| call.id == id);
        if method == "INVITE" && !tagged {
            return self.rung(from, request, key);
        }
        let Some(index) = index else {
            if method != "ACK" {
                let status = if method == "OPTIONS" { 200 } else { 481 };
                let status = if self.manner == Manner::Silent { return Ok(()) } else { status };
                let text = request.response(status, "o", &contact, None);
                self.reply(from, key, text);
            }
            return Ok(());
        };
        if method == "ACK" {
            self.calls[index].unacknowledged = None;
            if !request.body.is_empty() {
                self.learn(index, &request.body);
                self.aim(index);
            }
            return Ok(());
        }
        let tag = self.calls[index].tag.clone();
        let mut sdp = None;
        match method.as_str() {
            "BYE" => {
                self.calls[index].state = State::Over(200);
            }
            "CANCEL" if self.calls[index].state == State::Ringing => self.refuse(index, 487)?,
            "INVITE" | "UPDATE" => {
                if !request.body.is_empty() {
                    self.learn(index, &request.body);
                }
                let call = &mut self.calls[index];
                call.version += 1;
                let answer = match (request.body.is_empty(), call.theirs) {
                    (true, _) | (_, Direction::SendRecv) => call.ours,
                    (_, Direction::SendOnly) => Direction::RecvOnly,
                    (_, Direction::RecvOnly) => Direction::SendOnly,
                    (_, Direction::Inactive | Direction::Nowhere) => Direction::Inactive,
                };
                let (port, version) = (call.sound.as_ref().map_or(0, |sound| sound.port), call.version);
                let crypto = call.crypto();
                if method == "INVITE" || !request.body.is_empty() {
                    sdp = Some(self.sdp(port, version, answer, crypto));
                }
                self.aim(index);
            }
            _ => {}
        }
        let text = request.response(200, &tag, &contact, sdp.as_deref());
        if method == "INVITE" {
            self.calls[index].unacknowledged = Some(repeat(from, &text));
        }
        self.reply(from, key, text);
        Ok(())
    }

    fn rung(&mut self, from: SocketAddr, invite: &Message, key: String) -> Result<()> {
        if self.manner == Manner::Silent {
            return Ok(());
        }
        let (tag, contact) = (self.name("t"), self.contact());
        let target = address(invite.header("contact").unwrap_or_default()).to_owned();
        let index = self.calls.len();
        self.calls.push(Call {
            state: State::Ringing,
            invite: invite.clone(),
            sound: Some(Sounding::open(self.tone, self.amplitude, self.first_sequence)?),
            theirs: Direction::SendRecv,
            accepted_offers: 0,
            bye_status: None,
            ours: Direction::SendRecv,
            id: invite.header("call-id").unwrap_or_default().to_owned(),
            local: format!("{};tag={tag}", invite.header("to").unwrap_or_default()),
            remote: invite.header("from").unwrap_or_default().to_owned(),
            target,
            routes: invite.all("record-route").map(str::to_owned).collect(),
            sequence: 0,
            from,
            outgoing: false,
            tag: tag.clone(),
            version: 1,
            unacknowledged: None,
            gives_up: false,
            aimed: None,
            key: srtp::fresh()?,
            encrypted: invite.body.is_empty() && self.encrypts,
            far_key: None,
        });
        if !invite.body.is_empty() {
            self.learn(index, &invite.body);
        }
        match self.manner {
            Manner::Refuses(status) => return self.refuse(index, status),
            Manner::Answers | Manner::Rings | Manner::Silent => {
                let text = invite.response(180, &tag, &contact, None);
                self.reply(from, key, text);
            }
        }
        if self.manner == Manner::Answers { self.answer(index) } else { Ok(()) }
    }

    /// Takes what an SDP says: where to send, and which way.
    fn learn(&mut self, index: usize, sdp: &str) {
        let line = |start: &str| sdp.lines().find_map(|line| line.strip_prefix(start));
        let has = |attribute: &str| sdp.lines().any(|line| line.trim() == attribute);
        let host = line("c=IN IP4 ").unwrap_or("127.0.0.1").trim();
        let port = line("m=audio ").and_then(|rest| rest.split(' ').next()).and_then(|port| port.parse().ok());
        let call = &mut self.calls[index];
        call.theirs = match () {
            () if host == "0.0.0.0" => Direction::Nowhere,
            () if has("a=sendonly") => Direction::SendOnly,
            () if has("a=recvonly") => Direction::RecvOnly,
            () if has("a=inactive") => Direction::Inactive,
            () => Direction::SendRecv,
        };
        call.aimed = port.and_then(|port: u16| Some(SocketAddr::new(host.parse().ok()?, port)));
        call.encrypted = line("m=audio ").is_some_and(|rest| rest.contains(" RTP/SAVP "));
        call.far_key = srtp::read(sdp);
        let keys = call.far_key.as_ref().filter(|_| call.encrypted).map(|(_, theirs)| (call.key, *theirs));
        let secured = call.sound.as_ref().map(|sound| sound.secure(keys));
        if let Some(Err(error)) = secured {
            self.note(&format!("! {error:#}"));
        }
    }

    /// Sends sound, or does not, by what both sides want now.
    fn aim(&mut self, index: usize) {
        let keeps = self.sends_while_held;
        let call = &mut self.calls[index];
        let theirs = matches!(call.theirs, Direction::SendRecv | Direction::RecvOnly);
        let ours = matches!(call.ours, Direction::SendRecv | Direction::SendOnly);
        if let (Some(sound), Some(to)) = (&call.sound, call.aimed) {
            sound.aim(to, call.state == State::Up && ((theirs && ours) || keeps));
        }
    }
}

fn repeat(to: SocketAddr, text: &str) -> Repeat {
    Repeat { to, text: text.to_owned(), next: Instant::now() + T1, pause: T1, tries: 1 }
}
