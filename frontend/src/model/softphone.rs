//! The telephone of one tab: what rings, what is being talked on, and where its sound is.
//!
//! Frames of the live socket, presses and news of the peer connection go in; what the browser shall do comes out.
//! It never claims what the server has not said: a card appears with `ring`, a call with `call.state`.

use std::collections::{BTreeSet, VecDeque};

use cordboard_shared::Millis;
use cordboard_shared::call::{CallState, Direction, MediaState};
use cordboard_shared::event::{LiveCall, Ring};
use cordboard_shared::id::{AgentId, CallId, OfferId};

mod calls;
mod io;
mod peers;
mod ringing;
mod words;

pub use words::{audio_words, caller, number, peer, state_word};

pub use io::{Incoming, Input, Output, Press, Sound, Stage};

use crate::model::ringer::Ringer;
use calls::Calls;
use peers::{PeerStage, Peers};

/// How long a call may be without sound before the leading tab takes it, in milliseconds: the tab that answered needs
/// a moment to connect.
const REJOIN_MS: u64 = 2_500;

/// The telephone of one tab.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Softphone {
    me: Option<AgentId>,
    leader: bool,
    ringer: Ringer,
    incoming: Vec<Incoming>,
    calls: Calls,
    peers: Peers,
    /// The calls this tab answered, placed, or brought here: the microphone goes to the one in hand.
    mine: BTreeSet<CallId>,
    /// What the server measured of the sound of a call, as it named it.
    audio: Option<(CallId, String)>,
    /// The last call that was talked on, for its after-call work.
    last: Option<LiveCall>,
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
        self.calls.in_hand()
    }

    /// The own calls that are not on the call card: held ones, as a rule.
    pub fn others(&self) -> Vec<LiveCall> {
        self.calls.others().cloned().collect()
    }

    /// The call a transfer of which is under way, if any.
    pub fn transferring(&self) -> Option<&LiveCall> {
        self.calls.all().find(|call| call.transfer.is_some())
    }

    /// The last call that was talked on, once it is over.
    pub fn last(&self) -> Option<&LiveCall> {
        self.last.as_ref()
    }

    /// What is wrong with the sound of the current call, in words.
    pub fn audio(&self) -> Option<&'static str> {
        let current = self.calls.in_hand()?.call.uid;
        self.audio.as_ref().filter(|(uid, _)| *uid == current).and_then(|(_, verdict)| audio_words(verdict))
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

    /// Something that was asked for the call in hand was refused.
    pub fn refused(&mut self, why: String) {
        self.problem = Some(why);
    }

    /// Where the sound of the current call is.
    pub fn sound(&self) -> Sound {
        match self.calls.in_hand().and_then(|call| self.peers.stage(call.call.uid)) {
            Some(PeerStage::Ready) => Sound::Here,
            Some(PeerStage::Opening | PeerStage::Offered) => Sound::Connecting,
            None => Sound::Elsewhere,
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
        let before = self.calls.in_hand().map(|call| call.call.uid);
        self.take_in(now, input);
        let after = self.calls.in_hand().map(|call| call.call.uid);
        if before != after
            && let Some(uid) = after
        {
            self.outputs.push_back(Output::Listen(uid));
            self.plan_rejoin(now, REJOIN_MS);
        }
    }

    fn take_in(&mut self, now: Millis, input: Input) {
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
            Input::PeerReady(uid) => self.peers.advance(uid, PeerStage::Ready),
            Input::PeerFailed(uid, why) => self.peer_failed(now, uid, why),
            Input::PeerRefused(uid) => self.close_peer(uid),
            Input::SoundWasHere(uid) => {
                self.mine.insert(uid);
            }
            Input::SoundTaken(uid) => {
                self.close_peer(uid);
                self.released = None;
                self.rejoin_at = None;
            }
            Input::SoundReleased(uid) => {
                self.released = Some(uid);
                self.plan_rejoin(now, REJOIN_MS);
            }
            Input::BringHerePressed => self.bring_here(true),
            Input::Pressed(press) => match self.calls.in_hand() {
                Some(call) => self.pressed(call.call.uid, press),
                None => self.tell("There is no call now."),
            },
            Input::PressedOn(uid, press) => self.pressed(uid, press),
            Input::PressDone(uid, press) => self.press_done(uid, &press),
            Input::Placed(uid) => self.placed(uid),
            Input::PlacedElsewhere(uid) => self.calls.expect(uid),
            Input::SoundMeasured(uid, verdict) => {
                if self.calls.get(uid).is_some() {
                    if let Some(words) = audio_words(&verdict) {
                        self.outputs.push_back(Output::Alert(words.to_owned()));
                    }
                    self.audio = Some((uid, verdict));
                }
            }
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
                    self.bring_here(false);
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
        for uid in self.calls.ids() {
            if !calls.iter().any(|call| call.call.uid == uid) {
                self.call_over(uid);
            }
        }
        self.busy = None;
        for call in calls {
            // All of these are the person's own, placed in whichever tab or by whichever phone.
            if call.call.direction != Direction::Inbound {
                self.calls.expect(call.call.uid);
            }
            // After a reload nobody else is about to connect it.
            self.call_changed(now, call, 0);
        }
        // A connection that was made for a call that is gone is of no use.
        for uid in self.peers.calls() {
            if !self.mine.contains(&uid) && !self.incoming.iter().any(|incoming| incoming.ring.call == uid) {
                self.close_peer(uid);
            }
        }
    }

    /// Makes a connection for this call; those of calls that are not talked on here make room.
    fn open_peer(&mut self, uid: CallId, takes: bool) {
        for known in self.peers.calls() {
            if known == uid || !self.mine.contains(&known) {
                self.peers.remove(known);
                self.outputs.push_back(Output::ClosePeer(known));
            }
        }
        self.peers.open(uid);
        self.outputs.push_back(Output::OpenPeer(uid, takes));
    }

    fn close_peer(&mut self, uid: CallId) {
        if self.peers.remove(uid) {
            self.outputs.push_back(Output::ClosePeer(uid));
        }
        self.mine.remove(&uid);
    }

    fn call_changed(&mut self, now: Millis, call: LiveCall, rejoin_after: u64) {
        let uid = call.call.uid;
        // A call to a colleague names the person it rings; it is the own one of whoever placed it.
        let own = self.calls.is_expected(uid) || self.me.is_none() || call.call.agent == self.me;
        match call.call.state {
            CallState::Connected | CallState::Held if own => {
                let known = self.calls.get(uid).map(|known| known.call.state);
                if known.is_none_or(|state| state == CallState::Ringing) {
                    self.problem = None;
                    self.tell("Connected.");
                    self.no_longer_rings(uid);
                }
                // The sound went to a phone of the person's own.
                if call.device.as_deref().is_some_and(|device| !device.starts_with("tab:")) {
                    self.close_peer(uid);
                }
                self.calls.put(call);
                self.plan_rejoin(now, rejoin_after);
            }
            // The own call rings at the far side; one that rings here has a card of its own.
            CallState::Ringing if own && call.call.direction != Direction::Inbound => {
                let card =
                    self.incoming.iter().find(|incoming| incoming.ring.call == uid).map(|incoming| incoming.stage);
                // A callback that was taken here: its number is being dialed.
                let taken = call.call.direction == Direction::Outbound
                    && call.device.is_some()
                    && matches!(card, Some(Stage::Answering | Stage::Won));
                if taken {
                    self.no_longer_rings(uid);
                }
                if taken || card.is_none() {
                    self.calls.put(call);
                    self.plan_rejoin(now, rejoin_after);
                }
            }
            CallState::Connected
            | CallState::Held
            | CallState::Ended
            | CallState::Flow
            | CallState::Waiting
            | CallState::Ringing => {
                if call.call.state == CallState::Ended
                    && let Some(words) = words::failed(&call.call)
                    && self.calls.get(uid).is_some()
                {
                    self.outputs.push_back(Output::Alert(words));
                }
                self.call_over(uid);
            }
        }
    }

    /// A call whose sound was here comes back here, and one whose sound is nowhere comes to the leading tab, unless
    /// another tab connects it first.
    fn plan_rejoin(&mut self, now: Millis, after: u64) {
        let nowhere = |call: &LiveCall| call.media == MediaState::Lost || self.released == Some(call.call.uid);
        let wanted = self.calls.in_hand().is_some_and(|call| {
            let uid = call.call.uid;
            self.peers.stage(uid).is_none() && (self.mine.contains(&uid) || (self.leader && nowhere(call)))
        });
        if !wanted {
            self.rejoin_at = None;
        } else if self.rejoin_at.is_none() {
            self.rejoin_at = Some(now + after);
        }
    }

    fn call_over(&mut self, uid: CallId) {
        if let Some(call) = self.calls.remove(uid) {
            if call.call.state != CallState::Ringing {
                self.last = Some(call);
            }
            self.rejoin_at = None;
            self.busy = None;
            self.problem = None;
            self.tell("Call ended.");
            self.close_peer(uid);
        }
    }

    /// This tab has placed a call, or taken one of the floor: its sound is here.
    fn placed(&mut self, uid: CallId) {
        self.calls.expect(uid);
        self.problem = None;
        self.mine.insert(uid);
        self.outputs.push_back(Output::OpenMicrophone);
        self.open_peer(uid, false);
        self.outputs.push_back(Output::ClaimSound(uid));
        self.outputs.push_back(Output::AttachMicrophone(uid));
    }

    fn peer_offered(&mut self, uid: CallId) {
        if self.peers.stage(uid).is_none() {
            return;
        }
        self.peers.advance(uid, PeerStage::Offered);
        for incoming in &mut self.incoming {
            if incoming.ring.call == uid && incoming.stage == Stage::WaitingForPeer {
                incoming.stage = Stage::Answering;
                self.outputs.push_back(Output::SendAnswer(incoming.ring.offer));
            }
        }
    }

    fn peer_failed(&mut self, now: Millis, uid: CallId, why: String) {
        if !self.peers.remove(uid) {
            return;
        }
        self.outputs.push_back(Output::ClosePeer(uid));
        if let Some(offer) = self
            .incoming
            .iter()
            .find(|incoming| incoming.ring.call == uid && incoming.stage == Stage::WaitingForPeer)
            .map(|incoming| incoming.ring.offer)
        {
            self.back_to_ringing(offer, why);
        } else if self.calls.get(uid).is_some() {
            self.outputs.push_back(Output::Alert(why.clone()));
            self.problem = Some(why);
            self.plan_rejoin(now, REJOIN_MS);
        }
    }

    /// Connects the call in hand here. When the person asked for it, another device of theirs gives it up.
    fn bring_here(&mut self, takes: bool) {
        let Some(uid) = self.calls.in_hand().map(|call| call.call.uid) else { return };
        self.mine.insert(uid);
        self.problem = None;
        self.released = None;
        self.rejoin_at = None;
        self.outputs.push_back(Output::OpenMicrophone);
        self.open_peer(uid, takes);
        self.outputs.push_back(Output::ClaimSound(uid));
        self.outputs.push_back(Output::AttachMicrophone(uid));
    }

    fn pressed(&mut self, uid: CallId, press: Press) {
        if self.busy.is_some() && press != Press::HangUp && !matches!(press, Press::Digits(_)) {
            return;
        }
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

    fn press_done(&mut self, uid: CallId, press: &Press) {
        if self.busy.as_ref() == Some(press) {
            self.busy = None;
        }
        let Some(call) = self.calls.get_mut(uid) else { return };
        match press {
            Press::Mute => call.muted = true,
            Press::Unmute => {
                call.muted = false;
                self.outputs.push_back(Output::EnableMicrophone(true));
            }
            Press::Hold => self.calls.hold(uid),
            Press::Resume => self.calls.resume(uid),
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

    fn tell(&mut self, text: &str) {
        self.outputs.push_back(Output::Tell(text.to_owned()));
    }
}

#[cfg(test)]
mod tests;
