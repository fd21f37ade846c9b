//! Control packets (RTCP, RFC 3550 §6): how many packets went each way, how many came, how long the way is.

use std::time::{Duration, Instant};

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const DESCRIPTION: u8 = 202;
const GOODBYE: u8 = 203;

/// What we say of the stream that reaches us.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) ssrc: u32,
    /// Of 256 packets since the last report, how many are missing.
    pub(crate) fraction: u8,
    pub(crate) lost: u32,
    pub(crate) highest: u32,
    /// In units of timestamps.
    pub(crate) jitter: u32,
    /// The middle of the far side's last sender report, and how long ago it came, in 1/65536 seconds.
    pub(crate) last_report: u32,
    pub(crate) since: u32,
}

/// What we say of the stream we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    /// Seconds since our start, in 2^-32.
    pub(crate) time: u64,
    pub(crate) timestamp: u32,
    pub(crate) packets: u32,
    pub(crate) octets: u32,
}

/// What a compound packet told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The middle of the time in a sender report.
    pub(crate) sender_time: Option<u32>,
    /// What the far side says of our stream.
    pub(crate) block: Option<Block>,
    pub(crate) goodbye: bool,
}

/// Whether a datagram on an RTP port is RTCP (RFC 5761 §4).
pub(crate) fn is_rtcp(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes[0] >> 6 == 2 && (192..=223).contains(&bytes[1])
}

/// A compound packet: a report, who we are, and goodbye if this is the last one.
pub(crate) fn compound(ssrc: u32, sent: Option<Sent>, block: Option<Block>, name: &str, goodbye: bool) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    let blocks = u8::from(block.is_some());
    let words = |sender: u16| sender + 6 * u16::from(blocks);
    if let Some(sent) = sent {
        bytes.extend([0x80 | blocks, SENDER_REPORT]);
        bytes.extend(words(6).to_be_bytes());
        bytes.extend(ssrc.to_be_bytes());
        bytes.extend(sent.time.to_be_bytes());
        for word in [sent.timestamp, sent.packets, sent.octets] {
            bytes.extend(word.to_be_bytes());
        }
    } else {
        bytes.extend([0x80 | blocks, RECEIVER_REPORT]);
        bytes.extend(words(1).to_be_bytes());
        bytes.extend(ssrc.to_be_bytes());
    }
    if let Some(block) = block {
        bytes.extend(block.ssrc.to_be_bytes());
        bytes.extend((u32::from(block.fraction) << 24 | block.lost & 0xff_ffff).to_be_bytes());
        for word in [block.highest, block.jitter, block.last_report, block.since] {
            bytes.extend(word.to_be_bytes());
        }
    }
    // RFC 3550 §6.5: one chunk, the item CNAME (1), and zeros to the next word, at least one.
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let name = &name.as_bytes()[..usize::from(length)];
    let chunk = (4 + 2 + name.len() + 1).next_multiple_of(4);
    bytes.extend([0x81, DESCRIPTION]);
    bytes.extend(u16::try_from(chunk / 4).unwrap_or(0).to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([1, length]);
    bytes.extend(name);
    bytes.resize(bytes.len() + chunk - 6 - name.len(), 0);
    if goodbye {
        bytes.extend([0x81, GOODBYE, 0, 1]);
        bytes.extend(ssrc.to_be_bytes());
    }
    bytes
}

