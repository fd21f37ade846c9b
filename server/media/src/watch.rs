//! Watches what comes from one leg, and says in one word how it is: packets first, their sound second.

use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

use crate::{AudioVerdict, Event};

/// How often legs are looked at.
pub(crate) const INTERVAL: Duration = Duration::from_millis(200);

/// Without packets, or without sound, for this long and at most one interval more: within two seconds it is said.
const SILENT: Duration = Duration::from_millis(1_800);

/// Loss and jitter are judged over each second.
const WINDOW: Duration = Duration::from_secs(1);

/// From here on the network is poor: 5 % of the packets and three of them, or 50 ms.
const POOR_LOSS: u64 = 5;
const POOR_LOST: u64 = 3;
const POOR_JITTER_US: u32 = 50_000;

/// So many seconds in a row must be better than half of that before it is fine again.
const GOOD_WINDOWS: u8 = 3;

/// What a leg is expected to do, and what it did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    /// A browser; phones may be silent.
    pub(crate) browser: bool,
    /// Whether packets ought to come.
    pub(crate) expected: bool,
    /// Whether somebody would hear them.
    pub(crate) joined: bool,
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) jitter_us: u32,
    /// Of 256 packets we sent, how many were missing of late.
    pub(crate) remote_lost: u8,
}

#[derive(Debug)]
pub(crate) struct Watch {
    last_packet: Option<Instant>,
    last_sound: Option<Instant>,
    /// Since when it is known of each packet whether there is sound in it. Opus that is passed on unread tells nothing.
    known_since: Option<Instant>,
    expected_since: Option<Instant>,
    joined_since: Option<Instant>,
    lost: bool,
    verdict: AudioVerdict,
    window: Option<Window>,
    poor: bool,
    good_windows: u8,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    since: Instant,
    received: u64,
    lost: u64,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            last_packet: None,
            last_sound: None,
            known_since: None,
            expected_since: None,
            joined_since: None,
            lost: false,
            verdict: AudioVerdict::Fine,
            window: None,
            poor: false,
            good_windows: 0,
        }
    }
}

impl Watch {
    /// A packet came. `true` when the leg had been lost.
    pub(crate) fn packet(&mut self, now: Instant) -> bool {
        self.last_packet = Some(now);
        std::mem::take(&mut self.lost)
    }

    /// Whether the sound of packets is of interest.
    pub(crate) fn listens(&self) -> bool {
        self.joined_since.is_some()
    }

    /// What is known of the sound of a packet: there was more than silence, there was not, or nothing.
    pub(crate) fn sound(&mut self, now: Instant, loud: Option<bool>) {
        match loud {
            Some(loud) => {
                self.known_since.get_or_insert(now);
                if loud {
                    self.last_sound = Some(now);
                }
            }
            None => self.known_since = None,
        }
    }

    /// Looks at the leg; what is to be told.
    pub(crate) fn look(&mut self, now: Instant, leg: LegId, look: Look, timeout: Duration, out: &mut Vec<Event>) {
        let since = |began: Instant, last: Option<Instant>| {
            now.saturating_duration_since(last.map_or(began, |last| last.max(began)))
        };
        if !look.expected {
            self.expected_since = None;
            self.lost = false;
        }
        let gone = look.expected.then(|| since(*self.expected_since.get_or_insert(now), self.last_packet));
        if !look.browser && !self.lost && gone.is_some_and(|gone| gone >= timeout) {
            self.lost = true;
            out.push(Event::MediaLost { leg });
        }
        if !look.joined {
            // Nobody is there to be told; whatever is wrong is said again to the next.
            self.joined_since = None;
            self.window = None;
            (self.poor, self.good_windows, self.verdict) = (false, 0, AudioVerdict::Fine);
            return;
        }
        let joined = *self.joined_since.get_or_insert(now);
        self.judge_network(now, look);
        let no_packets = gone.is_some() && since(joined, self.last_packet) >= SILENT;
        let verdict = if no_packets {
            if look.browser { AudioVerdict::NothingFromBrowser } else { AudioVerdict::NothingFromCarrier }
        } else if look.browser
            && gone.is_some()
            && self.known_since.is_some_and(|known| since(joined.max(known), self.last_sound) >= SILENT)
        {
            AudioVerdict::MicrophoneSilent
        } else if self.poor {
            AudioVerdict::NetworkPoor
        } else {
            AudioVerdict::Fine
        };
        if verdict != self.verdict {
            self.verdict = verdict;
            out.push(Event::Audio { leg, verdict });
        }
    }

    fn judge_network(&mut self, now: Instant, look: Look) {
        let begin = Window { since: now, received: look.received, lost: look.lost };
        let window = *self.window.get_or_insert(begin);
        if now.saturating_duration_since(window.since) < WINDOW {
            return;
        }
        self.window = Some(begin);
        let lost = look.lost.saturating_sub(window.lost);
        let all = look.received.saturating_sub(window.received) + lost;
        let remote = u64::from(look.remote_lost) * 100 / 256;
        let poor = lost >= POOR_LOST && lost * 100 >= all * POOR_LOSS
            || look.jitter_us >= POOR_JITTER_US
            || remote >= POOR_LOSS;
        let good = lost * 200 < all * POOR_LOSS && look.jitter_us * 2 < POOR_JITTER_US && remote * 2 < POOR_LOSS;
        if poor {
            (self.poor, self.good_windows) = (true, 0);
        } else if self.poor {
            self.good_windows = if good { self.good_windows + 1 } else { 0 };
            self.poor = self.good_windows < GOOD_WINDOWS;
        }
    }
}
