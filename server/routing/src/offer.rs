//! One call offered to one person: a lease with two deadlines.

use cordboard_shared::Millis;
use cordboard_shared::event::RING_ACK_MS;
use cordboard_shared::id::{AgentId, CallId, OfferId};

use crate::matrix::Row;

/// Whether the person's device has said that it rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfferState {
    /// Not yet; it must by then.
    Unconfirmed { until: Millis },
    /// It rings, until then.
    Ringing { until: Millis },
}

/// A live offer. That it exists is what makes the person busy; nothing else has to be cleared.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) id: OfferId,
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    pub(crate) row: Row,
    pub(crate) state: OfferState,
    pub(crate) offered_at: Millis,
    pub(crate) ring_ms: u64,
}

impl Offer {
    pub(crate) fn new(id: OfferId, call: CallId, agent: AgentId, row: Row, now: Millis, ring_ms: u64) -> Self {
        let state = OfferState::Unconfirmed { until: now + RING_ACK_MS };
        Self { id, call, agent, row, state, offered_at: now, ring_ms }
    }

    /// The device rings: the full ring time starts now.
    pub(crate) fn confirm(&mut self, now: Millis) {
        if let OfferState::Unconfirmed { .. } = self.state {
            self.state = OfferState::Ringing { until: now + self.ring_ms };
        }
    }

    pub(crate) fn deadline(&self) -> Millis {
        match self.state {
            OfferState::Unconfirmed { until } | OfferState::Ringing { until } => until,
        }
    }
}
