//! The live link: what was heard, when to try again, and how old the data is.

use cordboard_shared::Millis;
use cordboard_shared::event::PONG_LOST_MS;
use cordboard_shared::version::FeedPosition;

/// The first step of the back-off, in milliseconds.
pub const RETRY_BASE_MS: u64 = 500;
/// The longest wait before a new try, in milliseconds.
pub const RETRY_LIMIT_MS: u64 = 10_000;

/// Where the link is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected yet, for the first time.
    #[default]
    Connecting,
    /// Live.
    Live,
    /// Lost; try number `attempt` is under way or waited for.
    Lost {
        /// Counts from 1.
        attempt: u32,
    },
}

/// The live link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    state: LinkState,
    last_seq: u64,
    position: Option<FeedPosition>,
    heard_at: Option<Millis>,
}

/// A frame is missing: the socket must be opened anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SequenceGap;

impl Link {
    /// Where the link is.
    pub fn state(&self) -> LinkState {
        self.state
    }

    /// The last durable position seen, for `hello`.
    pub fn position(&self) -> Option<FeedPosition> {
        self.position
    }

    /// When the server was last heard: the age of everything on the screen.
    pub fn as_of(&self) -> Option<Millis> {
        self.heard_at
    }

    /// A new socket is being opened; its frames count from 1 again.
    pub fn opening(&mut self) {
        self.last_seq = 0;
    }

    /// A frame has come.
    pub fn heard(&mut self, now: Millis, seq: u64, position: Option<FeedPosition>) -> Result<(), SequenceGap> {
        if seq != self.last_seq + 1 {
            return Err(SequenceGap);
        }
        self.last_seq = seq;
        self.heard_at = Some(now);
        if position.is_some() {
            self.position = position;
        }
        Ok(())
    }

    /// The first snapshot has come: the link is live.
    pub fn established(&mut self) {
        self.state = LinkState::Live;
    }

    /// The socket has closed. Gives the wait before the next try, in milliseconds: full jitter, so that a thousand
    /// panels do not come back in the same instant. `random` lies in 0..1.
    pub fn lost(&mut self, random: f64) -> u64 {
        let attempt = match self.state {
            LinkState::Connecting | LinkState::Live => 1,
            LinkState::Lost { attempt } => attempt.saturating_add(1),
        };
        self.state = LinkState::Lost { attempt };
        let ceiling = RETRY_BASE_MS.saturating_mul(1 << attempt.min(10)).min(RETRY_LIMIT_MS);
        jitter(ceiling, random)
    }

    /// Whether the server has been silent for so long that the socket must be dead.
    pub fn is_dead(&self, now: Millis) -> bool {
        self.state == LinkState::Live && self.heard_at.is_some_and(|heard| now.since(heard) > PONG_LOST_MS)
    }
}

/// A wait between 0 and `ceiling` milliseconds.
pub fn jitter(ceiling: u64, random: f64) -> u64 {
    let permille = (random.clamp(0.0, 1.0) * 1_000.0).round();
    // The cast is exact: the value lies in 0..=1000.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=1000")]
    let permille = permille as u64;
    ceiling.saturating_mul(permille) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_numbers_is_noticed_and_a_new_socket_starts_at_one() {
        let mut link = Link::default();
        link.opening();

        assert_eq!(link.heard(Millis(1), 1, None), Ok(()));
        assert_eq!(link.heard(Millis(2), 2, "1.0.7".parse().ok()), Ok(()));
        assert_eq!(link.heard(Millis(3), 4, None), Err(SequenceGap));

        link.opening();
        assert_eq!(link.heard(Millis(4), 1, None), Ok(()));
        assert_eq!(link.position(), "1.0.7".parse().ok(), "an event without a position keeps the last one");
    }

    #[test]
    fn tries_wait_longer_and_never_beyond_the_limit() {
        let mut link = Link::default();
        let waits: Vec<u64> = (0..8).map(|_| link.lost(1.0)).collect();

        assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000, 10_000]);
        assert_eq!(link.state(), LinkState::Lost { attempt: 8 });
        link.established();
        assert_eq!(link.lost(0.5), 500);
        assert_eq!(link.state(), LinkState::Lost { attempt: 1 });
    }

    #[test]
    fn silence_means_a_dead_socket() {
        let mut link = Link::default();
        link.opening();
        link.heard(Millis(0), 1, None).unwrap();
        link.established();

        assert!(!link.is_dead(Millis(15_000)));
        assert!(link.is_dead(Millis(15_001)));
    }
}
