//! Calls that ring here, until one of them is answered, declined or over.

use cordboard_shared::Millis;
use cordboard_shared::event::{Ring, RingStop};
use cordboard_shared::id::{CallId, OfferId};

use super::peers::PeerStage;
use super::{Incoming, Output, Softphone, Stage};

impl Softphone {
    pub(super) fn rang(&mut self, now: Millis, ring: &Ring) {
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
    pub(super) fn ring_here(&mut self, now: Millis, ring: &Ring) {
        self.ringer.start(now, ring.offer, ring.lease_ms);
        self.outputs.push_back(Output::Sound(ring.offer, ring.lease_ms));
        if self.peers.is_empty() {
            self.open_peer(ring.call, false);
        }
    }

    pub(super) fn ring_stopped(&mut self, offer: OfferId, reason: RingStop) {
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

    /// Takes the card of an offer away whose call is talked on now.
    pub(super) fn no_longer_rings(&mut self, uid: CallId) {
        let done: Vec<(OfferId, Stage)> = self
            .incoming
            .iter()
            .filter(|known| known.ring.call == uid)
            .map(|known| (known.ring.offer, known.stage))
            .collect();
        for (offer, stage) in done {
            if stage == Stage::Answering {
                self.mine.insert(uid);
            }
            self.remove_incoming(offer);
        }
        // The ringing tab that lost to another one lets go of its connection.
        if self.peers.stage(uid).is_some() && !self.mine.contains(&uid) {
            self.close_peer(uid);
        }
    }

    pub(super) fn answer_pressed(&mut self, offer: OfferId) {
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
        let stage = self.peers.stage(uid);
        let offered = stage.is_some_and(|stage| stage != PeerStage::Opening);
        incoming.stage = if offered { Stage::Answering } else { Stage::WaitingForPeer };
        self.outputs.push_back(Output::OpenMicrophone);
        if offered {
            self.outputs.push_back(Output::SendAnswer(offer));
        } else if stage.is_none() {
            self.open_peer(uid, false);
        }
    }

    pub(super) fn decline_pressed(&mut self, offer: OfferId) {
        let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.ring.offer == offer) else {
            self.tell("That call is no longer ringing.");
            return;
        };
        if incoming.stage == Stage::Ringing {
            incoming.stage = Stage::Declining;
            self.outputs.push_back(Output::SendDecline(offer));
        }
    }

    pub(super) fn answer_taken(&mut self, offer: OfferId) {
        let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.ring.offer == offer) else {
            // `call.state` came first and the card is gone already.
            let current = self.calls.in_hand().map(|call| call.call.uid);
            if let Some(uid) = current.filter(|uid| self.mine.contains(uid)) {
                self.outputs.push_back(Output::ClaimSound(uid));
                self.outputs.push_back(Output::AttachMicrophone(uid));
            }
            return;
        };
        incoming.stage = Stage::Won;
        let uid = incoming.ring.call;
        self.mine.insert(uid);
        self.silence(offer);
        self.outputs.push_back(Output::ClaimSound(uid));
        self.outputs.push_back(Output::AttachMicrophone(uid));
    }

    pub(super) fn answer_refused(&mut self, offer: OfferId, why: String) {
        let uid = self.incoming.iter().find(|incoming| incoming.ring.offer == offer).map(|incoming| incoming.ring.call);
        self.remove_incoming(offer);
        if let Some(uid) = uid {
            self.close_peer(uid);
        }
        self.outputs.push_back(Output::Alert(why));
    }

    pub(super) fn back_to_ringing(&mut self, offer: OfferId, why: String) {
        if let Some(incoming) = self.incoming.iter_mut().find(|incoming| incoming.ring.offer == offer) {
            incoming.stage = Stage::Ringing;
            incoming.problem = Some(why.clone());
            self.outputs.push_back(Output::Alert(why));
        }
    }

    pub(super) fn remove_incoming(&mut self, offer: OfferId) {
        self.incoming.retain(|incoming| incoming.ring.offer != offer);
        self.silence(offer);
        self.outputs.push_back(Output::EndNotice);
    }

    fn silence(&mut self, offer: OfferId) {
        if self.ringer.stop(offer) {
            self.outputs.push_back(Output::Silence);
        }
    }
}
