//! Carries out commands.

use std::sync::Arc;
use std::time::Instant;

use cordboard_shared::id::LegId;
use rand_chacha::rand_core::RngCore;

use super::{MediaCore, STATS_INTERVAL, Wake};
use crate::event::RecordEnd;
use crate::leg::{Leg, Line, RtpLine};
use crate::peer::Peer;
use crate::recorder::Recorder;
use crate::{Clip, Command, PlayId, RtpParams, Source, watch};

impl MediaCore {
    pub(super) fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::SetBrowserCodecs(codecs) => self.peers.set_codecs(codecs),
            Command::AddRtp { leg, params } => self.add_rtp(now, leg, params.as_ref()),
            Command::UpdateRtp { leg, params } => self.update_rtp(now, leg, &params),
            Command::PeerOffer { leg, sdp } => self.peer_offer(now, leg, &sdp),
            Command::PeerCandidate { leg, candidate } => {
                self.with_peer(now, leg, |peer, out| peer.add_candidate(&candidate, out));
            }
            Command::Hear { leg, source } => self.hear(now, leg, source),
            Command::Gate { leg, open } => self.gate(now, leg, open),
            Command::KeepDigits { leg, keep } => {
                if let Some(found) = self.legs.get_mut(&leg) {
                    found.keeps_digits = keep;
                }
            }
            Command::SendDigits { leg, digits } => {
                if let Some(found) = self.legs.get_mut(&leg) {
                    found.send_digits(now, &digits);
                    self.timers.set(Wake::Frame(leg), found.next_frame());
                }
            }
            Command::PlayOver { leg, clip, play } => self.play_over(now, leg, Some((clip, play))),
            Command::StopPlayOver { leg } => self.play_over(now, leg, None),
            Command::Record { leg, recording, max_ms, silence_ms } => {
                self.record(now, recording, Recorder::of_leg(now, leg, max_ms, silence_ms));
            }
            Command::RecordCall { recording, left, right, max_ms } => {
                self.record(now, recording, Recorder::of_call(now, left, right, max_ms));
            }
            Command::RecordSide { recording, side, leg } => self.record_side(recording, side, leg),
            Command::PauseRecord { recording } => self.pause_record(now, recording),
            Command::ResumeRecord { recording } => self.resume_record(now, recording),
            Command::StopRecord { recording } => self.end_recording(now, recording, RecordEnd::Stopped),
            Command::Remove { leg } => self.remove(now, leg),
        }
    }

    /// Keeps a new leg.
    pub(super) fn insert(&mut self, now: Instant, leg: Leg) {
        let id = leg.id;
        self.legs.insert(id, leg);
        self.timers.set(Wake::Stats(id), Some(now + STATS_INTERVAL));
        if self.legs.len() == 1 {
            self.timers.set(Wake::Watch, Some(now + watch::INTERVAL));
        }
    }

    fn add_rtp(&mut self, now: Instant, leg: LegId, params: Option<&RtpParams>) {
        if !self.legs.contains_key(&leg) {
            // RFC 7022 §4.2: a name that lasts as long as the leg and says nothing of who we are.
            let name = format!("{:016x}", self.random.next_u64());
            let line = Line::Rtp(Box::new(RtpLine::new(now, self.random.next_u32(), name)));
            let stream = self.new_stream();
            self.insert(now, Leg::new(leg, line, stream));
        }
        if let Some(params) = params {
            self.update_rtp(now, leg, params);
        }
    }

    fn update_rtp(&mut self, now: Instant, leg: LegId, params: &RtpParams) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        found.set_rtp(now, params, &self.identity, &mut self.guard_outputs);
        found.start_frames(now);
        self.timers.set(Wake::Frame(leg), found.next_frame());
        self.after_guard(now, leg);
    }

    fn hear(&mut self, now: Instant, leg: LegId, source: Source) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        for before in found.listens_to() {
            if let Some(listeners) = self.listeners.get_mut(before) {
                listeners.remove(&leg);
                if listeners.is_empty() {
                    self.listeners.remove(before);
                }
            }
        }
        found.hear(now, source);
        let sources = found.listens_to().to_vec();
        for source in &sources {
            self.listeners.entry(*source).or_default().insert(leg);
        }
        let is_silent = |source: &LegId| self.legs.get(source).is_none_or(|source| !source.gate_open);
        let silent: Vec<LegId> = sources.into_iter().filter(is_silent).collect();
        if let Some(found) = self.legs.get_mut(&leg) {
            for source in silent {
                found.source_stopped(now, source);
            }
            self.timers.set(Wake::Frame(leg), found.next_frame());
        }
    }

    fn play_over(&mut self, now: Instant, leg: LegId, over: Option<(Arc<Clip>, PlayId)>) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        found.play_over(now, over);
        self.timers.set(Wake::Frame(leg), found.next_frame());
    }

    fn gate(&mut self, now: Instant, leg: LegId, open: bool) {
        let Some(found) = self.legs.get_mut(&leg) else { return };
        let closes = found.gate_open && !open;
        found.gate_open = open;
        if closes {
            self.silence_listeners(now, leg);
        }
    }

    fn remove(&mut self, now: Instant, leg: LegId) {
        if !self.legs.contains_key(&leg) {
            return;
        }
        self.with_peer(now, leg, Peer::close);
        self.leave_recordings(now, leg);
        self.report(now, leg, true);
        self.tell_stats(leg);
        self.hear(now, leg, Source::Silence);
        self.legs.remove(&leg);
        self.demux.forget(leg);
        if self.legs.is_empty() {
            self.timers.set(Wake::Watch, None);
        }
        for wake in [Wake::Peer(leg), Wake::Dtls(leg), Wake::Frame(leg), Wake::Stats(leg)] {
            self.timers.set(wake, None);
        }
        self.heard.retain(|heard| heard.leg != leg);
        self.silence_listeners(now, leg);
    }

    /// Those who listen to a leg hear no more of it for now.
    fn silence_listeners(&mut self, now: Instant, leg: LegId) {
        for listener in self.listeners.get(&leg).into_iter().flatten() {
            if let Some(found) = self.legs.get_mut(listener) {
                found.source_stopped(now, leg);
                self.timers.set(Wake::Frame(*listener), found.next_frame());
            }
        }
    }
}
