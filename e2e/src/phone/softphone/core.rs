//! The telephone without its socket: what comes in, what is to be done, what goes out.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::line::Sounding;
use super::message::{Message, address, parameter, place, tail};
use super::srtp::{self, Key};

mod received;

/// The first pause before a request is sent again (RFC 3261, T1).
const T1: Duration = Duration::from_millis(500);
/// The longest (T2).
const T2: Duration = Duration::from_secs(4);
/// How long a registration is asked for, in seconds, and after what part of it again.
const EXPIRES: u64 = 300;
const REFRESH: Duration = Duration::from_secs(EXPIRES / 3);
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
    /// When to register again.
    refresh_at: Option<Instant>,
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
            refresh_at: None,
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

    /// A name that no telephone of this program had before: the system gives a port again while a server still
    /// remembers what came from it.
    fn name(&self, kind: &str) -> String {
        static MADE: AtomicU64 = AtomicU64::new(0);
        format!("{kind}{}x{}", self.place.replace(['.', ':'], ""), MADE.fetch_add(1, Ordering::Relaxed))
    }

    fn contact(&self) -> String {
        format!("sip:{}@{}", self.number, self.place)
    }

    pub(super) fn register(&mut self, user: &str, password: &str) {
        self.sign_in = Some((user.to_owned(), password.to_owned()));
        self.registered = None;
        user.clone_into(&mut self.number);
        self.send_register();
    }

    fn send_register(&mut self) {
        self.refresh_at = Some(Instant::now() + REFRESH);
        let (tag, id) = (self.name("t"), self.name("r"));
        let (user, server) = (&self.number, self.server);
        let headers = format!(
            "From: <sip:{user}@{server}>;tag={tag}\r\nTo: <sip:{user}@{server}>\r\nCall-ID: {id}\r\n\
             Contact: <{}>\r\nExpires: {EXPIRES}\r\n",
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
        if self.refresh_at.is_some_and(|at| at <= now) {
            self.send_register();
        }
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
}

fn repeat(to: SocketAddr, text: &str) -> Repeat {
    Repeat { to, text: text.to_owned(), next: Instant::now() + T1, pause: T1, tries: 1 }
}
