//! A person's devices: browser tabs, desk phones that register, mobiles that calls are forwarded to.

use cordboard_media::{Command as Media, Source};
use cordboard_routing::{DeviceId, DeviceKind, Input as Routing};
use cordboard_shared::Millis;
use cordboard_shared::call::{EndedBy, StepKind};
use cordboard_shared::event::{DeviceView, DeviceViewKind, ServerMessage};
use cordboard_shared::id::{AgentId, CallId, LegId, OfferId};
use cordboard_shared::phone::E164;
use cordboard_shared::telephony::Encryption;
use cordboard_sip::endpoint::Destination;
use cordboard_sip::message::{NameAddr, SipUri};
use cordboard_sip::sdp::Direction;
use cordboard_sip::{DialogId, Invitation};

use super::leg::SipLeg;
use super::record::{DeskLeg, Phase};
use super::{CallCenter, Effect, Owner, SocketId};

/// A mobile that has answered must press 1 within this time, in milliseconds.
const ACCEPT_MS: u64 = 15_000;
/// Devices that are no tabs have their own numbers.
const PHONES: u64 = 1 << 62;
const MOBILE: u64 = 1 << 63;

/// Something a person's side of a call can be on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Device {
    /// A browser tab.
    Tab(SocketId),
    /// A desk phone, by its place in the list of those that ever registered.
    Phone(u32),
    /// The person's mobile.
    Mobile(AgentId),
    /// A number outside, that the call was handed to.
    Outside,
}

/// A desk phone.
#[derive(Debug)]
pub(super) struct DeskPhone {
    pub(super) username: String,
    /// Contacts that are registered now.
    contacts: usize,
    /// Whose it is, while the engine knows it as ready.
    ready: Option<AgentId>,
}

impl CallCenter {
    /// A phone has so many contacts now.
    pub(super) fn registered(&mut self, now: Millis, username: &str, contacts: usize) {
        match self.phones.iter_mut().find(|phone| phone.username == username) {
            Some(phone) => phone.contacts = contacts,
            None => self.phones.push(DeskPhone { username: username.to_owned(), contacts, ready: None }),
        }
        self.devices_changed(now);
    }

    /// Tells the engine which phones and mobiles can ring, where that has changed.
    pub(super) fn devices_changed(&mut self, now: Millis) {
        let telephony = self.directory.telephony.clone();
        let mut concerned = Vec::new();
        for index in 0..self.phones.len() {
            let (before, wanted, id) = {
                let phone = &self.phones[index];
                let owner = telephony.phones.iter().find(|it| it.username == phone.username && it.rings);
                let wanted = owner.filter(|_| phone.contacts > 0).map(|it| it.agent);
                (phone.ready, wanted, DeviceId(PHONES | u64::try_from(index).unwrap_or(0)))
            };
            concerned.extend(
                telephony.phones.iter().find(|it| it.username == self.phones[index].username).map(|it| it.agent),
            );
            if before != wanted {
                self.phones[index].ready = wanted;
                self.change_device(now, before, wanted, id);
            }
        }
        let can_forward = |it: &&cordboard_shared::telephony::Mobile| {
            it.rings && !telephony.outbound.is_empty() && telephony.guard.allows(&it.number)
        };
        let wanted: std::collections::BTreeSet<_> =
            telephony.mobiles.iter().filter(can_forward).map(|it| it.agent).collect();
        let before = std::mem::replace(&mut self.mobiles_ready, wanted.clone());
        for agent in before.symmetric_difference(&wanted).copied().collect::<Vec<_>>() {
            concerned.push(agent);
            let on = wanted.contains(&agent);
            self.change_device(now, (!on).then_some(agent), on.then_some(agent), DeviceId(MOBILE));
        }
        concerned.sort_unstable();
        concerned.dedup();
        for agent in concerned {
            self.tell_devices(agent);
        }
    }

    fn change_device(&mut self, now: Millis, before: Option<AgentId>, wanted: Option<AgentId>, id: DeviceId) {
        if let Some(agent) = before {
            self.route(now, Routing::DeviceGone(agent, id));
        }
        if let Some(agent) = wanted {
            self.route(now, Routing::DeviceReady(agent, id, DeviceKind::Phone));
        }
    }

    pub(super) fn tell_devices(&mut self, agent: AgentId) {
        let devices = self.devices_of(agent);
        self.tell_agent(agent, ServerMessage::DevicesChanged { devices });
    }

