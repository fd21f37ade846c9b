//! Each line's next step: who is rung, who is waited for, and the entry that says why.

use std::collections::BTreeMap;
use std::ops::Bound;

use cordboard_shared::Millis;
use cordboard_shared::agent::Verdict;
use cordboard_shared::decision::{Decision, MemberDecision, Reason, Then};
use cordboard_shared::department::{Department, StickyMode, Strategy};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, OfferId};

use super::Engine;
use super::clock::Timer;
use crate::agent::{Agent, Load};
use crate::command::{Output, Target};
use crate::compiled::{self, Ready};
use crate::line::{Line, LineState, QueueKey, RING_SECONDS_DIRECT};
use crate::matrix::{Judged, Letter, Matrix, Row};
use crate::offer::Offer;
use crate::strategy::{Candidate, Standing, choose, rung};

/// How much of a line is looked at in one go.
const HEAD: usize = 16;
/// Longest wait of a callback for its busy person, in milliseconds.
const CALLBACK_WAIT_MS: u64 = 3_600_000;

impl Engine {
    /// What a path does with a person: the department's word, and the person's own where that is narrower.
    pub(super) fn judge(
        &self,
        agent: &Agent,
        department: Option<DepartmentId>,
        row: Row,
        layers: &[Verdict],
    ) -> Judged {
        let ready = department.and_then(|id| self.rules.departments.get(&id));
        self.judge_in(ready.map_or(&self.rules.account, |ready| &ready.matrix), agent, row, layers)
    }

    fn judge_in(&self, matrix: &Matrix, agent: &Agent, row: Row, layers: &[Verdict]) -> Judged {
        let judged = matrix.judge(row, layers);
        match self.rules.person(agent.id) {
            Some(own) if judged.rings() => {
                let narrower = own.judge(row, layers);
                if narrower.rings() { judged } else { narrower }
            }
            Some(_) | None => judged,
        }
    }

    /// Gives every line that something has changed for its next step, the first in line first.
    ///
    /// A call that goes on to another department takes its step there in a further round, after those who waited there.
    pub(super) fn advance_lines(&mut self, now: Millis) {
        while !(self.dirty.lines.is_empty() && self.dirty.freed.is_empty() && self.dirty.less.is_empty()) {
            self.advance_round(now);
        }
    }

    fn advance_round(&mut self, now: Millis) {
        let dirty = std::mem::take(&mut self.dirty);
        let mut must = dirty.lines;
        for agent in &dirty.less {
            must.extend(self.queued_for(*agent, None, usize::MAX).0);
        }
        let free: Vec<_> = dirty.freed.into_iter().filter(|id| self.is_idle(*id)).collect();
        let mut order: Vec<_> = must.iter().filter_map(|call| self.rank(now, *call)).collect();
        // Of a long line only the head is looked at first: mostly it takes everybody who is free. A call that must take
        // its step may stand further behind, and then nobody before it may be left out.
        let head = if must.is_empty() { HEAD } else { usize::MAX };
        let mut seen: Option<BTreeMap<DepartmentId, QueueKey>> = None;
        loop {
            let mut more = false;
            let mut last = seen.clone().unwrap_or_default();
            for agent in free.iter().filter(|id| self.is_idle(**id)) {
                let (calls, ends) = self.queued_for(*agent, seen.as_ref(), head);
                more |= calls.len() >= head;
                last.extend(ends);
                let others = calls.into_iter().filter(|call| !must.contains(call));
                order.extend(others.filter_map(|call| self.rank(now, call)));
            }
            order.sort_unstable();
            order.dedup();
            for (.., call) in order.drain(..) {
                if !must.contains(&call) && !free.iter().any(|id| self.is_idle(*id)) {
                    // Everybody who had become free is taken.
                    continue;
                }
                if self.state.lines.contains_key(&call) {
                    self.advance(now, call);
                } else {
                    self.callback_turn(now, call);
                }
            }
            if !more || !free.iter().any(|id| self.is_idle(*id)) {
                return;
            }
            seen = Some(last);
        }
    }

