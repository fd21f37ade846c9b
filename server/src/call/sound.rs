//! What callers hear from us.

use std::fmt;
use std::sync::Arc;

use cordboard_media::Clip;

/// Finds a prompt: by language, and its name, the id of a file of the library, or `tts:<text>`. Reads no disk.
pub type Prompts = Arc<dyn Fn(&str, &str) -> Option<Arc<Clip>> + Send + Sync>;

/// Prompts and tones.
#[derive(Clone)]
pub struct Sounds {
    /// What is said; falls back to English.
    pub prompt: Prompts,
    /// Before a voicemail message.
    pub beep: Arc<Clip>,
    /// While a phone rings and the call is already answered.
    pub ringback: Arc<Clip>,
    /// While the caller waits.
    pub music: Arc<Clip>,
}

impl fmt::Debug for Sounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sounds")
    }
}

impl Sounds {
    /// The tones as generated, with prompts from `prompt`.
    pub fn new(prompt: impl Fn(&str, &str) -> Option<Arc<Clip>> + Send + Sync + 'static) -> Self {
        Self {
            prompt: Arc::new(prompt),
            beep: Arc::new(cordboard_media::tone::beep()),
            ringback: Arc::new(cordboard_media::tone::ringback(cordboard_media::tone::Ringback::Uk)),
            music: Arc::new(cordboard_media::tone::hold_music()),
        }
    }
}
