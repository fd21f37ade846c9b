//! The demo company's floor without a network: feeds the core and remembers what it asked for.

use std::net::{IpAddr, SocketAddr};

use cordboard_sip::endpoint::TrunkId as SipTrunkId;
use cordboard_sip::{Network, Origin};

use super::*;

pub(super) struct CallIn {
    pub(super) dialog: DialogId,
    pub(super) leg: LegId,
}

pub(super) struct Floor {
    pub(super) center: CallCenter,
    /// The engine as it was before its first input.
    pub(super) first: Engine,
    pub(super) now: Millis,
    pub(super) seen: Vec<Effect>,
    pub(super) dialogs: u64,
    pub(super) replies: u64,
    pub(super) seq: u64,
    /// Number of the next caller.
    pub(super) caller: String,
}

/// Who calls, unless a test says otherwise.
pub(super) const CALLER: &str = "+442079460199";

impl Floor {
    pub(super) fn new() -> Self {
        Self::with_policy(|_| {})
    }

    /// The demo company with another policy.
    pub(super) fn with_policy(edit: impl FnOnce(&mut Policy)) -> Self {
        // A prompt's samples are the letters of its name, so that what is spoken can be read.
        fn prompt(_: &str, name: &str) -> Option<Arc<cordboard_media::Clip>> {
            let letters = name.bytes().map(i16::from).chain([0]);
            (!name.is_empty()).then(|| Arc::new(cordboard_media::Clip::new(letters.collect())))
        }
        let mut directory = crate::demo::directory();
        let mut policy = Policy { version: 1, departments: directory.departments.clone(), ..Policy::default() };
        edit(&mut policy);
        directory.departments.clone_from(&policy.departments);
        let directory = Arc::new(directory);
        let sip = "127.0.0.1:5060".parse().unwrap();
        let durable = Durable { policy, ..Durable::default() };
        let engine = Engine::start(START, 7, durable);
        let first = engine.clone();
        let center = CallCenter::new(directory.clone(), Sounds::new(prompt), sip, engine, START, [1; 32]);
        let caller = CALLER.to_owned();
        let mut floor = Self { center, first, now: START, seen: Vec::new(), dialogs: 0, replies: 0, seq: 0, caller };
        for agent in directory.agents.keys() {
            floor.toggle(*agent, Toggle::On);
        }
        floor.seen.retain(|it| matches!(it, Effect::Trace(..)));
        floor
    }

    pub(super) fn feed(&mut self, input: Input) {
        self.center.handle_input(self.now, input);
        loop {
            match self.center.poll_effect() {
                Effect::Timeout(_) => break,
                effect => self.seen.push(effect),
            }
        }
    }

    pub(super) fn sign_in(&mut self, socket: SocketId, agent: AgentId) {
        self.open_tab(socket, agent, &format!("tab {}", socket.0));
    }

    /// A connection of a tab, which may be known by an earlier one.
    pub(super) fn open_tab(&mut self, socket: SocketId, agent: AgentId, tab: &str) {
        let hello = Hello { app: "t".into(), device: "d".into(), tab: tab.into(), topics: Vec::new(), after: None };
        let session = SessionId::demo(1);
        self.feed(Input::SocketOpened { socket, agent, session, hello: Box::new(hello) });
        let state = DeviceState { mic: Microphone::Granted, audio: PageAudio::Running, visible: true, leader: true };
        self.client(socket, ClientMessage::Device(state)).unwrap();
    }

    pub(super) fn toggle(&mut self, agent: AgentId, state: Toggle) {
        self.seq += 1;
        let stamp =
            Stamp { since: self.now, by: Actor::user(agent, "x"), source: cordboard_shared::agent::Source::Panel };
        let facts = AgentFacts {
            version: Version { epoch: 1, rev: self.seq },
            seat: Seat::Active,
            pause: None,
            dnd: None,
            opt_out: None,
            toggle: ToggleFact { state, stamp, reason: None, until: None, apply: Apply::Now },
            slots: None,
            work_anyway: None,
            intent: Intent::default(),
            fence: 0,
        };
        let at = FeedPosition { epoch: 1, bucket: 0, seq: self.seq };
        let facts = std::sync::Arc::new(facts);
        let event =
            Event::FactsSet { agent, facts, changed: vec!["toggle".to_owned()], note: None, request: None, by: None };
        self.feed(Input::Obey { event: Box::new(event), at });
    }

    pub(super) fn client(&mut self, socket: SocketId, message: ClientMessage) -> Result<Value, Problem> {
        self.replies += 1;
        let reply = ReplyTo(self.replies);
        self.feed(Input::Client { socket, message: Box::new(message), reply });
        match self.find(|it| matches!(it, Effect::Reply { to, .. } if *to == reply)) {
            Some(Effect::Reply { result, .. }) => result,
            _ => Ok(Value::Null),
        }
    }

