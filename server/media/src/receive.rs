//! What arrives from one leg: order, repeats, loss and jitter of its stream.

use std::time::Instant;

use crate::{SAMPLE_RATE, rtcp};

/// A jump of more packets than this is a new stream and no loss (RFC 3550 §A.1).
const MAX_DROPOUT: u16 = 3_000;

/// How many packets back a late one is still taken.
const WINDOW: u64 = 64;

/// Where a packet stands in its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// Which stream: counts up whenever the sender began a new one.
    pub(crate) epoch: u32,
    /// The sequence number without its wrapping.
    pub(crate) sequence: u64,
    /// The timestamp in samples of 8 kHz, whatever the clock of the codec.
    pub(crate) timestamp: u32,
}

/// Follows the stream of one leg.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    epoch: u32,
    stream: Option<Stream>,
    received: u64,
    /// Packets missed in streams that ended.
    lost_before: u64,
    jitter: f64,
}

#[derive(Debug)]
struct Stream {
    ssrc: u32,
    first: u64,
    highest: u64,
    /// Bit `n` tells whether `highest - n` was received.
    window: u64,
    received: u64,
    /// The next number of a stream that seems to have jumped: two in a row prove it.
    jumped_to: Option<u16>,
    /// When the newest packet came, its timestamp on the wire, and the same without wrapping.
    last: (Instant, u32, i64),
    /// What was expected and received when the last report was made.
    reported: (u64, u64),
}

impl Receiver {
    /// Takes a packet in; `None` when it is a repeat, too late or the first after a jump.
    ///
    /// `factor` tells how much faster the clock of its timestamps runs than 8 kHz.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        ssrc: u32,
        sequence: u16,
        timestamp: u32,
        factor: u32,
    ) -> Option<Position> {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == ssrc) else {
            return Some(self.begin(now, ssrc, sequence, timestamp, factor));
        };
        let (at, before, unwrapped) = stream.last;
        let unwrapped = unwrapped + i64::from(timestamp.wrapping_sub(before).cast_signed());
        #[expect(clippy::cast_possible_truncation, reason = "the sequence number on the wire is the low 16 bits")]
        let ahead = sequence.wrapping_sub(stream.highest as u16);
        let extended = if ahead < MAX_DROPOUT {
            let extended = stream.highest + u64::from(ahead);
            if ahead > 0 {
                stream.window = stream.window.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
                stream.highest = extended;
                let arrived = now.saturating_duration_since(at).as_secs_f64() * f64::from(SAMPLE_RATE);
                let sent = f64::from(timestamp.wrapping_sub(before).cast_signed()) / f64::from(factor);
                // RFC 3550 §6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16. A jump of the clock is no jitter, nor are
                // the packets of a DTMF event, which all have one timestamp, or a pause that was not counted.
                let second = f64::from(SAMPLE_RATE);
                if sent != 0.0 && sent.abs() < second && arrived < second {
                    self.jitter += ((arrived - sent).abs() - self.jitter) / 16.0;
                }
                stream.last = (now, timestamp, unwrapped);
            } else {
                return None;
            }
            extended
        } else {
            let behind = u64::from(ahead.wrapping_neg());
            if behind >= WINDOW || stream.highest < stream.first + behind {
                if stream.jumped_to == Some(sequence) {
                    return Some(self.begin(now, ssrc, sequence, timestamp, factor));
                }
                stream.jumped_to = Some(sequence.wrapping_add(1));
                return None;
            }
            let bit = 1 << behind;
            if stream.window & bit != 0 {
                return None;
            }
            stream.window |= bit;
            stream.highest - behind
        };
        stream.jumped_to = None;
        stream.received += 1;
        self.received += 1;
        Some(Position { epoch: self.epoch, sequence: extended, timestamp: scaled(unwrapped, factor) })
    }

    /// Packets accepted.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// Packets missed.
    pub(crate) fn lost(&self) -> u64 {
        self.lost_before + self.stream.as_ref().map_or(0, Stream::lost)
    }

    /// Interarrival jitter in microseconds.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "never negative, and the cast saturates"
    )]
    pub(crate) fn jitter_us(&self) -> u32 {
        (self.jitter * 1_000_000.0 / f64::from(SAMPLE_RATE)) as u32
    }

    /// What a receiver report says of the stream, and forgets for the next one (RFC 3550 §A.3): the stream, the lost of
    /// 256 packets since the last report, all lost ones, the highest number with its rollovers, the jitter in samples.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "fields of 32 bits, and the jitter is never negative"
    )]
    pub(crate) fn report(&mut self) -> Option<rtcp::Block> {
        let jitter = self.jitter as u32;
        let stream = self.stream.as_mut()?;
        let expected = stream.highest - stream.first + 1;
        let (expected_before, received_before) = stream.reported;
        stream.reported = (expected, stream.received);
        let due = expected - expected_before;
        let lost = due.saturating_sub(stream.received - received_before);
        let fraction = (lost * 256).checked_div(due).unwrap_or(0);
        Some(rtcp::Block {
            ssrc: stream.ssrc,
            fraction: u8::try_from(fraction).unwrap_or(u8::MAX),
            lost: stream.lost().min(0x7f_ffff) as u32,
            highest: stream.highest as u32,
            jitter,
            ..rtcp::Block::default()
        })
    }

    fn begin(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32, factor: u32) -> Position {
        self.lost_before = self.lost();
        self.epoch += 1;
        self.received += 1;
        let first = u64::from(sequence);
        self.stream = Some(Stream {
            ssrc,
            first,
            highest: first,
            window: 1,
            received: 1,
            jumped_to: None,
            last: (now, timestamp, i64::from(timestamp)),
            reported: (0, 0),
        });
        Position { epoch: self.epoch, sequence: first, timestamp: scaled(i64::from(timestamp), factor) }
    }
}

