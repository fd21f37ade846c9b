//! The microphone: asked for on a press, opened for a call, let go of after it.

use cordboard_shared::event::Microphone as State;
use js_sys::{Object, Reflect};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    AnalyserNode, AudioContext, MediaStream, MediaStreamAudioSourceNode, MediaStreamConstraints, MediaStreamTrack,
    MediaTrackConstraints, PermissionState, PermissionStatus,
};

use super::{error_name, explain, storage, window};

/// An open microphone; closed when dropped.
#[derive(Debug)]
pub(crate) struct Microphone {
    stream: MediaStream,
}

impl Microphone {
    /// Opens it; the browser asks the person the first time. The error is the state it leaves and a sentence.
    pub(crate) async fn open() -> Result<Self, (State, String)> {
        let refused = |error: &JsValue| match error_name(error).as_str() {
            "NotFoundError" | "OverconstrainedError" => (State::None, "No microphone was found.".to_owned()),
            "NotAllowedError" | "SecurityError" => {
                (State::Denied, "The browser refuses the microphone for this page.".to_owned())
            }
            "NotReadableError" => (State::None, "Another program holds the microphone.".to_owned()),
            _ => (State::None, format!("The microphone could not be opened: {}.", explain(error))),
        };
        let devices = window().navigator().media_devices().map_err(|error| refused(&error))?;
        let clean = JsValue::from_bool(cleans_voice());
        let track = MediaTrackConstraints::new();
        for name in ["echoCancellation", "noiseSuppression", "autoGainControl"] {
            // Setting a member of a fresh object cannot fail.
            let _ = Reflect::set(&track, &name.into(), &clean);
        }
        let constraints = MediaStreamConstraints::new();
        constraints.set_audio_media_track_constraints(&track);
        let asked = devices.get_user_media_with_constraints(&constraints).map_err(|error| refused(&error))?;
        let stream = JsFuture::from(asked).await.map_err(|error| refused(&error))?;
        Ok(Self { stream: stream.unchecked_into() })
    }

    /// Its track.
    pub(crate) fn track(&self) -> Option<MediaStreamTrack> {
        self.stream.get_audio_tracks().get(0).dyn_into().ok()
    }

    /// The name the operating system gives it.
    pub(crate) fn label(&self) -> String {
        self.track().map(|track| track.label()).unwrap_or_default()
    }

    /// Silences it, or opens it again, without letting go of it.
    pub(crate) fn enable(&self, enabled: bool) {
        if let Some(track) = self.track() {
            track.set_enabled(enabled);
        }
    }
}

impl Drop for Microphone {
    fn drop(&mut self) {
        if let Some(track) = self.track() {
            track.stop();
        }
    }
}

/// Whether echo, noise and level are evened out before the voice is sent; the person may switch it off.
pub(crate) fn cleans_voice() -> bool {
    storage::get("clean-voice").as_deref() != Some("off")
}

/// What was said to the microphone so far, without asking; `on_change` hears of later changes.
pub(crate) async fn permission(on_change: impl Fn(State) + 'static) -> State {
    let Ok(permissions) = window().navigator().permissions() else { return State::Prompt };
    let query = Object::new();
    // Setting a member of a fresh object cannot fail.
    let _ = Reflect::set(&query, &"name".into(), &"microphone".into());
    let Ok(asked) = permissions.query(&query) else { return State::Prompt };
    let Ok(status) = JsFuture::from(asked).await else { return State::Prompt };
    let status: PermissionStatus = status.unchecked_into();
    let now = state(&status);
    let watched = status.clone();
    let changed = Closure::<dyn FnMut()>::new(move || on_change(state(&watched)));
    status.set_onchange(changed.as_ref().dyn_ref());
    // Both live as long as the page.
    changed.forget();
    std::mem::forget(status);
    now
}

fn state(status: &PermissionStatus) -> State {
    match status.state() {
        PermissionState::Granted => State::Granted,
        PermissionState::Denied => State::Denied,
        _ => State::Prompt,
    }
}

/// Measures how loud a microphone is.
pub(crate) struct Meter {
    _microphone: Microphone,
    _source: MediaStreamAudioSourceNode,
    analyser: AnalyserNode,
    samples: Vec<f32>,
}

impl Meter {
    /// Begins to measure.
    pub(crate) fn new(audio: &AudioContext, microphone: Microphone) -> Option<Self> {
        let source = audio.create_media_stream_source(&microphone.stream).ok()?;
        let analyser = audio.create_analyser().ok()?;
        analyser.set_fft_size(1_024);
        source.connect_with_audio_node(&analyser).ok()?;
        Some(Self { _microphone: microphone, _source: source, analyser, samples: vec![0.0; 1_024] })
    }

    /// The level now, from 0 to 100, in decibels between -60 and 0.
    pub(crate) fn level(&mut self) -> u8 {
        self.analyser.get_float_time_domain_data(&mut self.samples);
        let power: f32 = self.samples.iter().map(|sample| sample * sample).sum::<f32>();
        let decibels = 10.0 * js_sys::Math::log10(f64::from(power / 1_024.0).max(1e-9));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=100")]
        let level = ((decibels + 60.0) / 60.0 * 100.0).clamp(0.0, 100.0) as u8;
        level
    }
}
