//! Handing a call over: blind and warm transfers, by panel, by keys and by REFER.

use cordboard_routing::{EngineError, Input as Routing, Row, Target};
use cordboard_shared::call::{CallState, EndedBy, StepKind};
use cordboard_shared::event::{TransferMode, TransferView};
use cordboard_shared::id::{AgentId, CallId, DepartmentId};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::device::Device;
use super::dial::{Called, Wish};
use super::panel::{call_ended, engine_problem};
use super::record::Phase;
use super::{CallCenter, Owner, SocketId};

/// After the last key of an extension, in milliseconds.
const KEYS_MS: u64 = 3_000;
/// A star alone is for the far side after so long, in milliseconds.
const STAR_MS: u64 = 1_000;

/// A transfer under way, or one that may come back.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) mode: TransferMode,
    /// The target in words.
    pub(super) to: String,
    pub(super) by: AgentId,
    /// The consultation of a warm one.
    pub(super) consult: Option<CallId>,
    pub(super) answered: bool,
    /// On its way back.
    pub(super) returns: bool,
}

impl Transfer {
    pub(super) fn view(&self) -> TransferView {
        TransferView { mode: self.mode, to: self.to.clone().into(), consult: self.consult, answered: self.answered }
    }
}

impl CallCenter {
    pub(super) fn transfer(
        &mut self,
        now: Millis,
        socket: SocketId,
        agent: AgentId,
        id: CallId,
        to: &str,
        mode: TransferMode,
    ) -> Result<Value, Problem> {
        let target = self.called(to)?;
        match mode {
            TransferMode::Blind => self.transfer_blind(now, agent, id, &target),
            TransferMode::Warm => {
                // The one who asks is asked for on the device that has the call: a tab without a microphone may be
                // where the order comes from.
                let device = match self.calls.get(&id).and_then(|call| call.desk) {
                    Some(phone @ (Device::Phone(_) | Device::Mobile(_))) => phone,
                    Some(Device::Tab(_) | Device::Outside) | None => Device::Tab(socket),
                };
                self.transfer_warm(now, agent, id, target, device)
            }
        }
    }

    /// The call, if this person may hand it over now.
    pub(super) fn to_be_handed(&self, agent: AgentId, id: CallId) -> Result<(), Problem> {
        let call = self.call_of(agent, id).ok_or_else(call_ended)?;
        if call.view.agent != Some(agent) || call.phase != Phase::Connected {
            return Err(Problem::new(ProblemCode::CannotTransfer, "Only a call you have answered can be handed over."));
        }
        if call.transfer.as_ref().is_some_and(|it| it.consult.is_some()) {
            return Err(Problem::new(ProblemCode::CannotTransfer, "This call is being transferred already."));
        }
        Ok(())
    }

    /// Whether the target would be tried at all; the engine's reason in words if not.
    fn would_reach(&mut self, now: Millis, agent: AgentId, target: &Called, row: Row) -> Result<(), Problem> {
        match target {
            Called::Colleague(colleague) if *colleague == agent => {
                Err(Problem::new(ProblemCode::CannotTransfer, "That is yourself."))
            }
            Called::Colleague(colleague) => match self.engine.would_reach(*colleague, row) {
                Ok(()) => Ok(()),
                Err(EngineError::NotAllowed(verdict)) => {
                    let name = self.directory.agent_name(*colleague);
                    let detail = format!("{name} cannot take it now: {}.", verdict.word());
                    Err(Problem::new(ProblemCode::CannotTransfer, detail).with("verdict", verdict.word()))
                }
                Err(error) => Err(engine_problem(error)),
            },
            Called::Department(_) => Ok(()),
            Called::Number(number) => self
                .may_go_out(now, number)
                .map_err(|problem| Problem::new(ProblemCode::CannotTransfer, problem.detail)),
        }
    }

    fn words_for(&self, target: &Called) -> String {
        match target {
            Called::Colleague(agent) => self.directory.agent_name(*agent).to_owned(),
            Called::Department(department) => {
                self.directory.department(*department).map_or_else(String::new, |it| it.name.clone())
            }
            Called::Number(number) => number.to_string(),
        }
    }

