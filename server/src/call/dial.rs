//! A person's own calls: to a number outside, or to a colleague. The own device comes first, then the other side.

use cordboard_media::{Command as Media, Source};
use cordboard_routing::{Input as Routing, Row, Target};
use cordboard_shared::call::{CallCause, CallResult, CallState, CallView, Direction, EndedBy, Party};
use cordboard_shared::id::{AgentId, CallId, DepartmentId, LegId};
use cordboard_shared::phone::{E164, Extension};
use cordboard_shared::telephony::Encryption;
use cordboard_shared::{Millis, Problem, ProblemCode};
use cordboard_sip::endpoint::{Destination, FailureCause};
use cordboard_sip::message::{NameAddr, SipUri};
use cordboard_sip::{DialogId, Invitation};

use super::device::Device;
use super::leg::SipLeg;
use super::panel::engine_problem;
use super::record::{Call, CallerLeg, Own, Phase};
use super::{CallCenter, Effect, Owner};

/// The own device must be there within this time, in milliseconds.
pub(super) const OWN_DEVICE_MS: u64 = 30_000;
/// The other side may ring for so long, in milliseconds.
const RING_MS: u64 = 120_000;

/// Whom a person calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// A colleague.
    Colleague(AgentId),
    /// A department, in a consultation.
    Department(DepartmentId),
    /// A number outside.
    Number(E164),
}

/// A person's call on its way.
#[derive(Debug)]
pub(super) struct Dialing {
    pub(super) to: Called,
    /// The path of the other side.
    pub(super) row: Row,
    /// The number shown.
    pub(super) shown: Option<E164>,
    /// The trunk tried now, by its place in the settings.
    pub(super) trunk: usize,
    /// The own device is there, and the other side is being called.
    pub(super) begun: bool,
    /// They send sound already.
    pub(super) early: bool,
    /// The callback it is for.
    pub(super) callback: Option<CallId>,
    /// Where it was sent elsewhere, once.
    pub(super) redirected: bool,
}

/// What a person wants to call, and how.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) to: Called,
    pub(super) department: Option<DepartmentId>,
    pub(super) device: Device,
    pub(super) callback: Option<CallId>,
    /// The call that is to be transferred to them.
    pub(super) made_for: Option<CallId>,
    /// The INVITE of the own desk phone, when the call was dialed there.
    pub(super) dialed: Option<SipLeg>,
}

impl CallCenter {
    /// Whom these characters name.
    pub(super) fn called(&self, text: &str) -> Result<Called, Problem> {
        let text = text.trim();
        let unknown = |detail: &str| Problem::new(ProblemCode::InvalidField, detail).with("pointer", "/to");
        if let Some(agent) = text.strip_prefix("agent:") {
            let id = agent.parse::<AgentId>().ok().filter(|id| self.directory.agents.contains_key(id));
            return id.map(Called::Colleague).ok_or_else(|| unknown("There is no such person."));
        }
        if let Some(slug) = text.strip_prefix("department:") {
            let department = self.directory.department_by_slug(slug).map(|it| it.id);
            return department.map(Called::Department).ok_or_else(|| unknown("There is no such department."));
        }
        if let Ok(extension) = text.parse::<Extension>() {
            let colleague = self.directory.agent_by_extension(&extension).map(|it| it.id);
            return colleague
                .map(Called::Colleague)
                .ok_or_else(|| unknown("Nobody has this extension. Numbers begin with + and the country code."));
        }
        let digits: String = text.chars().filter(|it| !matches!(it, ' ' | '-' | '(' | ')' | '.')).collect();
        digits
            .parse::<E164>()
            .map(Called::Number)
            .map_err(|_| unknown("Write the number with + and the country code, as in +44 20 7946 0101."))
    }