    fn is_idle(&self, id: AgentId) -> bool {
        self.agent(id).is_some_and(|agent| agent.load == Load::Idle)
    }

    /// Calls and callbacks that this person could serve: those in the lines of their departments, so many of each behind
    /// what was seen of it, and at first who waits for them by name. With it the last one of each line: a line gets shorter
    /// while it is gone through, so a number would lead past somebody.
    fn queued_for(
        &self,
        id: AgentId,
        seen: Option<&BTreeMap<DepartmentId, QueueKey>>,
        most: usize,
    ) -> (Vec<CallId>, Vec<(DepartmentId, QueueKey)>) {
        let (mut calls, mut ends) = (Vec::new(), Vec::new());
        let Some(agent) = self.agent(id) else { return (calls, ends) };
        for department in &agent.member_of {
            let Some(queue) = self.state.queues.get(department) else { continue };
            let after = seen.and_then(|seen| seen.get(department)).map_or(Bound::Unbounded, Bound::Excluded);
            let mut last = None;
            for key in queue.range((after, Bound::Unbounded)).take(most) {
                calls.push(key.call);
                last = Some(*key);
            }
            ends.extend(last.map(|key| (*department, key)));
        }
        if seen.is_none() {
            // Who waits for the person in one of these lines is met there, at their place and not before it.
            let in_these = |call: &CallId| {
                let queued = self.state.lines.get(call).and_then(|line| line.queued);
                queued.is_some_and(|department| agent.member_of.contains(&department))
            };
            let by_name = self.state.by_name.get(&id).into_iter().flatten().copied();
            calls.extend(by_name.filter(|call| !in_these(call)));
            calls.extend(self.called_back_by(id));
        }
        (calls, ends)
    }

    /// The order in which lines take their step: priority, then the wait weighed by the department, then the place.
    fn rank(&self, now: Millis, call: CallId) -> Option<(u8, std::cmp::Reverse<u64>, u64, CallId)> {
        let (department, priority, since, place) = match self.state.lines.get(&call) {
            Some(line) if line.is_open() => (line.department(), line.priority, line.since, line.place),
            Some(_) => return None,
            None => {
                let callback = self.state.durable.callbacks.get(&call).filter(|it| self.stands(it))?;
                (callback.department, callback.priority, callback.since, callback.place)
            }
        };
        let weight = department.and_then(|id| self.rules.department(id)).map_or(1, |it| it.weight.clamp(1, 10));
        let weighed = (now.since(since) + 1) * u64::from(weight);
        Some((9 - priority.min(9), std::cmp::Reverse(weighed), place, call))
    }

    pub(super) fn advance(&mut self, now: Millis, call: CallId) {
        // A call that is led in a circle ends: each department is entered once, each link taken once.
        loop {
            let Some(line) = self.state.lines.get(&call).filter(|line| line.is_open()) else { return };
            let (candidates, slots) = self.candidates(now, line);
            let line_forced = line.forced;
            let target = line.target;
            if line_forced {
                if self.fall_back(now, call, &candidates) || self.dirty.lines.contains(&call) {
                    return;
                }
                continue;
            }
            let choice = choose(&candidates, slots);
            if !choice.ring.is_empty() {
                self.offer(now, call, &candidates, &choice.ring, slots);
                return self.look_again(now, call);
            }
            if line.offers().next().is_some() {
                return self.look_again(now, call);
            }
            if choice.wait && now < self.longest_wait(line) {
                self.wait(now, call, &candidates);
                return self.look_again(now, call);
            }
            let over = match target {
                Target::Department(_) => self.fall_back(now, call, &candidates),
                Target::Agent(agent) => {
                    let reason = self.reason_of(candidates.first());
                    self.direct_end(now, call, agent, &candidates, reason)
                }
            };
            // In another department those who wait there already come first.
            if over || self.dirty.lines.contains(&call) {
                return;
            }
        }
    }