/// Reads a compound packet; what is told of streams other than `ours` is passed over. `None` when it is malformed.
pub(crate) fn parse(mut bytes: &[u8], ours: u32) -> Option<Told> {
    let mut told = Told::default();
    while !bytes.is_empty() {
        let header = bytes.first_chunk::<4>()?;
        if header[0] >> 6 != 2 {
            return None;
        }
        let length = usize::from(u16::from_be_bytes([header[2], header[3]])) * 4 + 4;
        let (packet, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        let word = |at: usize| packet.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four));
        let first_block = match packet[1] {
            SENDER_REPORT => {
                told.sender_time = Some(word(8)? << 16 | word(12)? >> 16);
                28
            }
            RECEIVER_REPORT => 8,
            GOODBYE => {
                told.goodbye = true;
                continue;
            }
            // Descriptions, extensions and what nobody has thought of yet.
            _ => continue,
        };
        for at in (0..usize::from(packet[0] & 0x1f)).map(|block| first_block + 24 * block) {
            let [ssrc, lost, highest, jitter, last_report, since] =
                [word(at)?, word(at + 4)?, word(at + 8)?, word(at + 12)?, word(at + 16)?, word(at + 20)?];
            if ssrc == ours {
                let [fraction, ..] = lost.to_be_bytes();
                // A negative number of lost packets comes of repeated ones.
                let lost = if lost & 0x80_0000 == 0 { lost & 0xff_ffff } else { 0 };
                told.block = Some(Block { ssrc, fraction, lost, highest, jitter, last_report, since });
            }
        }
    }
    Some(told)
}

/// Time since our start as reports give it: seconds in the upper half. Nobody needs more, and the core has no calendar.
pub(crate) fn time(start: Instant, now: Instant) -> u64 {
    let passed = now.saturating_duration_since(start);
    (passed.as_secs() << 32) | ((u64::from(passed.subsec_nanos()) << 32) / 1_000_000_000)
}

/// The middle 32 bits of such a time.
#[expect(clippy::cast_possible_truncation, reason = "the middle of 64 bits")]
pub(crate) fn middle(time: u64) -> u32 {
    (time >> 16) as u32
}

/// A duration in 1/65536 seconds.
pub(crate) fn units(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros() * 65_536 / 1_000_000).unwrap_or(u32::MAX)
}

/// The round trip that a report about us shows (RFC 3550 §6.4.1), in microseconds.
pub(crate) fn round_trip(now: u32, block: &Block) -> Option<u32> {
    if block.last_report == 0 {
        return None;
    }
    let units = now.wrapping_sub(block.last_report).wrapping_sub(block.since).cast_signed();
    // Clocks are coarse: a little less than nothing is nothing, much less is nonsense.
    let units = u32::try_from(units.max(0)).ok().filter(|units| *units < 60 * 65_536)?;
    u32::try_from(u64::from(units) * 1_000_000 / 65_536).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let block = Block { ssrc: 7, fraction: 12, lost: 345, highest: 70_000, jitter: 9, last_report: 5, since: 6 };
        let sent = Sent { time: 0x1234_5678_9abc_def0, timestamp: 1, packets: 2, octets: 3 };

        for name in ["", "a", "ab", "abc", "a long name of no meaning"] {
            let bytes = compound(99, Some(sent), Some(block), name, true);
            assert!(bytes.len().is_multiple_of(4) && is_rtcp(&bytes));
            let told = parse(&bytes, 7).unwrap();
            assert_eq!(told, Told { sender_time: Some(0x5678_9abc), block: Some(block), goodbye: true });
        }
        let receiver = compound(99, None, None, "x", false);
        assert_eq!(parse(&receiver, 7), Some(Told::default()));
        assert_eq!(parse(&compound(99, None, Some(block), "x", false), 8), Some(Told::default()), "another's stream");
    }

    #[test]
    fn cut_and_garbled_packets_are_refused() {
        let block = Block::default();
        let bytes = compound(99, None, Some(block), "name", false);
        for length in (1..bytes.len()).filter(|length| *length != 32) {
            assert_eq!(parse(&bytes[..length], 0), None, "{length} bytes");
        }
        let mut lying = bytes;
        lying[0] = 0x9f;
        assert_eq!(parse(&lying, 0), None, "31 blocks that are not there");
    }

    #[test]
    fn the_round_trip_of_the_rfc() {
        // RFC 3550 §6.4.1, figure 2: A = 0xb710:8000, LSR = 0xb705:2000, DLSR = 0x0005:4000, delay 6.125 s.
        let block = Block { last_report: 0xb705_2000, since: 0x0005_4000, ..Block::default() };

        assert_eq!(round_trip(0xb710_8000, &block), Some(6_125_000));
        assert_eq!(round_trip(5, &Block::default()), None, "no report of ours was heard yet");
    }
}
