//! Generated days: small worlds in which everything happens in any order, with the promises checked after each step
//! against a reference model that knows the rules in the plainest form.
//!
//! A seed that ever failed is kept in `seeds.txt` and runs first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use super::floor::*;
use crate::ledger;
use crate::line::Line;

/// Worlds of one run, each of so many steps: a million in all.
const WORLDS: u64 = 1_000;
const STEPS: u64 = 1_000;

const PEOPLE: [AgentId; 5] = [ASHA, RIYA, DEV, AgentId::demo(0x24), AgentId::demo(0x25)];
const DEPARTMENTS: [DepartmentId; 3] = [SUPPORT, SALES, DepartmentId::demo(0x1003)];
const SLUGS: [&str; 3] = ["support", "sales", "bookings"];
const CALLERS: [&str; 6] =
    ["+442079460900", "+442079460901", "+442079460902", "+12025550143", "+12025550144", "+12025550145"];

#[test]
fn promises_hold_after_every_step_of_generated_days() {
    let kept = include_str!("seeds.txt").lines().filter_map(|line| line.trim().parse::<u64>().ok());
    let first: u64 = std::env::var("CORDBOARD_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
    let seeds: Vec<u64> = kept.chain(first..first + WORLDS).collect();
    let (next, steps) = (AtomicU64::new(0), AtomicU64::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let failed = std::thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            loop {
                let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap();
                let Some(seed) = seeds.get(index).copied() else { return failed };
                match catch_unwind(AssertUnwindSafe(|| day(seed))) {
                    Ok(taken) => drop(steps.fetch_add(taken, Ordering::Relaxed)),
                    Err(_) => failed.push(seed),
                }
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<u64>>()
    });
    let steps = steps.into_inner();
    assert!(failed.is_empty(), "failed seeds: {failed:?}; add them to src/engine/tests/seeds.txt");
    assert!(steps >= 1_000_000, "only {steps} steps were taken");
    // Shown by `--nocapture`, so that a run can be repeated.
    let mut out = std::io::stdout();
    let _ = std::io::Write::write_fmt(&mut out, format_args!("{steps} steps from seed {first} on\n"));
}

/// One person in the plainest form.
#[derive(Clone, Copy, Default)]
struct Person {
    away: bool,
    paused_until: Option<Millis>,
    dnd: bool,
    opted_out: bool,
}

/// One day of a world. Returns how many steps it took.
fn day(seed: u64) -> u64 {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let policy = any_policy(&mut chance);
    let mut floor = Floor::with(policy.clone(), &PEOPLE);
    let mut model: BTreeMap<AgentId, Person> = PEOPLE.iter().map(|agent| (*agent, Person::default())).collect();
    call_out(&mut floor, seed, NOW);
    let mut log = LogOf::default();
    log.take(&floor.trace, &floor.seen);
    floor.seen.clear();
    let mut now = NOW;
    let mut began = 0;
    for step in 0..STEPS {
        let pause = if chance.below(10) == 0 { 40_000 } else { 2_500 };
        now = now + chance.below(pause);
        drop(floor.feed_any(now, Input::Timeout));
        write_down(&mut floor, &mut model, now, 0);
        let before: BTreeSet<_> = floor.engine.state.offers.keys().copied().collect();
        let said = floor.seen.len();
        happen(&mut floor, &mut chance, &mut model, now);
        write_down(&mut floor, &mut model, now, said);
        let place = format!("seed {seed} step {step}");
        check(&floor, &policy, &model, &before, now, &place);
        log.take(&floor.trace[began..], &floor.seen);
        began = floor.trace.len();
        floor.seen.clear();
        if chance.below(400) == 0 {
            crash(&mut floor, &mut log, now, seed, &place);
            began = 0;
        } else if chance.below(100) == 0 {
            // Written down and read back it goes on as if nothing had happened.
            let text = serde_json::to_string(&floor.engine).unwrap();
            floor.engine = serde_json::from_str(&text).unwrap();
        }
    }
    log.replays(&floor, now, &format!("seed {seed}"));
    everything_ends(&mut floor, now, &format!("seed {seed}"));
    STEPS
}

/// What the log and the ledger hold, and the trace since the last start.
#[derive(Default)]
struct LogOf {
    durable: Durable,
    decisions: BTreeMap<(CallId, u32), Decision>,
}

impl LogOf {
    fn take(&mut self, trace: &[(Millis, Input)], seen: &[Output]) {
        for (_, input) in trace {
            if let Input::Obey { event, at } = input {
                self.durable.position = *at;
                self.durable.apply(event);
            }
        }
        for output in seen {
            match output {
                Output::Remember(event) => self.durable.apply(event),
                Output::Decided { call, decision } => {
                    self.decisions.insert((*call, decision.step), (**decision).clone());
                }
                _ => {}
            }
        }
    }

    /// The trace since the start gives every decision again, byte for byte.
    fn replays(&self, floor: &Floor, now: Millis, place: &str) {
        let mut engine = floor.start.clone();
        let mut again = BTreeMap::new();
        for (at, input) in floor.trace.iter().chain([&(now, Input::Timeout)]) {
            let _ = engine.handle_input(*at, input.clone());
            loop {
                match engine.poll_output() {
                    Output::Timeout(_) => break,
                    Output::Decided { call, decision } => {
                        again.insert((call, decision.step), *decision);
                    }
                    _ => {}
                }
            }
        }
        for (key, decision) in &again {
            let stored = self.decisions.get(key);
            assert_eq!(
                stored.map(|it| serde_json::to_string(it).unwrap()),
                Some(serde_json::to_string(decision).unwrap()),
                "{place}: a replay decides otherwise"
            );
        }
    }
}

/// The process dies: the log is all that is left.
fn crash(floor: &mut Floor, log: &mut LogOf, now: Millis, seed: u64, place: &str) {
    log.replays(floor, now, place);
    let durable = floor.engine.durable();
    assert_eq!(log.durable.facts, durable.facts, "{place}: the fold of the log has other facts");
    assert_eq!(log.durable.places, durable.places, "{place}: the fold of the log has other places");
    assert_eq!(log.durable.callbacks, durable.callbacks, "{place}: the fold of the log has other callbacks");
    assert_eq!(log.durable.bound, durable.bound, "{place}: the fold of the log has other bindings");
    floor.engine = Engine::start(now, 11, log.durable.clone());
    floor.start = floor.engine.clone();
    floor.trace.clear();
    floor.seen.clear();
    log.decisions.clear();
    loop {
        match floor.engine.poll_output() {
            Output::Timeout(_) => break,
            Output::Remember(event) => log.durable.apply(&event),
            _ => {}
        }
    }
    while !matches!(floor.start.poll_output(), Output::Timeout(_)) {}
    for place_of in floor.engine.state.durable.places.values() {
        assert!(place_of.kept_until.is_some(), "{place}: a place without a leg is not kept");
    }
    for agent in PEOPLE {
        floor.feed_any(now, Input::DeviceReady(agent, device(agent), DeviceKind::Browser)).unwrap();
    }
    call_out(floor, seed, now);
    log.take(&[], &floor.seen);
    // Callbacks may have been begun at once.
    for output in &floor.seen {
        if let Output::Decided { call, decision } = output {
            floor.first_writings.borrow_mut().insert((*call, decision.step));
        }
    }
    floor.seen.clear();
}

/// In most worlds callers can be called back; in some of these not the ones abroad.
fn call_out(floor: &mut Floor, seed: u64, now: Millis) {
    let prefixes: &[&str] = match seed % 5 {
        0 => &[],
        1 => &["+44"],
        _ => &["+44", "+1"],
    };
    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    let open = CallingOut { prefixes, closed: vec!["+442079460902".to_owned()], paused: false };
    floor.feed_any(now, Input::CallingOut(open)).unwrap();
}

fn any_policy(chance: &mut Chance) -> Policy {
    let count = 1 + chance.index(3);
    let departments = (0..count).map(|index| {
        let strategies = [Strategy::Serial, Strategy::Simultaneous, Strategy::Balanced];
        let mut members: Vec<_> = PEOPLE.iter().copied().filter(|_| chance.below(3) > 0).zip(1..).collect();
        if members.is_empty() {
            members.push((PEOPLE[index], 1));
        }
        let skilled = chance.below(4) == 0;
        Department {
            members: members
                .into_iter()
                .map(|(agent, order)| Member {
                    always_include: chance.below(6) == 0,
                    skills: [("english".to_owned(), u8::try_from(chance.below(10)).unwrap())].into(),
                    ..member(agent, order)
                })
                .collect(),
            ring_seconds: 10 + u32::try_from(chance.below(20)).unwrap(),
            wave: 1 + u32::try_from(chance.below(4)).unwrap(),
            wrap_up_seconds: u32::try_from(chance.below(3) * 10).unwrap(),
            max_wait_seconds: 20 + u32::try_from(chance.below(200)).unwrap(),
            weight: 1 + u32::try_from(chance.below(3)).unwrap(),
            announce_seconds: if chance.below(2) == 0 { 0 } else { 20 },
            callback: chance.below(2) == 0,
            needs: if skilled {
                vec![SkillNeed {
                    skill: "english".to_owned(),
                    level: 5,
                    relax: vec![Relax { after_seconds: 15, level: 2 }, Relax { after_seconds: 30, level: 0 }],
                }]
            } else {
                Vec::new()
            },
            sticky: (chance.below(3) == 0).then(|| Sticky {
                mode: if chance.below(2) == 0 { StickyMode::Strict } else { StickyMode::Loose },
                hours: 1,
                fallback: None,
            }),
            fallback: any_chain(chance, index),
            ..Department::new(DEPARTMENTS[index], SLUGS[index], SLUGS[index], strategies[chance.index(3)])
        }
    });
    let departments = departments.collect();
    let mut policy = Policy { version: 3, zone: "UTC".to_owned(), departments, ..Policy::default() };
    policy.settings.reach.extension_rings_away = chance.below(2) == 0;
    policy.settings.missed_limit = u32::try_from(chance.below(4)).unwrap();
    policy.settings.lines = (chance.below(3) == 0).then_some(20);
    policy.contacts = vec![Contact {
        number: CALLERS[3].parse().unwrap(),
        name: String::new(),
        agent: Some(PEOPLE[4]),
        priority: 5,
        tags: Vec::new(),
    }];
    policy
}

fn any_chain(chance: &mut Chance, index: usize) -> Vec<Fallback> {
    let all = [
        Fallback::Department { department: SLUGS[(index + 1) % 3].to_owned() },
        Fallback::Agent { agent: PEOPLE[0] },
        Fallback::Callback,
        Fallback::Voicemail { mailbox: SLUGS[index].to_owned() },
    ];
    all.into_iter().filter(|_| chance.below(2) == 0).collect()
}

/// One thing happens.
fn happen(floor: &mut Floor, chance: &mut Chance, model: &mut BTreeMap<AgentId, Person>, now: Millis) {
    let agent = PEOPLE[chance.index(PEOPLE.len())];
    let offers: Vec<_> = floor.engine.state.offers.keys().copied().collect();
    let calls: Vec<_> = floor.engine.state.lines.keys().copied().collect();
    let offer = chance.one(&offers);
    let call = chance.one(&calls);
    let departments = floor.engine.policy().departments.len();
    match chance.below(24) {
        0..=4 => {
            let named = chance.below(5) == 0;
            let department = DEPARTMENTS[chance.index(departments)];
            let (target, row) = if named {
                let rows = [Row::DirectExtension, Row::FlowExtension, Row::Internal, Row::BlindTransfer, Row::Callback];
                (Target::Agent(agent), rows[chance.index(rows.len())])
            } else {
                (Target::Department(department), Row::Queue)
            };
            let caller = chance.one(&CALLERS).filter(|_| chance.below(8) > 0);
            floor.call_from(now, target, row, caller);
        }
        5..=7 => {
            let away = chance.below(2) == 0;
            model.get_mut(&agent).unwrap().away = away;
            floor.toggle_only(now, agent, if away { Toggle::Away } else { Toggle::On });
        }
        8 => {
            let until = (chance.below(2) == 0).then(|| now + 1 + chance.below(60_000));
            let paused = chance.below(2) == 0;
            model.get_mut(&agent).unwrap().paused_until = paused.then(|| until.unwrap_or(Millis(i64::MAX)));
            floor.set(now, agent, |facts| facts.pause = paused.then(|| block(now, until)));
        }
        9 => {
            let dnd = chance.below(3) == 0;
            model.get_mut(&agent).unwrap().dnd = dnd;
            floor.set(now, agent, |facts| facts.dnd = dnd.then(|| block(now, None)));
        }
        10 => {
            let out = chance.below(3) == 0;
            model.get_mut(&agent).unwrap().opted_out = out;
            floor.set(now, agent, |facts| facts.opt_out = out.then(|| block(now, None)));
        }
        11 => drop(floor.feed_any(now, Input::DeviceGone(agent, device(agent)))),
        12 | 13 => drop(floor.feed_any(now, Input::DeviceReady(agent, device(agent), DeviceKind::Browser))),
        14 | 15 => drop(offer.map(|offer| floor.feed_any(now, Input::OfferConfirmed(offer)))),
        16 => drop(offer.map(|offer| floor.feed_any(now, Input::OfferAccepted(offer)))),
        17 => drop(offer.map(|offer| floor.feed_any(now, Input::OfferDeclined(offer)))),
        18 | 19 => {
            let Some(call) = call else { return };
            let connected = floor.engine.state.lines.get(&call).is_some_and(|line| !line.is_open());
            let input = match chance.below(4) {
                0 if connected => Input::ConnectFailed(call),
                _ if connected => Input::CallEnded(call),
                _ => Input::CallerGone(call),
            };
            drop(floor.feed_any(now, input));
        }
        20 => drop(call.map(|call| floor.feed_any(now, Input::CallbackAsked(call)))),
        21 => {
            let due = floor.engine.callbacks().into_iter().find(|it| it.due_at.is_some());
            drop(due.map(|it| floor.feed_any(now, Input::CallbackDone(it.call))));
        }
        22 => match chance.below(3) {
            0 => drop(floor.feed_any(now, Input::WrapUpDone(agent))),
            1 => drop(floor.feed_any(now, Input::WrapUpExtend(agent))),
            _ => drop(call.map(|call| floor.feed_any(now, Input::TakeWaiting(agent, call)))),
        },
        _ => match now.0 % 3 {
            // Somebody who was called back is there.
            0 => {
                let reached = |line: &&Line| line.connected().and(line.callback).is_some();
                let reached = floor.engine.state.lines.values().find(reached).and_then(|line| line.callback);
                drop(reached.map(|callback| floor.feed_any(now, Input::CallbackDone(callback))));
            }
            1 => {
                let open = floor.engine.state.calling_out.clone();
                let other = CallingOut { paused: !open.paused, ..open };
                drop(floor.feed_any(now, Input::CallingOut(other)));
            }
            _ => drop(floor.feed_any(now, Input::Timeout)),
        },
    }
}

/// What time or missed offers changed is written down, as the account does.
fn write_down(floor: &mut Floor, model: &mut BTreeMap<AgentId, Person>, now: Millis, from: usize) {
    let missed: Vec<_> = floor.seen[from..]
        .iter()
        .filter_map(|output| match output {
            Output::Elapsed(agent, Elapsed::Missed) => Some(*agent),
            _ => None,
        })
        .collect();
    for agent in missed {
        model.get_mut(&agent).unwrap().away = true;
        floor.toggle_only(now, agent, Toggle::Away);
    }
}

/// The promises, by the plainest rules.
fn check(
    floor: &Floor,
    policy: &Policy,
    model: &BTreeMap<AgentId, Person>,
    before: &BTreeSet<OfferId>,
    now: Millis,
    place: &str,
) {
    let state = &floor.engine.state;
    assert_eq!(floor.engine.stuck_agents(now), 0, "{place}: somebody is stuck");
    let mut has = BTreeMap::new();
    for offer in state.offers.values() {
        let person = model[&offer.agent];
        assert!(may_ring(person, offer.row, policy, now), "{place}: a blocked person rings by {:?}", offer.row);
        assert!(has.insert(offer.agent, offer.call).is_none(), "{place}: one person, two offers");
        let held = state.lines[&offer.call].offers().any(|id| id == offer.id);
        assert!(held, "{place}: an offer without its call");
    }
    for line in state.lines.values() {
        if let LineState::Connected { agent, .. } = line.state {
            assert!(has.insert(agent, line.call).is_none(), "{place}: one person, two calls");
        }
        assert_ne!(line.state, LineState::Choosing, "{place}: a call without a next step");
        let wave = line.department().and_then(|id| policy.departments.iter().find(|it| it.id == id));
        let most = wave.map_or(1, |it| if it.strategy == Strategy::Simultaneous { it.wave } else { 1 });
        assert!(line.offers().count() <= usize::try_from(most).unwrap(), "{place}: too many ring");
    }
    callbacks_are_somewhere(floor, now, place);
    for agent in floor.engine.agents() {
        let busy = has.contains_key(&agent.id);
        let by_load = matches!(agent.load, Load::Ringing(_) | Load::OnCall(_));
        assert_eq!(busy, by_load, "{place}: a load without its call");
    }
    for line in state.lines.values().filter(|line| line.is_open()) {
        let fresh: Vec<_> = line.offers().filter(|id| !before.contains(id)).collect();
        for offer in fresh {
            order_is_kept(floor, line, state.offers[&offer].agent, now, place);
        }
    }
    // Only the first writing of an entry says what was chosen; later ones say what came of it.
    let mut written = BTreeSet::new();
    for output in &floor.seen {
        let Output::Decided { call, decision } = output else { continue };
        let agents: BTreeSet<_> = decision.members.iter().map(|member| member.agent).collect();
        assert_eq!(agents.len(), decision.members.len(), "{place}: a member twice in a decision");
        if let Some(id) = decision.department {
            let members = &policy.departments.iter().find(|it| it.id == id).unwrap().members;
            assert!(members.iter().all(|it| agents.contains(&it.agent)), "{place}: a member without a reason");
        }
        let is_new = floor.first_writings.borrow_mut().insert((*call, decision.step));
        if is_new && written.insert((*call, decision.step)) {
            let chosen: Vec<_> = decision
                .members
                .iter()
                .filter(|it| ledger::is_rung(it.reason) && it.rang_ms.is_none())
                .map(|it| it.agent)
                .collect();
            assert_eq!(ledger::recompute(decision), chosen, "{place}: the entry does not give its own choice");
        }
    }
}

/// Each callback is in one place: on the list, in line, at rest after a call that came to nothing, or being made.
fn callbacks_are_somewhere(floor: &Floor, now: Millis, place: &str) {
    let state = &floor.engine.state;
    for callback in state.durable.callbacks.values() {
        let made = state.lines.values().filter(|line| line.callback == Some(callback.call)).count();
        let due = usize::from(callback.due_at.is_some());
        let rests = usize::from(due == 0 && callback.again_at.is_some_and(|at| at > now));
        let stands = usize::from(floor.engine.stands(callback));
        assert_eq!(made + due + rests + stands, 1, "{place}: {callback:?} is in {made} {due} {rests} {stands}");
    }
    for line in state.lines.values().filter(|line| line.callback.is_some()) {
        let number = &line.caller.as_ref().unwrap().0;
        assert!(state.calling_out.reaches(number), "{place}: somebody is rung for a number that cannot be called");
        assert!(line.callback.is_some_and(|it| state.durable.callbacks.contains_key(&it)), "{place}: for nobody");
    }
    let outbound = state.legs.values().filter(|leg| **leg == crate::engine::Leg::Outbound).count();
    let most = crate::engine::arrive::outbound_lines(&floor.engine.policy().settings);
    assert!(most.is_none_or(|most| outbound <= most), "{place}: more lines than there are");
}

/// Whether the plain rules let a path ring a person. Devices and load are checked by what the engine holds.
fn may_ring(person: Person, row: Row, policy: &Policy, now: Millis) -> bool {
    let paused = person.paused_until.is_some_and(|until| now < until);
    if paused || person.dnd || person.opted_out {
        return false;
    }
    let pierces_away = match row {
        Row::AlwaysInclude | Row::BlindTransfer | Row::WarmTransfer | Row::Callback => true,
        Row::DirectExtension => policy.settings.reach.extension_rings_away,
        _ => false,
    };
    !person.away || pierces_away
}

/// Nobody who waits further ahead in the same line could have had this person.
fn order_is_kept(floor: &Floor, served: &Line, agent: AgentId, now: Millis, place: &str) {
    let Some(department) = served.department() else { return };
    let Some(rules) = floor.engine.policy().departments.iter().find(|it| it.id == department).cloned() else { return };
    let Some(member) = rules.members.iter().find(|it| it.agent == agent) else { return };
    callbacks_are_not_passed_over(floor, served, (agent, member, &rules), now, place);
    for ahead in floor.engine.state.lines.values() {
        let is_ahead = ahead.queued == Some(department) && ahead.key() < served.key();
        // Who joined the line in this very step, at a kept place, was not there when the choice was made.
        let was_there = served.open.last().is_some_and(|decision| ahead.entered_at < decision.at);
        if !is_ahead || !was_there || ahead.state != LineState::Waiting {
            continue;
        }
        let bound_elsewhere = ahead.binding.is_some_and(|it| it.mode == StickyMode::Strict && it.agent != agent);
        let skilled = crate::compiled::is_skilled(&rules, member, now.since(ahead.entered_at));
        let could = !ahead.tried.contains_key(&agent) && !bound_elsewhere && skilled;
        assert!(
            !could,
            "{place}: a caller further behind was served first: {ahead:#?} {served:#?} {agent} {:?}",
            floor.engine.agent(agent).map(crate::agent::Agent::blocked_when_idle)
        );
    }
}

/// A callback further ahead comes before who stayed on the line behind it.
fn callbacks_are_not_passed_over(
    floor: &Floor,
    served: &Line,
    (agent, member, rules): (AgentId, &Member, &Department),
    now: Millis,
    place: &str,
) {
    let state = &floor.engine.state;
    let decided = served.open.last().map_or(now, |decision| decision.at);
    // A line may have become free since.
    if state.calling_out.paused || floor.engine.policy().settings.lines.is_some() {
        return;
    }
    // Row 10 reaches who is Away, the rows of those further ahead may not.
    if served.row == Row::Callback {
        return;
    }
    for ahead in state.durable.callbacks.values().filter(|it| floor.engine.stands(it)) {
        let is_ahead = (9 - ahead.priority.min(9), ahead.place) < (served.key().behind, served.key().place);
        let was_there = ahead.asked_at < decided && ahead.again_at.is_none_or(|at| at < decided);
        let theirs = ahead.department == served.department() && ahead.agent.is_none_or(|it| it == agent);
        let skilled = crate::compiled::is_skilled(rules, member, decided.since(ahead.since));
        let can_be_called = state.calling_out.reaches(&ahead.number.0);
        assert!(
            !(is_ahead && was_there && theirs && skilled && can_be_called),
            "{place}: a callback was passed over: {ahead:#?} {served:#?} {agent}"
        );
    }
}

/// With all talks over and all deadlines passed nobody is left in a line and nobody is busy.
fn everything_ends(floor: &mut Floor, mut now: Millis, place: &str) {
    for _ in 0..50 {
        let connected: Vec<_> =
            floor.engine.state.lines.values().filter(|line| !line.is_open()).map(|line| line.call).collect();
        for call in connected {
            drop(floor.feed_any(now, Input::CallEnded(call)));
        }
        now = now + 400_000;
        drop(floor.feed_any(now, Input::Timeout));
    }
    let state = &floor.engine.state;
    assert!(state.lines.is_empty() && state.offers.is_empty(), "{place}: a caller waits for ever");
    let left = |callback: &crate::event::Callback| callback.due_at.is_some() || floor.engine.stands(callback);
    assert!(state.durable.callbacks.values().all(left), "{place}: a callback is nowhere");
    assert!(state.by_name.is_empty(), "{place}: somebody is waited for by a call that is gone");
    assert!(floor.engine.agents().all(|agent| agent.load == Load::Idle), "{place}: somebody is busy with nothing");
}