    /// Until when the call waits for somebody busy.
    fn longest_wait(&self, line: &Line) -> Millis {
        match (line.target, line.binding) {
            (_, Some(binding)) if binding.mode == StickyMode::Strict && line.callback.is_none() => binding.until,
            (Target::Department(id), _) => {
                let seconds = self.rules.department(id).map_or(0, |it| it.max_wait_seconds);
                // A callback's own wait begins with its call.
                let since = if line.callback.is_some() { line.arrived_at } else { line.entered_at };
                since + u64::from(seconds) * 1_000
            }
            (Target::Agent(_), _) => line.entered_at + CALLBACK_WAIT_MS,
        }
    }

    /// Arranges for the next instant at which waiting alone changes something.
    fn look_again(&mut self, now: Millis, call: CallId) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let waited = now.since(line.entered_at);
        let relax = line
            .department()
            .and_then(|id| compiled::next_relax(self.rules.department(id)?, waited))
            .map(|after| line.entered_at + after);
        let end = (line.state == LineState::Waiting).then(|| self.longest_wait(line));
        let next = [relax, end, line.announce_at].into_iter().flatten().filter(|at| *at > now).min();
        if let Some(at) = next {
            self.wake(at, Timer::Line(call));
        }
    }

    /// Everybody the call could ring, in the order of the strategy, and how many at once.
    pub(super) fn candidates(&self, now: Millis, line: &Line) -> (Vec<Candidate>, u32) {
        match line.target {
            Target::Agent(id) => (self.agent(id).map(|agent| self.direct(now, line, agent)).into_iter().collect(), 1),
            Target::Department(id) => match self.rules.departments.get(&id) {
                Some(ready) => self.members(now, line, ready),
                None => (Vec::new(), 0),
            },
        }
    }

    fn direct(&self, now: Millis, line: &Line, agent: &Agent) -> Candidate {
        let judged = self.judge(agent, None, line.row, &agent.blocked_by());
        let standing = self.standing(now, line, agent, judged);
        let worth_waiting = matches!(standing, Standing::Blocked) && judged.letter == Letter::Waits;
        Candidate { agent: agent.id, judged, standing, worth_waiting }
    }

    fn members(&self, now: Millis, line: &Line, ready: &Ready) -> (Vec<Candidate>, u32) {
        let department = &ready.department;
        let emergency = self.policy().emergencies.iter().any(|route| route.covers(department.id, now));
        let waited = now.since(line.entered_at);
        let bound = line.binding;
        let mut found: Vec<(bool, Millis, Candidate)> = Vec::with_capacity(department.members.len() + 1);
        for member in &department.members {
            let Some(agent) = self.agent(member.agent) else { continue };
            let is_bound = bound.is_some_and(|it| it.agent == member.agent);
            let row = if member.always_include { Row::AlwaysInclude } else { Row::Queue };
            let judge = |layers: &[Verdict]| {
                self.judge_member(ready, agent, (bound.filter(|_| is_bound), row), (emergency, line), layers)
            };
            let judged = judge(&agent.blocked_by());
            let mut standing = self.standing(now, line, agent, judged);
            let mut worth_waiting = matches!(standing, Standing::Blocked)
                && agent.load != Load::Idle
                && judge(&agent.blocked_when_idle()).rings();
            let strict_elsewhere = bound.is_some_and(|it| it.mode == StickyMode::Strict) && !is_bound;
            if matches!(standing, Standing::Free | Standing::Blocked) {
                if strict_elsewhere {
                    (standing, worth_waiting) = (Standing::BoundElsewhere, false);
                } else if !is_bound && !compiled::is_skilled(department, member, waited) {
                    worth_waiting =
                        compiled::will_be_skilled(department, member) && judge(&agent.blocked_when_idle()).rings();
                    standing = Standing::Unskilled;
                }
            }
            if matches!(judged.row, Row::StickyStrict | Row::Callback) && judged.letter != Letter::Waits {
                worth_waiting = false;
            }
            found.push((!is_bound, agent.idle_since, Candidate { agent: agent.id, judged, standing, worth_waiting }));
        }
        if let Some(bound) = bound
            && !found.iter().any(|(.., candidate)| candidate.agent == bound.agent)
            && let Some(agent) = self.agent(bound.agent)
        {
            found.push((false, agent.idle_since, self.bound_stranger(now, line, ready, agent, emergency)));
        }
        // Stable sorts: members stand in their order already.
        if department.strategy == Strategy::Balanced {
            found.sort_by_key(|(_, idle_since, _)| *idle_since);
        }
        found.sort_by_key(|(unbound, ..)| *unbound);
        let slots = Self::slots(line, department, found.first().map(|(.., first)| first));
        (found.into_iter().map(|(.., candidate)| candidate).collect(), slots)
    }

    /// An assigned person who is no member of the department.
    fn bound_stranger(&self, now: Millis, line: &Line, ready: &Ready, agent: &Agent, emergency: bool) -> Candidate {
        let judge =
            |layers: &[Verdict]| self.judge_member(ready, agent, (line.binding, Row::Queue), (emergency, line), layers);
        let judged = judge(&agent.blocked_by());
        let standing = self.standing(now, line, agent, judged);
        let busy = matches!(standing, Standing::Blocked) && agent.load != Load::Idle;
        let worth_waiting = busy && judge(&agent.blocked_when_idle()).rings() && judged.letter == Letter::Waits;
        Candidate { agent: agent.id, judged, standing, worth_waiting }
    }

    fn judge_member(
        &self,
        ready: &Ready,
        agent: &Agent,
        (bound, row): (Option<crate::line::Binding>, Row),
        (emergency, line): (bool, &Line),
        layers: &[Verdict],
    ) -> Judged {
        let callback = line.callback.is_some();
        let own = |row| if callback { Row::Callback } else { row };
        let first = match bound.map(|it| it.mode) {
            Some(StickyMode::Strict) => return self.judge_in(&ready.matrix, agent, own(Row::StickyStrict), layers),
            Some(StickyMode::Loose) => self.judge_in(&ready.matrix, agent, own(Row::StickyLoose), layers),
            None => self.judge_in(&ready.matrix, agent, row, layers),
        };
        if first.rings() {
            return first;
        }
        let by = |row| self.judge_in(&ready.matrix, agent, row, layers);
        let ordinary = bound.map(|_| by(row)).filter(|judged| judged.rings());
        // A route is what rings people while it holds. Who is merely busy needs none: their own row decides.
        let needs_route = emergency && !first.layer.is_load();
        ordinary.or_else(|| needs_route.then(|| by(Row::Emergency))).unwrap_or(first)
    }

    /// A caller bound loosely rings their person alone first; then the department's own number ring.
    fn slots(line: &Line, department: &Department, first: Option<&Candidate>) -> u32 {
        let alone = line.binding.is_some_and(|binding| {
            first.is_some_and(|first| {
                first.agent == binding.agent && matches!(first.standing, Standing::Free | Standing::Ringing(_))
            })
        });
        if alone { 1 } else { compiled::slots(department) }
    }

    fn standing(&self, now: Millis, line: &Line, agent: &Agent, judged: Judged) -> Standing {
        if let Some(tried) = line.tried.get(&agent.id) {
            return Standing::Tried(tried.clone());
        }
        if let Load::Ringing(offer) = agent.load
            && let Some(offer) = self.state.offers.get(&offer).filter(|offer| offer.call == line.call)
        {
            return Standing::Ringing(offer.rang_ms(now).unwrap_or(0));
        }
        if judged.rings() { Standing::Free } else { Standing::Blocked }
    }

    fn reason_of(&self, candidate: Option<&Candidate>) -> Reason {
        let Some(candidate) = candidate else { return Reason::SkippedNotMember };
        match &candidate.standing {
            Standing::Tried(tried) => tried.reason,
            Standing::Free
            | Standing::Ringing(_)
            | Standing::BoundElsewhere
            | Standing::Unskilled
            | Standing::Blocked => self
                .agent(candidate.agent)
                .map_or(Reason::SkippedNotMember, |agent| agent.exclusion(candidate.judged.layer).0),
        }
    }

    /// Of a department that rings several at once the next ones are a wave when somebody of the last has rung out.
    fn next_wave(&mut self, call: CallId) {
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        let department = line.department().and_then(|id| self.rules.department(id));
        let waves = department.is_some_and(|it| it.strategy == Strategy::Simultaneous);
        let Some(last) = line.open.last_mut().filter(|_| waves) else { return };
        let rang_out = last.members.iter().any(|member| member.reason == Reason::MissedNoAnswer);
        if rang_out && last.then == Then::NextMember {
            last.then = Then::NextWave;
            let decision = Box::new(last.clone());
            self.push(Output::Decided { call, decision });
        }
    }

    fn offer(&mut self, now: Millis, call: CallId, candidates: &[Candidate], chosen: &[AgentId], slots: u32) {
        self.next_wave(call);
        self.decide(now, call, candidates, chosen, slots, Then::NextMember);
        let Some(line) = self.state.lines.get(&call) else { return };
        let department = line.department();
        let seconds = department
            .and_then(|id| self.rules.department(id))
            .map_or(RING_SECONDS_DIRECT, |department| department.ring_seconds.clamp(10, 60));
        let ring_ms = u64::from(seconds) * 1_000;
        let waited_ms = now.since(if line.callback.is_some() { line.since } else { line.arrived_at });
        for agent in chosen {
            let Some(line) = self.state.lines.get(&call) else { return };
            let Some(index) = candidates.iter().position(|candidate| candidate.agent == *agent) else { continue };
            let why = self.why(line, candidates, index);
            let id = OfferId::new(now, self.random());
            let offer = Offer::new(id, call, *agent, candidates[index].judged, now, ring_ms);
            self.wake(offer.deadline(), Timer::Offer(id));
            self.state.offers.insert(id, offer);
            if let Some(line) = self.state.lines.get_mut(&call) {
                line.offered = true;
                match &mut line.state {
                    LineState::Offered(offers) => drop(offers.insert(id)),
                    LineState::Choosing | LineState::Waiting | LineState::Connected { .. } => {
                        line.state = LineState::Offered([id].into());
                    }
                }
            }
            self.set_load(now, *agent, Load::Ringing(id));
            self.push(Output::Offer { offer: id, call, agent: *agent, department, waited_ms, ring_ms, why });
        }
        if let Some(department) = department {
            self.push(Output::LineChanged(department));
        }
    }

    fn wait(&mut self, now: Millis, call: CallId, candidates: &[Candidate]) {
        let Some(line) = self.state.lines.get(&call) else { return };
        if line.state == LineState::Waiting {
            return;
        }
        let department = line.department();
        self.decide(now, call, candidates, &[], 0, Then::Wait);
        if let Some(line) = self.state.lines.get_mut(&call) {
            line.state = LineState::Waiting;
        }
        self.push(Output::Waiting { call, department });
        if let Some(department) = department {
            self.push(Output::LineChanged(department));
            self.begin_announcing(now, call, department);
        }
    }

    /// Writes a ledger entry. Entries whose offers still ring stay open beside it.
    pub(super) fn decide(
        &mut self,
        now: Millis,
        call: CallId,
        candidates: &[Candidate],
        chosen: &[AgentId],
        slots: u32,
        then: Then,
    ) {
        let Some(line) = self.state.lines.get(&call) else { return };
        let decision = self.entry(now, line, candidates, chosen, slots, then);
        let Some(line) = self.state.lines.get_mut(&call) else { return };
        line.step += 1;
        if line.offers().next().is_none() {
            line.open.clear();
        }
        line.open.push(decision.clone());
        self.push(Output::Decided { call, decision: Box::new(decision) });
    }

    /// The entry of a choice among these people for this call.
    pub(super) fn entry(
        &self,
        now: Millis,
        line: &Line,
        candidates: &[Candidate],
        chosen: &[AgentId],
        slots: u32,
        then: Then,
    ) -> Decision {
        let department = line.department();
        let strategy = department.and_then(|id| self.rules.department(id)).map(|it| it.strategy);
        let spare =
            if strategy == Some(Strategy::Simultaneous) { Reason::SkippedWaveLimit } else { Reason::NotReached };
        let members = candidates.iter().zip(1..).map(|(candidate, order)| {
            let is_chosen = chosen.contains(&candidate.agent);
            self.member(candidate, order, is_chosen.then(|| rung_for(line, candidate.judged)), spare, line)
        });
        Decision {
            step: line.step + 1,
            at: now,
            row: line.row.number(),
            department,
            strategy: strategy.map_or("direct", Strategy::as_str).into(),
            policy_version: self.rules.version.clone(),
            state_version: self.position().to_string(),
            refused: None,
            slots,
            members: members.collect(),
            then,
        }
    }

    fn member(
        &self,
        candidate: &Candidate,
        order: u32,
        rung_as: Option<Reason>,
        spare: Reason,
        line: &Line,
    ) -> MemberDecision {
        let describe = |reason, rang_ms, fact| MemberDecision {
            agent: candidate.agent,
            name: None,
            reason,
            order,
            cell: candidate.judged.cell(),
            rang_ms,
            fact,
        };
        if let Some(reason) = rung_as {
            return describe(reason, None, None);
        }
        match &candidate.standing {
            Standing::Free => describe(spare, None, None),
            Standing::Ringing(for_ms) => describe(rung_for(line, candidate.judged), Some(*for_ms), None),
            Standing::Tried(tried) => {
                MemberDecision { cell: tried.cell.clone(), ..describe(tried.reason, tried.rang_ms, None) }
            }
            Standing::BoundElsewhere => describe(Reason::SkippedStickyBoundElsewhere, None, None),
            Standing::Unskilled => describe(Reason::SkippedSkill, None, None),
            Standing::Blocked => match self.agent(candidate.agent) {
                Some(agent) => {
                    let (reason, fact) = agent.exclusion(candidate.judged.layer);
                    describe(reason, None, fact)
                }
                None => describe(Reason::SkippedNotMember, None, None),
            },
        }
    }

    /// Why this person, in words for their incoming call.
    fn why(&self, line: &Line, candidates: &[Candidate], index: usize) -> String {
        let count = candidates.len();
        let row = candidates[index].judged.row;
        if row == Row::Emergency {
            return "an emergency route is active".to_owned();
        }
        let Some(department) = line.department().and_then(|id| self.rules.department(id)) else {
            return match row {
                Row::BlindTransfer | Row::WarmTransfer => "a colleague transfers the call to you".to_owned(),
                Row::Callback => "a callback was scheduled to you".to_owned(),
                Row::Internal => "a colleague calls you".to_owned(),
                Row::Queue => "you are next in the fallback".to_owned(),
                _ => "your own number was dialed".to_owned(),
            };
        };
        if line.binding.is_some_and(|binding| binding.agent == candidates[index].agent) {
            return "you know this caller".to_owned();
        }
        if line.callback.is_some() {
            return "they asked to be called back, and it is their turn".to_owned();
        }
        let tried = !line.tried.is_empty();
        match department.strategy {
            Strategy::Simultaneous => format!("rings with others of {count}"),
            Strategy::Balanced if tried => format!("longest idle of {count}, after others did not answer"),
            Strategy::Balanced => format!("longest idle of {count}"),
            Strategy::Serial if index == 0 => format!("first of {count} in order"),
            Strategy::Serial if tried => {
                format!("number {} of {count} in order, after others did not answer", index + 1)
            }
            Strategy::Serial => format!("number {} of {count} in order, nobody before you could ring", index + 1),
        }
    }
}

/// The word for a person who is rung with this call: a callback says so, whoever takes it.
fn rung_for(line: &Line, judged: Judged) -> Reason {
    match rung(judged) {
        Reason::Rung if line.callback.is_some() => Reason::RungCallback,
        other => other,
    }
}