    /// Click-to-call for a person who asks from elsewhere.
    pub(super) fn dial_for(
        &mut self,
        now: Millis,
        agent: AgentId,
        to: &str,
        department: Option<DepartmentId>,
        device: Option<&str>,
    ) -> Result<serde_json::Value, Problem> {
        let to = self.called(to)?;
        let tab = self.sockets.iter().find(|(_, it)| it.agent == agent && it.can_ring).map(|(socket, _)| *socket);
        let named = device.map(str::to_owned).or_else(|| {
            let ready = |it: &cordboard_shared::event::DeviceView| it.ready && it.id.starts_with("phone:");
            self.devices_of(agent).into_iter().find(ready).map(|it| it.id)
        });
        let none = || Problem::new(ProblemCode::NotAllowed, "The person has no device that could take the call first.");
        let device = match named {
            Some(name) => self.device_named(agent, &name),
            None => tab.map(Device::Tab),
        };
        let device = device.ok_or_else(none)?;
        let wish = Wish { to, department, device, callback: None, made_for: None, dialed: None };
        let call = self.place_call(now, agent, wish)?;
        Ok(serde_json::json!({ "uid": call }))
    }

    /// Begins a person's call. Everything that forbids it is known before anything rings.
    pub(super) fn place_call(&mut self, now: Millis, agent: AgentId, wish: Wish) -> Result<CallId, Problem> {
        if self.draining {
            return Err(Problem::new(ProblemCode::Draining, "The server is stopping and takes no new calls."));
        }
        if wish.callback.is_some_and(|callback| self.is_called_back(callback)) {
            return Err(Problem::new(ProblemCode::NotAllowed, "They are being called back already."));
        }
        let department = wish.department.or_else(|| {
            self.directory.departments.iter().find(|it| self.directory.is_member(agent, it.id)).map(|it| it.id)
        });
        let department = department.filter(|id| self.directory.works_in(agent, *id));
        if let Called::Number(number) = &wish.to {
            self.may_go_out(now, number)?;
        }
        if wish.to == Called::Colleague(agent) {
            return Err(Problem::new(ProblemCode::InvalidField, "That is your own extension.").with("pointer", "/to"));
        }
        let id = CallId::new(now, self.random_bytes());
        let busy = CallId::new(now, self.random_bytes());
        let goes_out = matches!(wish.to, Called::Number(_));
        let own_phone = !matches!(wish.device, Device::Tab(_));
        let (leg, own_leg) = (LegId::new(now, self.random_bytes()), LegId::new(now, self.random_bytes()));
        let shown = self.shown_number(department);
        let row = if wish.made_for.is_some() { Row::WarmTransfer } else { Row::Internal };
        let mut view = self.own_view(now, id, agent, &wish.to, shown.as_ref());
        view.made_for = wish.made_for.or(wish.callback);
        view.department = department.filter(|_| goes_out);
        let consults = wish.made_for.is_some();
        self.totals.calls += 1;

        // The far leg of a call to a number is that number's; of one among us it is the calling colleague's.
        self.next_dialog += 1;
        let dialog = DialogId::outgoing(self.next_dialog);
        let mut wish = wish;
        let dialed = wish.dialed.take();
        let from_phone = dialed.is_some();
        let own_terms = match self.device_name(wish.device).strip_prefix("phone:") {
            Some(username) if !goes_out => self.directory.telephony.phone_encryption(username),
            Some(_) | None => Encryption::Off,
        };
        let own_terms = self.leg_terms(own_terms);
        let caller = if goes_out {
            CallerLeg { leg, sip: Some(SipLeg::outgoing(dialog, leg, own_terms)), person: None }
        } else {
            let person = Own {
                agent,
                device: wish.device,
                up: false,
                reply: None,
                muted: false,
                holds: false,
                busy: (!consults).then_some(busy),
            };
            let sip = dialed.or_else(|| own_phone.then(|| SipLeg::outgoing(dialog, leg, own_terms)));
            self.place_own(id, agent, wish, view, CallerLeg { leg, sip, person: Some(person) }, row, None);
            return self.begin_own(now, id, agent, (busy, consults, goes_out, own_phone, from_phone));
        };
        self.place_own(id, agent, wish, view, caller, row, shown);
        if let Some(mut sip) = dialed {
            let device = self.calls.get(&id).and_then(|call| call.desk);
            sip.ringing = false;
            if let (Some(device), Some(call)) = (device, self.calls.get_mut(&id)) {
                let (desk_dialog, sip) = (sip.dialog, Some(sip));
                let desk = super::record::DeskLeg {
                    leg: own_leg,
                    up: false,
                    agent,
                    reply: None,
                    sip,
                    number: None,
                    asked_until: None,
                };
                call.desks.insert(device, desk);
                self.legs.insert(own_leg, Owner::Desk(id, device));
                self.dialogs.insert(desk_dialog, Owner::Desk(id, device));
            }
        }
        self.begin_own(now, id, agent, (busy, consults, goes_out, own_phone, from_phone))
    }

