//! A person's own calls: rows 14 and 15 of the matrix. Each leaves an entry that names its cell, also when it is allowed.

use std::borrow::Cow;

use cordboard_shared::Millis;
use cordboard_shared::decision::{Decision, MemberDecision, Reason, Then};
use cordboard_shared::id::{AgentId, CallId};

use super::{Engine, Leg};
use crate::agent::{DeviceKind, Load};
use crate::command::{EngineError, Output, Target};
use crate::line::{Line, LineState};
use crate::matrix::{Judged, Letter, Row};

impl Engine {
    /// A call of the person's own, or its agent leg. What goes out takes a line. The entry goes to a call that has so
    /// many already.
    pub(super) fn own_call(
        &mut self,
        now: Millis,
        id: AgentId,
        call: CallId,
        row: Row,
        (entry_of, after): (CallId, u32),
    ) -> Result<(), EngineError> {
        let leg =
            self.state.lines.get(&call).filter(|line| line.row == Row::OwnCallLeg && line.connected() == Some(id));
        let (own_leg, after) = (leg.is_some(), leg.map_or(after, |line| line.step));
        // The call that keeps them busy is this one.
        let judged = self.may_call_in(id, row, own_leg)?;
        if !own_leg && self.state.lines.contains_key(&call) {
            return Err(EngineError::UnknownCall);
        }
        let goes_out = row == Row::Outbound;
        let outbound = self.state.legs.values().filter(|leg| **leg == Leg::Outbound).count();
        let lines = super::arrive::outbound_lines(&self.policy().settings);
        let full = goes_out && lines.is_some_and(|lines| outbound >= lines);
        let entry = self.own_entry(now, id, judged, after, full.then_some(Reason::NoLineFree));
        let step = entry.step;
        self.push(Output::Decided { call: entry_of, decision: Box::new(entry) });
        if full {
            self.push(Output::Refused { call, reason: Reason::NoLineFree });
            return Ok(());
        }
        let mut line = Line::new(call, Target::Agent(id), row, now);
        line.state = LineState::Connected { agent: id, since: now, wrap_up_ms: 0 };
        line.step = step;
        self.state.lines.insert(call, line);
        if goes_out {
            self.state.legs.insert(call, Leg::Outbound);
        }
        self.touch(now, id);
        self.set_load(now, id, Load::OnCall(call));
        Ok(())
    }

    /// Whether the person may make such a call now.
    pub fn may_call(&self, id: AgentId, row: Row) -> Result<(), EngineError> {
        self.may_call_in(id, row, false).map(drop)
    }

    fn may_call_in(&self, id: AgentId, row: Row, own_leg: bool) -> Result<Judged, EngineError> {
        let agent = self.agent(id).ok_or(EngineError::UnknownAgent)?;
        let layers = if own_leg { agent.blocked_when_idle() } else { agent.blocked_by() };
        let judged = self.judge(agent, None, row, &layers);
        // Without a browser only a phone can carry the call.
        let has_phone = agent.devices.values().any(|kind| *kind == DeviceKind::Phone);
        if judged.rings() || (judged.letter == Letter::PhoneOnly && has_phone) {
            return Ok(judged);
        }
        Err(EngineError::NotAllowed(judged.layer))
    }

    fn own_entry(&self, now: Millis, agent: AgentId, judged: Judged, after: u32, refused: Option<Reason>) -> Decision {
        let then = match (refused, judged.row) {
            (Some(_), _) => Then::Disconnect,
            // Somebody who is there already is taken over.
            (None, Row::OwnCallLeg) if after > 0 => Then::Answered,
            (None, _) => Then::Dialed,
        };
        let member = MemberDecision {
            agent,
            name: None,
            reason: Reason::Rung,
            order: 1,
            cell: judged.cell(),
            rang_ms: None,
            fact: None,
        };
        Decision {
            step: after + 1,
            at: now,
            row: judged.row.number(),
            department: None,
            strategy: Cow::Borrowed(if refused.is_some() { "door" } else { "own" }),
            policy_version: self.rules.version.clone(),
            state_version: self.position().to_string(),
            refused,
            slots: u32::from(refused.is_none()),
            members: if refused.is_none() { vec![member] } else { Vec::new() },
            then,
        }
    }
}
