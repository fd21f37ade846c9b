//! The sound connections of this tab, one for each call it rings, talks on or keeps on hold.

use cordboard_shared::id::CallId;

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PeerStage {
    /// Its offer is being made.
    Opening,
    /// The offer is on its way.
    Offered,
    /// The answer is in place.
    Ready,
}

/// The connections; never more than a few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Peers(Vec<(CallId, PeerStage)>);

impl Peers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The calls that have one.
    pub(super) fn calls(&self) -> Vec<CallId> {
        self.0.iter().map(|(uid, _)| *uid).collect()
    }

    pub(super) fn stage(&self, uid: CallId) -> Option<PeerStage> {
        self.0.iter().find(|(known, _)| *known == uid).map(|(_, stage)| *stage)
    }

    pub(super) fn open(&mut self, uid: CallId) {
        self.0.push((uid, PeerStage::Opening));
    }

    pub(super) fn advance(&mut self, uid: CallId, stage: PeerStage) {
        if let Some(peer) = self.0.iter_mut().find(|(known, _)| *known == uid) {
            peer.1 = stage;
        }
    }

    /// Whether there was one.
    pub(super) fn remove(&mut self, uid: CallId) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| *known != uid);
        self.0.len() < before
    }
}
