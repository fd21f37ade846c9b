//! Who hears whom while people talk: joining, hold, mute, keys, lost sound, and what the sound is like.

use std::sync::Arc;
use std::time::Duration;

use cordboard_media::{AudioVerdict, Clip, Command as Media, CoreConfig, Source};
use cordboard_shared::call::{CallState, EndedBy, StepKind};
use cordboard_shared::event::ServerMessage;
use cordboard_shared::id::{AgentId, CallId, LegId};
use cordboard_shared::{Millis, Problem, ProblemCode};
use serde_json::{Value, json};

use super::device::Device;
use super::panel::{answered_in_another_tab, call_ended};
use super::record::Phase;
use super::{CallCenter, Effect, Owner, REJOIN_MS, SocketId};

/// Most keys sent at once.
const MOST_DIGITS: usize = 32;

impl CallCenter {
    /// Joins both sides as soon as the sound of both is up, and works out anew who hears what.
    pub(super) fn try_join(&mut self, id: CallId) {
        let music = self.music_of(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        if !matches!(call.phase, Phase::Connecting | Phase::Connected) {
            return;
        }
        let Some(desk) = call.desk_leg().filter(|desk| desk.up).map(|desk| desk.leg) else { return };
        let begins = call.phase == Phase::Connecting;
        call.phase = Phase::Connected;
        let own_phone = matches!(call.desk, Some(Device::Phone(_) | Device::Mobile(_)));
        call.deadline = None;
        call.answered_by = call.view.agent.or(call.answered_by);
        let caller = call.caller.leg;
        let near_holds = call.near_holds();
        let (far_holds, far_up, far_gate) = match &call.caller.person {
            Some(own) => (own.holds, own.up, Some(!own.muted)),
            None => (false, true, None),
        };
        let muted = call.muted;
        let music = || Source::Loop { clip: music.clone() };
        let to_caller = match (near_holds, far_holds) {
            (true, _) => music(),
            (false, true) => Source::Silence,
            (false, false) => Source::Leg(desk),
        };
        let to_desk = match (far_holds || !far_up, near_holds) {
            (true, _) => music(),
            (false, true) => Source::Silence,
            (false, false) => Source::Leg(caller),
        };
        self.media(Media::Hear { leg: caller, source: to_caller });
        self.media(Media::Hear { leg: desk, source: to_desk });
        self.media(Media::Gate { leg: desk, open: !muted });
        self.media(Media::KeepDigits { leg: desk, keep: own_phone });
        if let Some(open) = far_gate {
            self.media(Media::Gate { leg: caller, open });
        }
        if begins {
            self.joined(id);
        }
        self.show(id);
    }

    fn joined(&mut self, id: CallId) {
        let now = self.now;
        let has_tape = self.calls.get(&id).is_some_and(|call| call.tape.is_some());
        if has_tape {
            self.tape_side(id);
        } else {
            self.tape_begins(now, id);
        }
    }

    /// Music of the department the call is in.
    pub(super) fn music_of(&self, id: CallId) -> Arc<Clip> {
        let department = self.calls.get(&id).and_then(|call| call.view.department);
        let name = department.and_then(|id| self.directory.department(id)).map(|it| it.music.as_str());
        let own = name.filter(|name| !name.is_empty() && *name != "default").and_then(|name| {
            (self.sounds.prompt)(&self.directory.language, name.strip_prefix("audio:").unwrap_or(name))
        });
        own.unwrap_or_else(|| self.sounds.music.clone())
    }

    /// Puts the other side on hold, or takes it back.
    pub(super) fn set_held(&mut self, now: Millis, id: CallId, agent: AgentId, hold: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.phase != Phase::Connected {
            return;
        }
        let what = if hold { StepKind::Held } else { StepKind::Resumed };
        let calls = call.calling_person() == Some(agent) && call.view.agent != Some(agent);
        let before = if calls {
            call.caller.person.as_mut().is_some_and(|own| std::mem::replace(&mut own.holds, hold))
        } else {
            let state = if hold { CallState::Held } else { CallState::Connected };
            std::mem::replace(&mut call.view.state, state) == CallState::Held
        };
        let other = if calls { call.desk.map(|device| Owner::Desk(id, device)) } else { Some(Owner::Caller(id)) };
        if before == hold {
            return;
        }
        call.step(now, what, Some(agent), None);
        if let Some(other) = other {
            self.tell_hold(other, hold);
        }
        self.try_join(id);
        self.publish(id);
    }

    pub(super) fn hold(&mut self, now: Millis, agent: AgentId, id: CallId, hold: bool) -> Result<Value, Problem> {
        self.call_of(agent, id).ok_or_else(call_ended)?;
        self.set_held(now, id, agent, hold);
        Ok(json!({}))
    }

    pub(super) fn mute(&mut self, agent: AgentId, id: CallId, muted: bool) -> Result<Value, Problem> {
        let call = self.calls.get_mut(&id).filter(|call| call.is_had_by(agent)).ok_or_else(call_ended)?;
        let talks = call.phase == Phase::Connected;
        let leg = if let Some(own) = call.caller.person.as_mut().filter(|own| own.agent == agent) {
            own.muted = muted;
            Some(call.caller.leg)
        } else {
            call.muted = muted;
            call.desk_leg().map(|desk| desk.leg)
        };
        if let Some(leg) = leg {
            self.media(Media::Gate { leg, open: talks && !muted });
        }
        self.show(id);
        Ok(json!({}))
    }

    pub(super) fn digits(&mut self, now: Millis, agent: AgentId, id: CallId, keys: &str) -> Result<Value, Problem> {
        self.call_of(agent, id).ok_or_else(call_ended)?;
        let valid = keys.len() <= MOST_DIGITS && keys.chars().all(|it| matches!(it, '0'..='9' | '*' | '#'));
        if !valid {
            return Err(Problem::new(ProblemCode::InvalidField, "Keys are 0 to 9, * and #, at most 32 at once.")
                .with("pointer", "/digits"));
        }
        let through = self.keys_pressed(now, agent, id, keys);
        let leg = self.calls.get(&id).and_then(|call| {
            let calls = call.calling_person() == Some(agent);
            if calls { call.desk_leg().map(|desk| desk.leg) } else { Some(call.caller.leg) }
        });
        if let (Some(leg), Some(digits)) = (leg, through) {
            self.media(Media::SendDigits { leg, digits });
        }
        Ok(json!({}))
    }

    pub(super) fn peer_answered(&mut self, leg: LegId, answer: Result<String, String>) {
        let reply = match self.legs.get(&leg).copied() {
            Some(Owner::Desk(id, device)) => {
                let desk = self.calls.get_mut(&id).and_then(|call| call.desks.get_mut(&device));
                desk.and_then(|desk| desk.reply.take())
            }
            Some(Owner::Caller(id)) => {
                let own = self.calls.get_mut(&id).and_then(|call| call.caller.person.as_mut());
                own.and_then(|own| own.reply.take())
            }
            Some(Owner::TestCaller(_)) | None => None,
        };
        let Some(to) = reply else { return };
        let result = answer.map(|sdp| json!({ "sdp": sdp })).map_err(|error| {
            Problem::new(ProblemCode::InvalidField, format!("The browser's sound offer cannot be used: {error}."))
                .with("pointer", "/sdp")
        });
        self.push(Effect::Reply { to, result });
    }

    pub(super) fn peer_up(&mut self, now: Millis, leg: LegId) {
        match self.legs.get(&leg).copied() {
            Some(Owner::Desk(id, device)) => {
                let Some(call) = self.calls.get_mut(&id) else { return };
                let dials = call.phase == Phase::Dialing && call.desk == Some(device);
                let Some(desk) = call.desks.get_mut(&device) else { return };
                let was_lost = !std::mem::replace(&mut desk.up, true) && call.phase == Phase::Connected;
                if was_lost && call.desk == Some(device) && call.view.steps.last().is_some_and(lost) {
                    self.step(now, id, StepKind::SoundBack, None);
                }
                if dials { self.own_device_up(now, id) } else { self.try_join(id) }
            }
            Some(Owner::Caller(id)) => {
                let Some(call) = self.calls.get_mut(&id) else { return };
                let dials = call.phase == Phase::Dialing;
                if let Some(own) = call.caller.person.as_mut() {
                    own.up = true;
                }
                if dials { self.own_device_up(now, id) } else { self.try_join(id) }
            }
            Some(Owner::TestCaller(_)) | None => {}
        }
    }

    /// A browser's sound is gone in the middle of a call: the other side hears music while it may come back.
    pub(super) fn peer_lost(&mut self, now: Millis, leg: LegId) {
        let Some(Owner::Desk(id, _) | Owner::Caller(id)) = self.legs.get(&leg).copied() else { return };
        let music = self.music_of(id);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let talks = call.phase == Phase::Connected;
        let other = if call.caller.leg == leg {
            let Some(own) = call.caller.person.as_mut() else { return };
            own.up = false;
            call.desk_leg().map(|desk| desk.leg)
        } else {
            let Some((device, desk)) = call.desks.iter_mut().find(|(_, desk)| desk.leg == leg) else { return };
            desk.up = false;
            let device = *device;
            if call.desk != Some(device) {
                return;
            }
            Some(call.caller.leg)
        };
        if talks {
            call.deadline = Some(now + REJOIN_MS);
            call.step(now, StepKind::SoundLost, None, None);
            if let Some(leg) = other {
                self.media(Media::Hear { leg, source: Source::Loop { clip: music } });
            }
            self.show(id);
        }
    }

    /// Not a packet for a while: the phone, or the way to it, may be gone. When it is still silent after the account's
    /// time, the call ends.
    pub(super) fn silence(&mut self, now: Millis, leg: LegId) {
        let Some(Owner::Caller(id) | Owner::Desk(id, _)) = self.legs.get(&leg).copied() else { return };
        if !self.misses_sound(id, leg) {
            return;
        }
        let patience = Duration::from_secs(u64::from(self.directory.telephony.silence_seconds));
        let rest = patience.saturating_sub(CoreConfig::MEDIA_TIMEOUT);
        let until = now + u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
        if let Some(call) = self.calls.get_mut(&id) {
            call.silent = Some((leg, until));
            self.silences.insert(id);
        }
        self.step(now, id, StepKind::SoundLost, None);
        self.silences_due(now);
    }

    /// Ends calls that were silent for too long.
    pub(super) fn silences_due(&mut self, now: Millis) {
        let mut due = Vec::new();
        // Those that speak again, or are gone, leave the list here.
        self.silences.retain(|id| match self.calls.get(id).and_then(|call| call.silent) {
            Some((leg, until)) if until <= now => {
                due.push((*id, leg));
                false
            }
            Some(_) => true,
            None => false,
        });
        for (id, leg) in due {
            if let Some(call) = self.calls.get_mut(&id) {
                call.silent = None;
            }
            if self.misses_sound(id, leg) {
                self.hang_up(now, id, EndedBy::Carrier, 480);
            }
        }
    }

    /// Whether this leg ought to send now: it has the conversation, and nobody holds.
    fn misses_sound(&self, id: CallId, leg: LegId) -> bool {
        let Some(owner) = self.legs.get(&leg).copied() else { return false };
        let Some(call) = self.calls.get(&id) else { return false };
        let holds = call.near_holds() || call.far_holds();
        let has_it = match owner {
            Owner::Caller(_) => true,
            Owner::Desk(_, device) => call.desk == Some(device),
            Owner::TestCaller(_) => false,
        };
        let talks = matches!(call.phase, Phase::Connected | Phase::Connecting | Phase::Parked | Phase::Routing);
        !holds && has_it && talks
    }

    pub(super) fn sound_back(&mut self, now: Millis, leg: LegId) {
        let Some(Owner::Caller(id) | Owner::Desk(id, _)) = self.legs.get(&leg).copied() else { return };
        if let Some(call) = self.calls.get_mut(&id).filter(|call| call.silent.is_some_and(|it| it.0 == leg)) {
            call.silent = None;
            self.step(now, id, StepKind::SoundBack, None);
        }
    }

    /// What the sound is like, to those who talk.
    pub(super) fn verdict(&mut self, leg: LegId, verdict: AudioVerdict) {
        let Some(Owner::Caller(id) | Owner::Desk(id, _)) = self.legs.get(&leg).copied() else { return };
        let Some(call) = self.calls.get(&id).filter(|call| call.phase == Phase::Connected) else { return };
        let people: Vec<_> = call.view.agent.into_iter().chain(call.calling_person()).collect();
        let word = match verdict {
            AudioVerdict::Fine => "ok",
            AudioVerdict::MicrophoneSilent => "microphone_silent",
            AudioVerdict::NothingFromBrowser => "nothing_from_browser",
            AudioVerdict::NothingFromCarrier => "nothing_from_carrier",
            AudioVerdict::NetworkPoor => "network_poor",
        };
        for agent in people {
            self.tell_agent(agent, ServerMessage::CallAudio { call: id, verdict: word.to_owned() });
        }
    }

    /// The call's sound moves to this tab: from a reloaded page, another tab or another computer, or a phone. The caller
    /// hears music until it is up; if it never is, the call goes back to the head of the line.
    ///
    /// Another device that has it keeps it, unless the person asked for it (`takes`).
    pub(super) fn move_sound(&mut self, now: Millis, id: CallId, socket: SocketId, takes: bool) -> Result<(), Problem> {
        let device = Device::Tab(socket);
        let music = self.music_of(id);
        let held_elsewhere = self.is_held_elsewhere(id, socket);
        let Some(call) = self.calls.get_mut(&id) else { return Err(call_ended()) };
        if call.desk == Some(device) {
            return Ok(());
        }
        if held_elsewhere && !takes {
            return Err(answered_in_another_tab());
        }
        call.desk = Some(device);
        call.deadline.get_or_insert(now + REJOIN_MS);
        if held_elsewhere {
            let agent = call.view.agent;
            call.step(now, StepKind::Moved, agent, None);
        }
        let leg = call.caller.leg;
        if call.phase != Phase::Dialing {
            self.media(Media::Hear { leg, source: Source::Loop { clip: music } });
        }
        self.drop_desks(id, Some(device));
        self.show(id);
        Ok(())
    }

    /// Whether the sound of a call is at another device that is there. A tab that comes back with a new connection is
    /// the same device, even while its old connection has not been noticed to be gone.
    fn is_held_elsewhere(&self, id: CallId, socket: SocketId) -> bool {
        let tab = |socket| self.sockets.get(socket).map(|known| known.tab.as_str());
        match self.calls.get(&id).and_then(|call| call.desk) {
            Some(Device::Tab(other)) => tab(&other).is_some_and(|other| Some(other) != tab(&socket)),
            Some(Device::Phone(_) | Device::Mobile(_) | Device::Outside) => true,
            None => false,
        }
    }
}

fn lost(step: &cordboard_shared::call::CallStep) -> bool {
    step.what == StepKind::SoundLost
}
