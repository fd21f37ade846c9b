//! From samples to packets of 20 ms, in any codec.

use std::sync::Arc;

use crate::decode::Block;
use crate::receive::Position;
use crate::{Codec, FRAME_SAMPLES, opus};

/// Told apart from the epochs of packets that pass through: these count frames made here.
const TRANSCODED: u32 = 1 << 31;

/// Encodes frames; Opus remembers what it encoded before.
#[derive(Debug, Default)]
pub(crate) struct FrameEncoder {
    opus: Option<Box<opus::Encoder>>,
}

impl FrameEncoder {
    /// A frame in this codec, for somebody who has reported that so many of 256 packets were lost of late. `None` when the
    /// encoder fails: the frame is lost.
    pub(crate) fn encode(&mut self, codec: Codec, frame: &[i16; FRAME_SAMPLES], lost_of_256: u8) -> Option<Arc<[u8]>> {
        if let Some(codec) = codec.g711() {
            let mut payload = [0; FRAME_SAMPLES];
            for (byte, sample) in payload.iter_mut().zip(frame) {
                *byte = codec.encode(*sample);
            }
            return Some(Arc::from(payload));
        }
        if self.opus.is_none() {
            self.opus = opus::Encoder::new().map(Box::new);
        }
        self.opus.as_mut()?.encode(frame, lost_of_256)
    }
}

/// Cuts the samples of another leg into frames.
#[derive(Debug, Default)]
pub(crate) struct Transcoder {
    epoch: u32,
    frames: u64,
    /// Samples that do not fill a frame yet, and the timestamp of the first of them.
    pending: Vec<i16>,
    timestamp: u32,
}

impl Transcoder {
    /// Takes in samples; gives each whole frame with its place in the stream.
    pub(crate) fn push(&mut self, block: &Block, mut frame: impl FnMut(Position, &[i16; FRAME_SAMPLES])) {
        let due = self.timestamp.wrapping_add(u32::try_from(self.pending.len()).unwrap_or(0));
        if block.epoch != self.epoch || block.timestamp != due {
            // After a gap the rest of what was before it is not worth a frame.
            self.pending.clear();
            (self.epoch, self.timestamp) = (block.epoch, block.timestamp);
        }
        self.pending.extend(&block.samples);
        let mut taken = 0;
        while let Some(samples) = self.pending[taken..].first_chunk::<FRAME_SAMPLES>() {
            let position =
                Position { epoch: self.epoch | TRANSCODED, sequence: self.frames, timestamp: self.timestamp };
            frame(position, samples);
            self.frames += 1;
            taken += FRAME_SAMPLES;
            self.timestamp = self.timestamp.wrapping_add(160);
        }
        self.pending.drain(..taken);
    }
}
