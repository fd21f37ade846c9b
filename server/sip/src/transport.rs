//! The connections of an endpoint: what they hold of a message, how long they may stay, and how many there may be.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::flow::{Flow, FlowId, NameId, Target, Transport};
use crate::framer::{Frame, Framer, FramingError};
use crate::transaction::timer::TimerTable;

/// How long a message may take from its first byte to its last.
const MESSAGE_TIME: Duration = Duration::from_secs(15);
/// How long a connection of nobody known may stay after its last message.
const STRANGER_TIME: Duration = Duration::from_secs(25);
/// How long any connection may stay without a byte; phones that want to keep theirs send CRLF CRLF (RFC 5626).
const IDLE_TIME: Duration = Duration::from_mins(15);
/// Connections from one address that have proven nothing. Another one ends the oldest.
const STRANGERS_PER_ADDRESS: usize = 64;

/// One connection.
#[derive(Debug)]
struct Stream {
    flow: Flow,
    framer: Framer,
    /// Whether its far side has proven who it is, or was called by us.
    trusted: bool,
    last_message: Instant,
    last_bytes: Instant,
    /// When the message began that has not ended.
    midway_since: Option<Instant>,
}

impl Stream {
    fn deadline(&self) -> Instant {
        let idle = if self.trusted { self.last_bytes + IDLE_TIME } else { self.last_message + STRANGER_TIME };
        self.midway_since.map_or(idle, |since| idle.min(since + MESSAGE_TIME))
    }
}

/// All connections.
#[derive(Debug)]
pub(crate) struct Streams {
    by_id: BTreeMap<FlowId, Stream>,
    /// The newest connection to each address, to be used for requests of ours.
    by_peer: BTreeMap<(Transport, SocketAddr, Option<NameId>), FlowId>,
    deadlines: TimerTable<FlowId>,
}

impl Streams {
    pub(crate) fn new() -> Self {
        Self { by_id: BTreeMap::new(), by_peer: BTreeMap::new(), deadlines: TimerTable::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.next_deadline()
    }

    /// Takes a connection in; gives those that have to go for it, itself perhaps.
    pub(crate) fn open(&mut self, now: Instant, flow: Flow, trusted: bool, most: usize) -> Vec<FlowId> {
        let Some(id) = flow.stream else { return Vec::new() };
        let mut closed = Vec::new();
        if !trusted {
            let strangers = |at: Option<SocketAddr>| {
                self.by_id.iter().filter(move |(_, stream)| {
                    !stream.trusted && at.is_none_or(|at| at.ip() == stream.flow.remote.ip())
                })
            };
            let full = self.by_id.len() >= most;
            let crowded = strangers(Some(flow.remote)).count() >= STRANGERS_PER_ADDRESS;
            if full || crowded {
                // Ids grow: the first is the oldest.
                let at = crowded.then_some(flow.remote);
                match strangers(at).min_by_key(|(_, stream)| stream.last_message).map(|(&id, _)| id) {
                    Some(oldest) => closed.push(oldest),
                    None => return vec![id],
                }
            }
        }
        for id in &closed {
            self.close(*id);
        }
        self.by_peer.insert((flow.transport, flow.remote, flow.name), id);
        let framer = Framer::default();
        let stream = Stream { flow, framer, trusted, last_message: now, last_bytes: now, midway_since: None };
        self.by_id.insert(id, stream);
        self.watch(id);
        closed
    }

    /// Takes bytes in. Call [`Self::next_frame`] until it gives `None`.
    pub(crate) fn push(&mut self, now: Instant, id: FlowId, bytes: &[u8]) {
        if let Some(stream) = self.by_id.get_mut(&id) {
            stream.last_bytes = now;
            stream.framer.push(bytes);
        }
    }

    /// The next frame of a connection, and the way it came.
    pub(crate) fn next_frame(&mut self, now: Instant, id: FlowId) -> Option<(Flow, Result<Frame, FramingError>)> {
        let stream = self.by_id.get_mut(&id)?;
        let frame = stream.framer.next();
        let flow = stream.flow;
        match &frame {
            Some(Ok(Frame::Message(_) | Frame::Last(_))) => {
                stream.last_message = now;
                stream.midway_since = None;
            }
            Some(Ok(Frame::Ping) | Err(_)) => {}
            None => {
                let midway = stream.framer.is_midway();
                stream.midway_since = stream.midway_since.filter(|_| midway).or(midway.then_some(now));
                self.watch(id);
            }
        }
        frame.map(|frame| (flow, frame))
    }

    /// The far side of a connection has proven who it is.
    pub(crate) fn trust(&mut self, id: FlowId) {
        if let Some(stream) = self.by_id.get_mut(&id) {
            stream.trusted = true;
            self.watch(id);
        }
    }

    fn watch(&mut self, id: FlowId) {
        if let Some(stream) = self.by_id.get(&id) {
            self.deadlines.arm(id, stream.deadline());
        }
    }

    pub(crate) fn close(&mut self, id: FlowId) -> Option<Flow> {
        let stream = self.by_id.remove(&id)?;
        let key = (stream.flow.transport, stream.flow.remote, stream.flow.name);
        if self.by_peer.get(&key) == Some(&id) {
            self.by_peer.remove(&key);
        }
        self.deadlines.disarm(id);
        Some(stream.flow)
    }

    /// A connection whose time is over.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<FlowId> {
        let id = self.deadlines.pop_due(now)?;
        self.close(id);
        Some(id)
    }

    /// The flow of a connection that stands.
    pub(crate) fn flow(&self, id: FlowId) -> Option<Flow> {
        self.by_id.get(&id).map(|stream| stream.flow)
    }

    /// The connection a flow means: its own while it stands, else one to the same address.
    pub(crate) fn find(&self, flow: Flow) -> Option<FlowId> {
        flow.stream
            .filter(|id| self.by_id.contains_key(id))
            .or_else(|| self.by_peer.get(&(flow.transport, flow.remote, flow.name)).copied())
    }
}

/// TLS names, each kept once. They come from the application's settings, never from the network.
#[derive(Debug, Default)]
pub(crate) struct ServerNames(Vec<String>);

impl ServerNames {
    pub(crate) fn id_of(&mut self, name: &str) -> NameId {
        let index = self.0.iter().position(|known| known == name).unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        });
        NameId(u32::try_from(index).unwrap_or(u32::MAX))
    }

    fn name(&self, id: NameId) -> Option<&str> {
        self.0.get(usize::try_from(id.0).ok()?).map(String::as_str)
    }

    /// The flow to a target that is no open connection.
    pub(crate) fn flow_to(&mut self, target: &Target) -> Option<Flow> {
        match target {
            Target::Udp(address) => Some(Flow::udp(*address)),
            Target::Tcp(address) => Some(Flow::to(Transport::Tcp, *address)),
            Target::Tls { address, server_name } => {
                let name = server_name.as_deref().map(|name| self.id_of(name));
                Some(Flow { name, ..Flow::to(Transport::Tls, *address) })
            }
            Target::Flow(_) => None,
        }
    }

    /// What the shell is told for a flow without a connection.
    pub(crate) fn target_of(&self, flow: Flow) -> Target {
        match flow.transport {
            Transport::Udp => Target::Udp(flow.remote),
            Transport::Tcp => Target::Tcp(flow.remote),
            Transport::Tls => {
                let server_name = flow.name.and_then(|name| self.name(name)).map(str::to_owned);
                Target::Tls { address: flow.remote, server_name }
            }
        }
    }
}
