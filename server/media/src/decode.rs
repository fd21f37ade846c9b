//! Turns the packets of one leg into samples, in order: repairs small swaps, and makes up what was lost.
//!
//! It works packet by packet and adds no delay of its own, but for a packet that overtook another: that one waits for the
//! next arrival.

use std::sync::Arc;

use crate::conceal::Concealer;
use crate::receive::Position;
use crate::{Codec, opus};

/// Longer losses are left as a gap in the timestamps: 60 ms.
const MAX_MADE_UP: u32 = 480;

/// Samples of one leg, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Which stream of the leg.
    pub(crate) epoch: u32,
    /// Counts blocks within the stream without gaps.
    pub(crate) sequence: u64,
    /// Of the first sample.
    pub(crate) timestamp: u32,
    pub(crate) samples: Vec<i16>,
    /// Whether they stand for what was lost.
    pub(crate) made_up: bool,
}

/// What a packet brought.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Arrived {
    timestamp: u32,
    /// `None` for one that is no sound: a key press, comfort noise.
    audio: Option<(Codec, Arc<[u8]>)>,
}

/// The decoder of one leg.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    epoch: u32,
    /// What comes next, once there was something: its sequence number and timestamp.
    next: Option<(u64, u32)>,
    /// A packet that came too early, and its sequence number.
    early: Option<(u64, Arrived)>,
    blocks: u64,
    concealer: Concealer,
    opus: Option<Box<opus::Decoder>>,
}

impl Decoder {
    /// Takes a packet of sound.
    pub(crate) fn audio(&mut self, position: Position, codec: Codec, payload: &Arc<[u8]>, out: &mut Vec<Block>) {
        let audio = Some((codec, Arc::clone(payload)));
        self.arrive(position, Arrived { timestamp: position.timestamp, audio }, out);
    }

    /// Takes note of a packet without sound, so that it is not taken for lost.
    pub(crate) fn other(&mut self, position: Position, out: &mut Vec<Block>) {
        self.arrive(position, Arrived { timestamp: position.timestamp, audio: None }, out);
    }

    fn arrive(&mut self, position: Position, arrived: Arrived, out: &mut Vec<Block>) {
        if position.epoch != self.epoch {
            *self = Self { epoch: position.epoch, ..Self::default() };
        }
        let expected = self.next.map_or(position.sequence, |(sequence, _)| sequence);
        if position.sequence < expected {
            // Its time was made up for.
            return;
        }
        if position.sequence == expected {
            self.decode(position.sequence, arrived, out);
            if let Some((sequence, early)) = self.early.take_if(|(sequence, _)| *sequence == position.sequence + 1) {
                self.decode(sequence, early, out);
            }
            return;
        }
        let Some((sequence, early)) = self.early.take() else {
            self.early = Some((position.sequence, arrived));
            return;
        };
        // What is missing will not come any more.
        let mut both = [(sequence, early), (position.sequence, arrived)];
        both.sort_by_key(|(sequence, _)| *sequence);
        for (sequence, arrived) in both {
            self.decode(sequence, arrived, out);
        }
    }

    fn decode(&mut self, sequence: u64, arrived: Arrived, out: &mut Vec<Block>) {
        let Some((codec, payload)) = arrived.audio else {
            // The timestamp of a key press is that of its begin; what follows tells its own.
            self.next = Some((sequence + 1, self.next.map_or(arrived.timestamp, |(_, timestamp)| timestamp)));
            return;
        };
        if let Some((expected, timestamp)) = self.next
            && sequence > expected
        {
            let missing = arrived.timestamp.wrapping_sub(timestamp);
            if (1..=MAX_MADE_UP).contains(&missing) {
                let samples = self.make_up(missing as usize, codec, &payload);
                self.give(timestamp, samples, true, out);
            }
        }
        let Some(samples) = self.samples(codec, &payload) else {
            self.next = Some((sequence + 1, arrived.timestamp));
            return;
        };
        let length = u32::try_from(samples.len()).unwrap_or(0);
        self.next = Some((sequence + 1, arrived.timestamp.wrapping_add(length)));
        self.give(arrived.timestamp, samples, false, out);
    }

    /// The samples of a packet; `None` when it is malformed.
    fn samples(&mut self, codec: Codec, payload: &[u8]) -> Option<Vec<i16>> {
        match codec.g711() {
            Some(codec) => {
                let mut samples: Vec<i16> = codec.decode_all(payload).collect();
                self.concealer.heard(&mut samples);
                Some(samples)
            }
            None => self.opus()?.decode(payload),
        }
    }

    fn make_up(&mut self, missing: usize, codec: Codec, next: &[u8]) -> Vec<i16> {
        let mut samples = vec![0; missing];
        if codec.g711().is_some() {
            self.concealer.missing(&mut samples);
        } else if let Some(opus) = self.opus() {
            samples = opus.conceal(missing, next);
        }
        samples
    }

    fn opus(&mut self) -> Option<&mut opus::Decoder> {
        if self.opus.is_none() {
            self.opus = opus::Decoder::new().map(Box::new);
        }
        self.opus.as_deref_mut()
    }

    fn give(&mut self, timestamp: u32, samples: Vec<i16>, made_up: bool, out: &mut Vec<Block>) {
        out.push(Block { epoch: self.epoch, sequence: self.blocks, timestamp, samples, made_up });
        self.blocks += 1;
    }
}
