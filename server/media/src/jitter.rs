//! An adaptive jitter buffer: packets come when they come, samples go out at an even pace.
//!
//! Time here is the sender's: the buffer knows which sample is due next, and how early each block came before that. The
//! least of these margins over two seconds is what jitter leaves; it is kept small and positive by playing a little faster
//! or slower (one sample in a frame, 0.6 %), which also follows a sender whose clock differs from ours. A block that comes
//! too late moves the buffer back at once.

use std::collections::VecDeque;

use crate::FRAME_SAMPLES;
use crate::conceal::Concealer;
use crate::decode::Block;

/// The margin in samples that is aimed at: 5 to 20 ms.
const LEAST: i64 = 40;
const MOST: i64 = 160;

/// The margin a stream begins with: 15 ms.
const FIRST: u32 = 120;

/// Frames over which margins are watched: two seconds.
const WINDOW: u32 = 100;

/// More than this waiting is a jump of the sender's clock or a burst: 400 ms.
const MAX_WAITING: i64 = 3_200;

/// A block this much later than its time is a jump, not jitter: 300 ms.
const MAX_LATE: i64 = 2_400;

/// Frames without sound after which the next block begins anew: 200 ms.
const IDLE: u32 = 10;

#[derive(Debug, Default)]
pub(crate) struct JitterBuffer {
    /// The stream, and the timestamp of the first sample waiting.
    head: Option<(u32, u32)>,
    waiting: VecDeque<i16>,
    concealer: Concealer,
    /// The least margin of this window, and the frames it still lasts.
    least: Option<i64>,
    left: u32,
    pace: Pace,
    /// Frames in a row for which nothing was there.
    starved: u32,
}

/// How many samples of the sender make one frame of ours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Pace {
    Slower,
    #[default]
    Even,
    Faster,
}

impl JitterBuffer {
    /// Takes in what arrived.
    pub(crate) fn push(&mut self, block: &Block) {
        let head = match self.head {
            Some((epoch, head)) if epoch == block.epoch && self.starved < IDLE => head,
            Some(_) | None => return self.begin(block),
        };
        let margin = i64::from(block.timestamp.wrapping_sub(head).cast_signed());
        if !(-MAX_LATE..=MAX_WAITING).contains(&margin) {
            return self.begin(block);
        }
        if block.made_up {
            // What made up for a loss is no measure of lateness; what of it is still to be played is taken.
            let past = usize::try_from(-margin).unwrap_or(0).min(block.samples.len());
            return self.write(usize::try_from(margin).unwrap_or(0), &block.samples[past..]);
        }
        self.least = Some(self.least.map_or(margin, |least| least.min(margin)));
        if margin < 0 {
            // Too late: from now on everything is played that much later, and this just now.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "bounded by the longest lateness"
            )]
            let late = (-margin) as usize;
            for _ in 0..late {
                self.waiting.push_front(0);
            }
            self.head = Some((block.epoch, block.timestamp));
            self.least = Some(0);
        }
        let at = usize::try_from(margin).unwrap_or(0);
        self.write(at, &block.samples);
    }

    /// The next frame. `false` when nothing of it arrived: what it holds was made up, and is silence after a while.
    pub(crate) fn pull(&mut self, frame: &mut [i16; FRAME_SAMPLES]) -> bool {
        self.adapt();
        let Some((epoch, head)) = self.head else {
            frame.fill(0);
            return false;
        };
        let pace = if self.waiting.len() > FRAME_SAMPLES { self.pace } else { Pace::Even };
        let wanted = match pace {
            Pace::Slower => FRAME_SAMPLES - 1,
            Pace::Even => FRAME_SAMPLES,
            Pace::Faster => FRAME_SAMPLES + 1,
        };
        #[expect(clippy::cast_possible_truncation, reason = "a frame and a sample")]
        let step = wanted as u32;
        self.head = Some((epoch, head.wrapping_add(step)));
        let there = self.waiting.len().min(wanted);
        let mut samples = [0; FRAME_SAMPLES + 1];
        for (sample, waiting) in samples.iter_mut().zip(self.waiting.drain(..there)) {
            *sample = waiting;
        }
        if there > 0 {
            self.concealer.heard(&mut samples[..there]);
        }
        if there < wanted {
            self.concealer.missing(&mut samples[there..wanted]);
        }
        stretch(&samples[..wanted], frame);
        self.starved = if there == 0 { self.starved.saturating_add(1) } else { 0 };
        there > 0
    }

    /// Samples that wait: the delay this adds.
    #[cfg(test)]
    fn delay(&self) -> usize {
        self.waiting.len()
    }

    fn begin(&mut self, block: &Block) {
        self.waiting.clear();
        self.concealer.reset();
        self.waiting.extend(std::iter::repeat_n(0, FIRST as usize));
        self.waiting.extend(&block.samples);
        self.head = Some((block.epoch, block.timestamp.wrapping_sub(FIRST)));
        self.least = None;
        self.left = WINDOW;
        self.pace = Pace::Even;
        self.starved = 0;
    }

    fn write(&mut self, at: usize, samples: &[i16]) {
        let end = at + samples.len();
        if self.waiting.len() < end {
            self.waiting.resize(end, 0);
        }
        for (place, sample) in self.waiting.range_mut(at..end).zip(samples) {
            *place = *sample;
        }
    }

    /// Looks at the margins once in a window, and as soon as they are used up.
    fn adapt(&mut self) {
        let Some(least) = self.least else { return };
        if self.pace == Pace::Faster && least <= MOST || least < LEAST {
            self.pace = if least < LEAST { Pace::Slower } else { Pace::Even };
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.pace = match least {
                less if less < LEAST => Pace::Slower,
                more if more > MOST => Pace::Faster,
                _ => Pace::Even,
            };
            self.left = WINDOW;
            self.least = None;
        }
    }
}

