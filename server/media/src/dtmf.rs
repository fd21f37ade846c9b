//! DTMF as telephone events (RFC 4733): keys are named in packets, not heard as tones.

use std::collections::VecDeque;

/// Keys in the order of their event numbers (RFC 4733 §3.2).
const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];

/// The volume field of what is sent: -10 dBm0.
const VOLUME: u8 = 10;

/// One telephone-event payload (RFC 4733 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfEvent {
    /// The event number; 0 to 15 are keys.
    pub event: u8,
    /// Whether the key was let go. Sent three times, since it may be lost.
    pub end: bool,
    /// How long the key is held so far, in samples.
    pub duration: u16,
}

impl DtmfEvent {
    /// Reads a payload. A payload may carry several events; the first is the oldest and the only one used.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let [event, flags, high, low] = *payload.first_chunk()?;
        Some(Self { event, end: flags & 0x80 != 0, duration: u16::from_be_bytes([high, low]) })
    }

    /// The payload.
    pub fn to_bytes(self) -> [u8; 4] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | VOLUME, high, low]
    }

    /// The key, if this event is one.
    pub fn key(self) -> Option<char> {
        KEYS.get(usize::from(self.event)).copied()
    }
}

/// The event number of a key.
fn event_of(key: char) -> Option<u8> {
    let index = KEYS.iter().position(|known| *known == key.to_ascii_uppercase())?;
    u8::try_from(index).ok()
}

/// Counts each key press of a stream once.
#[derive(Debug, Default)]
pub(crate) struct DigitDetector {
    /// Start of the last event that was counted, and what was last heard of it.
    last: Option<(u32, DtmfEvent)>,
}

impl DigitDetector {
    /// Takes one event packet; gives its key if the press was not counted before.
    ///
    /// RFC 4733 §2.5.1.2: all packets of one event carry the timestamp of its start, so equal timestamps are one press.
    pub(crate) fn accept(&mut self, timestamp: u32, event: DtmfEvent) -> Option<char> {
        let key = event.key()?;
        if let Some((start, last)) = self.last {
            let later = timestamp.wrapping_sub(start);
            // A late packet of an older event counts for nothing; half the number range ago is a new stream.
            let stale = later > u32::MAX - u32::from(u16::MAX);
            if stale {
                return None;
            }
            if later == 0 && last.event == event.event {
                self.last = Some((start, event));
                return None;
            }
            // RFC 4733 §2.5.1.3: a press too long for the duration field goes on as a further segment.
            let continues = !last.end && last.event == event.event && last.duration == u16::MAX;
            if continues && u16::try_from(later).is_ok() {
                self.last = Some((timestamp, event));
                return None;
            }
        }
        self.last = Some((timestamp, event));
        Some(key)
    }

    /// A new stream has timestamps of its own.
    pub(crate) fn reset(&mut self) {
        self.last = None;
    }
}

/// What a sender does in one 20 ms frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DigitFrame {
    /// The first packet of a press: takes a new timestamp and the marker.
    Begin(DtmfEvent),
    /// A further packet, under the timestamp of the first.
    Continue(DtmfEvent),
    /// Nothing pressed between two digits.
    Pause,
}

/// Sends digits: each is held for 160 ms, its end is sent three times, 80 ms of pause follow.
#[derive(Debug, Default)]
pub(crate) struct DigitSender {
    queue: VecDeque<u8>,
    /// The digit being sent and the frames it had.
    current: Option<(u8, u16)>,
}

impl DigitSender {
    /// Samples in a frame.
    const FRAME: u16 = 160;
    const HELD_FRAMES: u16 = 8;
    const END_FRAMES: u16 = 3;
    const PAUSE_FRAMES: u16 = 4;
    /// More than anybody dials; what is beyond is dropped.
    const MAX_QUEUE: usize = 64;

    pub(crate) fn push(&mut self, digits: &str) {
        let room = Self::MAX_QUEUE.saturating_sub(self.queue.len());
        self.queue.extend(digits.chars().filter_map(event_of).take(room));
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.current.is_none() && self.queue.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The next 20 ms; `None` when there is nothing left to send.
    pub(crate) fn next_frame(&mut self) -> Option<DigitFrame> {
        let (event, frame) = match self.current {
            Some(current) => current,
            None => (self.queue.pop_front()?, 0),
        };
        let after = frame + 1;
        let whole = Self::HELD_FRAMES + Self::END_FRAMES + Self::PAUSE_FRAMES;
        self.current = (after < whole).then_some((event, after));
        let held = after.min(Self::HELD_FRAMES);
        let duration = held * Self::FRAME;
        let end = after > Self::HELD_FRAMES;
        let payload = DtmfEvent { event, end, duration };
        Some(match frame {
            0 => DigitFrame::Begin(payload),
            _ if frame < Self::HELD_FRAMES + Self::END_FRAMES => DigitFrame::Continue(payload),
            _ => DigitFrame::Pause,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: u8, end: bool, duration: u16) -> DtmfEvent {
        DtmfEvent { event, end, duration }
    }

    #[test]
    fn reads_what_chrome_sends() {
        let parsed = DtmfEvent::parse(&[0x05, 0x0a, 0x00, 0xa0]).unwrap();

        assert_eq!(parsed, event(5, false, 160));
        assert_eq!(parsed.key(), Some('5'));
        assert_eq!(parsed.to_bytes(), [0x05, 0x0a, 0x00, 0xa0]);
        assert_eq!(DtmfEvent::parse(&[5, 0x8a, 0]), None);
        assert_eq!(event(16, false, 0).key(), None);
    }

    #[test]
    fn a_press_counts_once_whatever_is_lost_or_repeated() {
        let mut detector = DigitDetector::default();
        assert_eq!(detector.accept(1_000, event(11, false, 160)), Some('#'));
        for duration in [320, 480, 640, 640, 640] {
            assert_eq!(detector.accept(1_000, event(11, duration == 640, duration)), None);
        }
        // The same key again is a new press; only its end arrives.
        assert_eq!(detector.accept(3_000, event(11, true, 640)), Some('#'));
        // A late packet of the first press.
        assert_eq!(detector.accept(1_000, event(11, true, 640)), None);
    }

    #[test]
    fn a_press_longer_than_its_field_counts_once() {
        let mut detector = DigitDetector::default();
        assert_eq!(detector.accept(0, event(1, false, u16::MAX)), Some('1'));
        assert_eq!(detector.accept(u32::from(u16::MAX), event(1, false, 160)), None);
        assert_eq!(detector.accept(u32::from(u16::MAX), event(1, true, 320)), None);
    }

    #[test]
    fn a_digit_is_begun_held_and_ended_three_times() {
        let mut sender = DigitSender::default();
        sender.push("5x#");

        let frames: Vec<_> = std::iter::from_fn(|| sender.next_frame()).collect();

        assert_eq!(frames.len(), 30);
        assert_eq!(frames[0], DigitFrame::Begin(event(5, false, 160)));
        assert_eq!(frames[7], DigitFrame::Continue(event(5, false, 1_280)));
        assert_eq!(frames[8..11], [DigitFrame::Continue(event(5, true, 1_280)); 3]);
        assert_eq!(frames[11..15], [DigitFrame::Pause; 4]);
        assert_eq!(frames[15], DigitFrame::Begin(event(11, false, 160)));
        assert!(sender.is_idle());
    }
}
