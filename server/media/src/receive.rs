//! What arrives from one leg: order, repeats, loss and jitter of its stream.

use std::time::Instant;

use crate::SAMPLE_RATE;

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
    last: (Instant, u32),
}

impl Receiver {
    /// Takes a packet in; `None` when it is a repeat, too late or the first after a jump.
    pub(crate) fn accept(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) -> Option<Position> {
        let Some(stream) = self.stream.as_mut().filter(|stream| stream.ssrc == ssrc) else {
            return Some(self.begin(now, ssrc, sequence, timestamp));
        };
        #[expect(clippy::cast_possible_truncation, reason = "the sequence number on the wire is the low 16 bits")]
        let ahead = sequence.wrapping_sub(stream.highest as u16);
        let extended = if ahead < MAX_DROPOUT {
            let extended = stream.highest + u64::from(ahead);
            if ahead > 0 {
                stream.window = stream.window.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
                stream.highest = extended;
                let (at, before) = stream.last;
                let arrived = now.saturating_duration_since(at).as_secs_f64() * f64::from(SAMPLE_RATE);
                let sent = f64::from(timestamp.wrapping_sub(before).cast_signed());
                // RFC 3550 §6.4.1: J(i) = J(i-1) + (|D(i-1,i)| - J(i-1))/16. A jump of the clock is no jitter, nor are
                // the packets of a DTMF event, which all have one timestamp.
                if sent != 0.0 && sent.abs() < f64::from(SAMPLE_RATE) {
                    self.jitter += ((arrived - sent).abs() - self.jitter) / 16.0;
                }
                stream.last = (now, timestamp);
            } else {
                return None;
            }
            extended
        } else {
            let behind = u64::from(ahead.wrapping_neg());
            if behind >= WINDOW || stream.highest < stream.first + behind {
                if stream.jumped_to == Some(sequence) {
                    return Some(self.begin(now, ssrc, sequence, timestamp));
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
        Some(Position { epoch: self.epoch, sequence: extended })
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

    fn begin(&mut self, now: Instant, ssrc: u32, sequence: u16, timestamp: u32) -> Position {
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
            last: (now, timestamp),
        });
        Position { epoch: self.epoch, sequence: first }
    }
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
                let position = receiver.accept(now, *ssrc, *sequence, u32::from(*sequence) * 160)?;
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
            receiver.accept(start + Duration::from_millis(20) * u32::from(index), 1, index, u32::from(index) * 160);
        }
        assert_eq!(receiver.jitter_us(), 0);

        for index in 100..300_u16 {
            let late = Duration::from_millis(if index % 2 == 0 { 4 } else { 0 });
            let at = start + Duration::from_millis(20) * u32::from(index) + late;
            receiver.accept(at, 1, index, u32::from(index) * 160);
        }
        assert!((3_500..=4_100).contains(&receiver.jitter_us()), "{} us", receiver.jitter_us());
    }
}