    pub(super) fn invite(&mut self, source: &str, to: &str, sdp: Option<Vec<u8>>) {
        self.invite_with(source, to, sdp, Headers::default());
    }

    pub(super) fn invite_with(&mut self, source: &str, to: &str, sdp: Option<Vec<u8>>, headers: Headers) {
        self.dialogs += 1;
        let local = "127.0.0.1:5060".parse().unwrap();
        let to = SipUri::new(Some(to), local);
        let source: SocketAddr = source.parse().unwrap();
        self.feed(Input::Sip(SipEvent::Incoming(Box::new(IncomingCall {
            dialog: DialogId::outgoing(1_000 + self.dialogs),
            source,
            origin: self.origin_of(source.ip()),
            request_uri: to.clone(),
            from: NameAddr::new(Some("Caller"), SipUri::new(Some(&self.caller), local)),
            to: NameAddr::new(None, to),
            sip_call_id: "x".to_owned(),
            sdp,
            asserted: None,
            privacy: false,
            diversion: None,
            replaces: None,
            headers,
        }))));
    }

    /// As the SIP side tells it, by the address alone.
    fn origin_of(&self, address: IpAddr) -> Origin {
        let has = |network: &String| network.parse::<Network>().is_ok_and(|network| network.contains(address));
        let trunks = &self.center.directory.telephony.trunks;
        let found = trunks.iter().find(|trunk| trunk.addresses.iter().any(has));
        found.map_or(Origin::Unknown, |trunk| Origin::Trunk(SipTrunkId(trunk.id.to_string())))
    }

    /// Lets the media side open the caller's sockets.
    pub(super) fn opened(&mut self) -> CallIn {
        let Some(Effect::OpenRtp(leg)) = self.find(|it| matches!(it, Effect::OpenRtp(_))) else { panic!("no leg") };
        self.feed(Input::Media(FromMedia::RtpOpened { leg, local: "127.0.0.1:20002".parse().unwrap() }));
        CallIn { dialog: DialogId::outgoing(1_000 + self.dialogs), leg }
    }

    pub(super) fn call_in(&mut self, to: &str) -> CallIn {
        self.invite("127.0.0.1:5070", to, Some(offer()));
        self.opened()
    }

    /// Asha is signed in at socket 1, has answered, and both hear each other.
    pub(super) fn talk_to_asha(&mut self, number: &str) -> CallIn {
        self.sign_in(SocketId(1), ASHA);
        let call = self.call_in(number);
        let ring = self.ring_of(ASHA).unwrap();
        self.client(SocketId(1), ClientMessage::RingAck { offer: ring.offer }).unwrap();
        self.browser_up(SocketId(1), ring.call);
        self.client(SocketId(1), ClientMessage::Answer { offer: ring.offer }).unwrap();
        call
    }

    /// The browser's leg this caller hears.
    pub(super) fn desk(&self, caller: LegId) -> LegId {
        match self.hears(caller) {
            Some(Source::Leg(desk)) => desk,
            other => panic!("hears {other:?}"),
        }
    }

    pub(super) fn browser_up(&mut self, socket: SocketId, call: CallId) -> LegId {
        self.client(socket, ClientMessage::RtcOffer { call, sdp: "v=0".to_owned(), takes: false }).unwrap();
        let Some(Effect::Media(Media::PeerOffer { leg, .. })) =
            self.find(|it| matches!(it, Effect::Media(Media::PeerOffer { .. })))
        else {
            panic!("no peer")
        };
        self.feed(Input::Media(FromMedia::Event(MediaEvent::PeerAnswer { leg, sdp: "v=0".to_owned() })));
        self.feed(Input::Media(FromMedia::Event(MediaEvent::PeerConnected { leg })));
        leg
    }

    pub(super) fn digit(&mut self, leg: LegId, digit: char) {
        self.feed(Input::Media(FromMedia::Event(MediaEvent::Digit { leg, digit })));
    }

    pub(super) fn finish_play(&mut self, leg: LegId) {
        let Some(Effect::Media(Media::Hear { source: Source::Clip { play, .. }, .. })) =
            self.find(|it| matches!(it, Effect::Media(Media::Hear { source: Source::Clip { .. }, .. })))
        else {
            panic!("nothing plays")
        };
        self.feed(Input::Media(FromMedia::Event(MediaEvent::PlayFinished { leg, play })));
    }