    pub(super) fn transfer_blind(
        &mut self,
        now: Millis,
        agent: AgentId,
        id: CallId,
        target: &Called,
    ) -> Result<Value, Problem> {
        self.to_be_handed(agent, id)?;
        self.would_reach(now, agent, target, Row::BlindTransfer)?;
        let to = self.words_for(target);
        self.step_with(now, id, StepKind::Transfer, Some(agent), Some(to.clone()));
        let transfer =
            Transfer { mode: TransferMode::Blind, to, by: agent, consult: None, answered: false, returns: false };
        self.let_go(now, id, agent);
        if let Some(call) = self.calls.get_mut(&id) {
            call.transfer = Some(transfer);
        }
        self.music(id);
        match target {
            Called::Colleague(colleague) => {
                self.hand_to_engine(now, id, Target::Agent(*colleague), Row::BlindTransfer);
            }
            Called::Department(department) => {
                self.hand_to_engine(now, id, Target::Department(*department), Row::Queue);
            }
            Called::Number(number) => {
                if let Some(call) = self.calls.get_mut(&id) {
                    call.phase = Phase::Connecting;
                    call.desk = Some(Device::Outside);
                    call.deadline = Some(now + 60_000);
                    call.view.state = CallState::Ringing;
                }
                self.call_device(now, id, Device::Outside, agent, Some(number.clone()));
            }
        }
        self.publish(id);
        Ok(json!({}))
    }

    /// The person's side of a call ends, and the caller stays.
    pub(super) fn let_go(&mut self, now: Millis, id: CallId, agent: AgentId) {
        self.drop_desks(id, None);
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.talked_ms += call.joined_at.take().map_or(0, |at| now.since(at));
        call.desk = None;
        call.won = None;
        call.muted = false;
        call.deadline = None;
        call.view.agent = None;
        call.view.state = CallState::Waiting;
        call.phase = Phase::Routing;
        call.step(now, StepKind::Left, Some(agent), None);
        let (routed, in_engine) = (call.routed, std::mem::take(&mut call.in_engine));
        call.routed = id;
        self.routes.remove(&routed);
        self.tape_side(id);
        self.tell_hold(Owner::Caller(id), false);
        let live = self.calls.get(&id).map(|call| self.live_for(call, agent));
        if let Some(live) = live {
            // The person is told that it went on without them.
            self.tell_agent(agent, cordboard_shared::event::ServerMessage::CallState(Box::new(live)));
        }
        if in_engine {
            self.route(now, Routing::CallEnded(routed));
        }
    }

    /// Nobody has taken a call that was handed over: back to the one who had it, and if that cannot be, to the
    /// department, or into that person's box.
    pub(super) fn come_back(&mut self, now: Millis, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Some(transfer) = call.transfer.as_mut() else { return false };
        let (by, again, department) = (transfer.by, transfer.returns, call.view.department);
        transfer.returns = true;
        call.phase = Phase::Routing;
        if !again {
            call.step(now, StepKind::TransferBack, Some(by), None);
            // Finishing paperwork is no reason not to get one's own caller back.
            if self.engine.agent(by).is_some_and(|it| matches!(it.load, cordboard_routing::Load::AfterCallWork(_))) {
                self.route(now, Routing::WrapUpDone(by));
            }
            self.hand_to_engine(now, id, Target::Agent(by), Row::BlindTransfer);
            return true;
        }
        call.transfer = None;
        match department {
            Some(department) => self.hand_to_engine(now, id, Target::Department(department), Row::Queue),
            None => self.enter_voicemail(now, id, &by.to_string()),
        }
        true
    }

