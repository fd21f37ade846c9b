//! Whether this browser can ring, in rows a person can act on.

use cordboard_shared::event::{DeviceState, Microphone, PageAudio};

/// The word of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Works.
    Ready,
    /// Refused, or not there.
    Blocked,
    /// Nobody has tried yet.
    NotTested,
}

impl Check {
    /// The word shown.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Blocked => "Blocked",
            Self::NotTested => "Not tested",
        }
    }
}

/// The microphone's row.
pub fn microphone(state: &DeviceState) -> Check {
    match state.mic {
        Microphone::Granted => Check::Ready,
        Microphone::Prompt => Check::NotTested,
        Microphone::Denied | Microphone::None => Check::Blocked,
    }
}

/// What to do about the microphone.
pub fn microphone_help(state: &DeviceState) -> &'static str {
    match state.mic {
        Microphone::Granted => "Callers will hear this microphone.",
        Microphone::Prompt => "The browser asks once whether this page may use it. Choose Allow.",
        Microphone::Denied => {
            "The browser refuses it for this page. Press the icon left of the address, open Site settings, \
             set Microphone to Allow, then reload."
        }
        Microphone::None => "No microphone was found. Plug one in, then press Allow microphone again.",
    }
}

/// The sound's row.
pub fn sound(state: &DeviceState) -> Check {
    match state.audio {
        PageAudio::Running => Check::Ready,
        PageAudio::Blocked => Check::NotTested,
    }
}

/// What to do about the sound.
pub fn sound_help(state: &DeviceState) -> &'static str {
    match state.audio {
        PageAudio::Running => "This page may ring. Test the ring sound to hear how loud it is.",
        PageAudio::Blocked => "Browsers keep a page silent until you press something on it once.",
    }
}

/// The whole device in one word.
pub fn overall(state: &DeviceState) -> Check {
    match (microphone(state), sound(state)) {
        (Check::Ready, Check::Ready) => Check::Ready,
        (Check::Blocked, Check::Ready | Check::Blocked | Check::NotTested)
        | (Check::Ready | Check::NotTested, Check::Blocked) => Check::Blocked,
        (Check::NotTested, Check::Ready | Check::NotTested) | (Check::Ready, Check::NotTested) => Check::NotTested,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_ready_when_microphone_and_sound_both_are() {
        let state = |mic, audio| DeviceState { mic, audio, visible: true, leader: true };

        assert_eq!(overall(&state(Microphone::Granted, PageAudio::Running)), Check::Ready);
        assert_eq!(overall(&state(Microphone::Granted, PageAudio::Blocked)), Check::NotTested);
        assert_eq!(overall(&state(Microphone::Prompt, PageAudio::Running)), Check::NotTested);
        assert_eq!(overall(&state(Microphone::Denied, PageAudio::Running)), Check::Blocked);
        assert_eq!(overall(&state(Microphone::None, PageAudio::Blocked)), Check::Blocked);
    }
}
