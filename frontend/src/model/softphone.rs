//! The telephone of one tab: what rings, what is being talked on, and where its sound is.
//!
//! Frames of the live socket, presses and news of the peer connection go in; what the browser shall do comes out.
//! It never claims what the server has not said: a card appears with `ring`, a call with `call.state`.

use std::collections::VecDeque;

use cordboard_shared::call::{CallState, MediaState};
use cordboard_shared::event::{LiveCall, Ring, RingStop};
use cordboard_shared::id::{AgentId, CallId, OfferId};
use cordboard_shared::{Millis, Pii};

mod io;

pub use io::{Incoming, Input, Output, Press, Sound, Stage};

use crate::model::ringer::Ringer;

/// How long a call may be without sound before the leading tab takes it, in milliseconds: the tab that answered needs
/// a moment to connect.
const REJOIN_MS: u64 = 2_500;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PeerStage {
    Opening,
    Offered,
    Ready,
}

/// The telephone of one tab.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Softphone {
    me: Option<AgentId>,
    leader: bool,
    ringer: Ringer,
    incoming: Vec<Incoming>,
    current: Option<LiveCall>,
    peer: Option<(CallId, PeerStage)>,
    /// The call this tab answered, or brought here: the microphone goes to it.
    mine: Option<CallId>,
    /// The call whose sound the tab that had it has let go of.
    released: Option<CallId>,
    /// When this tab takes the sound of the current call, which has none anywhere.
    rejoin_at: Option<Millis>,
    busy: Option<Press>,
    problem: Option<String>,
    outputs: VecDeque<Output>,
}

impl Softphone {
    /// The offer shown on the incoming card.
    pub fn incoming(&self) -> Option<&Incoming> {
        self.incoming.first()
    }

    /// The call shown on the call card.
    pub fn current(&self) -> Option<&LiveCall> {
        self.current.as_ref()
    }

    /// Whether this tab holds ringer and microphone.
    pub fn is_leader(&self) -> bool {
        self.leader
    }

    /// Whether the ringer sounds here now.
    pub fn sounds(&self, now: Millis) -> bool {
        self.ringer.sounds_for(now).is_some()
    }

    /// What is on its way to the server.
    pub fn busy(&self) -> Option<&Press> {
        self.busy.as_ref()
    }

    /// What went wrong with the last press in the call.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Where the sound of the current call is.
    pub fn sound(&self) -> Sound {
        let Some(call) = &self.current else { return Sound::Elsewhere };
        match self.peer {
            Some((uid, PeerStage::Ready)) if uid == call.call.uid => Sound::Here,
            Some((uid, PeerStage::Opening | PeerStage::Offered)) if uid == call.call.uid => Sound::Connecting,
            Some(_) | None => Sound::Elsewhere,
        }
    }

