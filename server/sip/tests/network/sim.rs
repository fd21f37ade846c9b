//! A network in memory: virtual time, and seeded loss, duplication and reordering.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hasher};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cordboard_sip::{Command, Endpoint, EndpointConfig, Event, Input, Limits, Output, Stats, Target};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What the network does to datagrams, in thousandths.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) loss: u32,
    pub(crate) duplicates: u32,
    /// Delay beyond the 10 ms each datagram takes, up to this many milliseconds: it reorders.
    pub(crate) jitter_ms: u32,
}

pub(crate) struct Network {
    pub(crate) now: Instant,
    start: Instant,
    weather: Weather,
    rng: ChaCha8Rng,
    endpoints: BTreeMap<SocketAddr, Endpoint>,
    in_flight: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    planned: BTreeMap<(Instant, u64), (SocketAddr, Command)>,
    sequence: u64,
    mailboxes: BTreeMap<SocketAddr, VecDeque<(Duration, Vec<u8>)>>,
    events: VecDeque<(SocketAddr, Event)>,
    trace: DefaultHasher,
}

impl Network {
    pub(crate) fn new() -> Self {
        Self::with_weather(0, Weather::default())
    }

    pub(crate) fn with_weather(seed: u64, weather: Weather) -> Self {
        let start = Instant::now();
        Self {
            now: start,
            start,
            weather,
            rng: ChaCha8Rng::seed_from_u64(seed),
            endpoints: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            planned: BTreeMap::new(),
            sequence: 0,
            mailboxes: BTreeMap::new(),
            events: VecDeque::new(),
            trace: DefaultHasher::new(),
        }
    }

    pub(crate) fn endpoint(&mut self, address: &str, seed: u64) -> SocketAddr {
        self.endpoint_with(address, seed, Limits::default())
    }

    pub(crate) fn endpoint_with(&mut self, address: &str, seed: u64, limits: Limits) -> SocketAddr {
        let local: SocketAddr = address.parse().unwrap();
        let (realm, user_agent) = ("test".to_owned(), "test".to_owned());
        let config = EndpointConfig { local: local.into(), realm, user_agent, limits };
        self.endpoints.insert(local, Endpoint::new(config, seed));
        local
    }

    /// Takes an endpoint off the network without a word.
    pub(crate) fn remove(&mut self, address: SocketAddr) {
        self.endpoints.remove(&address);
        self.in_flight.retain(|_, (_, to, _)| *to != address);
        self.planned.retain(|_, (at, _)| *at != address);
    }

    pub(crate) fn at(&mut self, address: SocketAddr) -> &mut Endpoint {
        self.endpoints.get_mut(&address).unwrap()
    }

    pub(crate) fn stats(&self, address: SocketAddr) -> Stats {
        self.endpoints[&address].stats()
    }

    pub(crate) fn command(&mut self, address: SocketAddr, command: Command) {
        self.feed(address, Input::Command(command));
    }

    /// A command to be given later.
    pub(crate) fn plan(&mut self, after: Duration, address: SocketAddr, command: Command) {
        self.sequence += 1;
        self.planned.insert((self.now + after, self.sequence), (address, command));
    }

    /// Puts a datagram of a scripted peer on the wire; it arrives at once and unharmed.
    pub(crate) fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: impl Into<Vec<u8>>) {
        self.feed(to, Input::Datagram { from, bytes: bytes.into() });
    }

    /// Takes the oldest datagram sent to a scripted peer, with the virtual time it was sent.
    pub(crate) fn take(&mut self, address: SocketAddr) -> Option<(Duration, Vec<u8>)> {
        self.mailboxes.get_mut(&address)?.pop_front()
    }

    pub(crate) fn take_event(&mut self) -> Option<(SocketAddr, Event)> {
        self.events.pop_front()
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(crate) fn trace(&self) -> u64 {
        self.trace.finish()
    }

    /// Lets virtual time pass.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Performs the next thing that happens not after `end`; says whether there was one.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let wire = self.in_flight.first_key_value().map(|(&(at, _), _)| at);
        let plan = self.planned.first_key_value().map(|(&(at, _), _)| at);
        let timer = self.next_timer();
        let Some(next) = [wire, plan, timer.map(|(at, _)| at)].into_iter().flatten().min().filter(|&at| at <= end)
        else {
            return false;
        };
        self.now = self.now.max(next);
        if wire == Some(next) {
            let (_, (from, to, bytes)) = self.in_flight.pop_first().unwrap();
            self.feed(to, Input::Datagram { from, bytes });
        } else if plan == Some(next) {
            let (_, (address, command)) = self.planned.pop_first().unwrap();
            self.command(address, command);
        } else if let Some((_, address)) = timer {
            self.feed(address, Input::Timeout);
        }
        true
    }

    fn next_timer(&mut self) -> Option<(Instant, SocketAddr)> {
        let mut next: Option<(Instant, SocketAddr)> = None;
        for (&address, endpoint) in &mut self.endpoints {
            if let Output::Timeout(Some(at)) = endpoint.poll_output()
                && next.is_none_or(|(best, _)| at < best)
            {
                next = Some((at, address));
            }
        }
        next
    }

    fn feed(&mut self, address: SocketAddr, input: Input) {
        let now = self.now;
        self.at(address).handle_input(now, input);
        loop {
            match self.at(address).poll_output() {
                Output::Transmit { to: Target::Udp(to), bytes } => self.transmit(address, to, bytes),
                other @ (Output::Transmit { .. } | Output::Close { .. }) => panic!("{other:?} over UDP"),
                Output::Event(event) => {
                    // The headers of a call are in the trace as bytes already, and long to print.
                    let told = match &event {
                        Event::Incoming(call) => format!("{address} {:?} {}", call.dialog, call.sip_call_id),
                        other => format!("{address} {other:?}"),
                    };
                    self.note(told.as_bytes());
                    self.events.push_back((address, event));
                }
                Output::Timeout(_) => return,
            }
        }
    }

    fn transmit(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.note(&bytes);
        if !self.endpoints.contains_key(&to) {
            let at = self.elapsed();
            self.mailboxes.entry(to).or_default().push_back((at, bytes));
            return;
        }
        if self.chance(self.weather.loss) {
            return;
        }
        if self.chance(self.weather.duplicates) {
            self.fly(from, to, bytes.clone());
        }
        self.fly(from, to, bytes);
    }

    fn fly(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let jitter = u64::from(self.rng.next_u32() % (self.weather.jitter_ms + 1));
        self.sequence += 1;
        self.in_flight.insert((self.now + Duration::from_millis(10 + jitter), self.sequence), (from, to, bytes));
    }

    fn chance(&mut self, thousandths: u32) -> bool {
        self.rng.next_u32() % 1000 < thousandths
    }

    fn note(&mut self, bytes: &[u8]) {
        self.trace.write_u128(self.elapsed().as_nanos());
        self.trace.write(bytes);
    }
}