    /// The devices of a person, as their panels show them.
    pub(super) fn devices_of(&self, agent: AgentId) -> Vec<DeviceView> {
        let telephony = &self.directory.telephony;
        let tabs = self.sockets.iter().filter(|(_, socket)| socket.agent == agent).map(|(id, socket)| DeviceView {
            id: self.device_name(Device::Tab(*id)),
            kind: DeviceViewKind::Browser,
            name: socket.app.clone(),
            ready: socket.can_ring,
            rings: true,
        });
        let phones = telephony.phones.iter().filter(|it| it.agent == agent).map(|it| DeviceView {
            id: format!("phone:{}", it.username),
            kind: DeviceViewKind::Phone,
            name: format!("Desk phone {}", it.username),
            ready: self.phones.iter().any(|phone| phone.username == it.username && phone.contacts > 0),
            rings: it.rings,
        });
        let mobiles = telephony.mobiles.iter().filter(|it| it.agent == agent).map(|it| DeviceView {
            id: "mobile".to_owned(),
            kind: DeviceViewKind::Mobile,
            name: format!("Mobile {:?}", it.number),
            ready: !telephony.outbound.is_empty() && telephony.guard.allows(&it.number),
            rings: it.rings,
        });
        tabs.chain(phones).chain(mobiles).collect()
    }

    /// The name of a device in commands.
    pub(super) fn device_name(&self, device: Device) -> String {
        match device {
            Device::Tab(socket) => {
                format!("tab:{}", self.sockets.get(&socket).map_or("", |socket| socket.tab.as_str()))
            }
            Device::Phone(index) => {
                let phone = usize::try_from(index).ok().and_then(|index| self.phones.get(index));
                format!("phone:{}", phone.map_or("", |phone| phone.username.as_str()))
            }
            Device::Mobile(_) => "mobile".to_owned(),
            Device::Outside => "outside".to_owned(),
        }
    }

    /// The device a person has named.
    pub(super) fn device_named(&self, agent: AgentId, name: &str) -> Option<Device> {
        if let Some(tab) = name.strip_prefix("tab:") {
            let own = |it: &&super::snapshot::Socket| it.agent == agent && it.tab == tab;
            return self.sockets.iter().find(|(_, it)| own(it)).map(|(id, _)| Device::Tab(*id));
        }
        if name == "mobile" {
            return self.mobile_of(agent).map(|_| Device::Mobile(agent));
        }
        let username = name.strip_prefix("phone:")?;
        let owned = self.directory.telephony.phones.iter().any(|it| it.username == username && it.agent == agent);
        let index = self.phones.iter().position(|it| it.username == username && it.contacts > 0).filter(|_| owned)?;
        u32::try_from(index).ok().map(Device::Phone)
    }

    pub(super) fn mobile_of(&self, agent: AgentId) -> Option<E164> {
        self.directory.telephony.mobiles.iter().find(|it| it.agent == agent).map(|it| it.number.clone())
    }

    /// The phone with this user name, and whose it is.
    pub(super) fn phone_by_user(&mut self, username: &str) -> Option<(Device, AgentId)> {
        let agent = self.directory.telephony.phones.iter().find(|it| it.username == username)?.agent;
        let index = self.phones.iter().position(|it| it.username == username).unwrap_or_else(|| {
            self.phones.push(DeskPhone { username: username.to_owned(), contacts: 0, ready: None });
            self.phones.len() - 1
        });
        Some((Device::Phone(u32::try_from(index).ok()?), agent))
    }

    /// Rings the desk phones and the mobile of a person with an offer.
    pub(super) fn ring_devices(&mut self, now: Millis, id: CallId, agent: AgentId) {
        let ready = |phone: &DeskPhone| phone.ready == Some(agent);
        let phones: Vec<_> = (0_u32..).zip(&self.phones).filter(|(_, it)| ready(it)).map(|(index, _)| index).collect();
        for index in phones {
            self.call_device(now, id, Device::Phone(index), agent, None);
        }
        if self.mobiles_ready.contains(&agent)
            && let Some(number) = self.mobile_of(agent)
        {
            self.call_device(now, id, Device::Mobile(agent), agent, Some(number));
        }
    }