    /// When [`Input::Timeout`] is wanted.
    pub fn deadline(&self) -> Option<Millis> {
        [self.ringer.deadline(), self.rejoin_at].into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Takes in what happens.
    pub fn handle_input(&mut self, now: Millis, input: Input) {
        match input {
            Input::SignedIn(me) => self.me = Some(me),
            Input::LeaderChanged(leader) => self.leader_changed(now, leader),
            Input::SnapshotTaken { offers, calls } => self.snapshot(now, offers, calls),
            Input::Rang(ring) => self.rang(now, &ring),
            Input::LeaseRenewed(offer, lease_ms) => {
                if self.ringer.renew(now, offer, lease_ms) {
                    self.outputs.push_back(Output::Sound(offer, lease_ms));
                }
            }
            Input::RingStopped(offer, reason) => self.ring_stopped(offer, reason),
            Input::CallChanged(call) => self.call_changed(now, *call, REJOIN_MS),
            Input::CallLogged(uid) => self.call_over(uid),
            Input::RingerSounds(offer) => {
                if self.ringer.sounds_for(now) == Some(offer) {
                    self.outputs.push_back(Output::Acknowledge(offer));
                }
            }
            Input::AnswerPressed(offer) => self.answer_pressed(offer),
            Input::DeclinePressed(offer) => self.decline_pressed(offer),
            Input::AnswerTaken(offer) => self.answer_taken(offer),
            Input::AnswerRefused(offer, why) => self.answer_refused(offer, why),
            Input::DeclineFailed(offer, why) => self.back_to_ringing(offer, why),
            Input::PeerOffered(uid) => self.peer_offered(uid),
            Input::PeerReady(uid) => {
                if let Some((peer, stage)) = &mut self.peer
                    && *peer == uid
                {
                    *stage = PeerStage::Ready;
                }
            }
            Input::PeerFailed(uid, why) => self.peer_failed(now, uid, why),
            Input::SoundWasHere(uid) => self.mine = Some(uid),
            Input::SoundTaken(uid) => {
                self.close_peer(uid);
                self.released = None;
                self.rejoin_at = None;
            }
            Input::SoundReleased(uid) => {
                self.released = Some(uid);
                self.plan_rejoin(now, REJOIN_MS);
            }
            Input::BringHerePressed => self.bring_here(),
            Input::Pressed(press) => self.pressed(press),
            Input::PressDone(press) => self.press_done(&press),
            Input::PressRefused(why) => {
                if self.busy.take() == Some(Press::Mute) {
                    self.outputs.push_back(Output::EnableMicrophone(true));
                }
                self.outputs.push_back(Output::Tell(why.clone()));
                self.problem = Some(why);
            }
            Input::Timeout => {
                if self.rejoin_at.is_some_and(|at| now >= at) {
                    self.rejoin_at = None;
                    self.bring_here();
                }
                if self.ringer.expire(now) {
                    self.outputs.push_back(Output::Silence);
                }
                // A card whose ring time is long over, without a word from the server, stands for nothing.
                let ended = |incoming: &Incoming| incoming.stage == Stage::Ringing && now > incoming.ends_at + 3_000;
                self.incoming.retain(|incoming| !ended(incoming));
            }
        }
    }

    fn leader_changed(&mut self, now: Millis, leader: bool) {
        self.leader = leader;
        self.plan_rejoin(now, REJOIN_MS);
        if leader && let Some(incoming) = self.incoming.iter().find(|incoming| incoming.stage == Stage::Ringing) {
            let ring = incoming.ring.clone();
            self.ring_here(now, &ring);
        }
    }

    fn snapshot(&mut self, now: Millis, offers: Vec<Ring>, calls: Vec<LiveCall>) {
        let gone: Vec<OfferId> = self
            .incoming
            .iter()
            .map(|incoming| incoming.ring.offer)
            .filter(|known| !offers.iter().any(|ring| ring.offer == *known))
            .collect();
        for offer in gone {
            self.remove_incoming(offer);
        }
        for ring in offers {
            self.rang(now, &ring);
        }
        if let Some(current) = &self.current {
            let uid = current.call.uid;
            if !calls.iter().any(|call| call.call.uid == uid) {
                self.call_over(uid);
            }
        }
        self.busy = None;
        for call in calls {
            // After a reload nobody else is about to connect it.
            self.call_changed(now, call, 0);
        }
        // A connection that was made for a call that is gone is of no use.
        if let Some((uid, _)) = self.peer
            && self.mine != Some(uid)
            && !self.incoming.iter().any(|incoming| incoming.ring.call == uid)
        {
            self.close_peer(uid);
        }
    }

    fn rang(&mut self, now: Millis, ring: &Ring) {
        if self.incoming.iter().any(|incoming| incoming.ring.offer == ring.offer) {
            return;
        }
        self.outputs.push_back(Output::Notify(Box::new(ring.clone())));
        self.incoming.push(Incoming {
            stage: Stage::Ringing,
            ends_at: now + ring.ring_ms,
            began_at: now,
            problem: None,
            ring: ring.clone(),
        });
        if self.leader {
            self.ring_here(now, ring);
        }
    }

    /// Rings, and brings the sound connection up meanwhile, so that speech passes as soon as Answer is pressed.
    fn ring_here(&mut self, now: Millis, ring: &Ring) {
        self.ringer.start(now, ring.offer, ring.lease_ms);
        self.outputs.push_back(Output::Sound(ring.offer, ring.lease_ms));
        if self.peer.is_none() {
            self.open_peer(ring.call);
        }
    }

    fn open_peer(&mut self, uid: CallId) {
        if self.peer.is_some() {
            self.outputs.push_back(Output::ClosePeer);
        }
        self.peer = Some((uid, PeerStage::Opening));
        self.outputs.push_back(Output::OpenPeer(uid));
    }

    fn close_peer(&mut self, uid: CallId) {
        if self.peer.is_some_and(|(peer, _)| peer == uid) {
            self.peer = None;
            self.outputs.push_back(Output::ClosePeer);
        }
        if self.mine == Some(uid) {
            self.mine = None;
        }
    }

    fn ring_stopped(&mut self, offer: OfferId, reason: RingStop) {
        let Some(incoming) = self.incoming.iter().find(|incoming| incoming.ring.offer == offer) else {
            self.silence(offer);
            return;
        };
        let (uid, stage) = (incoming.ring.call, incoming.stage);
        match reason {
            // This tab may be the one that answers: its own answer to `call.answer` tells.
            RingStop::Answered | RingStop::AnsweredElsewhere
                if matches!(stage, Stage::Answering | Stage::WaitingForPeer | Stage::Won) =>
            {
                self.silence(offer);
                if stage == Stage::Won {
                    self.incoming.retain(|incoming| incoming.ring.offer != offer);
                }
                return;
            }
            RingStop::Answered => self.tell("Answered in your other tab."),
            RingStop::AnsweredElsewhere => self.tell("Answered elsewhere."),
            RingStop::CallerHungUp => self.tell("The caller hung up."),
            RingStop::MissedNoAnswer => self.tell("Not answered in time; the call went on."),
            RingStop::Declined => self.tell("Declined."),
            RingStop::DeclinedByStatus => self.tell("You went Away; the call went on to others."),
            RingStop::DeviceDidNotConfirm => {
                self.tell("This browser did not confirm that it rings; the call went on to others.");
            }
        }
        self.remove_incoming(offer);
        self.close_peer(uid);
    }

    fn call_changed(&mut self, now: Millis, call: LiveCall, rejoin_after: u64) {
        let uid = call.call.uid;
        match call.call.state {
            CallState::Connected | CallState::Held => {
                if self.me.is_some() && call.call.agent != self.me {
                    self.call_over(uid);
                    return;
                }
                let new = self.current.as_ref().is_none_or(|known| known.call.uid != uid);
                if new {
                    self.problem = None;
                    self.tell("Connected.");
                    let done: Vec<OfferId> = self
                        .incoming
                        .iter()
                        .filter(|known| known.ring.call == uid)
                        .map(|known| known.ring.offer)
                        .collect();
                    for offer in done {
                        if self
                            .incoming
                            .iter()
                            .any(|known| known.ring.offer == offer && known.stage == Stage::Answering)
                        {
                            self.mine = Some(uid);
                        }
                        self.remove_incoming(offer);
                    }
                    // The ringing tab that lost to another one lets go of its connection.
                    if self.peer.is_some_and(|(peer, _)| peer == uid) && self.mine != Some(uid) {
                        self.close_peer(uid);
                    }
                }
                self.current = Some(call);
                self.plan_rejoin(now, rejoin_after);
            }
            CallState::Ended | CallState::Flow | CallState::Waiting => self.call_over(uid),
            // Its own card shows it; if it was being talked on before, it has gone back to ringing.
            CallState::Ringing => {
                if self.current.as_ref().is_some_and(|known| known.call.uid == uid) {
                    self.call_over(uid);
                }
            }
        }
    }

    /// A call whose sound was here comes back here, and one whose sound is nowhere comes to the leading tab, unless
    /// another tab connects it first.
    fn plan_rejoin(&mut self, now: Millis, after: u64) {
        let nowhere = |call: &LiveCall| call.media == MediaState::Lost || self.released == Some(call.call.uid);
        let wanted = self
            .current
            .as_ref()
            .is_some_and(|call| self.mine == Some(call.call.uid) || (self.leader && nowhere(call)));
        if !wanted || self.peer.is_some() {
            self.rejoin_at = None;
        } else if self.rejoin_at.is_none() {
            self.rejoin_at = Some(now + after);
        }
    }

    fn call_over(&mut self, uid: CallId) {
        if self.current.as_ref().is_some_and(|known| known.call.uid == uid) {
            self.current = None;
            self.rejoin_at = None;
            self.busy = None;
            self.problem = None;
            self.tell("Call ended.");
            self.close_peer(uid);
        }
    }

    fn answer_pressed(&mut self, offer: OfferId) {
        let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.ring.offer == offer) else {
            self.tell("That call is no longer ringing.");
            return;
        };
        match incoming.stage {
            Stage::Ringing => {}
            Stage::WaitingForPeer | Stage::Answering | Stage::Won | Stage::Declining => return,
        }
        incoming.problem = None;
        let uid = incoming.ring.call;
        let offered = self.peer.is_some_and(|(peer, stage)| peer == uid && stage != PeerStage::Opening);
        incoming.stage = if offered { Stage::Answering } else { Stage::WaitingForPeer };
        self.outputs.push_back(Output::OpenMicrophone);
        if offered {
            self.outputs.push_back(Output::SendAnswer(offer));
        } else if self.peer.is_none_or(|(peer, _)| peer != uid) {
            self.open_peer(uid);
        }
    }