    #[expect(clippy::too_many_arguments, reason = "all of them make the one call")]
    fn place_own(
        &mut self,
        id: CallId,
        agent: AgentId,
        wish: Wish,
        view: CallView,
        caller: CallerLeg,
        row: Row,
        shown: Option<E164>,
    ) {
        let leg = caller.leg;
        let dialog = caller.sip.as_ref().map(|sip| sip.dialog);
        let goes_out = caller.person.is_none();
        let mut call = Call::new(view, caller, Phase::Dialing);
        if goes_out {
            call.desk = Some(wish.device);
            call.answered_by = Some(agent);
        }
        call.dialing = Some(Dialing {
            to: wish.to,
            row,
            shown,
            trunk: 0,
            begun: false,
            early: false,
            callback: wish.callback,
            redirected: false,
        });
        self.calls.insert(id, call);
        self.legs.insert(leg, Owner::Caller(id));
        if let Some(dialog) = dialog {
            self.dialogs.insert(dialog, Owner::Caller(id));
        }
    }

    /// Asks the engine, and calls the own device.
    fn begin_own(
        &mut self,
        now: Millis,
        id: CallId,
        agent: AgentId,
        (busy, consults, goes_out, own_phone, from_phone): (CallId, bool, bool, bool, bool),
    ) -> Result<CallId, Problem> {
        if !consults {
            let call = if goes_out { id } else { busy };
            let entry_of = (!goes_out).then_some(id);
            let rows: &[Row] = match (goes_out, own_phone) {
                (true, true) => &[Row::OwnCallLeg, Row::Outbound],
                (true, false) => &[Row::Outbound],
                (false, _) => &[Row::OwnCallLeg],
            };
            // All of them are asked first: a call that is not allowed leaves no half of its ledger.
            let asked = rows.iter().try_for_each(|row| self.engine.may_call(agent, *row));
            let asked = asked.and_then(|()| {
                let own = |row: &Row| Routing::OwnCall { agent, call, row: *row, entry_of, after: 0 };
                rows.iter().try_for_each(|row| self.try_route(now, own(row)))
            });
            if let Err(error) = asked {
                self.forget_own(id);
                return Err(not_now(&engine_problem(error)));
            }
            if goes_out && self.calls.get(&id).is_none_or(Call::is_over) {
                return Err(Problem::new(ProblemCode::NotAllowed, "All lines for outgoing calls are taken."));
            }
            if let Some(call) = self.calls.get_mut(&id) {
                call.in_engine = goes_out;
            }
        }
        let device = self.calls.get(&id).and_then(|call| match &call.caller.person {
            Some(own) => Some(own.device),
            None => call.desk,
        });
        if let Some(call) = self.calls.get_mut(&id) {
            call.deadline = Some(now + OWN_DEVICE_MS);
        }
        self.publish(id);
        match device {
            Some(Device::Tab(_)) | None => {}
            Some(device) if goes_out && !from_phone => {
                let number = if let Device::Mobile(_) = device { self.mobile_of(agent) } else { None };
                self.call_device(now, id, device, agent, number);
            }
            Some(device) => {
                let leg = self.calls.get(&id).map(|call| match (goes_out, call.desks.get(&device)) {
                    (true, Some(desk)) => desk.leg,
                    (true, None) | (false, _) => call.caller.leg,
                });
                if let Some(leg) = leg {
                    self.push(Effect::OpenRtp(leg));
                }
            }
        }
        Ok(id)
    }

    /// A call that the engine did not allow leaves no trace: nothing has happened.
    fn forget_own(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(&id) else { return };
        self.legs.remove(&call.caller.leg);
        for desk in call.desks.values() {
            self.legs.remove(&desk.leg);
            self.dialogs.retain(|_, owner| !matches!(owner, Owner::Desk(of, _) if *of == id));
        }
        if let Some(sip) = call.caller.sip {
            self.dialogs.remove(&sip.dialog);
        }
    }

