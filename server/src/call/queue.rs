//! What panels are told of the lines: how many wait, how long, and who is there; at most four times a second each.

use std::collections::BTreeMap;

use cordboard_shared::Millis;
use cordboard_shared::agent::Verdict;
use cordboard_shared::event::ServerMessage;
use cordboard_shared::id::{AgentId, DepartmentId};

use super::{Audience, CallCenter, Effect, SocketId};

/// Shortest time between two messages about one line, in milliseconds (`wire.md` section 4).
const TELL_EVERY_MS: u64 = 250;

/// What was told of one line.
#[derive(Debug, Default)]
pub(super) struct QueueNews {
    told: Option<(Millis, QueueState)>,
    /// Something may read differently since then.
    changed: bool,
}

/// What a panel shows of a line. The begin of the longest wait stands still while the wait grows.
#[derive(Debug, PartialEq, Eq)]
struct QueueState {
    waiting: u32,
    since: Option<Millis>,
    by_verdict: BTreeMap<Verdict, u32>,
}

impl QueueNews {
    /// When it is to be told.
    fn due(&self) -> Option<Millis> {
        let earliest = self.told.as_ref().map_or(Millis(0), |(at, _)| *at + TELL_EVERY_MS);
        self.changed.then_some(earliest)
    }
}

impl CallCenter {
    pub(super) fn queue_changed(&mut self, department: DepartmentId) {
        self.queues.entry(department).or_default().changed = true;
    }

    /// The person's verdict may have changed: their departments count it.
    pub(super) fn queues_of_changed(&mut self, agent: AgentId) {
        for department in self.departments_of.get(&agent).into_iter().flatten() {
            self.queues.entry(*department).or_default().changed = true;
        }
    }

    /// After a change of the departments.
    pub(super) fn all_queues_changed(&mut self) {
        self.departments_of.clear();
        for department in &self.directory.departments {
            for member in &department.members {
                self.departments_of.entry(member.agent).or_default().push(department.id);
            }
        }
        let departments: Vec<_> = self.directory.departments.iter().map(|it| it.id).collect();
        self.queues.retain(|id, _| departments.contains(id));
        for department in departments {
            self.queue_changed(department);
        }
    }

    /// Every line is told anew, though it reads the same: who hears of a line looks again at what a policy brought them,
    /// an emergency route above all.
    pub(super) fn repeat_all_queues(&mut self) {
        for news in self.queues.values_mut() {
            *news = QueueNews { told: None, changed: true };
        }
    }

    pub(super) fn next_queue_news(&self) -> Option<Millis> {
        self.queues.values().filter_map(QueueNews::due).min()
    }

    /// Tells what is due.
    pub(super) fn tell_queues(&mut self, now: Millis) {
        let due = |news: &QueueNews| news.due().is_some_and(|at| at <= now);
        let departments: Vec<_> = self.queues.iter().filter(|(_, news)| due(news)).map(|(id, _)| *id).collect();
        for department in departments {
            let state = self.queue_state(department, now);
            let Some(news) = self.queues.get_mut(&department) else { continue };
            news.changed = false;
            if news.told.as_ref().is_some_and(|(_, told)| *told == state) {
                continue;
            }
            let message = Box::new(message(department, &state, now));
            news.told = Some((now, state));
            self.push(Effect::Live { to: Audience::Department(department), message });
        }
    }

    /// A new panel hears of every line it may see.
    pub(super) fn tell_queues_to(&mut self, socket: SocketId, agent: AgentId, now: Millis) {
        let departments: Vec<_> = self
            .directory
            .departments
            .iter()
            .map(|department| department.id)
            .filter(|id| self.directory.works_in(agent, *id))
            .collect();
        for department in departments {
            let message = Box::new(message(department, &self.queue_state(department, now), now));
            self.push(Effect::Live { to: Audience::Socket(socket), message });
        }
    }

    fn queue_state(&self, id: DepartmentId, now: Millis) -> QueueState {
        let line = self.engine.line(id, now);
        // Who hung up to be called back stands in line, but does not wait at the telephone.
        let callers = || line.callers.iter().filter(|entry| !entry.callback);
        let waiting = u32::try_from(callers().count()).unwrap_or(u32::MAX);
        let since = callers().map(|entry| now - entry.waited_ms).min();
        let mut by_verdict = BTreeMap::new();
        for member in self.directory.department(id).into_iter().flat_map(|it| &it.members) {
            if let Some(agent) = self.engine.agent(member.agent) {
                *by_verdict.entry(agent.verdict()).or_insert(0) += 1;
            }
        }
        QueueState { waiting, since, by_verdict }
    }
}

fn message(department: DepartmentId, state: &QueueState, now: Millis) -> ServerMessage {
    ServerMessage::QueueChanged {
        department,
        waiting: state.waiting,
        longest_ms: state.since.map_or(0, |since| now.since(since)),
        by_verdict: state.by_verdict.clone(),
    }
}
