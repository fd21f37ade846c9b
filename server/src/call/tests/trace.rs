//! The trace is the whole history of the engine's decisions: fed into the engine as it was at first, it gives them again
//! byte for byte. Days are generated; each has its seed in the message of a failure.

use cordboard_routing::Output as Said;
use cordboard_shared::department::Strategy;

use super::*;

/// Generated days, and what happens in each.
const DAYS: u64 = 40;
const EVENTS: usize = 300;

#[test]
fn a_traced_day_gives_the_same_decisions_again() {
    let mut all = Vec::new();
    for seed in 0..DAYS {
        let floor = Day::new(seed).run();
        let lived = saved(&floor);
        assert_eq!(replayed(&floor), lived, "seed {seed}");
        check(&floor, seed);
        all.extend(lived);
    }
    assert!(all.len() > 2_000, "{} decisions are too few to prove anything", all.len());
    for reason in [
        "answered",
        "answered_elsewhere",
        "caller_hung_up",
        "declined",
        "declined_by_status",
        "device_did_not_confirm",
        "missed_no_answer",
        "no_line_free",
        "not_reachable",
        "skipped_after_call_work",
        "skipped_away",
        "skipped_no_device",
        "skipped_on_call",
        "skipped_wave_limit",
    ] {
        let quoted = format!("\"{reason}\"");
        assert!(all.iter().any(|decision| decision.contains(&quoted)), "no day has {reason}");
    }
}

/// Each version of each ledger entry, as it went to the disk.
fn saved(floor: &Floor) -> Vec<String> {
    let decision = |it: &Effect| match it {
        Effect::SaveDecision(call, decision) => Some(format!("{call} {}", serde_json::to_string(decision).unwrap())),
        _ => None,
    };
    floor.seen.iter().filter_map(decision).collect()
}

fn replayed(floor: &Floor) -> Vec<String> {
    let mut engine = floor.first.clone();
    let mut said = Vec::new();
    let last = (floor.now, Routing::Timeout);
    for (at, input) in floor.trace().into_iter().chain([last]) {
        // What was refused then is refused again.
        let _ = engine.handle_input(at, input);
        loop {
            match engine.poll_output() {
                Said::Timeout(_) => break,
                Said::Decided { call, decision } => {
                    said.push(format!("{call} {}", serde_json::to_string(&decision).unwrap()));
                }
                _ => {}
            }
        }
    }
    said
}

/// What holds on every day, once it is over.
fn check(floor: &Floor, seed: u64) {
    let mut ringing = BTreeMap::new();
    let mut places: BTreeMap<LegId, u32> = BTreeMap::new();
    for effect in &floor.seen {
        match effect {
            Effect::Live { to: Audience::Agent(agent), message } => match &**message {
                ServerMessage::Ring(ring) => {
                    assert_eq!(ringing.insert(ring.offer, *agent), None, "seed {seed}: rung twice");
                }
                ServerMessage::RingStop { offer, .. } => {
                    assert_eq!(ringing.remove(offer), Some(*agent), "seed {seed}: stopped without a ring");
                }
                ServerMessage::RingLease { offer, .. } => assert!(ringing.contains_key(offer), "seed {seed}"),
                _ => {}
            },
            Effect::Media(Media::Hear { leg, source: Source::Clip { clip, .. } }) => {
                let letters = clip.samples().iter().map_while(|it| u8::try_from(*it).ok());
                let words: String = letters.map(char::from).collect();
                let place = words.strip_prefix("you-are-number\0").and_then(|rest| rest.split('\0').next());
                if let Some(place) = place.and_then(|place| place.parse().ok()) {
                    let before = places.insert(*leg, place).unwrap_or(u32::MAX);
                    assert!(place <= before, "seed {seed}: place {place} after {before}");
                }
            }
            _ => {}
        }
    }
    assert!(ringing.is_empty(), "seed {seed}: somebody rings for ever");
    assert_eq!((floor.center.active_calls(), floor.center.active_legs()), (0, 0), "seed {seed}");
    let at_door = floor.fed(|it| matches!(it, Routing::CallOffered { .. }));
    assert_eq!(floor.fed(|it| matches!(it, Routing::CallReleased(_))), at_door, "seed {seed}");
    assert_eq!(floor.center.engine().stuck_agents(floor.now), 0, "seed {seed}");
}

/// A day on the demo company's floor: people come, go and err, callers call.
struct Day {
    floor: Floor,
    random: StdRng,
    calls: Vec<CallIn>,
    sockets: Vec<(SocketId, AgentId)>,
    last_socket: u64,
}

const PEOPLE: [u16; 6] = [0x21, 0x22, 0x23, 0x24, 0x25, 0x26];

