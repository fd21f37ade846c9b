//! Whether this browser can ring, as the server is told, and the check that makes it so.

use std::cell::RefCell;

use crate::model::softphone::Input;
use cordboard_shared::event::{ClientMessage, DeviceState, Microphone as MicrophoneState, PageAudio};
use gloo_timers::callback::{Interval, Timeout};
use leptos::prelude::*;
use wasm_bindgen_futures::spawn_local;

use crate::browser::microphone::{Meter, Microphone};
use crate::browser::{leader, microphone, page, peer};
use crate::panel::Panel;
use crate::telephone;

/// How long the level is shown after a press, in milliseconds.
const METER_MS: u32 = 12_000;
/// Time between two measurements, in milliseconds.
const METER_STEP_MS: u32 = 80;

/// What is known about this browser as a telephone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Device {
    pub(crate) state: DeviceState,
    /// Whether the person has checked it since the page was loaded.
    pub(crate) checked: bool,
    /// Name of the microphone.
    pub(crate) label: String,
    /// What went wrong with the last press.
    pub(crate) problem: Option<String>,
    /// Level of the microphone while it is measured, from 0 to 100.
    pub(crate) level: Option<u8>,
}

impl Device {
    /// As the server is told.
    pub(crate) fn state(&self) -> DeviceState {
        self.state.clone()
    }
}

/// Begins to follow the device; once per page.
pub(crate) fn watch(panel: Panel) {
    let shells = panel.shells();
    let ringer = &shells.telephone.ringer;
    change(panel, |device| device.state.visible = page::is_visible());
    page::on_visibility(move || change(panel, |device| device.state.visible = page::is_visible()));
    leader::lead(move || {
        change(panel, |device| device.state.leader = true);
        telephone::feed(panel, Input::LeaderChanged(true));
    });
    ringer.on_change(move || audio_changed(panel));
    audio_changed(panel);
    // Any press lets the page sound; nobody has to look for a button.
    page::on_press(move || {
        let shells = panel.shells();
        if panel.device.with_untracked(|device| device.state.audio == PageAudio::Blocked) {
            shells.telephone.ringer.unlock();
        }
        peer::play_on();
    });
    spawn_local(async move {
        let state = microphone::permission(move |state| set_microphone(panel, state)).await;
        set_microphone(panel, state);
    });
}

fn audio_changed(panel: Panel) {
    let runs = panel.shells().telephone.ringer.runs();
    change(panel, |device| device.state.audio = if runs { PageAudio::Running } else { PageAudio::Blocked });
}

/// Notes what the browser says about the microphone.
pub(crate) fn set_microphone(panel: Panel, state: MicrophoneState) {
    change(panel, |device| device.state.mic = state);
}

/// An open microphone is the best proof.
pub(crate) fn heard_microphone(panel: Panel, microphone: &Microphone) {
    let label = microphone.label();
    change(panel, |device| {
        device.state.mic = MicrophoneState::Granted;
        device.label = label;
        device.problem = None;
    });
}

/// Changes what is known, and tells the server when it matters to it.
fn change(panel: Panel, change: impl FnOnce(&mut Device)) {
    let before = panel.device.with_untracked(Device::state);
    panel.device.update(change);
    let after = panel.device.with_untracked(Device::state);
    if before != after {
        panel.shells().live.post(ClientMessage::Device(after));
    }
}

/// One press: sound, microphone and a test ring.
pub(crate) fn check(panel: Panel) {
    test_ring(panel);
    change(panel, |device| device.checked = true);
    test_microphone(panel);
}

/// Rings once; the press lets the page sound.
pub(crate) fn test_ring(panel: Panel) {
    let shells = panel.shells();
    shells.telephone.ringer.test();
    audio_changed(panel);
}

/// Asks for the microphone if need be, and shows its level for a while.
pub(crate) fn test_microphone(panel: Panel) {
    panel.device.update(|device| device.problem = None);
    spawn_local(async move {
        match Microphone::open().await {
            Ok(microphone) => {
                heard_microphone(panel, &microphone);
                measure(panel, microphone);
            }
            Err((state, why)) => change(panel, |device| {
                device.state.mic = state;
                device.problem = Some(why);
            }),
        }
    });
}

thread_local! {
    static METER: RefCell<Option<(Interval, Timeout)>> = const { RefCell::new(None) };
}

fn measure(panel: Panel, microphone: Microphone) {
    let Some(mut meter) = panel.shells().telephone.ringer.audio().and_then(|audio| Meter::new(&audio, microphone))
    else {
        return;
    };
    let step = Interval::new(METER_STEP_MS, move || {
        let level = meter.level();
        panel.device.update(|device| device.level = Some(level));
    });
    let end = Timeout::new(METER_MS, move || {
        METER.take();
        panel.device.update(|device| device.level = None);
    });
    METER.set(Some((step, end)));
}
