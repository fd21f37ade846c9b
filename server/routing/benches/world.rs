//! A call center at half load, as large as one likes: the engine with its ledger, in memory.

use std::collections::VecDeque;

use cordboard_routing::{Arrival, DeviceId, DeviceKind, Durable, Engine, Input, Output, Row, Target};
use cordboard_shared::agent::{Actor, AgentFacts, Apply, Intent, Seat, Source, Stamp, Toggle, ToggleFact};
use cordboard_shared::department::{Department, Fallback, Member, Strategy};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};
use cordboard_shared::pii::Pii;
use cordboard_shared::policy::Policy;
use cordboard_shared::{FeedPosition, Millis, Version};

/// Departments of every world.
pub(crate) const DEPARTMENTS: u16 = 100;
/// A Thursday, 12:00 in UTC.
const NOW: Millis = Millis(1_795_089_600_000);

/// How people are spread over the departments.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spread {
    /// Each person in one department.
    Even,
    /// Each department with this many people, who are in several.
    Overlapping(u16),
}

/// An engine at work.
pub(crate) struct World {
    engine: Engine,
    now: Millis,
    calls: u128,
    connected: VecDeque<(CallId, DepartmentId)>,
}

impl World {
    /// `people` in [`DEPARTMENTS`], all On with a device, half of them in a call.
    pub(crate) fn new(people: u16, spread: Spread, strategy: Strategy) -> Self {
        let mut durable = Durable::default();
        for number in 0..people {
            durable.facts.insert(AgentId::demo(number), on());
        }
        durable.policy = policy(people, spread, strategy);
        durable.position = FeedPosition { epoch: 1, bucket: 0, seq: u64::from(people) + 1 };
        let mut world = Self { engine: Engine::start(NOW, 7, durable), now: NOW, calls: 0, connected: VecDeque::new() };
        for number in 0..people {
            let device = DeviceId(u64::from(number));
            world.feed(Input::DeviceReady(AgentId::demo(number), device, DeviceKind::Browser));
        }
        let busy = people / 2;
        let departments = DEPARTMENTS.min(people);
        for number in 0..busy {
            world.take(DepartmentId::demo(number % departments));
        }
        world
    }

    /// Ends the oldest call, so that a person of that department is free; the time spent is not part of a decision.
    pub(crate) fn free(&mut self) -> DepartmentId {
        let (call, department) = self.connected.pop_front().expect("half of the people are in calls");
        self.feed(Input::CallEnded(call));
        self.feed(Input::CallReleased(call));
        department
    }

    /// The arrival of a call for a department, ready to be decided.
    pub(crate) fn arrival(&mut self, department: DepartmentId) -> Input {
        self.calls += 1;
        self.now = self.now + 1;
        let mut random = [0; 10];
        random.copy_from_slice(&self.calls.to_be_bytes()[6..]);
        let call = CallId::new(self.now, random);
        let caller = Some(Pii(format!("+4477009{:05}", self.calls % 100_000)));
        Input::CallArrived(Arrival {
            call,
            target: Target::Department(department),
            row: Row::Queue,
            caller,
            priority: 0,
            after: 0,
        })
    }

    /// One decision: who rings, and why not the others. Gives the offer and the number of outputs.
    pub(crate) fn decide(&mut self, arrival: Input) -> (OfferId, CallId, usize) {
        self.engine.handle_input(self.now, arrival).expect("the department is there");
        let mut offered = None;
        let mut outputs = 0;
        loop {
            match self.engine.poll_output() {
                Output::Timeout(_) => break,
                Output::Offer { offer, call, .. } => offered = Some((offer, call)),
                _ => {}
            }
            outputs += 1;
        }
        let (offer, call) = offered.expect("somebody is free");
        (offer, call, outputs)
    }

    /// The person answers.
    pub(crate) fn answer(&mut self, offer: OfferId, call: CallId, department: DepartmentId) {
        self.feed(Input::OfferConfirmed(offer));
        self.feed(Input::OfferAccepted(offer));
        self.connected.push_back((call, department));
    }

    /// From arrival to conversation.
    pub(crate) fn take(&mut self, department: DepartmentId) {
        let arrival = self.arrival(department);
        let (offer, call, _) = self.decide(arrival);
        self.answer(offer, call, department);
    }

    fn feed(&mut self, input: Input) {
        self.engine.handle_input(self.now, input).expect("the input fits");
        while !matches!(self.engine.poll_output(), Output::Timeout(_)) {}
    }
}

fn on() -> AgentFacts {
    let stamp = Stamp { since: NOW, by: Actor::system(), source: Source::System };
    AgentFacts {
        version: Version { epoch: 1, rev: 1 },
        seat: Seat::Active,
        pause: None,
        dnd: None,
        opt_out: None,
        toggle: ToggleFact { state: Toggle::On, stamp, reason: None, until: None, apply: Apply::Now },
        slots: None,
        work_anyway: None,
        intent: Intent::default(),
        fence: 0,
    }
}

fn policy(people: u16, spread: Spread, strategy: Strategy) -> Policy {
    let mut policy = Policy { version: 1, zone: "UTC".to_owned(), ..Policy::default() };
    for number in 0..DEPARTMENTS.min(people) {
        let slug = format!("department-{number}");
        let mut department = Department::new(DepartmentId::demo(number), &slug, &slug, strategy);
        let members: Vec<u16> = match spread {
            Spread::Even => (number..people).step_by(usize::from(DEPARTMENTS)).collect(),
            Spread::Overlapping(size) => {
                (0..size).map(|place| (number.wrapping_mul(10) + place.wrapping_mul(37)) % people).collect()
            }
        };
        let member = |(place, agent): (usize, u16)| Member {
            agent: AgentId::demo(agent),
            order: u32::try_from(place).unwrap_or(u32::MAX - 1) + 1,
            always_include: false,
            skills: std::collections::BTreeMap::new(),
        };
        department.members = members.into_iter().enumerate().map(member).collect();
        department.fallback = vec![Fallback::Voicemail { mailbox: slug }];
        policy.departments.push(department);
    }
    policy
}
