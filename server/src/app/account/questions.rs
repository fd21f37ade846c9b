//! Questions that the engine answers on the state as it is.

use cordboard_shared::agent::Presence;
use cordboard_shared::api::routing::{LineView, SimulateAnswer, SimulateRequest};
use cordboard_shared::id::{AgentId, DepartmentId};
use cordboard_shared::{FeedPosition, Problem, ProblemCode};

use super::Account;
use crate::app::handle::Reply;
use crate::app::simulate;

impl Account {
    /// One person's presence with the matrix, and how often it has read differently.
    pub(super) fn presence_of(&self, agent: AgentId) -> Option<(Presence, u64)> {
        let engine = self.center.engine();
        let mut presence = engine.presence(agent)?;
        presence.matrix = engine.rows_for(agent);
        Some((presence, self.live.get(&agent).copied().unwrap_or_default()))
    }

    /// Everybody's presence.
    pub(super) fn everybody(&self) -> (FeedPosition, Vec<Presence>) {
        let engine = self.center.engine();
        (engine.position(), engine.agents().filter_map(|agent| engine.presence(agent.id)).collect())
    }

    /// The line of a department.
    pub(super) fn line(&self, department: DepartmentId) -> Result<LineView, Problem> {
        if self.directory.department(department).is_none() {
            return Err(Problem::new(ProblemCode::NotFound, "There is no such department in this account."));
        }
        Ok(self.center.engine().line(department, self.clock.now()))
    }

    /// What would happen to a call. Worked out on a copy of the engine and a thread of its own.
    pub(super) fn simulate(&self, request: SimulateRequest, reply: Reply<Result<SimulateAnswer, Problem>>) {
        let (engine, directory, now) = (self.center.engine().clone(), self.directory.clone(), self.clock.now());
        tokio::task::spawn_blocking(move || drop(reply.send(simulate::answer(&engine, &directory, now, request))));
    }
}
