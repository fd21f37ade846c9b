//! Reading the engine: presence, reach in words, and what a change would do.

use std::collections::BTreeMap;
use std::sync::Arc;

use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentFacts, Presence, Verdict};
use cordboard_shared::api::availability::{DepartmentImpact, MatrixCell, ReachLine, ReachView, Window};
use cordboard_shared::api::routing::CallbackView;
use cordboard_shared::id::AgentId;

use super::Engine;
use crate::agent::{Agent, Load};
use crate::command::{EngineError, Input, Output};
use crate::compiled::Ready;
use crate::line::LineState;
use crate::matrix::{Column, Judged, Letter, Matrix, Row};
use crate::{FeedPosition, event::Event};

/// How far ahead a change is looked through, in milliseconds: a week.
const PREVIEW_MS: u64 = 7 * 24 * 3_600_000;

impl Engine {
    /// The presence body of one person, without the matrix.
    pub fn presence(&self, id: AgentId) -> Option<Presence> {
        let agent = self.agent(id)?;
        let by_queue = self.judge(agent, None, Row::Queue, &agent.blocked_by()).rings();
        Some(agent.presence(by_queue))
    }

    /// Row of the matrix → its letter for this person now, for `matrix` in the presence body.
    pub fn rows_for(&self, id: AgentId) -> Option<BTreeMap<u8, char>> {
        let agent = self.agent(id)?;
        let layers = agent.blocked_by();
        let letter = |row: Row| self.judge(agent, None, row, &layers).letter.as_char();
        Some(Row::ALL[..15].iter().map(|row| (row.number(), letter(*row))).collect())
    }

    /// The reachability matrix of the account, cell by cell.
    pub fn matrix_cells(&self) -> Vec<MatrixCell> {
        self.rules.account.all_cells()
    }

    /// What can ring this person now, in words, by the very rules that route.
    pub fn reach(&self, id: AgentId) -> Option<ReachView> {
        let agent = self.agent(id)?;
        let layers = agent.blocked_by();
        let mut lines = Vec::new();
        for department in &agent.member_of {
            let Some(ready) = self.rules.departments.get(department) else { continue };
            let always = ready.department.members.iter().any(|it| it.agent == id && it.always_include);
            let row = if always { Row::AlwaysInclude } else { Row::Queue };
            let mut judged = self.judge(agent, Some(*department), row, &layers);
            let emergency = self.policy().emergencies.iter().any(|it| it.covers(*department, self.state.now));
            if emergency && !judged.rings() {
                let by_emergency = self.judge(agent, Some(*department), Row::Emergency, &layers);
                if by_emergency.rings() {
                    judged = by_emergency;
                }
            }
            lines.push(line(agent, judged, format!("{} calls", ready.department.name)));
        }
        let rest = Row::ALL.iter().filter(|row| {
            let by_department = matches!(row, Row::Queue | Row::AlwaysInclude);
            !by_department || (lines.is_empty() && **row == Row::Queue)
        });
        let rest: Vec<_> = rest
            .map(|row| {
                let judged = self.judge(agent, None, *row, &layers);
                line(agent, judged, row.words().to_owned())
            })
            .collect();
        if lines.is_empty() {
            lines.push(ReachLine {
                row: 1,
                letter: Letter::Skipped.as_char(),
                cell: Matrix::cell(Row::Queue, agent.verdict()).into_owned(),
                path: "Department calls".to_owned(),
                answer: "no, you are in no department".to_owned(),
                rings: false,
                setting: None,
            });
            lines.extend(rest.into_iter().filter(|line| line.row != Row::Queue.number()));
        } else {
            lines.extend(rest);
        }
        Some(ReachView { uuid: id, verdict: agent.verdict(), lines })
    }

    /// People who are not idle although no live offer, call or timer holds them. Always 0: a metric watches it.
    pub fn stuck_agents(&self, now: Millis) -> usize {
        let held = |agent: &Agent| match agent.load {
            Load::Idle => true,
            Load::Ringing(offer) => self
                .state
                .offers
                .get(&offer)
                .is_some_and(|offer| offer.agent == agent.id && now.since(offer.deadline()) < 1_000),
            Load::OnCall(call) => self.state.lines.get(&call).is_some_and(
                |line| matches!(line.state, LineState::Connected { agent: holder, .. } if holder == agent.id),
            ),
            // One late timer is no stuck agent.
            Load::AfterCallWork(until) => now.since(until) < 1_000,
        };
        self.state.agents.values().filter(|agent| !held(agent)).count()
    }