    fn decline_pressed(&mut self, offer: OfferId) {
        let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.ring.offer == offer) else {
            self.tell("That call is no longer ringing.");
            return;
        };
        if incoming.stage == Stage::Ringing {
            incoming.stage = Stage::Declining;
            self.outputs.push_back(Output::SendDecline(offer));
        }
    }

    fn answer_taken(&mut self, offer: OfferId) {
        let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.ring.offer == offer) else {
            // `call.state` came first and the card is gone already.
            if let Some(uid) = self.mine {
                self.outputs.push_back(Output::ClaimSound(uid));
                self.outputs.push_back(Output::AttachMicrophone(uid));
            }
            return;
        };
        incoming.stage = Stage::Won;
        let uid = incoming.ring.call;
        self.mine = Some(uid);
        self.silence(offer);
        self.outputs.push_back(Output::ClaimSound(uid));
        self.outputs.push_back(Output::AttachMicrophone(uid));
    }

    fn answer_refused(&mut self, offer: OfferId, why: String) {
        let uid = self.incoming.iter().find(|incoming| incoming.ring.offer == offer).map(|incoming| incoming.ring.call);
        self.remove_incoming(offer);
        if let Some(uid) = uid {
            self.close_peer(uid);
        }
        self.outputs.push_back(Output::Alert(why));
    }

    fn back_to_ringing(&mut self, offer: OfferId, why: String) {
        if let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.ring.offer == offer) {
            incoming.stage = Stage::Ringing;
            incoming.problem = Some(why.clone());
            self.outputs.push_back(Output::Alert(why));
        }
    }

    fn peer_offered(&mut self, uid: CallId) {
        let Some((peer, stage)) = &mut self.peer else { return };
        if *peer != uid {
            return;
        }
        *stage = PeerStage::Offered;
        for incoming in &mut self.incoming {
            if incoming.ring.call == uid && incoming.stage == Stage::WaitingForPeer {
                incoming.stage = Stage::Answering;
                self.outputs.push_back(Output::SendAnswer(incoming.ring.offer));
            }
        }
    }

    fn peer_failed(&mut self, now: Millis, uid: CallId, why: String) {
        if self.peer.is_none_or(|(peer, _)| peer != uid) {
            return;
        }
        self.peer = None;
        self.outputs.push_back(Output::ClosePeer);
        if let Some(offer) = self
            .incoming
            .iter()
            .find(|incoming| incoming.ring.call == uid && incoming.stage == Stage::WaitingForPeer)
            .map(|incoming| incoming.ring.offer)
        {
            self.back_to_ringing(offer, why);
        } else if self.current.as_ref().is_some_and(|call| call.call.uid == uid) {
            self.outputs.push_back(Output::Alert(why.clone()));
            self.problem = Some(why);
            self.plan_rejoin(now, REJOIN_MS);
        }
    }

    fn bring_here(&mut self) {
        let Some(call) = &self.current else { return };
        let uid = call.call.uid;
        self.mine = Some(uid);
        self.problem = None;
        self.released = None;
        self.rejoin_at = None;
        self.outputs.push_back(Output::OpenMicrophone);
        self.open_peer(uid);
        self.outputs.push_back(Output::ClaimSound(uid));
        self.outputs.push_back(Output::AttachMicrophone(uid));
    }

    fn pressed(&mut self, press: Press) {
        let Some(call) = &self.current else {
            self.tell("There is no call now.");
            return;
        };
        if self.busy.is_some() && press != Press::HangUp && !matches!(press, Press::Digits(_)) {
            return;
        }
        let uid = call.call.uid;
        self.problem = None;
        // Nobody is heard after pressing Mute, whatever the network does.
        if press == Press::Mute {
            self.outputs.push_back(Output::EnableMicrophone(false));
        }
        if !matches!(press, Press::Digits(_)) {
            self.busy = Some(press.clone());
        }
        self.outputs.push_back(Output::SendPress(uid, press));
    }

    fn press_done(&mut self, press: &Press) {
        if self.busy.as_ref() == Some(press) {
            self.busy = None;
        }
        let Some(call) = &mut self.current else { return };
        match press {
            Press::Mute => call.muted = true,
            Press::Unmute => {
                call.muted = false;
                self.outputs.push_back(Output::EnableMicrophone(true));
            }
            Press::Hold => call.call.state = CallState::Held,
            Press::Resume => call.call.state = CallState::Connected,
            Press::Digits(_) | Press::HangUp => return,
        }
        self.tell(match press {
            Press::Mute => "Muted.",
            Press::Unmute => "Microphone on.",
            Press::Hold => "On hold.",
            Press::Resume => "Resumed.",
            Press::Digits(_) | Press::HangUp => return,
        });
    }

    fn remove_incoming(&mut self, offer: OfferId) {
        self.incoming.retain(|incoming| incoming.ring.offer != offer);
        self.silence(offer);
        self.outputs.push_back(Output::EndNotice);
    }

    fn silence(&mut self, offer: OfferId) {
        if self.ringer.stop(offer) {
            self.outputs.push_back(Output::Silence);
        }
    }

    fn tell(&mut self, text: &str) {
        self.outputs.push_back(Output::Tell(text.to_owned()));
    }
}

/// Name or number of the party that rings.
pub fn caller(ring: &Ring) -> String {
    match (&ring.name, ring.from.0.as_str()) {
        (Some(Pii(name)), _) => name.clone(),
        (None, "" | "anonymous") => "Number withheld".to_owned(),
        (None, number) => number.to_owned(),
    }
}

/// The state of a call, in a word.
pub fn state_word(call: &LiveCall) -> &'static str {
    match (call.call.state, call.media) {
        (CallState::Held, _) => "On hold",
        (CallState::Connected, MediaState::Open) => "Connected",
        (CallState::Connected, MediaState::Gated) => "Connecting sound",
        (CallState::Connected, MediaState::Lost) => "Sound lost",
        (CallState::Ended, _) => "Ended",
        (CallState::Flow | CallState::Waiting | CallState::Ringing, _) => "Ringing",
    }
}

#[cfg(test)]
mod tests;
