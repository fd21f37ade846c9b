//! Changes for several people at once: what they would do, and doing them.

use std::sync::{Arc, Mutex, PoisonError};

use cordboard_routing::{Engine, Event, Input as Routing, Matrix, Output, Row};
use cordboard_shared::agent::AgentFacts;
use cordboard_shared::api::availability::{BatchAnswer, BatchResult};
use cordboard_shared::id::AgentId;
use cordboard_shared::{Millis, Problem, ProblemCode};

use super::Account;
use super::changes::Answer;
use crate::app::handle::{FactWrite, Reply};

/// One item of a batch on its way.
pub(super) struct Item {
    batch: Arc<Mutex<Batch>>,
    index: usize,
}

struct Batch {
    results: Vec<BatchResult>,
    left: usize,
    reply: Option<Reply<Vec<BatchResult>>>,
}

impl Account {
    /// Makes the changes in their order. The answer follows when each is on disk and obeyed, or refused.
    pub(super) fn batch(&mut self, writes: &[FactWrite], reply: Reply<Vec<BatchResult>>) {
        if writes.is_empty() {
            return drop(reply.send(Vec::new()));
        }
        let engine = self.center.engine();
        let results = writes.iter().map(|write| result_before(engine, write.agent)).collect();
        let batch = Arc::new(Mutex::new(Batch { results, left: writes.len(), reply: Some(reply) }));
        for (index, write) in writes.iter().enumerate() {
            self.write(write, Answer::Item(Item { batch: batch.clone(), index }));
        }
    }

    /// Enters what became of an item; the last one answers the batch.
    pub(super) fn tell_item(&mut self, item: &Item, outcome: Result<bool, Problem>) {
        let mut batch = item.batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.left -= 1;
        if let Some(result) = batch.results.get_mut(item.index) {
            settle(result, outcome, self.center.engine());
        }
        if batch.left == 0
            && let Some(reply) = batch.reply.take()
        {
            drop(reply.send(std::mem::take(&mut batch.results)));
        }
    }

    /// Tells what the changes would do. They are judged here; what follows from them is worked out on a copy of the
    /// engine, elsewhere.
    pub(super) fn preview(&mut self, writes: &[FactWrite], reply: Reply<Result<BatchAnswer, Problem>>) {
        let now = self.clock.now();
        let mut heads = std::collections::BTreeMap::new();
        let mut outcomes = Vec::with_capacity(writes.len());
        for write in writes {
            let decided = match heads.get(&write.agent) {
                Some(head) => self.decide_on(head, write, now),
                None => self.decide(write, now),
            };
            outcomes.push((
                write.agent,
                decided.map(|decided| {
                    let changed = !decided.changed.is_empty();
                    heads.insert(write.agent, decided.facts);
                    changed
                }),
            ));
        }
        let engine = self.center.engine().clone();
        tokio::task::spawn_blocking(move || {
            let changes: Vec<_> = heads.into_iter().collect();
            drop(reply.send(Ok(foresee(&engine, now, &changes, outcomes))));
        });
    }
}

fn foresee(
    engine: &Engine,
    now: Millis,
    changes: &[(AgentId, AgentFacts)],
    outcomes: Vec<(AgentId, Result<bool, Problem>)>,
) -> BatchAnswer {
    let mut after = engine.clone();
    for (agent, facts) in changes {
        let event = Event::FactsSet {
            agent: *agent,
            facts: Arc::new(facts.clone()),
            changed: Vec::new(),
            note: None,
            request: None,
            by: None,
        };
        let at = after.position();
        // A copy that rings nobody: what it asks for is nobody's business.
        let _ = after.handle_input(now, Routing::Obey { event: Box::new(event), at });
        while !matches!(after.poll_output(), Output::Timeout(_)) {}
    }
    let results = outcomes
        .into_iter()
        .map(|(agent, outcome)| {
            let mut result = result_before(engine, agent);
            settle(&mut result, outcome, &after);
            result
        })
        .collect();
    BatchAnswer { dry_run: true, results, impact: engine.preview(now, changes) }
}

fn result_before(engine: &Engine, agent: AgentId) -> BatchResult {
    let before = engine.presence(agent).map(|presence| presence.effective.verdict);
    BatchResult {
        agent,
        status: 200,
        changed: false,
        before,
        after: before,
        // Until it is settled: whether there is anything to be locked out of.
        locked_out: is_reachable(engine, agent),
        problem: None,
    }
}

fn settle(result: &mut BatchResult, outcome: Result<bool, Problem>, engine: &Engine) {
    result.after = engine.presence(result.agent).map(|presence| presence.effective.verdict);
    match outcome {
        Ok(changed) => {
            result.changed = changed;
            result.locked_out = changed && result.locked_out && !is_reachable(engine, result.agent);
        }
        Err(problem) => {
            result.status = problem.status;
            result.locked_out = false;
            result.problem = Some(problem);
        }
    }
    if result.status == ProblemCode::AgentNotFound.status() {
        (result.before, result.after) = (None, None);
    }
}

/// Whether any inbound path rings this person, or would once they are free.
fn is_reachable(engine: &Engine, agent: AgentId) -> bool {
    let Some(presence) = engine.presence(agent) else { return false };
    let layers: Vec<_> = presence.effective.blocked_by.into_iter().filter(|layer| !layer.is_load()).collect();
    let matrix = Matrix::new(&engine.policy().settings.reach);
    Row::ALL.iter().any(|row| row.number() <= Row::Pickup.number() && matrix.judge(*row, &layers).rings())
}