    /// Callbacks that are not dealt with: due ones first, then those in line.
    pub fn callbacks(&self) -> Vec<CallbackView> {
        let mut callbacks: Vec<_> = self.state.durable.callbacks.values().collect();
        callbacks.sort_by_key(|it| (it.due_at.is_none(), it.due_at, it.place, it.call));
        callbacks
            .into_iter()
            .map(|it| CallbackView {
                call: it.call,
                number: it.number.clone(),
                department: it.department,
                agent: it.agent,
                asked_at: it.asked_at,
                due_at: it.due_at,
                attempts: it.attempts,
            })
            .collect()
    }

    /// Calls the engine has not let go of.
    pub fn calls(&self) -> Vec<cordboard_shared::id::CallId> {
        self.state.lines.keys().copied().collect()
    }

    /// Ends the calls of this day, for a look at a later one: nobody is busy, every line is free, and nobody has sat idle
    /// at a screen or missed a ring meanwhile.
    pub(crate) fn end_the_day(&mut self, now: Millis) -> Result<(), EngineError> {
        let missed: Vec<_> = self.agents().map(|agent| (agent.id, agent.missed, agent.held_away)).collect();
        // Callbacks are done by then as well.
        for callback in self.callbacks() {
            self.handle_input(now, Input::CallbackDone(callback.call))?;
        }
        for call in self.calls() {
            match self.handle_input(now, Input::CallEnded(call)) {
                // Another one's end may have ended it.
                Ok(()) | Err(EngineError::UnknownCall) => {}
                Err(other) => return Err(other),
            }
        }
        for (id, missed, held_away) in missed {
            // Only who is in after-call work can end it.
            let _ = self.handle_input(now, Input::WrapUpDone(id));
            if let Some(agent) = self.state.agents.get_mut(&id) {
                (agent.missed, agent.held_away, agent.panels) = (missed, held_away, 0);
            }
        }
        self.state.legs.clear();
        while !matches!(self.poll_output(), Output::Timeout(_)) {}
        Ok(())
    }

    /// What these changes of facts would mean for the departments, now and within the next week. Nothing is changed.
    pub fn preview(&self, now: Millis, changes: &[(AgentId, AgentFacts)]) -> Vec<DepartmentImpact> {
        let mut after = self.clone();
        for (agent, facts) in changes {
            let facts = Arc::new(facts.clone());
            let event =
                Event::FactsSet { agent: *agent, facts, changed: Vec::new(), note: None, request: None, by: None };
            let at = FeedPosition { seq: after.position().seq + 1, ..after.position() };
            // Facts are always taken.
            let _ = after.handle_input(now, Input::Obey { event: Box::new(event), at });
        }
        let concerned: std::collections::BTreeSet<_> =
            changes.iter().flat_map(|(agent, _)| self.rules.member_of(*agent)).copied().collect();
        let departments = self.policy().departments.iter().filter(|it| concerned.contains(&it.id));
        departments
            .filter_map(|department| {
                let before_ready = self.rules.departments.get(&department.id)?;
                let after_ready = after.rules.departments.get(&department.id)?;
                Some(DepartmentImpact {
                    department: department.id,
                    name: department.name.clone(),
                    reachable_before: self.reachable(before_ready),
                    reachable_after: after.reachable(after_ready),
                    empty: empty_windows((self, before_ready), (&after, after_ready), now),
                })
            })
            .collect()
    }

    /// Members a call could ring, busy ones included.
    fn reachable(&self, ready: &Ready) -> u32 {
        let members = ready.department.members.iter();
        let reached = members.filter(|member| {
            let row = if member.always_include { Row::AlwaysInclude } else { Row::Queue };
            self.agent(member.agent).is_some_and(|agent| {
                self.judge(agent, Some(ready.department.id), row, &agent.blocked_when_idle()).rings()
            })
        });
        u32::try_from(reached.count()).unwrap_or(u32::MAX)
    }