    fn own_view(&self, now: Millis, id: CallId, agent: AgentId, to: &Called, shown: Option<&E164>) -> CallView {
        let person = |agent: AgentId| {
            let profile = self.directory.agents.get(&agent);
            let extension = profile.and_then(|it| it.extension.as_ref()).map(|it| it.as_str().to_owned());
            Party { number: extension.unwrap_or_default().into(), name: profile.map(|it| it.name.clone().into()) }
        };
        let (direction, from, to, agent) = match to {
            Called::Colleague(colleague) => (Direction::Internal, person(agent), person(*colleague), None),
            Called::Department(department) => {
                let department = self.directory.department(*department);
                let name = department.map_or_else(String::new, |it| it.name.clone());
                let to = Party { number: name.clone().into(), name: Some(name.into()) };
                (Direction::Internal, person(agent), to, None)
            }
            Called::Number(number) => {
                let from = shown.map_or_else(|| super::inbound::WITHHELD.to_owned(), ToString::to_string);
                let to = Party { number: number.to_string().into(), name: None };
                (Direction::Outbound, Party { number: from.into(), name: None }, to, Some(agent))
            }
        };
        super::inbound::blank_view(id, direction, from, to, agent, now)
    }

    /// The own device is there: now the other side is called.
    pub(super) fn own_device_up(&mut self, now: Millis, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Dialing {
            return;
        }
        let Some(dialing) = call.dialing.as_mut() else { return };
        if std::mem::replace(&mut dialing.begun, true) {
            return;
        }
        let (to, row) = (dialing.to.clone(), dialing.row);
        call.deadline = Some(now + RING_MS);
        match to {
            Called::Number(_) => {
                let leg = call.caller.leg;
                self.push(Effect::OpenRtp(leg));
            }
            Called::Colleague(colleague) => self.hand_to_engine(now, id, Target::Agent(colleague), row),
            Called::Department(department) => {
                self.hand_to_engine(now, id, Target::Department(department), Row::Queue);
            }
        }
    }

