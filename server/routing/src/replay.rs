//! A past range of calls, run again: under the policy that held, or another one.
//!
//! Decisions that come out otherwise are a fact: they follow from the recorded inputs. Waits are an estimate: what
//! people and callers would have done with other offers, nobody knows. The answer says which is which.

use std::collections::{BTreeMap, BTreeSet};

use cordboard_shared::Millis;
use cordboard_shared::api::routing::{ReplayAnswer, ReplayChange, ReplayRequest, ReplayWaits};
use cordboard_shared::decision::Decision;
use cordboard_shared::id::{AgentId, CallId, OfferId};
use cordboard_shared::policy::Policy;

use crate::command::{Input, Output};
use crate::engine::Engine;
use crate::event::Event;
use crate::ledger::is_rung;

/// How long a person without any answer in the range is taken to need, in milliseconds.
const ANSWER_MS: u64 = 8_000;
/// How long a call without any talk in the range is taken to last, in milliseconds.
const TALK_MS: u64 = 180_000;

/// Runs the trace again. `start` is the engine as it was before the first entry; `recorded` holds the decisions that
/// were stored then.
pub fn replay(
    start: Engine,
    trace: impl IntoIterator<Item = (Millis, Input)>,
    request: &ReplayRequest,
    recorded: &BTreeMap<CallId, Vec<Decision>>,
) -> ReplayAnswer {
    let trace: Vec<_> = trace.into_iter().collect();
    let (past, history) = as_it_was(start.clone(), &trace, request);
    match &request.policy {
        None => compare(recorded, &past, &waits(&past, &past), Sameness::EveryByte, Vec::new()),
        Some(policy) => {
            let tried = under(start, &trace, request, policy, &history);
            let mut assumptions = vec![
                "decisions that changed are a fact: the recorded calls and people, under the policy tried".to_owned(),
                "waits are an estimate: a person who was rung only under the policy tried answers after the mean time of \
                 their answers in this range"
                    .to_owned(),
                "a call lasts as long as it did; one that was never answered as long as the mean".to_owned(),
                "a caller who hung up while waiting hangs up at the same instant, unless somebody answered before".to_owned(),
            ];
            if past.called_back {
                assumptions.push("who is called back answers; such calls are not compared".to_owned());
            }
            compare(&past.decisions_by_call(), &tried, &waits(&past, &tried), Sameness::Choice, assumptions)
        }
    }
}

/// What one run came to.
#[derive(Default)]
struct Run {
    decisions: BTreeMap<CallId, BTreeMap<u32, Decision>>,
    arrived: BTreeMap<CallId, Millis>,
    answered: BTreeMap<CallId, Millis>,
    gone: BTreeMap<CallId, Millis>,
    /// Calls made for callbacks from then until then are looked at, too.
    callbacks: Option<(Millis, Millis)>,
    /// Somebody was called back.
    called_back: bool,
}

impl Run {
    fn decisions_by_call(&self) -> BTreeMap<CallId, Vec<Decision>> {
        self.decisions.iter().map(|(call, steps)| (*call, steps.values().cloned().collect())).collect()
    }

    fn waited_ms(&self, call: CallId) -> Option<u64> {
        let end = self.answered.get(&call).or_else(|| self.gone.get(&call))?;
        Some(end.since(*self.arrived.get(&call)?))
    }
}

/// What people and callers did.
#[derive(Default)]
struct History {
    /// What a person did with an offer of a call, and after how long.
    did: BTreeMap<(CallId, AgentId), (Did, u64)>,
    /// Answers of a person in the range: their number, and the sum of their times.
    answers: BTreeMap<AgentId, (u64, u64)>,
    talk_ms: BTreeMap<CallId, u64>,
    hung_up: BTreeMap<CallId, Millis>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Did {
    Confirmed,
    Accepted,
    Declined,
}

impl History {
    fn answer_ms(&self, agent: AgentId) -> u64 {
        self.answers.get(&agent).map_or(ANSWER_MS, |(count, sum)| sum / (*count).max(1))
    }

