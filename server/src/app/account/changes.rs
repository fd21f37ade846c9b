//! Changes of facts and policy on their way to the disk and into force, and what the engine wants remembered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use cordboard_routing::{Elapsed, Event};
use cordboard_shared::agent::{Actor, ActorKind, AgentFacts, AgentProfile, Source, Stamp};
use cordboard_shared::api::presence::PresenceWritten;
use cordboard_shared::id::{AgentId, DepartmentId};
use cordboard_shared::policy::Policy;
use cordboard_shared::{FeedPosition, Millis, Problem, ProblemCode};

use super::{Account, LOOK_EVERY_MS, store_unavailable};
use crate::app::facts::{self, Basis, Decided};
use crate::app::handle::{FactWrite, PolicyEdit, Reply};
use crate::app::journal::{Entry, Written};
use crate::app::{people, policy};
use crate::call::Input;

/// Time between two signs of life of one person, in milliseconds: what counts are hours.
const ACTIVITY_EVERY_MS: u64 = 10_000;

/// The account's changes between decision and force.
#[derive(Default)]
pub(in crate::app) struct Changes {
    epoch: u32,
    /// Facts as decided last, of people whose change is not in force yet.
    head: BTreeMap<AgentId, Arc<AgentFacts>>,
    /// The policy as decided last, while it is not in force yet.
    policy: Option<Arc<Policy>>,
    generation: u64,
    pending: VecDeque<Pending>,
    /// What time has done and no commit has made lasting.
    overdue: Vec<(AgentId, Elapsed)>,
    /// When each person's own hand was last told to the engine.
    active: BTreeMap<AgentId, Millis>,
    /// Number of the last entry on disk, and that of the newest snapshot.
    pub(super) last: u64,
    pub(super) snapshot: u64,
    pub(super) snapshot_at: Millis,
}

impl Changes {
    /// Nothing on its way, after these entries of the log.
    pub(in crate::app) fn after(last: FeedPosition, snapshot: u64) -> Self {
        Self { epoch: last.epoch, last: last.seq, snapshot, ..Self::default() }
    }
}

/// Something whose answer waits for a commit.
enum Pending {
    /// The entry's own.
    Entry { event: Box<Event>, to: Answer },
    /// That of what came before it: it changed nothing, but was judged by what is not on disk yet.
    Same { agent: AgentId, to: Answer },
    /// The same for the policy.
    SamePolicy { reply: Reply<Result<Arc<Policy>, Problem>> },
}

/// Who is told.
pub(super) enum Answer {
    /// The caller of one change.
    Caller(Reply<Result<PresenceWritten, Problem>>),
    /// An item of a batch.
    Item(super::batch::Item),
    /// The caller of a change of the policy.
    Policy(Reply<Result<Arc<Policy>, Problem>>),
    /// Nobody: time did it. Tried again when it fails.
    Time(AgentId, Elapsed),
}

impl Account {
    /// Decides a change of facts and sends it to the disk. The answer follows when it is there.
    pub(super) fn change_fact(&mut self, write: &FactWrite, reply: Reply<Result<PresenceWritten, Problem>>) {
        self.note_activity(write);
        self.write(write, Answer::Caller(reply));
    }

    /// A person's own hand is a sign of life, wherever it was raised.
    fn note_activity(&mut self, write: &FactWrite) {
        let own = match write.actor.kind {
            ActorKind::User => write.actor.id == write.agent.to_string(),
            ActorKind::Token => write.resumes,
            ActorKind::System => false,
        };
        if !own || self.facts_of(write.agent).is_none() {
            return;
        }
        let now = self.clock.now();
        let told = self.changes.active.get(&write.agent).copied();
        if told.is_none_or(|told| now.since(told) >= ACTIVITY_EVERY_MS) {
            self.changes.active.insert(write.agent, now);
            self.feed(Input::Active(write.agent));
        }
    }

    pub(super) fn write(&mut self, write: &FactWrite, to: Answer) {
        let now = self.clock.now();
        match self.decide(write, now) {
            Ok(decided) => self.commit(now, write, decided, to),
            Err(problem) => self.tell_refused(to, problem),
        }
    }

    /// Judges a change by the newest facts, on disk or not.
    pub(super) fn decide(&self, write: &FactWrite, now: Millis) -> Result<Decided, Problem> {
        let Some(head) = self.head_of(write.agent) else {
            return Err(Problem::new(ProblemCode::AgentNotFound, "There is no such agent."));
        };
        self.decide_on(&head, write, now)
    }

    /// Judges a change by these facts.
    pub(super) fn decide_on(&self, head: &AgentFacts, write: &FactWrite, now: Millis) -> Result<Decided, Problem> {
        let policy = self.newest_policy();
        facts::decide(head, write, self.basis(&policy, now))
    }