/// A timestamp in samples of 8 kHz, modulo 2^32 as those on the wire are.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "timestamps wrap")]
fn scaled(unwrapped: i64, factor: u32) -> u32 {
    unwrapped.div_euclid(i64::from(factor)) as u32
}

impl Stream {
    fn lost(&self) -> u64 {
        (self.highest - self.first + 1).saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn positions(receiver: &mut Receiver, packets: &[(u32, u16)]) -> Vec<Option<(u32, u64)>> {
        let now = Instant::now();
        packets
            .iter()
            .map(|(ssrc, sequence)| {
                let position = receiver.accept(now, *ssrc, *sequence, u32::from(*sequence) * 160, 1)?;
                Some((position.epoch, position.sequence))
            })
            .collect()
    }

    #[test]
    fn numbers_go_on_past_the_wrap_and_late_packets_find_their_place() {
        let mut receiver = Receiver::default();

        let got = positions(&mut receiver, &[(1, 65_534), (1, 65_535), (1, 1), (1, 0), (1, 0), (1, 2)]);

        assert_eq!(
            got,
            [Some((1, 65_534)), Some((1, 65_535)), Some((1, 65_537)), Some((1, 65_536)), None, Some((1, 65_538))]
        );
        assert_eq!((receiver.received(), receiver.lost()), (5, 0));
    }

    #[test]
    fn loss_is_counted_and_a_new_stream_is_not_loss() {
        let mut receiver = Receiver::default();

        let got = positions(&mut receiver, &[(1, 10), (1, 15), (2, 40_000), (2, 40_001), (2, 9), (2, 10)]);

        assert_eq!(
            got,
            [Some((1, 10)), Some((1, 15)), Some((2, 40_000)), Some((2, 40_001)), None, Some((3, 10))],
            "one packet from elsewhere in the number range is not believed, the second in a row is"
        );
        assert_eq!(receiver.lost(), 4);
    }

    #[test]
    fn a_steady_stream_has_no_jitter_and_an_uneven_one_has() {
        let mut receiver = Receiver::default();
        let start = Instant::now();
        for index in 0..100_u16 {
            receiver.accept(start + Duration::from_millis(20) * u32::from(index), 1, index, u32::from(index) * 160, 1);
        }
        assert_eq!(receiver.jitter_us(), 0);

        for index in 100..300_u16 {
            let late = Duration::from_millis(if index % 2 == 0 { 4 } else { 0 });
            let at = start + Duration::from_millis(20) * u32::from(index) + late;
            receiver.accept(at, 1, index, u32::from(index) * 160, 1);
        }
        assert!((3_500..=4_100).contains(&receiver.jitter_us()), "{} us", receiver.jitter_us());
    }

    #[test]
    fn a_faster_clock_is_brought_to_8_khz_over_its_wrap() {
        let mut receiver = Receiver::default();
        let now = Instant::now();
        let first = u32::MAX - 1_000;
        let stamps: Vec<u32> = (0..10_u16)
            .map(|index| {
                receiver.accept(now, 1, index, first.wrapping_add(u32::from(index) * 960), 6).unwrap().timestamp
            })
            .collect();

        assert!(stamps.windows(2).all(|pair| pair[1] - pair[0] == 160), "{stamps:?}");
    }

    #[test]
    fn a_report_tells_of_the_time_since_the_last_one() {
        let mut receiver = Receiver::default();
        positions(&mut receiver, &[(9, 65_534), (9, 65_535), (9, 1), (9, 2)]);
        let report = receiver.report().unwrap();
        assert_eq!((report.ssrc, report.fraction, report.lost, report.highest), (9, 51, 1, 65_538));

        positions(&mut receiver, &[(9, 3), (9, 4)]);
        let report = receiver.report().unwrap();
        assert_eq!((report.fraction, report.lost, report.highest), (0, 1, 65_540));
    }
}
