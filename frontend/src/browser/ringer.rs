//! The ring sound, made by Web Audio. Its end is set on the audio clock, so that it stops in time even in a tab whose
//! timers sleep.

use std::cell::RefCell;

use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{AudioBuffer, AudioBufferSourceNode, AudioContext, AudioContextState};

use super::{page, storage};

/// One ring and its pause, in seconds.
const PERIOD: f32 = 2.6;
/// Beginning, frequency and loudness of each note of a ring, in seconds, hertz and 0..1.
const NOTES: [(f32, f32, f32); 6] = [
    (0.00, 659.26, 0.9),
    (0.16, 783.99, 0.8),
    (0.32, 987.77, 0.9),
    (0.80, 659.26, 0.9),
    (0.96, 783.99, 0.8),
    (1.12, 987.77, 0.9),
];

/// The page's sound output and the ringer on it.
#[derive(Default)]
pub(crate) struct Ringer {
    audio: RefCell<Option<AudioContext>>,
    ring: RefCell<Option<AudioBuffer>>,
    sounding: RefCell<Option<AudioBufferSourceNode>>,
    test: RefCell<Option<AudioBufferSourceNode>>,
}

impl Ringer {
    /// The page's sound output; made at the first use.
    pub(crate) fn audio(&self) -> Option<AudioContext> {
        let mut audio = self.audio.borrow_mut();
        if audio.is_none() {
            *audio = AudioContext::new().ok();
        }
        audio.clone()
    }

    /// Whether the page may sound.
    pub(crate) fn runs(&self) -> bool {
        self.audio().is_some_and(|audio| audio.state() == AudioContextState::Running)
    }

    /// Calls back when the page may sound, or no longer.
    pub(crate) fn on_change(&self, changed: impl Fn() + 'static) {
        let Some(audio) = self.audio() else { return };
        let changed = Closure::<dyn FnMut()>::new(changed);
        audio.set_onstatechange(changed.as_ref().dyn_ref());
        // Lives as long as the page.
        changed.forget();
    }

    /// Asks the browser to let the page sound; it does so on a press.
    pub(crate) fn unlock(&self) {
        if let Some(audio) = self.audio()
            && audio.state() != AudioContextState::Running
        {
            // The state tells whether it worked.
            let _ = audio.resume();
        }
    }

    /// Rings for so many milliseconds from now; rings on when it rings already. True when it is heard.
    pub(crate) fn sound(&self, lease_ms: u64) -> bool {
        if !self.runs() {
            return false;
        }
        let mut sounding = self.sounding.borrow_mut();
        if sounding.is_none() {
            *sounding = self.play(true);
        }
        let Some(source) = &*sounding else { return false };
        let end = self.time() + seconds(lease_ms);
        // Of several ends the last one counts (Web Audio, section 1.10.3).
        #[expect(deprecated, reason = "the method moved to a parent type that the generated one cannot be seen as")]
        let set = source.stop_with_when(end).is_ok();
        page::set_ringing(set);
        set
    }

    /// Rings no longer.
    pub(crate) fn silence(&self) {
        if let Some(source) = self.sounding.borrow_mut().take() {
            stop(&source);
        }
        page::set_ringing(false);
    }

    /// Rings once, to hear how loud it is.
    pub(crate) fn test(&self) {
        self.unlock();
        if let Some(before) = self.test.borrow_mut().take() {
            stop(&before);
        }
        *self.test.borrow_mut() = self.play(false);
    }

    fn play(&self, endless: bool) -> Option<AudioBufferSourceNode> {
        let audio = self.audio()?;
        let buffer = self.buffer(&audio)?;
        let gain = audio.create_gain().ok()?;
        gain.gain().set_value(volume_factor());
        gain.connect_with_audio_node(&audio.destination()).ok()?;
        let source = audio.create_buffer_source().ok()?;
        source.set_buffer(Some(&buffer));
        source.set_loop(endless);
        source.connect_with_audio_node(&gain).ok()?;
        source.start().ok()?;
        Some(source)
    }

    fn buffer(&self, audio: &AudioContext) -> Option<AudioBuffer> {
        let mut ring = self.ring.borrow_mut();
        if ring.is_none() {
            let rate = audio.sample_rate();
            let samples = ring_samples(rate);
            let buffer = audio.create_buffer(1, u32::try_from(samples.len()).ok()?, rate).ok()?;
            buffer.copy_to_channel(&samples, 0).ok()?;
            *ring = Some(buffer);
        }
        ring.clone()
    }

    fn time(&self) -> f64 {
        self.audio.borrow().as_ref().map_or(0.0, AudioContext::current_time)
    }
}

/// How loud it rings, 0 to 100.
pub(crate) fn volume() -> u8 {
    storage::get("ring-volume").and_then(|text| text.parse().ok()).unwrap_or(70).min(100)
}

/// Sets how loud it rings.
pub(crate) fn set_volume(volume: u8) {
    storage::set("ring-volume", &volume.to_string());
}

fn volume_factor() -> f32 {
    let volume = f32::from(volume()) / 100.0;
    volume * volume * 0.6
}

fn stop(source: &AudioBufferSourceNode) {
    // A source that has ended by itself may refuse to be stopped.
    #[expect(deprecated, reason = "the method moved to a parent type that the generated one cannot be seen as")]
    let _ = source.stop();
}

fn seconds(millis: u64) -> f64 {
    f64::from(u32::try_from(millis).unwrap_or(u32::MAX)) / 1_000.0
}

/// Struck notes that fade, like a small bell: clear in an open-plan office, and unlike any tone of the network.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sample positions are small")]
fn ring_samples(rate: f32) -> Vec<f32> {
    let mut samples = vec![0.0_f32; (PERIOD * rate) as usize];
    for (begin, hertz, loudness) in NOTES {
        let first = (begin * rate) as usize;
        for (harmonic, share) in [(1.0, 0.6), (2.0, 0.2), (3.0, 0.08)] {
            strike(&mut samples[first..], hertz * harmonic / rate, loudness * share, rate);
        }
    }
    samples
}

/// Adds a tone of so many turns a sample. The sine is turned on step by step, so that it is computed once.
#[expect(clippy::cast_possible_truncation, reason = "a sine fits")]
fn strike(samples: &mut [f32], turns: f32, loudness: f32, rate: f32) {
    let angle = f64::from(std::f32::consts::TAU * turns);
    let (step_sine, step_cosine) = (js_sys::Math::sin(angle) as f32, js_sys::Math::cos(angle) as f32);
    let decay = js_sys::Math::exp(f64::from(-5.0 / rate)) as f32;
    let rise = 400.0 / rate;
    let (mut sine, mut cosine, mut fade, mut attack) = (0.0_f32, 1.0_f32, loudness, 0.0_f32);
    for sample in samples {
        *sample += sine * fade * attack.min(1.0);
        (sine, cosine) = (sine * step_cosine + cosine * step_sine, cosine * step_cosine - sine * step_sine);
        fade *= decay;
        attack += rise;
        if fade < 0.000_5 {
            break;
        }
    }
}