    /// The own device never came.
    pub(super) fn own_device_failed(&mut self, now: Millis, id: CallId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.cause = Some(CallCause::OwnDeviceDidNotAnswer);
        }
        self.hang_up(now, id, EndedBy::Agent, 480);
    }

    /// Nobody there, on one side or the other.
    pub(super) fn dialing_timeout(&mut self, now: Millis, id: CallId) {
        let begun = self.calls.get(&id).and_then(|call| call.dialing.as_ref()).is_some_and(|it| it.begun);
        if !begun {
            return self.own_device_failed(now, id);
        }
        if let Some(call) = self.calls.get_mut(&id) {
            call.view.cause = Some(CallCause::NoAnswer);
        }
        self.hang_up(now, id, EndedBy::System, 480);
    }

    /// The sockets of the far leg are open: the INVITE goes out.
    pub(super) fn far_opened(&mut self, now: Millis, id: CallId, local: std::net::SocketAddr) {
        let Some((sip, leg)) = self.sip_leg(Owner::Caller(id)) else { return };
        sip.local = Some(local);
        self.media(Media::AddRtp { leg, params: None });
        self.invite_far(now, id);
    }

    fn invite_far(&mut self, now: Millis, id: CallId) {
        let Some(dialing) = self.calls.get(&id).and_then(|call| call.dialing.as_ref()) else { return };
        let Called::Number(number) = dialing.to.clone() else { return };
        let (trunk, shown) = (dialing.trunk, dialing.shown.clone());
        if let Err(problem) = self.invite_out(now, Owner::Caller(id), trunk, &number, shown.as_ref()) {
            self.push(Effect::Note { call: Some(id), text: format!("nothing was sent: {}", problem.detail) });
            if let Some(call) = self.calls.get_mut(&id) {
                call.view.cause = Some(CallCause::NotAllowed);
                call.view.result = Some(CallResult::Rejected);
                if let Some(sip) = call.caller.sip.as_mut() {
                    sip.gone = true;
                }
            }
            self.finish(now, id, EndedBy::System);
        }
    }

    /// The other side rings, or sends sound before it answers.
    pub(super) fn far_progress(&mut self, id: CallId, sdp: Option<&[u8]>) {
        let Some((sip, leg)) = self.sip_leg(Owner::Caller(id)) else { return };
        let first = !std::mem::replace(&mut sip.ringing, true);
        let params = sdp.and_then(|sdp| sip.take_answer(sdp));
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Dialing {
            return;
        }
        let device = call.desk;
        let desk = call.desk_leg().map(|desk| desk.leg);
        let early = call.dialing.as_mut().is_some_and(|it| {
            it.early |= params.is_some();
            it.early
        });
        if let Some(params) = params {
            self.media(Media::UpdateRtp { leg, params });
        }
        // A desk phone that dialed makes its own ringing from the 180; sound needs its 200.
        if let Some(device) = device
            && let Some((sip, _)) = self.sip_leg(Owner::Desk(id, device))
            && !sip.outgoing
            && !sip.accepted
        {
            let dialog = sip.dialog;
            if first {
                self.sip(cordboard_sip::Command::Progress { dialog, status: 180, sdp: None });
            }
            return;
        }
        if let Some(desk) = desk {
            let source = if early { Source::Leg(leg) } else { Source::Loop { clip: self.sounds.ringback.clone() } };
            self.media(Media::Hear { leg: desk, source });
        }
        if first {
            self.show(id);
        }
    }

    /// The other side has answered.
    pub(super) fn far_answered(&mut self, now: Millis, id: CallId, sdp: Option<&[u8]>) {
        let Some((sip, leg)) = self.sip_leg(Owner::Caller(id)) else { return };
        sip.accepted = true;
        let params = sdp.and_then(|sdp| sip.take_answer(sdp));
        let spoken = sip.audio.is_some();
        if let Some(params) = params {
            self.media(Media::UpdateRtp { leg, params });
        }
        if !spoken {
            return self.hang_up(now, id, EndedBy::System, 488);
        }
        let ends_at = self.longest_call(now, id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Dialing {
            return;
        }
        call.phase = Phase::Connecting;
        call.deadline = Some(now + super::SOUND_WAIT_MS);
        call.ends_at = Some(ends_at);
        call.joined_at = Some(now);
        call.view.state = CallState::Connected;
        call.view.answered_at = Some(now);
        call.view.waited_ms = now.since(call.view.started_at);
        call.view.sip_status = Some(200);
        call.view.cause = None;
        let callback = call.dialing.as_ref().and_then(|it| it.callback);
        if let Some(device) = call.desk {
            self.accept_leg(Owner::Desk(id, device));
        }
        self.publish(id);
        self.try_join(id);
        if let Some(callback) = callback {
            let _ = self.callback_done(now, callback);
        }
        self.consult_answered(now, id);
    }

    /// The other side did not take the call.
    pub(super) fn far_failed(&mut self, now: Millis, id: CallId, status: u16, cause: FailureCause) {
        let trunks = self.directory.telephony.outbound.len();
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (leg, device) = (call.caller.leg, call.desk);
        let another = matches!(cause, FailureCause::Unreachable | FailureCause::Timeout | FailureCause::Overload)
            || status == 503;
        let rang = call.caller.sip.as_ref().is_some_and(|sip| sip.ringing);
        if let Some(dialing) = call.dialing.as_mut().filter(|it| another && !rang && it.trunk + 1 < trunks) {
            dialing.trunk += 1;
            return self.call_again(now, id, leg);
        }
        let (result, why) = match status {
            486 | 600 => (CallResult::Missed, CallCause::Busy),
            403 | 603 => (CallResult::Rejected, CallCause::Declined),
            404 | 410 | 484 | 604 | 503 => (CallResult::Rejected, CallCause::Unreachable),
            _ if cause == FailureCause::Unreachable => (CallResult::Rejected, CallCause::Unreachable),
            _ => (CallResult::Missed, CallCause::NoAnswer),
        };
        call.view.result = Some(result);
        call.view.cause = Some(why);
        call.view.sip_status = Some(status);
        if let Some(sip) = call.caller.sip.as_mut() {
            sip.gone = true;
        }
        if let Some(device) = device {
            // A desk phone that dialed hears the same status.
            let unanswered = self.sip_leg(Owner::Desk(id, device)).is_some_and(|(sip, _)| !sip.accepted);
            if unanswered {
                self.drop_desk(id, device, status);
            }
        }
        self.finish(now, id, EndedBy::Carrier);
    }

    /// The next INVITE of the same call has a dialog of its own.
    fn call_again(&mut self, now: Millis, id: CallId, leg: LegId) {
        self.next_dialog += 1;
        let dialog = DialogId::outgoing(self.next_dialog);
        let terms = self.leg_terms(Encryption::Off);
        let Some(sip) = self.calls.get_mut(&id).and_then(|call| call.caller.sip.as_mut()) else { return };
        let mut next = SipLeg::outgoing(dialog, leg, terms);
        next.local = sip.local;
        let old = std::mem::replace(sip, next);
        self.dialogs.remove(&old.dialog);
        self.dialogs.insert(dialog, Owner::Caller(id));
        self.invite_far(now, id);
    }

    /// The far side names another number (302): it passes the same guard, once.
    pub(super) fn far_redirected(&mut self, now: Millis, id: CallId, status: u16, contacts: &[NameAddr]) {
        let number = contacts.iter().find_map(|contact| contact.uri.user()?.parse::<E164>().ok());
        let Some(call) = self.calls.get_mut(&id) else { return };
        let leg = call.caller.leg;
        match (call.dialing.as_mut().filter(|it| !it.redirected), number) {
            (Some(dialing), Some(number)) => {
                dialing.redirected = true;
                dialing.to = Called::Number(number);
                self.call_again(now, id, leg);
            }
            (Some(_) | None, _) => self.far_failed(now, id, status, FailureCause::Rejected),
        }
    }

    /// The own desk phone has dialed: its sockets are open.
    pub(super) fn own_phone_opened(&mut self, now: Millis, id: CallId, device: Device, local: std::net::SocketAddr) {
        self.phone_opened(Owner::Desk(id, device), local);
        if let Some(desk) = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&device)) {
            desk.up = true;
        }
        if self.calls.get(&id).is_some_and(|call| matches!(call.phase, Phase::Connecting | Phase::Connected)) {
            self.accept_leg(Owner::Desk(id, device));
            return self.try_join(id);
        }
        self.own_device_up(now, id);
    }

    /// Click-to-call: the own desk phone rings first.
    pub(super) fn own_phone_rung(&mut self, id: CallId, local: std::net::SocketAddr) {
        let owner = Owner::Caller(id);
        let here = self.sip;
        let Some(call) = self.calls.get(&id) else { return };
        let (number, name) = (call.view.to.number.0.clone(), call.view.to.name.as_ref().map(|name| name.0.clone()));
        let Some(device) = call.caller.person.as_ref().map(|own| own.device) else { return };
        let Some(username) = self.device_name(device).strip_prefix("phone:").map(str::to_owned) else { return };
        let Some((sip, leg)) = self.sip_leg(owner) else { return };
        sip.local = Some(local);
        let Some(sdp) = sip.make_offer(cordboard_sip::sdp::Direction::SendRecv) else { return };
        let dialog = sip.dialog;
        self.media(Media::AddRtp { leg, params: None });
        let from = NameAddr::new(name.as_deref(), SipUri::new(Some(&number), here));
        let to = SipUri::new(Some(&username), here);
        self.sip(Invitation::new(dialog, to, from, Destination::User(username), sdp).into());
    }

    /// The media leg of a phone that has sent the INVITE.
    pub(super) fn phone_opened(&mut self, owner: Owner, local: std::net::SocketAddr) {
        let Some((sip, leg)) = self.sip_leg(owner) else { return };
        let params = sip.open(local);
        self.media(Media::AddRtp { leg, params });
    }
}

/// The matrix does not let the person call now.
fn not_now(problem: &Problem) -> Problem {
    Problem::new(ProblemCode::NotAllowed, problem.detail.clone())
}