/// Fits samples to a frame that is at most one longer or shorter, by a curve through four of them (Catmull-Rom).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "a frame is short, and the cast saturates"
)]
fn stretch(samples: &[i16], frame: &mut [i16; FRAME_SAMPLES]) {
    if samples.len() == FRAME_SAMPLES {
        frame.copy_from_slice(samples);
        return;
    }
    // The first and the last sample stay where they are, so that frames join.
    let (last_in, last_out) = (samples.len() - 1, FRAME_SAMPLES - 1);
    for (index, place) in frame.iter_mut().enumerate() {
        let (whole, rest) = (index * last_in / last_out, index * last_in % last_out);
        let at = |index: usize| f32::from(samples[index.min(last_in)]);
        let (before, one, other, after) = (at(whole.saturating_sub(1)), at(whole), at(whole + 1), at(whole + 2));
        let time = rest as f32 / last_out as f32;
        let curve = other - before
            + time * (2.0 * before - 5.0 * one + 4.0 * other - after + time * (3.0 * (one - other) + after - before));
        *place = (one + 0.5 * time * curve).round() as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::goertzel::{amplitude, dropouts};
    use crate::tone::sine;

    /// Frames of a sender whose clock differs by so many parts in a million, and how its packets are late, in samples.
    fn play(ppm: i64, frames: u32, lateness: impl Fn(u32) -> i64) -> (Vec<i16>, Vec<usize>) {
        let second = sine(400.0, 1_000, 10_000.0);
        let mut buffer = JitterBuffer::default();
        let (mut heard, mut delays) = (Vec::new(), Vec::new());
        // Packet `n` leaves at `n` frames of the sender's time; times are in millionths of a sample of ours.
        let arrival =
            |packet: u32| (i64::from(packet) * 160 + lateness(packet)) * 1_000_000 - i64::from(packet) * 160 * ppm;
        let mut packet = 0;
        for frame in 0..frames {
            let now = (i64::from(frame) * 160 + 80) * 1_000_000;
            while arrival(packet) <= now {
                let at = (packet as usize * 160) % 8_000;
                let samples = second[at..at + 160].to_vec();
                let timestamp = 0xffff_0000_u32.wrapping_add(packet * 160);
                buffer.push(&Block { epoch: 1, sequence: u64::from(packet), timestamp, samples, made_up: false });
                packet += 1;
            }
            let mut out = [0; FRAME_SAMPLES];
            buffer.pull(&mut out);
            delays.push(buffer.delay());
            if frame >= frames.saturating_sub(500) {
                heard.extend(out);
            }
        }
        (heard, delays)
    }

    #[test]
    fn an_hour_with_a_clock_that_runs_fast_or_slow_keeps_its_delay_and_its_sound() {
        for ppm in [-200, 0, 200] {
            let (heard, delays) = play(ppm, 50 * 3_600, |_| 0);

            // Three minutes in, the delay is what it is an hour later: within 40 ms at every moment.
            let (least, most) = (delays[9_000..].iter().min().unwrap(), delays[9_000..].iter().max().unwrap());
            assert!(*most <= 480, "{ppm} ppm: {least} to {most} samples waiting");
            assert!(heard.chunks_exact(800).all(|piece| amplitude(piece, 400.0) > 9_700.0), "{ppm} ppm");
            assert_eq!(dropouts(&heard, 400.0), 0, "{ppm} ppm");
        }
    }

    #[test]
    fn jitter_makes_it_wait_longer_and_its_end_shorter_again() {
        let late = |packet: u32| if (500..3_000).contains(&packet) && packet % 7 == 3 { 480 } else { 0 };
        let (heard, delays) = play(0, 12_000, late);

        let mean = |range: std::ops::Range<usize>| delays[range.clone()].iter().sum::<usize>() / range.len();
        let (before, during, after) = (mean(200..490), mean(2_000..2_900), mean(11_000..12_000));
        assert!(before < 330 && after < 330, "{before} before, {after} after");
        assert!((450..1_000).contains(&during), "{during} while packets are 60 ms late");
        assert_eq!(dropouts(&heard, 400.0), 0);
    }

    #[test]
    fn a_stream_that_stops_fades_and_one_that_jumps_begins_anew() {
        let mut buffer = JitterBuffer::default();
        let block = |timestamp| Block { epoch: 1, sequence: 0, timestamp, samples: vec![5_000; 160], made_up: false };
        buffer.push(&block(0));
        let mut frame = [0; FRAME_SAMPLES];
        let alive: Vec<bool> = (0..12).map(|_| buffer.pull(&mut frame)).collect();
        assert_eq!(alive[..3], [true, true, false]);
        assert_eq!(frame, [0; FRAME_SAMPLES]);

        buffer.push(&block(1 << 31));
        buffer.pull(&mut frame);
        assert!(frame.contains(&5_000));
        assert!(buffer.delay() < 320);
    }
}