    /// Makes the leg of a phone; the INVITE follows when its sockets are open.
    pub(super) fn call_device(
        &mut self,
        now: Millis,
        id: CallId,
        device: Device,
        agent: AgentId,
        number: Option<E164>,
    ) -> Option<LegId> {
        if self.calls.get(&id)?.desks.contains_key(&device) {
            return None;
        }
        self.next_dialog += 1;
        let dialog = DialogId::outgoing(self.next_dialog);
        let leg = LegId::new(now, self.random_bytes());
        let encryption = match self.device_name(device).strip_prefix("phone:") {
            Some(username) => self.directory.telephony.phone_encryption(username),
            // That of the trunk it goes out by is known when it does.
            None => Encryption::Off,
        };
        let sip = Some(SipLeg::outgoing(dialog, leg, self.leg_terms(encryption)));
        let desk = DeskLeg { leg, up: false, agent, reply: None, sip, number, asked_until: None };
        self.calls.get_mut(&id)?.desks.insert(device, desk);
        self.legs.insert(leg, Owner::Desk(id, device));
        self.dialogs.insert(dialog, Owner::Desk(id, device));
        self.push(Effect::OpenRtp(leg));
        Some(leg)
    }

    pub(super) fn desk_opened(&mut self, now: Millis, id: CallId, device: Device, local: std::net::SocketAddr) {
        let owner = Owner::Desk(id, device);
        let Some((sip, leg)) = self.sip_leg(owner) else { return };
        sip.local = Some(local);
        if !sip.outgoing {
            return self.own_phone_opened(now, id, device, local);
        }
        self.media(Media::AddRtp { leg, params: None });
        let number = self.calls.get(&id).and_then(|call| call.desks.get(&device)).and_then(|it| it.number.clone());
        if let Some(number) = number {
            let department = self.calls.get(&id).and_then(|call| call.view.department);
            let shown = self.shown_number(department);
            if let Err(problem) = self.invite_out(now, owner, 0, &number, shown.as_ref()) {
                let text = format!("nothing was sent: {}", problem.detail);
                self.push(Effect::Note { call: Some(id), text });
                return self.desk_failed(now, id, device, 403);
            }
            // A mobile network takes longer than a second to say that it rings.
            return self.device_rings(now, id, device);
        }
        let Some(username) = self.device_name(device).strip_prefix("phone:").map(str::to_owned) else { return };
        let here = self.sip;
        let Some((from, name)) = self.calls.get(&id).map(|call| {
            let party = if call.view.direction == cordboard_shared::call::Direction::Outbound {
                &call.view.to
            } else {
                &call.view.from
            };
            (party.number.0.clone(), party.name.clone())
        }) else {
            return;
        };
        let name = name.map(|name| name.0).or_else(|| self.is_to_be_dialed(id).then(|| "Callback".to_owned()));
        let from = NameAddr::new(name.as_deref(), SipUri::new(Some(&from), here));
        let Some((sip, _)) = self.sip_leg(owner) else { return };
        let Some(sdp) = sip.make_offer(Direction::SendRecv) else { return };
        let dialog = sip.dialog;
        let to = SipUri::new(Some(&username), here);
        let mut invitation = Invitation::new(dialog, to, from, Destination::User(username), sdp);
        invitation.headers = self.carried_to(owner);
        self.sip(invitation.into());
    }

    fn offer_to(&self, id: CallId, agent: AgentId) -> Option<OfferId> {
        self.calls.get(&id)?.offers.iter().find(|(_, rung)| **rung == agent).map(|(offer, _)| *offer)
    }

    /// The phone says that it rings.
    pub(super) fn device_rings(&mut self, now: Millis, id: CallId, device: Device) {
        let Some(agent) = self.calls.get(&id).and_then(|call| call.desks.get(&device)).map(|it| it.agent) else {
            return;
        };
        if let Some((sip, _)) = self.sip_leg(Owner::Desk(id, device)) {
            sip.ringing = true;
        }
        if let Some(offer) = self.offer_to(id, agent) {
            // Too late is told by the withdrawal that is on its way.
            let _ = self.ring_confirmed(now, agent, offer);
        }
    }

    /// The phone was picked up.
    pub(super) fn device_answered(&mut self, now: Millis, id: CallId, device: Device, sdp: Option<&[u8]>) {
        let Some((sip, leg)) = self.sip_leg(Owner::Desk(id, device)) else { return };
        sip.accepted = true;
        let params = sdp.and_then(|sdp| sip.take_answer(sdp));
        if let Some(params) = params {
            self.media(Media::UpdateRtp { leg, params });
        } else if sip.audio.is_none() {
            return self.desk_failed(now, id, device, 488);
        }
        if let Device::Mobile(_) = device {
            return self.ask_mobile(now, id, device, leg);
        }
        self.device_accepts(now, id, device);
    }