    fn basis<'a>(&self, policy: &'a Policy, now: Millis) -> Basis<'a> {
        Basis { now, epoch: self.changes.epoch, settings: &policy.settings }
    }

    fn commit(&mut self, now: Millis, write: &FactWrite, decided: Decided, to: Answer) {
        let agent = write.agent;
        let Decided { facts, changed, note } = decided;
        if changed.is_empty() && self.head_of(agent).is_some_and(|head| *head == facts) {
            // Judged by what may not be on disk yet: then the answer waits with it.
            if self.changes.pending.is_empty() {
                return self.tell_presence(agent, Vec::new(), to);
            }
            return self.changes.pending.push_back(Pending::Same { agent, to });
        }
        let stamp = Stamp { since: now, by: write.actor.clone(), source: write.source };
        let by = leaves_no_stamp(&facts, &changed).then(|| Box::new(stamp));
        let request = write.request;
        let facts = Arc::new(facts);
        let event = Event::FactsSet { agent, facts: facts.clone(), changed, note, request, by };
        if self.append(now, event, to) {
            self.changes.head.insert(agent, facts);
        }
    }

    /// Sends an entry to the disk; false when the way there is blocked, which its sender has been told.
    fn append(&mut self, at: Millis, event: Event, to: Answer) -> bool {
        let event = Box::new(event);
        let entry = Entry::Event { event: event.clone(), at, generation: Some(self.changes.generation) };
        self.flush_trace();
        if self.journal.try_send(entry).is_err() {
            self.tell_refused(to, store_unavailable());
            return false;
        }
        self.changes.pending.push_back(Pending::Entry { event, to });
        true
    }

    /// Decides a change of the policy and sends it to the disk.
    pub(super) fn edit_policy(
        &mut self,
        edit: PolicyEdit,
        expected: Option<u64>,
        reply: Reply<Result<Arc<Policy>, Problem>>,
    ) {
        let now = self.clock.now();
        let head = self.newest_policy();
        match policy::edit(&head, edit, expected, now, &self.directory) {
            Ok(Some(next)) => {
                let next = Arc::new(next);
                let event = Event::PolicySet { policy: Box::new(Policy::clone(&next)) };
                if self.append(now, event, Answer::Policy(reply)) {
                    self.changes.policy = Some(next);
                }
            }
            Ok(None) if self.changes.pending.is_empty() => drop(reply.send(Ok(head))),
            Ok(None) => self.changes.pending.push_back(Pending::SamePolicy { reply }),
            Err(problem) => drop(reply.send(Err(problem))),
        }
    }

    /// A person's record is on disk: it holds from now on. Sockets of somebody whose role is another begin anew.
    pub(super) fn person_changed(&mut self, profile: AgentProfile, manages: BTreeSet<DepartmentId>, reply: Reply<()>) {
        let (agent, role) = (profile.id, profile.role);
        let had = self.directory.agents.get(&agent).map(|person| person.role);
        let managed = self.directory.managers.get(&agent).cloned().unwrap_or_default();
        let begins_anew = had != Some(role) || managed != manages;
        self.directory = Arc::new(people::with_person(&self.directory, profile, manages));
        self.directories.send_replace(self.directory.clone());
        self.feed(Input::Directory(self.directory.clone()));
        if begins_anew {
            for socket in self.sockets.keys().copied().collect::<Vec<_>>() {
                if self.center.socket_agent(socket) == Some(agent) {
                    self.close_socket(socket);
                }
            }
        }
        let _ = reply.send(());
    }

    /// The engine obeys it already; only the disk is behind.
    pub(super) fn remember(&mut self, at: Millis, event: Box<Event>) {
        self.save(Entry::Event { event, at, generation: None });
    }

    /// Time has changed a person's verdict: the facts that say so are written, unless somebody was faster.
    pub(super) fn elapsed(&mut self, agent: AgentId, what: Elapsed) {
        let now = self.clock.now();
        let Some(head) = self.head_of(agent) else { return };
        let policy = self.newest_policy();
        let Some(decided) = facts::elapsed(&head, what, self.basis(&policy, now)) else { return };
        let Decided { facts, changed, note } = decided;
        let stamp = Stamp { since: now, by: Actor::system(), source: Source::System };
        let by = leaves_no_stamp(&facts, &changed).then(|| Box::new(stamp));
        let facts = Arc::new(facts);
        let event = Event::FactsSet { agent, facts: facts.clone(), changed, note, request: None, by };
        if self.append(now, event, Answer::Time(agent, what)) {
            self.changes.head.insert(agent, facts);
        }
    }

    /// Tries again what time has done and the disk did not take. True while something is left.
    pub(super) fn write_elapsed_again(&mut self) -> bool {
        for (agent, what) in std::mem::take(&mut self.changes.overdue) {
            self.elapsed(agent, what);
        }
        !self.changes.overdue.is_empty()
    }

    /// What the journal says.
    pub(super) fn written(&mut self, written: Written) {
        match written {
            Written::Committed { decided, last } => {
                self.changes.last = last;
                for seq in decided {
                    if let Some(Pending::Entry { event, to }) = self.changes.pending.pop_front() {
                        self.obey(seq, event, to);
                    }
                    self.tell_unchanged();
                }
                if self.changes.pending.is_empty() {
                    self.changes.head.clear();
                    self.changes.policy = None;
                }
                self.keep_snapshots();
            }
            Written::Failed => {
                self.changes.generation += 1;
                self.changes.head.clear();
                self.changes.policy = None;
                for pending in std::mem::take(&mut self.changes.pending) {
                    match pending {
                        Pending::Entry { to, .. } | Pending::Same { to, .. } => {
                            self.tell_refused(to, store_unavailable());
                        }
                        Pending::SamePolicy { reply } => drop(reply.send(Err(store_unavailable()))),
                    }
                }
            }
            Written::TraceLost => self.trace_lost(),
        }
    }

    /// Answers those who only waited for what came before them.
    fn tell_unchanged(&mut self) {
        while let Some(pending) = self.changes.pending.pop_front() {
            match pending {
                Pending::Same { agent, to } => self.tell_presence(agent, Vec::new(), to),
                Pending::SamePolicy { reply } => drop(reply.send(Ok(self.directory.policy.clone()))),
                Pending::Entry { .. } => return self.changes.pending.push_front(pending),
            }
        }
    }

    /// The entry is on disk: the engine obeys it, rings it blocks are withdrawn, and then its caller is told.
    fn obey(&mut self, seq: u64, event: Box<Event>, to: Answer) {
        let at = FeedPosition { epoch: self.changes.epoch, bucket: 0, seq };
        match &*event {
            Event::FactsSet { agent, changed, .. } => {
                let (agent, changed) = (*agent, changed.clone());
                self.feed(Input::Obey { event, at });
                self.tell_presence(agent, changed, to);
            }
            Event::PolicySet { policy } => {
                self.directory = Arc::new(self.directory.under(Arc::new(Policy::clone(policy))));
                self.feed(Input::Directory(self.directory.clone()));
                self.feed(Input::Obey { event, at });
                self.directories.send_replace(self.directory.clone());
                if let Answer::Policy(reply) = to {
                    drop(reply.send(Ok(self.directory.policy.clone())));
                }
            }
            Event::Bound { .. }
            | Event::PlaceTaken { .. }
            | Event::PlaceLeft { .. }
            | Event::PlaceKept { .. }
            | Event::CallbackAsked { .. }
            | Event::CallbackTried { .. }
            | Event::CallbackDue { .. }
            | Event::CallbackDone { .. } => {
                tracing::error!("an entry of the engine's own was decided by somebody else");
            }
        }
    }

    fn tell_presence(&mut self, agent: AgentId, changed: Vec<String>, to: Answer) {
        match to {
            Answer::Caller(reply) => {
                if let Some(presence) = self.center.engine().presence(agent) {
                    let changed_facts = changed;
                    let written =
                        PresenceWritten { presence, applied: true, changed: !changed_facts.is_empty(), changed_facts };
                    drop(reply.send(Ok(written)));
                }
            }
            Answer::Item(item) => self.tell_item(&item, Ok(!changed.is_empty())),
            Answer::Policy(_) | Answer::Time(..) => {}
        }
    }

    fn tell_refused(&mut self, to: Answer, problem: Problem) {
        match to {
            Answer::Caller(reply) => drop(reply.send(Err(problem))),
            Answer::Item(item) => self.tell_item(&item, Err(problem)),
            Answer::Policy(reply) => drop(reply.send(Err(problem))),
            Answer::Time(agent, what) => {
                self.changes.overdue.push((agent, what));
                let at = self.clock.now() + LOOK_EVERY_MS;
                self.look_at = Some(at);
                self.deadline = self.deadline.into_iter().chain([at]).min();
            }
        }
    }

    /// The facts that routing obeys.
    pub(super) fn facts_of(&self, agent: AgentId) -> Option<&Arc<AgentFacts>> {
        self.center.engine().agent(agent).map(|agent| &agent.facts)
    }

    fn head_of(&self, agent: AgentId) -> Option<Arc<AgentFacts>> {
        self.changes.head.get(&agent).or_else(|| self.facts_of(agent)).cloned()
    }

    /// The policy as decided last, in force or not yet.
    fn newest_policy(&self) -> Arc<Policy> {
        self.changes.policy.as_ref().unwrap_or(&self.directory.policy).clone()
    }
}

/// Whether none of the changed facts says who changed it: it was taken away, or is the seat.
fn leaves_no_stamp(facts: &AgentFacts, changed: &[String]) -> bool {
    !changed.iter().any(|name| match name.as_str() {
        "toggle" => true,
        "pause" => facts.pause.is_some(),
        "dnd" => facts.dnd.is_some(),
        "opt_out" => facts.opt_out.is_some(),
        "slots" => facts.slots.is_some(),
        "work_anyway" => facts.work_anyway.is_some(),
        _ => false,
    })
}
