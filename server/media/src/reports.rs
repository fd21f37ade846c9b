//! What a stream of ours reports to the far side, and what the far side reports of it (RFC 3550 §6.4).

use std::time::Instant;

use crate::receive::Receiver;
use crate::rtcp::{self, Sent, Told};

/// The counts of one stream, both ways.
#[derive(Debug)]
pub(crate) struct Reports {
    started: Instant,
    packets: u32,
    octets: u32,
    /// How many packets there were at the last report.
    reported: u32,
    last_timestamp: u32,
    /// The far side's last sender report, and when it came.
    heard: Option<(u32, Instant)>,
    remote: Remote,
}

/// What the far side reports of our stream.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Remote {
    /// Packets lost since the beginning.
    pub(crate) lost: u64,
    /// How many of 256 were lost since its report before.
    pub(crate) fraction: u8,
    /// In microseconds.
    pub(crate) round_trip: Option<u32>,
}

/// Who reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter<'a> {
    pub(crate) ssrc: u32,
    /// What we are called.
    pub(crate) name: &'a str,
    /// How much faster the clock of the timestamps runs than 8 kHz.
    pub(crate) clock_factor: u32,
}

impl Reports {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            started: now,
            packets: 0,
            octets: 0,
            reported: 0,
            last_timestamp: 0,
            heard: None,
            remote: Remote::default(),
        }
    }

    /// Counts a packet that was sent, with the timestamp it has on the wire.
    pub(crate) fn count(&mut self, timestamp: u32, payload: &[u8]) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(u32::try_from(payload.len()).unwrap_or(0));
        self.last_timestamp = timestamp;
    }

    /// Takes what the far side reports.
    pub(crate) fn take(&mut self, now: Instant, told: &Told) {
        if let Some(time) = told.sender_time {
            self.heard = Some((time, now));
        }
        if let Some(block) = &told.block {
            let here = rtcp::middle(rtcp::time(self.started, now));
            self.remote = Remote {
                lost: u64::from(block.lost),
                fraction: block.fraction,
                round_trip: rtcp::round_trip(here, block).or(self.remote.round_trip),
            };
        }
    }

    /// Our report, in the clear.
    pub(crate) fn make(&mut self, now: Instant, by: Reporter<'_>, receiver: &mut Receiver, goodbye: bool) -> Vec<u8> {
        let block = receiver.report().map(|mut block| {
            block.jitter = block.jitter.saturating_mul(by.clock_factor);
            if let Some((time, at)) = self.heard {
                block.last_report = time;
                block.since = rtcp::units(now.saturating_duration_since(at));
            }
            block
        });
        // RFC 3550 §6.4: a sender report only if something was sent since the last one.
        let sent = (self.packets != self.reported).then(|| Sent {
            time: rtcp::time(self.started, now),
            timestamp: self.last_timestamp,
            packets: self.packets,
            octets: self.octets,
        });
        self.reported = self.packets;
        rtcp::compound(by.ssrc, sent, block, by.name, goodbye)
    }

    /// What the far side has reported.
    pub(crate) fn remote(&self) -> Remote {
        self.remote
    }
}
