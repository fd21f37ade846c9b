//! From an uploaded file to 8 kHz mono, piece by piece: never more of it in memory than the file and its telephone sound.

use std::io::Cursor;
use std::time::{Duration, Instant};

use cordboard_shared::api::audio::MOST_MS;
use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler};
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Symphonia;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

/// Samples a second as they are kept.
pub(super) const RATE: u32 = 8_000;
/// Longest time a conversion may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Sample rates that are taken.
const RATES: std::ops::RangeInclusive<u32> = 4_000..=192_000;
/// Most channels.
const MOST_CHANNELS: usize = 8;
/// Frames resampled at once.
const CHUNK: usize = 4_096;
/// Packets that cannot be decoded before the file is given up.
const MOST_BAD_PACKETS: u32 = 100;

/// A converted file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// What it was: `wav`, `mp3`, `ogg`.
    pub format: &'static str,
    /// 8 kHz mono.
    pub samples: Vec<i16>,
}

impl Converted {
    /// Its length in milliseconds.
    pub fn ms(&self) -> u32 {
        u32::try_from(self.samples.len() as u64 * 1_000 / u64::from(RATE)).unwrap_or(u32::MAX)
    }
}

/// Why a file was not taken; each reads as a sentence for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// By its content none of what is taken.
    #[error("This is no WAV, MP3 or Ogg file, whatever its name says.")]
    Format,
    /// Begins like one, and cannot be read.
    #[error("The file is damaged, or its coding is not one that can be read.")]
    Damaged,
    /// Too many channels, or a rate out of bounds.
    #[error("The file has more than 8 channels, or a sample rate outside of 4 to 192 kHz.")]
    Shape,
    /// Nothing in it.
    #[error("The file holds no sound.")]
    Empty,
    /// More than five minutes.
    #[error("The sound is longer than 5 minutes.")]
    TooLong,
    /// It took too long.
    #[error("The file took too long to convert.")]
    TooSlow,
}

/// Converts a file; `progress` is told how much is done, in percent.
pub fn convert(bytes: Vec<u8>, progress: &dyn Fn(u8)) -> Result<Converted, ConvertError> {
    let format = kind(&bytes).ok_or(ConvertError::Format)?;
    let opus = if format == "ogg" { OpusStream::of(&bytes)? } else { None };
    let started = Instant::now();
    let size = bytes.len();
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let hint = {
        let mut hint = Hint::new();
        hint.with_extension(format);
        hint
    };
    let mut reader = symphonia::default::get_probe()
        .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
        .map_err(|_| ConvertError::Damaged)?;
    let (track, mut decoder) = decoder(&*reader, opus)?;
    let mut sink: Option<Sink> = None;
    let mut interleaved: Vec<f32> = Vec::new();
    let (mut bad, mut read) = (0, 0_usize);
    loop {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            // Many files end without saying so.
            Ok(None) | Err(Symphonia::IoError(_)) => break,
            Err(_) => return Err(ConvertError::Damaged),
        };
        if started.elapsed() > PATIENCE {
            return Err(ConvertError::TooSlow);
        }
        read += packet.data.len();
        if packet.track_id != track {
            continue;
        }
        let (rate, channels) = match decoder.decode(&packet, &mut interleaved) {
            Ok(shape) => shape,
            Err(Symphonia::DecodeError(_)) if bad < MOST_BAD_PACKETS => {
                bad += 1;
                continue;
            }
            Err(_) => return Err(ConvertError::Damaged),
        };
        if !RATES.contains(&rate) || !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(ConvertError::Shape);
        }
        let sink = match &mut sink {
            // A file that changes its shape midway is not worth more words.
            Some(sink) if sink.rate != rate => return Err(ConvertError::Damaged),
            Some(sink) => sink,
            None => sink.insert(Sink::new(rate)?),
        };
        sink.push(&interleaved, channels)?;
        let percent = read.saturating_mul(100).checked_div(size).unwrap_or(0).min(99);
        progress(u8::try_from(percent).unwrap_or(99));
    }
    let samples = sink.ok_or(ConvertError::Empty)?.finish()?;
    if samples.is_empty() {
        return Err(ConvertError::Empty);
    }
    Ok(Converted { format, samples })
}

