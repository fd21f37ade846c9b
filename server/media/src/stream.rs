//! The one stream sent to a leg: a single run of sequence numbers and timestamps, whatever it is made of.
//!
//! Sources come and go (a caller, music, a prompt), each with numbers of its own. What is sent stays continuous, since
//! players on the far side mute or stretch when it is not; a marker tells where a new run begins (RFC 3551 §4.1).

use std::time::{Duration, Instant};

use cordboard_shared::id::LegId;

use crate::SAMPLE_RATE;
use crate::packet::RtpPacket;
use crate::receive::Position;

/// A jump of more packets than this begins a new run.
const MAX_GAP: u64 = 1_000;

/// A sender's clock may differ this much from ours between two packets before it begins a new run.
const MAX_CLOCK_JUMP: i64 = 3 * SAMPLE_RATE as i64;

/// The numbers of one packet to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Never used twice: SRTP derives its nonce from it.
    pub(crate) sequence: u64,
    /// In samples of 8 kHz.
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
}

impl Slot {
    /// The packet with these numbers, its timestamp by a clock so much faster than 8 kHz.
    pub(crate) fn packet(self, ssrc: u32, payload_type: u8, payload: &[u8], clock_factor: u32) -> RtpPacket<'_> {
        #[expect(clippy::cast_possible_truncation, reason = "the wire has the low 16 bits")]
        let sequence = self.sequence as u16;
        let timestamp = self.timestamp.wrapping_mul(clock_factor);
        RtpPacket { marker: self.marker, payload_type, sequence, timestamp, ssrc, payload }
    }
}

/// Gives numbers to what is sent to one leg.
#[derive(Debug)]
pub(crate) struct OutStream {
    next_sequence: u64,
    first_timestamp: u32,
    /// The newest timestamp sent, when, and how many samples it stood for.
    last: Option<(u32, Instant, u32)>,
    run: Run,
}

/// Where the numbers come from at the moment.
#[derive(Debug, Clone, Copy)]
enum Run {
    /// Nothing was sent since the source changed.
    Idle,
    /// Frames made here, one after the other.
    Own,
    /// Packets passed on.
    Passed { from: (LegId, u32), first_in: u64, first_out: u64, shift: u32 },
}

impl OutStream {
    /// A stream with these first numbers.
    pub(crate) fn new(first_sequence: u16, first_timestamp: u32) -> Self {
        // The upper half is left free, so that SRTP needs no rollover counter at the start (RFC 3711 §3.3.1).
        Self { next_sequence: u64::from(first_sequence & 0x7fff), first_timestamp, last: None, run: Run::Idle }
    }

    /// The next packet begins a new run.
    pub(crate) fn interrupt(&mut self) {
        self.run = Run::Idle;
    }

    /// Numbers for the next frame made here, of this many samples.
    pub(crate) fn own(&mut self, now: Instant, samples: u32) -> Slot {
        let (timestamp, marker) = match self.last {
            Some((last, _, length)) if matches!(self.run, Run::Own) => (last.wrapping_add(length), false),
            Some(_) | None => (self.fresh_timestamp(now), true),
        };
        self.run = Run::Own;
        self.take(now, timestamp, samples, marker)
    }

    /// Numbers for a further packet under the timestamp of the last one: the rest of a DTMF event.
    pub(crate) fn repeat(&mut self) -> Slot {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Slot { sequence, timestamp: self.last.map_or(self.first_timestamp, |(last, _, _)| last), marker: false }
    }

    /// Numbers for a packet passed on from another leg; `None` when it is older than its run.
    pub(crate) fn passed(
        &mut self,
        now: Instant,
        leg: LegId,
        position: Position,
        samples: u32,
        marker: bool,
    ) -> Option<Slot> {
        let source = (leg, position.epoch);
        let timestamp = position.timestamp;
        if let Run::Passed { from, first_in, first_out, shift } = self.run
            && from == source
        {
            let offset = position.sequence.checked_sub(first_in)?;
            let sequence = first_out + offset;
            let shifted = timestamp.wrapping_add(shift);
            if sequence < self.next_sequence + MAX_GAP && !self.clock_jumped(now, shifted) {
                self.next_sequence = self.next_sequence.max(sequence + 1);
                let newer = self.last.is_none_or(|(last, _, _)| shifted.wrapping_sub(last).cast_signed() > 0);
                if newer {
                    self.last = Some((shifted, now, samples));
                }
                return Some(Slot { sequence, timestamp: shifted, marker });
            }
        }
        let fresh = self.fresh_timestamp(now);
        self.run = Run::Passed {
            from: source,
            first_in: position.sequence,
            first_out: self.next_sequence,
            shift: fresh.wrapping_sub(timestamp),
        };
        Some(self.take(now, fresh, samples, true))
    }