    fn mean_talk_ms(&self) -> u64 {
        let count = self.talk_ms.len() as u64;
        self.talk_ms.values().sum::<u64>().checked_div(count).unwrap_or(TALK_MS)
    }
}

/// Feeds everything as it came.
fn as_it_was(mut engine: Engine, trace: &[(Millis, Input)], request: &ReplayRequest) -> (Run, History) {
    let (mut run, mut history) = (Run::default(), History::default());
    run.callbacks = Some((request.from, request.to));
    let mut offers: BTreeMap<OfferId, (CallId, AgentId, Millis)> = BTreeMap::new();
    let mut joined: BTreeMap<CallId, Millis> = BTreeMap::new();
    for (at, input) in trace {
        match input {
            Input::CallArrived(arrival) if (request.from..request.to).contains(at) => {
                run.arrived.entry(arrival.call).or_insert(*at);
            }
            Input::CallOffered { call, .. } | Input::NoFlow(call) if (request.from..request.to).contains(at) => {
                run.decisions.entry(*call).or_default();
            }
            Input::OwnCall { call, entry_of, .. } if (request.from..request.to).contains(at) => {
                run.decisions.entry(entry_of.unwrap_or(*call)).or_default();
            }
            Input::OfferConfirmed(offer) | Input::OfferAccepted(offer) | Input::OfferDeclined(offer) => {
                if let Some((call, agent, since)) = offers.get(offer) {
                    let did = match input {
                        Input::OfferAccepted(_) => Did::Accepted,
                        Input::OfferDeclined(_) => Did::Declined,
                        _ => Did::Confirmed,
                    };
                    let after = at.since(*since);
                    if did == Did::Accepted {
                        let (count, sum) = history.answers.entry(*agent).or_default();
                        (*count, *sum) = (*count + 1, *sum + after);
                    }
                    history.did.insert((*call, *agent), (did, after));
                }
            }
            Input::CallEnded(call) => {
                if let Some(since) = joined.get(call) {
                    history.talk_ms.insert(*call, at.since(*since));
                }
            }
            Input::CallerGone(call) => {
                history.hung_up.insert(*call, *at);
                run.gone.entry(*call).or_insert(*at);
            }
            _ => {}
        }
        // What was refused then is refused again.
        let _ = engine.handle_input(*at, input.clone());
        drain(&mut engine, *at, &mut run, |output| match output {
            Output::Offer { offer, call, agent, .. } => drop(offers.insert(*offer, (*call, *agent, *at))),
            Output::Connect { call, .. } => drop(joined.insert(*call, *at)),
            _ => {}
        });
    }
    // What time alone brought after the last entry belongs to the calls of the range too.
    run_out(&mut engine, &mut run);
    (run, history)
}

/// Lets deadlines run until every call of the range is somewhere.
fn run_out(engine: &mut Engine, run: &mut Run) {
    for _ in 0..10_000 {
        let open = run.arrived.keys().any(|call| !run.answered.contains_key(call) && !run.gone.contains_key(call));
        let Some(at) = engine.next_deadline().filter(|_| open) else { return };
        let _ = engine.handle_input(at, Input::Timeout);
        drain(engine, at, run, |_| {});
    }
}

fn drain(engine: &mut Engine, at: Millis, run: &mut Run, mut each: impl FnMut(&Output)) {
    loop {
        let output = engine.poll_output();
        each(&output);
        match output {
            Output::Timeout(_) => return,
            Output::CallBack { call, .. } if run.callbacks.is_some_and(|(from, to)| (from..to).contains(&at)) => {
                run.called_back = true;
                run.decisions.entry(call).or_default();
            }
            Output::Decided { call, decision }
                if run.arrived.contains_key(&call) || run.decisions.contains_key(&call) =>
            {
                run.decisions.entry(call).or_default().insert(decision.step, *decision);
            }
            Output::Connect { call, .. } => drop(run.answered.entry(call).or_insert(at)),
            Output::Exhausted { call, .. } => drop(run.gone.entry(call).or_insert(at)),
            _ => {}
        }
    }
}

/// Runs the arrivals of the range under another policy. People do with an offer what they did with that call then, or
/// what they do in the mean.
fn under(
    mut engine: Engine,
    trace: &[(Millis, Input)],
    request: &ReplayRequest,
    policy: &Policy,
    history: &History,
) -> Run {
    let mut run = Run::default();
    let mut agenda: BTreeMap<(Millis, u64), Input> = BTreeMap::new();
    for (number, (at, input)) in (0_u64..).zip(trace) {
        if !is_reaction(input) || *at < request.from {
            agenda.insert((*at, number), input.clone());
        }
    }
    let mut number = trace.len() as u64;
    let mut tried = false;
    let mut callbacks: BTreeMap<CallId, CallId> = BTreeMap::new();
    loop {
        let planned = agenda.first_key_value().map(|((at, _), _)| *at);
        let deadline = engine.next_deadline();
        let late = planned.is_none();
        if late && !run.arrived.keys().any(|call| !run.answered.contains_key(call) && !run.gone.contains_key(call)) {
            return run;
        }
        let (at, input) = match (planned, deadline) {
            (Some(at), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                let Some((_, input)) = agenda.pop_first() else { return run };
                (at, input)
            }
            (_, Some(deadline)) => (deadline, Input::Timeout),
            (Some(_) | None, None) => return run,
        };
        if !tried && at >= request.from {
            tried = true;
            let event = Event::PolicySet { policy: Box::new(policy.clone()) };
            let position = engine.position();
            let _ = engine.handle_input(at, Input::Obey { event: Box::new(event), at: position });
        }
        match &input {
            Input::CallArrived(arrival) if (request.from..request.to).contains(&at) => {
                run.arrived.entry(arrival.call).or_insert(at);
            }
            Input::CallOffered { call, .. } | Input::NoFlow(call) if (request.from..request.to).contains(&at) => {
                run.decisions.entry(*call).or_default();
            }
            Input::OwnCall { call, entry_of, .. } if (request.from..request.to).contains(&at) => {
                run.decisions.entry(entry_of.unwrap_or(*call)).or_default();
            }
            Input::CallerGone(call) => drop(run.gone.entry(*call).or_insert(at)),
            _ => {}
        }
        let _ = engine.handle_input(at, input);
        let mut plan = Vec::new();
        drain(&mut engine, at, &mut run, |output| match output {
            Output::Offer { offer, call, agent, .. } => plan.extend(reactions(history, *offer, *call, *agent, at)),
            Output::CallBack { call, callback, .. } => drop(callbacks.insert(*call, *callback)),
            Output::Connect { call, .. } => {
                if let Some(callback) = callbacks.get(call) {
                    plan.push((at, Input::CallbackDone(*callback)));
                }
                let talk = history.talk_ms.get(call).copied().unwrap_or_else(|| history.mean_talk_ms());
                plan.push((at + talk, Input::CallEnded(*call)));
            }
            Output::Waiting { call, .. } => {
                if let Some(gone) = history.hung_up.get(call).filter(|gone| **gone > at) {
                    plan.push((*gone, Input::CallerGone(*call)));
                }
            }
            _ => {}
        });
        for (at, input) in plan {
            number += 1;
            agenda.insert((at, number), input);
        }
    }
}

/// Whether an input answers something the engine did: it means nothing to an engine that did something else. A policy of
/// the past is passed over too.
fn is_reaction(input: &Input) -> bool {
    match input {
        Input::OfferConfirmed(_)
        | Input::OfferAccepted(_)
        | Input::OfferDeclined(_)
        | Input::ConnectFailed(_)
        | Input::CallEnded(_)
        | Input::WrapUpDone(_)
        | Input::WrapUpExtend(_)
        | Input::TakeWaiting(..)
        | Input::PickUp(..)
        | Input::Timeout => true,
        Input::Obey { event, .. } => matches!(**event, Event::PolicySet { .. }),
        Input::DeviceReady(..)
        | Input::DeviceGone(..)
        | Input::PanelOpened(_)
        | Input::PanelClosed(_)
        | Input::Active(_)
        | Input::CallOffered { .. }
        | Input::NoFlow(_)
        | Input::CallReleased(_)
        | Input::CallArrived(_)
        | Input::CallerGone(_)
        | Input::OwnCall { .. }
        | Input::CallbackAsked(_)
        | Input::CallbackDone(_)
        | Input::CallingOut(_) => false,
    }
}

/// What a person does with an offer.
fn reactions(history: &History, offer: OfferId, call: CallId, agent: AgentId, at: Millis) -> Vec<(Millis, Input)> {
    let confirmed = (at, Input::OfferConfirmed(offer));
    match history.did.get(&(call, agent)) {
        Some((Did::Accepted, after)) => vec![confirmed, (at + *after, Input::OfferAccepted(offer))],
        Some((Did::Declined, after)) => vec![confirmed, (at + *after, Input::OfferDeclined(offer))],
        // It rang then and nobody pressed anything.
        Some((Did::Confirmed, _)) => vec![confirmed],
        None => vec![confirmed, (at + history.answer_ms(agent), Input::OfferAccepted(offer))],
    }
}

/// What counts as the same decision.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sameness {
    /// Every byte of it.
    EveryByte,
    /// Who was rung, and why the others were not.
    Choice,
}