    /// The number outside did not take the transferred call.
    pub(super) fn transfer_failed(&mut self, now: Millis, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.desk = None;
            call.deadline = None;
            call.view.state = CallState::Waiting;
        }
        self.music(id);
        if !self.come_back(now, id) {
            self.hang_up(now, id, EndedBy::System, 480);
        }
    }

    /// The number outside has answered a transferred call.
    pub(super) fn outside_answered(&mut self, now: Millis, id: CallId) {
        let ends_at = self.longest_call(now, id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let to = call.transfer.take().map(|it| it.to);
        call.joined_at = Some(now);
        call.ends_at = Some(ends_at);
        call.view.state = CallState::Connected;
        call.step(now, StepKind::Joined, None, to);
        self.publish(id);
        self.try_join(id);
    }

    pub(super) fn transfer_warm(
        &mut self,
        now: Millis,
        agent: AgentId,
        id: CallId,
        target: Called,
        device: Device,
    ) -> Result<Value, Problem> {
        self.to_be_handed(agent, id)?;
        self.would_reach(now, agent, &target, Row::WarmTransfer)?;
        let to = self.words_for(&target);
        let department = self.calls.get(&id).and_then(|call| call.view.department);
        let wish = Wish { to: target, department, device, callback: None, made_for: Some(id), dialed: None };
        let consult = self.place_call(now, agent, wish)?;
        self.begin_consult(now, agent, id, consult, to);
        Ok(json!({ "call": consult }))
    }

    /// The caller hears music while the person asks.
    pub(super) fn begin_consult(&mut self, now: Millis, agent: AgentId, id: CallId, consult: CallId, to: String) {
        if let Some(call) = self.calls.get_mut(&id) {
            let words = to.clone();
            call.transfer = Some(Transfer {
                mode: TransferMode::Warm,
                to,
                by: agent,
                consult: Some(consult),
                answered: false,
                returns: false,
            });
            call.step(now, StepKind::Consult, Some(agent), Some(words));
        }
        self.set_held(now, id, agent, true);
    }

    /// The person asked has answered.
    pub(super) fn consult_answered(&mut self, now: Millis, consult: CallId) {
        let _ = now;
        let Some(id) = self.calls.get(&consult).and_then(|call| call.view.made_for) else { return };
        if let Some(transfer) = self.calls.get_mut(&id).and_then(|call| call.transfer.as_mut())
            && transfer.consult == Some(consult)
        {
            transfer.answered = true;
            self.show(id);
        }
    }

    fn consult_of(&self, agent: AgentId, id: CallId) -> Result<(CallId, bool), Problem> {
        let call = self.call_of(agent, id).ok_or_else(call_ended)?;
        let transfer = call.transfer.as_ref().filter(|it| it.by == agent);
        let consult = transfer.and_then(|it| Some((it.consult?, it.answered)));
        consult.ok_or_else(|| Problem::new(ProblemCode::CannotTransfer, "This call is not being transferred."))
    }

    /// Joins the caller and the person asked; the one who asked leaves.
    pub(super) fn transfer_complete(&mut self, now: Millis, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        let (consult, _) = self.consult_of(agent, id)?;
        let not_yet = || Problem::new(ProblemCode::CannotTransfer, "The one you asked has not answered yet.");
        let talks = self.calls.get(&consult).is_some_and(|call| call.phase == Phase::Connected);
        if !talks {
            return Err(not_yet());
        }
        // After a swap the one asked is on hold, and a phone that was told so sends nothing.
        self.set_held(now, consult, agent, false);
        let Some(asked) = self.calls.get_mut(&consult) else { return Err(not_yet()) };
        // Their side goes over to the call, as it is: its leg, its dialog, and what the engine knows.
        let outside = asked.caller.person.is_none();
        let (device, desk, colleague, routed, in_engine) = if outside {
            let Some(sip) = asked.caller.sip.take() else { return Err(not_yet()) };
            let leg = asked.caller.leg;
            let desk = super::record::DeskLeg {
                leg,
                up: true,
                agent,
                reply: None,
                sip: Some(sip),
                number: None,
                asked_until: None,
            };
            asked.caller.leg = cordboard_shared::id::LegId::default();
            (Device::Outside, desk, None, asked.routed, false)
        } else {
            let Some(device) = asked.desk else { return Err(not_yet()) };
            let Some(desk) = asked.desks.remove(&device) else { return Err(not_yet()) };
            asked.desk = None;
            (device, desk, asked.view.agent, asked.routed, std::mem::take(&mut asked.in_engine))
        };
        let to = self.calls.get_mut(&id).and_then(|call| call.transfer.take()).map(|it| it.to);
        self.let_go(now, id, agent);
        self.legs.insert(desk.leg, Owner::Desk(id, device));
        if let Some(sip) = &desk.sip {
            self.dialogs.insert(sip.dialog, Owner::Desk(id, device));
        }
        if in_engine {
            self.routes.insert(routed, id);
        }
        let ends_at = outside.then(|| self.longest_call(now, id));
        if let Some(call) = self.calls.get_mut(&id) {
            call.desks.insert(device, desk);
            call.desk = Some(device);
            call.phase = Phase::Connected;
            call.joined_at = Some(now);
            call.routed = routed;
            call.in_engine = in_engine;
            call.ends_at = call.ends_at.or(ends_at);
            call.view.agent = colleague;
            call.view.state = CallState::Connected;
            call.step(now, StepKind::TransferDone, Some(agent), to.clone());
            call.step(now, StepKind::Joined, colleague, to);
        }
        if let Some(call) = self.calls.get_mut(&consult) {
            call.routed = consult;
            call.view.made_for = Some(id);
        }
        self.hang_up(now, consult, EndedBy::System, 480);
        self.tape_side(id);
        self.publish(id);
        self.try_join(id);
        Ok(json!({}))
    }

    /// Ends the consultation; the caller is taken back.
    pub(super) fn transfer_cancel(&mut self, now: Millis, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        let (consult, _) = self.consult_of(agent, id)?;
        self.hang_up(now, consult, EndedBy::Agent, 480);
        Ok(json!({}))
    }

    /// Talks with the other one of the two.
    pub(super) fn swap(&mut self, now: Millis, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        let (consult, _) = self.consult_of(agent, id)?;
        let held = self.calls.get(&id).is_some_and(|call| call.view.state == CallState::Held);
        self.set_held(now, id, agent, !held);
        self.set_held(now, consult, agent, held);
        Ok(json!({}))
    }

    /// A consultation is over without having led to anything: the caller is taken back.
    pub(super) fn consult_over(&mut self, now: Millis, consult: CallId, made_for: Option<CallId>) {
        let Some(call) = made_for.and_then(|id| self.calls.get_mut(&id)) else { return };
        if call.transfer.as_ref().is_none_or(|it| it.consult != Some(consult)) {
            return;
        }
        let id = call.view.uid;
        let Some(transfer) = call.transfer.take() else { return };
        call.step(now, StepKind::TransferBack, Some(transfer.by), Some(transfer.to));
        self.set_held(now, id, transfer.by, false);
    }

    /// The caller is gone in the middle of a consultation: the two talk on as a call of their own.
    pub(super) fn consult_alone(&mut self, now: Millis, consult: CallId) {
        let Some(call) = self.calls.get(&consult).filter(|call| !call.is_over()) else { return };
        let Some(agent) = call.calling_person() else {
            return self.hang_up(now, consult, EndedBy::System, 480);
        };
        if self.engine.agent(agent).is_some_and(|it| matches!(it.load, cordboard_routing::Load::AfterCallWork(_))) {
            self.route(now, Routing::WrapUpDone(agent));
        }
        let busy = CallId::new(now, self.random_bytes());
        let after = self.calls.get(&consult).map_or(0, |call| call.decided);
        let row = Row::OwnCallLeg;
        let own = Routing::OwnCall { agent, call: busy, row, entry_of: Some(consult), after };
        if self.try_route(now, own).is_err() {
            return self.hang_up(now, consult, EndedBy::System, 480);
        }
        if let Some(own) = self.calls.get_mut(&consult).and_then(|call| call.caller.person.as_mut()) {
            own.busy = Some(busy);
            own.holds = false;
        }
        self.try_join(consult);
    }

    /// Hanging up while consulting hands the call over when the one asked has answered, and else takes it back.
    pub(super) fn hang_up_by(&mut self, now: Millis, agent: AgentId, id: CallId) -> Result<Value, Problem> {
        self.call_of(agent, id).ok_or_else(call_ended)?;
        match self.consult_of(agent, id) {
            Ok((_, true)) => return self.transfer_complete(now, agent, id),
            Ok((_, false)) => return self.transfer_cancel(now, agent, id),
            Err(_) => {}
        }
        let calls = self.calls.get(&id).is_some_and(|call| {
            call.calling_person() == Some(agent) || call.view.direction == cordboard_shared::call::Direction::Outbound
        });
        let by = if calls && self.calls.get(&id).is_some_and(|call| call.calling_person() == Some(agent)) {
            EndedBy::Caller
        } else {
            EndedBy::Agent
        };
        self.hang_up(now, id, by, 480);
        Ok(json!({}))
    }

    /// Keys of the person in a call: `*2` and an extension hand it over; the others go to the far side.
    pub(super) fn keys_pressed(&mut self, now: Millis, agent: AgentId, id: CallId, keys: &str) -> Option<String> {
        let mut through = String::new();
        for key in keys.chars() {
            let call = self.calls.get_mut(&id)?;
            let near = call.view.agent == Some(agent) && call.phase == Phase::Connected;
            match (call.keys.as_str(), key) {
                ("", '*') if near => {
                    call.keys.push(key);
                    call.deadline = Some(now + STAR_MS);
                }
                ("*", '2') => {
                    call.keys.push(key);
                    call.deadline = Some(now + KEYS_MS);
                }
                ("", _) => through.push(key),
                ("*", _) => {
                    call.keys.clear();
                    call.deadline = None;
                    through.push('*');
                    through.push(key);
                }
                (_, '#') => self.keys_over(now, id),
                (_, _) => {
                    call.keys.push(key);
                    call.deadline = Some(now + KEYS_MS);
                }
            }
        }
        (!through.is_empty()).then_some(through)
    }

    /// The extension behind `*2` is complete.
    pub(super) fn keys_over(&mut self, now: Millis, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.deadline = None;
        let keys = std::mem::take(&mut call.keys);
        let leg = call.caller.leg;
        let (Some(agent), Some(extension)) = (call.view.agent, keys.strip_prefix("*2")) else {
            return self.media(cordboard_media::Command::SendDigits { leg, digits: keys });
        };
        let handed = self.called(extension).and_then(|target| self.transfer_blind(now, agent, id, &target));
        if let Err(problem) = handed {
            self.push(super::Effect::Note { call: Some(id), text: format!("not transferred: {}", problem.detail) });
        }
    }

    /// A desk phone asks for a transfer by REFER.
    pub(super) fn refer(&mut self, now: Millis, asked: &cordboard_sip::endpoint::Transfer) {
        use cordboard_sip::Command as Sip;
        let dialog = asked.dialog;
        let refuse = |status| Sip::RejectRefer { dialog, status };
        let Some(Owner::Desk(id, device)) = self.dialogs.get(&dialog).copied() else {
            // Nobody outside transfers a call here: where it would lead is not theirs to say.
            return self.sip(refuse(403));
        };
        let agent = self.calls.get(&id).filter(|call| call.desk == Some(device)).and_then(|call| call.view.agent);
        let Some(agent) = agent else { return self.sip(refuse(603)) };
        let handed = match asked.replaced.and_then(|dialog| self.dialogs.get(&dialog).copied()) {
            Some(Owner::Caller(consult) | Owner::Desk(consult, _)) => {
                if self.consult_of(agent, id).is_ok_and(|(known, _)| known == consult) {
                    self.transfer_complete(now, agent, id)
                } else {
                    Err(call_ended())
                }
            }
            Some(Owner::TestCaller(_)) => Err(call_ended()),
            None => asked
                .refer_to
                .user()
                .ok_or_else(call_ended)
                .and_then(|user| self.called(&user))
                .and_then(|target| self.transfer_blind(now, agent, id, &target)),
        };
        match handed {
            Ok(_) => {
                self.sip(Sip::AcceptRefer { dialog });
                self.sip(Sip::NotifyRefer { dialog, status: 200, end: true });
            }
            Err(_) => self.sip(refuse(603)),
        }
    }

    /// The department a person takes calls of, when the call has none.
    pub(super) fn works_with(&self, agent: AgentId, department: Option<DepartmentId>, others: &[AgentId]) -> bool {
        match department {
            Some(department) => self.directory.works_in(agent, department),
            None => others.iter().any(|other| {
                self.directory
                    .departments
                    .iter()
                    .any(|it| self.directory.is_member(*other, it.id) && self.directory.works_in(agent, it.id))
            }),
        }
    }
}