/// What a file is, by how it begins.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some("wav"),
        [b'O', b'g', b'g', b'S', ..] => Some("ogg"),
        [b'I', b'D', b'3', ..] => Some("mp3"),
        // MPEG audio frame: eleven bits of sync, layer III (ISO/IEC 11172-3 §2.4.1.3).
        [0xff, second, ..] if second & 0xe0 == 0xe0 && second & 0x06 == 0x02 => Some("mp3"),
        _ => None,
    }
}

fn decoder(reader: &dyn FormatReader, opus: Option<OpusStream>) -> Result<(u32, Decoder), ConvertError> {
    let track = reader.default_track(TrackType::Audio).ok_or(ConvertError::Damaged)?;
    if let Some(stream) = opus {
        return Ok((track.id, Decoder::Opus(Box::new(stream))));
    }
    let parameters = track.codec_params.as_ref().and_then(|it| it.audio()).ok_or(ConvertError::Damaged)?;
    let decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters, &AudioDecoderOptions::default())
        .map_err(|_| ConvertError::Damaged)?;
    Ok((track.id, Decoder::Other(decoder)))
}

/// What turns packets into samples.
enum Decoder {
    Opus(Box<OpusStream>),
    Other(Box<dyn AudioDecoder>),
}

impl Decoder {
    /// Decodes a packet into interleaved samples; their rate and channels.
    fn decode(&mut self, packet: &Packet, samples: &mut Vec<f32>) -> Result<(u32, usize), Symphonia> {
        match self {
            Self::Opus(stream) => {
                stream.decode(&packet.data, samples)?;
                Ok((RATE, 1))
            }
            Self::Other(decoder) => {
                let decoded = decoder.decode(packet)?;
                let spec = decoded.spec();
                let shape = (spec.rate(), spec.channels().count());
                decoded.copy_to_vec_interleaved(samples);
                Ok(shape)
            }
        }
    }
}

/// Opus in Ogg (RFC 7845): its decoder gives telephone sound by itself.
struct OpusStream {
    decoder: opus::Decoder,
    /// Samples at the begin that are none of the sound (RFC 7845 §4.2, pre-skip).
    skip: usize,
}

impl OpusStream {
    /// The one a file begins with; none when it holds something else.
    fn of(bytes: &[u8]) -> Result<Option<Self>, ConvertError> {
        let Some(at) = bytes.windows(8).take(512).position(|window| window == b"OpusHead") else { return Ok(None) };
        // Version, channels, and the samples of 48 kHz to leave out.
        let Some(&[_, _, low, high]) = bytes.get(at + 8..at + 12) else { return Err(ConvertError::Damaged) };
        let skip = usize::from(u16::from_le_bytes([low, high])) * RATE as usize / 48_000;
        let decoder = opus::Decoder::new(RATE, opus::Channels::Mono).map_err(|_| ConvertError::Damaged)?;
        Ok(Some(Self { decoder, skip }))
    }

    fn decode(&mut self, packet: &[u8], samples: &mut Vec<f32>) -> Result<(), Symphonia> {
        // A packet holds 120 ms at most (RFC 6716 §3.2.5).
        samples.resize(RATE as usize * 120 / 1_000, 0.0);
        let decoded = self.decoder.decode_float(packet, samples, false);
        samples.truncate(decoded.map_err(|_| Symphonia::DecodeError("not a packet of Opus"))?);
        let left_out = self.skip.min(samples.len());
        self.skip -= left_out;
        samples.drain(..left_out);
        Ok(())
    }
}

/// Mixes down, resamples and keeps.
struct Sink {
    rate: u32,
    /// None when the file has our rate already.
    resampler: Option<Fft<f32>>,
    /// Frames that wait for a whole chunk.
    waiting: Vec<f32>,
    out: Vec<f32>,
    /// Frames of the file so far.
    frames: u64,
    /// Frames of the resampler's delay that are still to be left out.
    delay: usize,
    samples: Vec<i16>,
}

impl Sink {
    fn new(rate: u32) -> Result<Self, ConvertError> {
        let resampler = (rate != RATE)
            .then(|| Fft::new(rate as usize, RATE as usize, CHUNK, 1, FixedSync::Input))
            .transpose()
            .map_err(|_| ConvertError::Shape)?;
        let delay = resampler.as_ref().map_or(0, Resampler::output_delay);
        let out = vec![0.0; resampler.as_ref().map_or(0, Resampler::output_frames_max)];
        Ok(Self { rate, resampler, waiting: Vec::new(), out, frames: 0, delay, samples: Vec::new() })
    }