impl Sameness {
    fn holds(self, before: &Decision, after: &Decision) -> bool {
        match self {
            Self::EveryByte => serde_json::to_vec(before).ok() == serde_json::to_vec(after).ok(),
            Self::Choice => {
                let choice = |decision: &Decision| -> Vec<_> {
                    decision.members.iter().map(|it| (it.agent, kind(it.reason))).collect()
                };
                (before.row, before.department, before.refused, choice(before))
                    == (after.row, after.department, after.refused, choice(after))
            }
        }
    }
}

/// Outcomes of a ring depend on people; that somebody was rung depends on the rules.
fn kind(reason: cordboard_shared::decision::Reason) -> Option<cordboard_shared::decision::Reason> {
    use cordboard_shared::decision::Reason;
    let came_of_ringing = matches!(
        reason,
        Reason::Answered
            | Reason::MissedNoAnswer
            | Reason::Declined
            | Reason::DeclinedByStatus
            | Reason::AnsweredElsewhere
            | Reason::CallerHungUp
            | Reason::NotReachable
            | Reason::CarrierBusy
            | Reason::DeviceDidNotConfirm
    );
    (!came_of_ringing && !is_rung(reason)).then_some(reason)
}

fn compare(
    before: &BTreeMap<CallId, Vec<Decision>>,
    after: &Run,
    waits: &ReplayWaits,
    sameness: Sameness,
    assumptions: Vec<String>,
) -> ReplayAnswer {
    let calls: BTreeSet<_> = after.arrived.keys().chain(after.decisions.keys()).copied().collect();
    let nothing = Vec::new();
    let (mut decisions, mut same, mut changed) = (0, 0, Vec::new());
    for call in &calls {
        let then = before.get(call).unwrap_or(&nothing);
        let now: Vec<_> = after.decisions.get(call).into_iter().flat_map(BTreeMap::values).collect();
        decisions += then.len();
        let equal = then.iter().zip(&now).take_while(|(then, now)| sameness.holds(then, now)).count();
        same += equal;
        if equal < then.len().max(now.len()) {
            changed.push(ReplayChange {
                call: *call,
                before: then.get(equal).cloned(),
                after: now.get(equal).map(|decision| (*decision).clone()),
            });
        }
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    ReplayAnswer {
        calls: count(calls.len()),
        decisions: count(decisions),
        same: count(same),
        changed,
        waits: *waits,
        assumptions,
    }
}

fn waits(before: &Run, after: &Run) -> ReplayWaits {
    let of = |run: &Run| -> (u64, u64) {
        let mut waits: Vec<_> = before.arrived.keys().filter_map(|call| run.waited_ms(*call)).collect();
        waits.sort_unstable();
        let mean = waits.iter().sum::<u64>() / (waits.len().max(1) as u64);
        (mean, waits.get(waits.len() * 9 / 10).or(waits.last()).copied().unwrap_or(0))
    };
    let ((mean_before_ms, p90_before_ms), (mean_after_ms, p90_after_ms)) = (of(before), of(after));
    ReplayWaits { mean_before_ms, mean_after_ms, p90_before_ms, p90_after_ms }
}

#[cfg(test)]
mod tests {
    use cordboard_shared::decision::Reason;

    use super::*;

    #[test]
    fn how_a_ring_came_out_is_no_change_of_a_decision_but_a_skip_is() {
        assert_eq!(kind(Reason::Answered), kind(Reason::MissedNoAnswer));
        assert_eq!(kind(Reason::Rung), kind(Reason::Declined));
        assert_ne!(kind(Reason::Rung), kind(Reason::SkippedAway));
        assert_ne!(kind(Reason::SkippedAway), kind(Reason::SkippedDnd));
    }

    #[test]
    fn people_without_an_answer_in_the_range_answer_after_the_usual_time() {
        let (quick, unknown) = (AgentId::demo(1), AgentId::demo(2));
        let history = History { answers: [(quick, (2, 6_000))].into(), ..History::default() };
        assert_eq!((history.answer_ms(quick), history.answer_ms(unknown)), (3_000, ANSWER_MS));
        assert_eq!(history.mean_talk_ms(), TALK_MS);
    }

    #[test]
    fn waits_are_those_of_the_same_calls_in_both_runs() {
        let call = |number: u8| CallId::new(Millis(0), [number; 10]);
        let run = |wait: u64| Run {
            arrived: (0..10).map(|number| (call(number), Millis(1_000))).collect(),
            answered: (0..10).map(|number| (call(number), Millis(1_000) + wait * u64::from(number))).collect(),
            ..Run::default()
        };
        let found = waits(&run(100), &run(200));
        assert_eq!((found.mean_before_ms, found.mean_after_ms), (450, 900));
        assert_eq!((found.p90_before_ms, found.p90_after_ms), (900, 1_800));
    }
}