    /// A mobile's own voicemail answers, too: only who presses 1 has taken the call.
    fn ask_mobile(&mut self, now: Millis, id: CallId, device: Device, leg: LegId) {
        if let Some(desk) = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&device)) {
            desk.asked_until = Some(now + ACCEPT_MS);
        }
        let language = self.directory.language.clone();
        let question = (self.sounds.prompt)(&language, "press-one-accept");
        if let Some(clip) = question.or_else(|| (self.sounds.prompt)(&language, "press-one-callback")) {
            self.media(Media::Hear { leg, source: Source::Loop { clip } });
        }
    }

    /// A key pressed on a device; whether it was for us.
    pub(super) fn desk_digit(&mut self, now: Millis, id: CallId, device: Device, digit: char) {
        let asked = self.calls.get(&id).and_then(|call| call.desks.get(&device)).and_then(|it| it.asked_until);
        if asked.is_some() {
            if digit == '1' {
                self.device_accepts(now, id, device);
            }
            return;
        }
        let agent = self.calls.get(&id).filter(|call| call.desk == Some(device)).and_then(|call| call.view.agent);
        if let Some(agent) = agent {
            // The phone's own events are kept back, so that codes for us stay here.
            if let Some(digits) = self.keys_pressed(now, agent, id, &digit.to_string())
                && let Some(leg) = self.calls.get(&id).map(|call| call.caller.leg)
            {
                self.media(Media::SendDigits { leg, digits });
            }
        }
    }

    fn device_accepts(&mut self, now: Millis, id: CallId, device: Device) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(desk) = call.desks.get_mut(&device) else { return };
        desk.up = true;
        desk.asked_until = None;
        let agent = desk.agent;
        match call.phase {
            Phase::Routing => {
                let Some(offer) = self.offer_to(id, agent) else { return self.drop_desk(id, device, 487) };
                let before = self.calls.get_mut(&id).and_then(|call| call.desk.replace(device));
                if self.try_route(now, Routing::OfferAccepted(offer)).is_err() {
                    if let Some(call) = self.calls.get_mut(&id) {
                        call.desk = before;
                    }
                    self.drop_desk(id, device, 487);
                }
            }
            Phase::Dialing => self.own_device_up(now, id),
            Phase::Connecting | Phase::Connected if call.desk != Some(device) => {
                call.desk = Some(device);
                call.deadline = None;
                let name = self.device_name(device);
                self.drop_desks(id, Some(device));
                self.step_with(now, id, StepKind::Moved, Some(agent), Some(name));
                self.publish(id);
                self.try_join(id);
            }
            Phase::Connecting if device == Device::Outside && call.transfer.is_some() => {
                self.outside_answered(now, id);
            }
            Phase::Connecting | Phase::Connected => self.try_join(id),
            Phase::Opening | Phase::Flow | Phase::Parked | Phase::Voicemail(_) | Phase::Farewell | Phase::Over => {
                self.drop_desk(id, device, 487);
            }
        }
    }

    /// A phone refused, could not be reached, or did not press 1.
    pub(super) fn desk_failed(&mut self, now: Millis, id: CallId, device: Device, status: u16) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(desk) = call.desks.get_mut(&device) else { return };
        let agent = desk.agent;
        let has_it = call.desk == Some(device);
        let phase_dialing = call.phase == Phase::Dialing;
        let talks = matches!(call.phase, Phase::Connecting | Phase::Connected);
        self.drop_desk(id, device, 487);
        if phase_dialing && has_it {
            return self.own_device_failed(now, id);
        }
        if talks && has_it {
            if device == Device::Outside {
                return self.transfer_failed(now, id);
            }
            return self.hang_up(now, id, EndedBy::Agent, 480);
        }
        // Busy here, and a refusal: the person's own hand. Whatever else rings of theirs stops with it.
        if matches!(status, 486 | 600 | 603)
            && let Some(offer) = self.offer_to(id, agent)
        {
            self.route(now, Routing::OfferDeclined(offer));
        }
    }

    /// Mobiles that did not press 1 in time.
    pub(super) fn devices_due(&mut self, now: Millis) {
        let due: Vec<_> = self
            .calls
            .iter()
            .flat_map(|(id, call)| call.desks.iter().map(move |(device, desk)| (*id, *device, desk.asked_until)))
            .filter(|(.., until)| until.is_some_and(|until| until <= now))
            .map(|(id, device, _)| (id, device))
            .collect();
        for (id, device) in due {
            self.desk_failed(now, id, device, 603);
        }
    }

    pub(super) fn next_device_due(&self) -> Option<Millis> {
        self.calls.values().flat_map(|call| call.desks.values()).filter_map(|desk| desk.asked_until).min()
    }
}
