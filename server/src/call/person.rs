//! What people ask for about themselves, and what time does to them.

use cordboard_routing::{Elapsed, Input as Routing};
use cordboard_shared::agent::Toggle;
use cordboard_shared::api::routing::CallbackView;
use cordboard_shared::event::ServerMessage;
use cordboard_shared::id::{AgentId, CallId};
use cordboard_shared::policy::Settings;
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::panel::engine_problem;
use super::{Audience, CallCenter, Effect};

/// The word for why the server sets a person Away, where it does: in the facts and in the panel's banner alike.
pub fn away_reason(what: Elapsed, settings: &Settings) -> Option<String> {
    match what {
        Elapsed::Missed => Some(format!("missed_{}", settings.missed_limit)),
        Elapsed::Inactive => {
            let minutes = settings.inactivity_minutes;
            let whole_hours = minutes > 0 && minutes.is_multiple_of(60);
            Some(if whole_hours { format!("inactivity_{}h", minutes / 60) } else { format!("inactivity_{minutes}m") })
        }
        Elapsed::Pause | Elapsed::Dnd | Elapsed::AwayReturned | Elapsed::Schedule | Elapsed::AfterCall => None,
    }
}

impl CallCenter {
    pub(super) fn tell_agent(&mut self, agent: AgentId, message: ServerMessage) {
        self.push(Effect::Live { to: Audience::Agent(agent), message: Box::new(message) });
    }

    /// Time has changed a verdict: the account writes it down, and the person is told where it was not their doing.
    pub(super) fn elapsed(&mut self, agent: AgentId, what: Elapsed) {
        self.push(Effect::Elapsed(agent, what));
        let was_on = self.engine.presence(agent).is_some_and(|it| it.state == Toggle::On);
        if was_on && let Some(reason) = away_reason(what, &self.engine.policy().settings) {
            self.tell_agent(agent, ServerMessage::AwaySet { reason });
        }
        match what {
            Elapsed::Inactive => self.push(Effect::EndSessions(agent)),
            Elapsed::Pause
            | Elapsed::Dnd
            | Elapsed::AwayReturned
            | Elapsed::Schedule
            | Elapsed::Missed
            | Elapsed::AfterCall => {}
        }
    }

    pub(super) fn wrap_up(&mut self, now: Millis, input: Routing) -> Result<Value, Problem> {
        self.try_route(now, input).map_err(engine_problem)?;
        Ok(json!({}))
    }

    /// A person says that a callback is dealt with: whoever may see that call.
    pub(super) fn callback_dealt_with(&mut self, now: Millis, agent: AgentId, call: CallId) -> Result<Value, Problem> {
        let callback = self.engine.callbacks().into_iter().find(|it| it.call == call);
        let sees = |it: CallbackView| self.directory.may_see_call(agent, it.department, it.agent);
        if !callback.is_some_and(sees) {
            return Err(Problem::new(ProblemCode::NotFound, "There is no such callback, or it is not yours."));
        }
        self.callback_done(now, call)
    }

    pub(super) fn callback_done(&mut self, now: Millis, call: CallId) -> Result<Value, Problem> {
        self.try_route(now, Routing::CallbackDone(call))
            .map_err(|_| Problem::new(ProblemCode::NotFound, "There is no such callback, or it is dealt with."))?;
        Ok(json!({}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_the_limit() {
        let mut settings = Settings::default();
        assert_eq!(away_reason(Elapsed::Missed, &settings).as_deref(), Some("missed_2"));
        assert_eq!(away_reason(Elapsed::Inactive, &settings).as_deref(), Some("inactivity_8h"));
        settings.inactivity_minutes = 15;
        assert_eq!(away_reason(Elapsed::Inactive, &settings).as_deref(), Some("inactivity_15m"));
        assert_eq!(away_reason(Elapsed::Pause, &settings), None);
    }
}