    fn push(&mut self, interleaved: &[f32], channels: usize) -> Result<(), ConvertError> {
        let frames = interleaved.chunks_exact(channels);
        self.frames += frames.len() as u64;
        if self.frames * 1_000 > u64::from(MOST_MS) * u64::from(self.rate) {
            return Err(ConvertError::TooLong);
        }
        #[expect(clippy::cast_precision_loss, reason = "at most eight channels")]
        let share = 1.0 / channels as f32;
        self.waiting.extend(frames.map(|frame| frame.iter().sum::<f32>() * share));
        if self.resampler.is_none() {
            let waiting = std::mem::take(&mut self.waiting);
            self.keep(&waiting);
            return Ok(());
        }
        while self.resampler.as_ref().is_some_and(|it| self.waiting.len() >= it.input_frames_next()) {
            self.resample(None)?;
        }
        Ok(())
    }

    fn resample(&mut self, partial: Option<usize>) -> Result<(), ConvertError> {
        let Some(resampler) = &mut self.resampler else { return Ok(()) };
        let room = self.out.len();
        let input = InterleavedSlice::new(&self.waiting, 1, self.waiting.len()).map_err(|_| ConvertError::Damaged)?;
        let mut output = InterleavedSlice::new_mut(&mut self.out, 1, room).map_err(|_| ConvertError::Damaged)?;
        let indexing = Indexing { partial_len: partial, ..Indexing::default() };
        let (taken, made) =
            resampler.process_into_buffer(&input, &mut output, Some(&indexing)).map_err(|_| ConvertError::Damaged)?;
        self.waiting.drain(..taken.min(self.waiting.len()));
        let left_out = self.delay.min(made);
        self.delay -= left_out;
        let out = std::mem::take(&mut self.out);
        self.keep(&out[left_out..made]);
        self.out = out;
        Ok(())
    }

