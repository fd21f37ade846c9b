//! One call offered to one person: a lease with two deadlines.

use cordboard_shared::Millis;
use cordboard_shared::event::RING_ACK_MS;
use cordboard_shared::id::{AgentId, CallId, OfferId};
use serde::{Deserialize, Serialize};

use crate::matrix::{Judged, Row};

/// Whether the person's device has said that it rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OfferState {
    /// Not yet; it must by then.
    Unconfirmed { until: Millis },
    /// It rings, since then and until then.
    Ringing { since: Millis, until: Millis },
}

/// A live offer. That it exists is what makes the person busy; nothing else has to be cleared.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub(crate) id: OfferId,
    pub(crate) call: CallId,
    pub(crate) agent: AgentId,
    pub(crate) row: Row,
    pub(crate) state: OfferState,
    pub(crate) ring_ms: u64,
    /// The cell of the matrix under which the person is rung.
    pub(crate) cell: std::borrow::Cow<'static, str>,
}

impl Offer {
    pub(crate) fn new(id: OfferId, call: CallId, agent: AgentId, judged: Judged, now: Millis, ring_ms: u64) -> Self {
        let state = OfferState::Unconfirmed { until: now + RING_ACK_MS };
        Self { id, call, agent, row: judged.row, state, ring_ms, cell: judged.cell() }
    }

    /// The device rings: the full ring time starts now.
    pub(crate) fn confirm(&mut self, now: Millis) {
        if let OfferState::Unconfirmed { .. } = self.state {
            self.state = OfferState::Ringing { since: now, until: now + self.ring_ms };
        }
    }

    pub(crate) fn deadline(&self) -> Millis {
        match self.state {
            OfferState::Unconfirmed { until } | OfferState::Ringing { until, .. } => until,
        }
    }

    /// How long the device has rung; none when it never said that it does.
    pub(crate) fn rang_ms(&self, now: Millis) -> Option<u64> {
        match self.state {
            OfferState::Unconfirmed { .. } => None,
            OfferState::Ringing { since, .. } => Some(now.since(since)),
        }
    }

    /// Whether an offer that nobody took counts as missed: the device rang for four fifths of its time at least.
    pub(crate) fn counts_as_missed(&self, now: Millis) -> bool {
        self.rang_ms(now).is_some_and(|rang| rang * 5 >= self.ring_ms * 4)
    }
}