    /// The time passes; deadlines are served as they come.
    pub(super) fn pass(&mut self, millis: u64) {
        let end = self.now + millis;
        while let Some(at) = self.center.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.feed(Input::Timeout);
        }
        self.now = end;
    }

    /// What was spoken to this leg last, by the names of its prompts.
    pub(super) fn spoken(&self, wanted: LegId) -> Vec<String> {
        let clip = self.seen.iter().rev().find_map(|it| match it {
            Effect::Media(Media::Hear { leg, source: Source::Clip { clip, .. } }) if *leg == wanted => {
                Some(clip.clone())
            }
            _ => None,
        });
        let letters: Vec<u8> = clip.iter().flat_map(|it| it.samples()).map(|it| u8::try_from(*it).unwrap()).collect();
        let names = letters.split(|letter| *letter == 0).filter(|name| !name.is_empty());
        names.map(|name| String::from_utf8(name.to_vec()).unwrap()).collect()
    }

    /// What the engine was fed, in order.
    pub(super) fn trace(&self) -> Vec<(Millis, Routing)> {
        let fed = |it: &Effect| match it {
            Effect::Trace(at, input) => Some((*at, (**input).clone())),
            _ => None,
        };
        self.seen.iter().filter_map(fed).collect()
    }

    /// How often the engine was fed such an input.
    pub(super) fn fed(&self, wanted: impl Fn(&Routing) -> bool) -> usize {
        self.trace().iter().filter(|(_, input)| wanted(input)).count()
    }

    pub(super) fn find(&self, wanted: impl Fn(&Effect) -> bool) -> Option<Effect> {
        self.seen.iter().rev().find(|it| wanted(it)).cloned()
    }

    pub(super) fn commanded(&self, wanted: impl Fn(&Sip) -> bool) -> Option<Sip> {
        self.seen.iter().rev().find_map(|it| match it {
            Effect::Sip(command) if wanted(command) => Some((**command).clone()),
            _ => None,
        })
    }

    pub(super) fn took(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.find(wanted).is_some()
    }

    pub(super) fn told(&self, agent: AgentId, wanted: impl Fn(&ServerMessage) -> bool) -> bool {
        self.took(
            |it| matches!(it, Effect::Live { to: Audience::Agent(to), message } if *to == agent && wanted(message)),
        )
    }

    pub(super) fn ring_of(&self, agent: AgentId) -> Option<Ring> {
        self.seen.iter().rev().find_map(|it| match it {
            Effect::Live { to: Audience::Agent(to), message } if *to == agent => match &**message {
                ServerMessage::Ring(ring) => Some((**ring).clone()),
                _ => None,
            },
            _ => None,
        })
    }

    /// What this leg was told to hear last.
    pub(super) fn hears(&self, wanted: LegId) -> Option<Source> {
        self.seen.iter().rev().find_map(|it| match it {
            Effect::Media(Media::Hear { leg, source }) if *leg == wanted => Some(source.clone()),
            _ => None,
        })
    }

    pub(super) fn recording(&self) -> Option<RecordingId> {
        self.seen.iter().rev().find_map(|it| match it {
            Effect::Media(Media::Record { recording, .. }) => Some(*recording),
            _ => None,
        })
    }

    pub(super) fn rejected_with(&self, wanted: u16) -> bool {
        self.commanded(|it| matches!(it, Sip::Reject { status, .. } if *status == wanted)).is_some()
    }

    pub(super) fn views(&self) -> Vec<CallView> {
        self.seen
            .iter()
            .filter_map(|it| match it {
                Effect::SaveCall(view) => Some((**view).clone()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn last_view(&self) -> CallView {
        self.views().pop().unwrap()
    }

    pub(super) fn logged(&self) -> Option<CallView> {
        self.seen.iter().rev().find_map(|it| match it {
            Effect::Live { message, .. } => match &**message {
                ServerMessage::CallLogged(view) => Some((**view).clone()),
                _ => None,
            },
            _ => None,
        })
    }

    pub(super) fn decisions(&self) -> Vec<Decision> {
        let mut by_step = BTreeMap::new();
        for effect in &self.seen {
            if let Effect::SaveDecision(_, decision) = effect {
                by_step.insert(decision.step, (**decision).clone());
            }
        }
        by_step.into_values().collect()
    }
}

pub(super) fn offer() -> Vec<u8> {
    let local = "127.0.0.1:4000".parse().unwrap();
    sdp::offer(local, 1, 1, &[AudioCodec::Pcmu], sdp::Direction::SendRecv).to_bytes()
}

pub(super) fn recorded(recording: RecordingId) -> FromMedia {
    FromMedia::Recorded { recording, path: "2026/11/21/x.wav".to_owned(), ms: 2_210, bytes: 9, sha256: "00".to_owned() }
}