    fn keep(&mut self, samples: &[f32]) {
        #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of the target")]
        let samples = samples.iter().map(|it| (it * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16);
        self.samples.extend(samples);
    }

    /// What is still inside comes out; the length is that of the file.
    fn finish(mut self) -> Result<Vec<i16>, ConvertError> {
        let whole = usize::try_from(self.frames * u64::from(RATE) / u64::from(self.rate)).unwrap_or(usize::MAX);
        if self.resampler.is_some() {
            let left = self.waiting.len();
            self.resample(Some(left))?;
            self.waiting.clear();
            // Each turn gives a chunk; two are more than the delay.
            for _ in 0..4 {
                if self.samples.len() >= whole {
                    break;
                }
                self.resample(Some(0))?;
            }
        }
        self.samples.truncate(whole);
        Ok(self.samples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(rate: u32, channels: u16, seconds: f32, tone: f32) -> Vec<u8> {
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a test tone"
        )]
        for at in 0..(rate as f32 * seconds) as u32 {
            let value = (at as f32 * tone * std::f32::consts::TAU / rate as f32).sin() * 16_000.0;
            for _ in 0..channels {
                writer.write_sample(value as i16).unwrap();
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    /// Strength of a tone in samples of 8 kHz, by Goertzel.
    #[expect(clippy::cast_precision_loss, reason = "a test")]
    fn amplitude(samples: &[i16], tone: f32) -> f32 {
        let step = tone * std::f32::consts::TAU / 8_000.0;
        let (mut re, mut im) = (0.0, 0.0);
        for (at, sample) in samples.iter().enumerate() {
            re += f32::from(*sample) * (at as f32 * step).cos();
            im += f32::from(*sample) * (at as f32 * step).sin();
        }
        2.0 * (re * re + im * im).sqrt() / samples.len() as f32
    }

    #[test]
    fn any_rate_and_channels_become_telephone_sound_of_the_same_length() {
        for (rate, channels) in [(8_000, 1), (44_100, 2), (48_000, 1), (22_050, 1), (16_000, 6)] {
            let sound = convert(wav(rate, channels, 1.5, 440.0), &|_| {}).unwrap();
            assert_eq!((sound.format, sound.ms()), ("wav", 1_500), "{rate} Hz");
            let middle = &sound.samples[2_000..10_000];
            assert!((amplitude(middle, 440.0) - 16_000.0).abs() < 500.0, "{rate} Hz: {}", amplitude(middle, 440.0));
            assert!(amplitude(middle, 700.0) < 200.0);
        }
        // What a telephone cannot carry must not come back as another tone.
        let alias = convert(wav(44_100, 1, 1.0, 6_000.0), &|_| {}).unwrap();
        assert!(amplitude(&alias.samples[1_000..7_000], 2_000.0) < 200.0);
    }

    #[test]
    fn the_codings_people_have_their_music_in_are_read() {
        // Each 1.5 s of 440 Hz at half of full scale: LAME, libvorbis and libopus made them.
        let sounds: [(&str, &[u8]); 3] = [
            ("mp3", include_bytes!("../../tests/sounds/tone.mp3")),
            ("ogg", include_bytes!("../../tests/sounds/tone.ogg")),
            ("ogg", include_bytes!("../../tests/sounds/tone.opus")),
        ];
        for (format, bytes) in sounds {
            let sound = convert(bytes.to_vec(), &|_| {}).unwrap();
            assert_eq!(sound.format, format);
            assert!((1_480..1_620).contains(&sound.ms()), "{format}: {} ms", sound.ms());
            let level = amplitude(&sound.samples[2_000..10_000], 440.0);
            assert!((14_000.0..18_500.0).contains(&level), "{format}: {level}");
            assert!(amplitude(&sound.samples[2_000..10_000], 700.0) < 300.0, "{format}");
            // Cut anywhere, and with a byte turned over, it is read or refused, and nothing more.
            for end in (0..bytes.len()).step_by(211) {
                let _ = convert(bytes[..end].to_vec(), &|_| {});
                let mut broken = bytes.to_vec();
                broken[end] ^= 0x55;
                let _ = convert(broken, &|_| {});
            }
        }
    }

    #[test]
    fn what_is_no_sound_is_told_by_its_content() {
        let refused = |bytes: &[u8]| convert(bytes.to_vec(), &|_| {}).unwrap_err();
        assert_eq!(refused(b""), ConvertError::Format);
        assert_eq!(refused(b"#!/bin/sh\necho music.mp3"), ConvertError::Format);
        assert_eq!(refused(b"\x89PNG\r\n\x1a\n0000"), ConvertError::Format);
        assert!(matches!(refused(b"RIFF\x10\0\0\0WAVEjunkjunkjunk"), ConvertError::Damaged | ConvertError::Empty));
        assert!(matches!(refused(b"OggS\0\x02garbage garbage garbage"), ConvertError::Damaged));
        let mut opus = b"OggS\0\x02".to_vec();
        opus.extend([0; 22]);
        opus.extend(b"OpusHead");
        assert_eq!(refused(&opus), ConvertError::Damaged);
        assert!(matches!(refused(&[0xff, 0xfb, 0x90, 0x00, 1, 2, 3]), ConvertError::Damaged | ConvertError::Empty));
    }

    #[test]
    fn five_minutes_are_the_most() {
        assert_eq!(convert(wav(8_000, 1, 300.0, 440.0), &|_| {}).unwrap().ms(), 300_000);
        assert_eq!(convert(wav(8_000, 1, 300.1, 440.0), &|_| {}), Err(ConvertError::TooLong));
    }

    #[test]
    fn a_file_cut_short_or_full_of_noise_never_panics() {
        let whole = wav(44_100, 2, 0.2, 440.0);
        for end in (0..whole.len()).step_by(997) {
            let _ = convert(whole[..end].to_vec(), &|_| {});
        }
        for (seed, start) in [b"ID3\x04".as_slice(), b"OggS", b"\xff\xfb\x90\x64", b"RIFF\xff\xff\xff\xffWAVEfmt "]
            .into_iter()
            .enumerate()
        {
            let mut state = u32::try_from(seed).unwrap() + 1;
            let noise = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            });
            let bytes: Vec<u8> = start.iter().copied().chain(noise.take(20_000)).collect();
            let _ = convert(bytes, &|_| {});
        }
    }
}