    /// The engine as it would be then, as far as time alone decides.
    fn members_at(&self, ready: &Ready, at: Millis) -> (u32, Option<Millis>) {
        let policy = self.policy();
        let rules = crate::agent::Rules {
            zone: &policy.zone,
            auto_return: policy.settings.auto_return,
            work_outside: policy.settings.reach.work_outside_slots,
        };
        let (mut reached, mut next) = (0, None::<Millis>);
        for member in &ready.department.members {
            let Some(mut agent) = self.agent(member.agent).cloned() else { continue };
            let _ = agent.read_clock(at, rules);
            let row = if member.always_include { Row::AlwaysInclude } else { Row::Queue };
            if self.judge(&agent, Some(ready.department.id), row, &agent.blocked_when_idle()).rings() {
                reached += 1;
            }
            next = next.into_iter().chain(agent.clocked.until.filter(|until| *until > at)).min();
        }
        (reached, next)
    }
}

/// Times within a week when nobody could be rung after the change, though somebody could before.
fn empty_windows(before: (&Engine, &Ready), after: (&Engine, &Ready), now: Millis) -> Vec<Window> {
    let end = now + PREVIEW_MS;
    let mut windows: Vec<Window> = Vec::new();
    let mut at = now;
    while at < end {
        let (had, before_next) = before.0.members_at(before.1, at);
        let (has, after_next) = after.0.members_at(after.1, at);
        let next = before_next.into_iter().chain(after_next).min().unwrap_or(end).min(end);
        if had > 0 && has == 0 {
            match windows.last_mut() {
                Some(last) if last.to == at => last.to = next,
                Some(_) | None => windows.push(Window { from: at, to: next }),
            }
        }
        at = next;
    }
    windows
}

fn line(agent: &Agent, judged: Judged, path: String) -> ReachLine {
    let column = Column::of(judged.layer);
    ReachLine {
        row: judged.row.number(),
        letter: judged.letter.as_char(),
        cell: judged.cell().into_owned(),
        path,
        answer: answer(agent, judged),
        rings: judged.rings(),
        setting: column.and_then(|column| Matrix::setting(judged.row, column)).map(str::to_owned),
    }
}

/// The answer in words, to the person themselves.
fn answer(agent: &Agent, judged: Judged) -> String {
    let state = state_words(agent, judged.layer);
    match judged.letter {
        Letter::Rings if judged.layer == Verdict::Available => "yes".to_owned(),
        Letter::Rings => format!("yes, although {state}"),
        Letter::Skipped => format!("no, {state}"),
        Letter::Voicemail => format!("goes to voicemail: {state}"),
        Letter::StickyFallback => format!("no, the caller goes to the fallback: {state}"),
        Letter::Refused => format!("no, your colleague is told why: {state}"),
        Letter::FollowUp => format!("no, it moves to the follow-up list: {state}"),
        Letter::Waits => format!("waits until you are free: {state}"),
        Letter::NotAllowed => format!("not now: {state}"),
        Letter::PhoneOnly => format!("by phone only: {state}"),
        Letter::Untouched => "never touched".to_owned(),
    }
}

fn state_words(agent: &Agent, layer: Verdict) -> String {
    let facts = &agent.facts;
    let reason = |reason: Option<&String>| reason.map_or_else(String::new, |reason| format!(" ({reason})"));
    match layer {
        Verdict::Available => "you are Available".to_owned(),
        Verdict::Away => format!("you are Away{}", reason(facts.toggle.reason.as_ref())),
        Verdict::Dnd => format!("Do Not Disturb is on{}", reason(facts.dnd.as_ref().and_then(|it| it.reason.as_ref()))),
        Verdict::OptedOut => "you have opted out of business calls".to_owned(),
        Verdict::Paused => match &facts.pause {
            Some(pause) => format!("you are paused by {}{}", pause.stamp.by.name, reason(pause.reason.as_ref())),
            None => "you are paused by an admin".to_owned(),
        },
        Verdict::OffSchedule => "you are off schedule".to_owned(),
        Verdict::NoDevice => "no device of yours can ring".to_owned(),
        Verdict::Ringing => "another call rings you".to_owned(),
        Verdict::OnCall => "you are on a call".to_owned(),
        Verdict::AfterCallWork => "you are in after-call work".to_owned(),
        Verdict::Disabled => "your seat is disabled".to_owned(),
    }
}