    /// When the last packet with a new timestamp was sent.
    pub(crate) fn last_sent(&self) -> Option<Instant> {
        self.last.map(|(_, at, _)| at)
    }

    fn take(&mut self, now: Instant, timestamp: u32, samples: u32, marker: bool) -> Slot {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        self.last = Some((timestamp, now, samples));
        Slot { sequence, timestamp, marker }
    }

    /// The timestamp of a new run: as much later as time went by, but never over what was sent.
    fn fresh_timestamp(&self, now: Instant) -> u32 {
        self.last.map_or(self.first_timestamp, |(last, at, length)| {
            last.wrapping_add(samples_in(now.saturating_duration_since(at)).max(length))
        })
    }

    fn clock_jumped(&self, now: Instant, timestamp: u32) -> bool {
        let Some((last, at, _)) = self.last else { return false };
        let told = i64::from(timestamp.wrapping_sub(last).cast_signed());
        let passed = i64::from(samples_in(now.saturating_duration_since(at)));
        (told - passed).abs() > MAX_CLOCK_JUMP
    }
}

/// Samples in this time, modulo 2^32 as timestamps are.
#[expect(clippy::cast_possible_truncation, reason = "timestamps wrap")]
pub(crate) fn samples_in(time: Duration) -> u32 {
    (time.as_micros() * u128::from(SAMPLE_RATE) / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEG: LegId = LegId::demo(1);
    const OTHER: LegId = LegId::demo(2);

    fn at(epoch: u32, sequence: u64, timestamp: u32) -> Position {
        Position { epoch, sequence, timestamp }
    }

    fn numbers(slot: Slot) -> (u64, u32, bool) {
        (slot.sequence, slot.timestamp, slot.marker)
    }

    #[test]
    fn a_change_of_source_goes_on_in_time_and_number() {
        let start = Instant::now();
        let ms = |ms| start + Duration::from_millis(ms);
        let mut stream = OutStream::new(100, 5_000);

        let own = [stream.own(ms(0), 160), stream.own(ms(20), 160)];
        assert_eq!(own.map(numbers), [(100, 5_000, true), (101, 5_160, false)]);
        let passed = stream.passed(ms(60), LEG, at(1, 7, 900), 160, false).unwrap();
        assert_eq!(numbers(passed), (102, 5_480, true), "40 ms later, whatever the sender's own numbers");
        let passed = stream.passed(ms(80), LEG, at(1, 8, 1_060), 160, false).unwrap();
        assert_eq!(numbers(passed), (103, 5_640, false));
        let other = stream.passed(ms(81), OTHER, at(1, 40_000, 77), 160, false).unwrap();
        assert_eq!(numbers(other), (104, 5_800, true), "never over what was sent, even when it comes at once");
        assert_eq!(numbers(stream.own(ms(101), 160)), (105, 5_960, true));
    }

    #[test]
    fn loss_and_order_of_the_sender_stay_visible() {
        let start = Instant::now();
        let mut stream = OutStream::new(0, 0);
        let mut pass = |sequence: u64, timestamp| {
            stream
                .passed(start, LEG, at(1, sequence, timestamp), 160, false)
                .map(|slot| (slot.sequence, slot.timestamp))
        };

        assert_eq!(pass(10, 1_600), Some((0, 0)));
        assert_eq!(pass(13, 2_080), Some((3, 480)));
        assert_eq!(pass(12, 1_920), Some((2, 320)));
        assert_eq!(pass(9, 1_440), None, "from before the run: its number is taken");
        assert_eq!(pass(14, 2_240), Some((4, 640)));
    }

    #[test]
    fn a_clock_that_jumps_does_not_pull_the_stream_along() {
        let start = Instant::now();
        let mut stream = OutStream::new(0, 0);
        stream.passed(start, LEG, at(1, 0, 0), 160, false).unwrap();

        let jumped = stream.passed(start + Duration::from_millis(20), LEG, at(1, 1, 9_000_000), 160, false).unwrap();

        assert_eq!(numbers(jumped), (1, 160, true));
    }

    #[test]
    fn an_event_keeps_its_timestamp_and_time_goes_on_after_it() {
        let start = Instant::now();
        let mut stream = OutStream::new(0, 0);

        let begin = stream.own(start, 160);
        let rest = [stream.repeat(), stream.repeat()];
        stream.interrupt();
        let after = stream.own(start + Duration::from_millis(200), 160);

        assert_eq!(begin.timestamp, 0);
        assert_eq!(rest.map(|slot| (slot.sequence, slot.timestamp)), [(1, 0), (2, 0)]);
        assert_eq!(numbers(after), (3, 1_600, true));
    }
}