impl Day {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let strategies = [Strategy::Serial, Strategy::Simultaneous, Strategy::Balanced];
        let support = strategies[random.random_range(0..3)];
        let (wave, wrap_up, announce) = (random.random_range(1..4), random.random_range(0..3) * 20, 15);
        let floor = Floor::with_policy(|policy| {
            let department = &mut policy.departments[0];
            department.strategy = support;
            department.wave = wave;
            department.wrap_up_seconds = wrap_up;
            department.announce_seconds = announce;
            department.callback = true;
            policy.settings.lines = Some(8);
            policy.settings.inbound_percent = Some(75);
        });
        Self { floor, random, calls: Vec::new(), sockets: Vec::new(), last_socket: 0 }
    }

    fn run(mut self) -> Floor {
        for _ in 0..EVENTS {
            self.step();
        }
        for call in std::mem::take(&mut self.calls) {
            self.hang_up(&call);
        }
        self.floor.pass(300_000);
        self.floor
    }

    fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..8 => self.come(),
            8..10 => self.leave(),
            10..16 => self.toggle(),
            16..34 => self.call(),
            34..42 => self.caller_leaves(),
            42..50 => self.press_key(),
            50..76 => self.touch_a_ring(),
            76..82 => self.steer(),
            82..98 => {
                let millis = self.random.random_range(1..12_000);
                self.floor.pass(millis);
            }
            // Nobody looks at the clock: what was due runs late, at its own instant.
            _ => self.floor.now = self.floor.now + self.random.random_range(1..4_000),
        }
    }

    fn person(&mut self) -> AgentId {
        AgentId::demo(PEOPLE[self.random.random_range(0..PEOPLE.len())])
    }

    fn socket(&mut self) -> Option<(SocketId, AgentId)> {
        let count = self.sockets.len();
        (count > 0).then(|| self.sockets[self.random.random_range(0..count)])
    }

    fn come(&mut self) {
        let agent = self.person();
        self.last_socket += 1;
        let socket = SocketId(self.last_socket);
        self.sockets.push((socket, agent));
        self.floor.sign_in(socket, agent);
    }

    fn leave(&mut self) {
        let Some((socket, _)) = self.socket() else { return };
        self.sockets.retain(|(it, _)| *it != socket);
        self.floor.feed(Input::SocketClosed(socket));
    }

    fn toggle(&mut self) {
        let agent = self.person();
        let state = if self.random.random_bool(0.6) { Toggle::On } else { Toggle::Away };
        self.floor.toggle(agent, state);
    }

    fn call(&mut self) {
        let number = [MAIN, SUPPORT, SUPPORT, DIRECT][self.random.random_range(0..4)];
        self.floor.caller = format!("+4420794601{:02}", self.random.random_range(10..40));
        let before = self.floor.seen.len();
        self.floor.invite("127.0.0.1:5070", number, Some(offer()));
        if self.floor.seen[before..].iter().any(|it| matches!(it, Effect::OpenRtp(_))) {
            let call = self.floor.opened();
            self.calls.push(call);
        }
    }

    fn caller_leaves(&mut self) {
        if !self.calls.is_empty() {
            let index = self.random.random_range(0..self.calls.len());
            let call = self.calls.remove(index);
            self.hang_up(&call);
        }
    }

    fn hang_up(&mut self, call: &CallIn) {
        let cause = EndCause::RemoteBye;
        self.floor.feed(Input::Sip(SipEvent::Ended { dialog: call.dialog, cause }));
        let open: Vec<_> = self.floor.center.recordings.keys().copied().collect();
        for recording in open {
            let over = |call: &CallId| self.floor.center.calls.get(call).is_some_and(Call::is_over);
            if self.floor.center.recordings.get(&recording).is_some_and(over) {
                self.floor.feed(Input::Media(recorded(recording)));
            }
        }
    }

    fn press_key(&mut self) {
        if !self.calls.is_empty() {
            let leg = self.calls[self.random.random_range(0..self.calls.len())].leg;
            let key = ['1', '2', '9'][self.random.random_range(0..3)];
            self.floor.digit(leg, key);
        }
    }

    /// Confirms, answers or declines a ring of somebody who is there; refusals are answers, too.
    fn touch_a_ring(&mut self) {
        let Some((socket, agent)) = self.socket() else { return };
        let Some(ring) = self.floor.ring_of(agent) else { return };
        let message = match self.random.random_range(0..6) {
            0..3 => ClientMessage::RingAck { offer: ring.offer },
            3..5 => ClientMessage::Answer { offer: ring.offer },
            _ => ClientMessage::Decline { offer: ring.offer },
        };
        let answers = matches!(message, ClientMessage::Answer { .. });
        if self.floor.client(socket, message).is_ok() && answers && self.random.random_bool(0.8) {
            self.floor.browser_up(socket, ring.call);
        }
    }

    /// What a person does around a call.
    fn steer(&mut self) {
        let Some((socket, agent)) = self.socket() else { return };
        let call = self.floor.ring_of(agent).map(|ring| ring.call);
        let message = match (self.random.random_range(0..6), call) {
            (0, Some(call)) => ClientMessage::HangUp { call },
            (1, Some(call)) => ClientMessage::Hold { call },
            (2, Some(call)) => ClientMessage::Resume { call },
            (3, Some(call)) => ClientMessage::CallbackDone { call },
            (4, _) => ClientMessage::WrapUpExtend {},
            _ => ClientMessage::WrapUpDone {},
        };
        let _ = self.floor.client(socket, message);
    }
}
