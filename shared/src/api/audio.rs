//! The audio library over HTTP.
//!
//! `POST /core/audio?name=…` takes the file itself as its body (mp3, wav, ogg; what it is, is told from its content). The
//! answer is 202 with an [`AudioJob`], to be asked for again at `GET /core/audio/jobs/{id}` until it is no longer running.
//! A file is kept as 8 kHz mono WAV and is used as `audio:<id>`.

use serde::{Deserialize, Serialize};

use crate::agent::Actor;
use crate::id::{AudioId, AudioJobId};
use crate::time::Millis;

/// Largest upload, in bytes.
pub const MOST_BYTES: u64 = 10 * 1_048_576;
/// Longest file, in milliseconds.
pub const MOST_MS: u32 = 300_000;
/// Longest text that is spoken, in characters.
pub const MOST_CHARACTERS: usize = 500;

/// `GET /core/audio`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioList {
    /// Own files, by name.
    pub audio: Vec<AudioFile>,
    /// Prompts that come with the product, used as `audio:<name>`.
    pub prompts: Vec<BuiltInPrompt>,
    /// What can speak.
    pub speech: SpeechView,
}

/// A file of the library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioFile {
    /// Its id.
    pub id: AudioId,
    /// Its name for people.
    pub name: String,
    /// Length in milliseconds.
    pub ms: u32,
    /// Size as it is kept, in bytes.
    pub bytes: u64,
    /// SHA-256 of the kept file, in hexadecimal.
    pub sha256: String,
    /// Where it came from.
    pub source: AudioSource,
    /// When it was made.
    pub at: Millis,
    /// By whom.
    pub by: Actor,
    /// What uses it; it can be deleted when this is empty.
    pub used_by: Vec<AudioUse>,
}

/// Where a file came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AudioSource {
    /// Uploaded.
    Upload {
        /// What it was: `wav`, `mp3`, `ogg`.
        format: String,
    },
    /// Spoken by a machine.
    Speech {
        /// What it says.
        text: String,
        /// In which language.
        language: String,
    },
}

/// Something that uses a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioUse {
    /// What it is.
    pub kind: AudioUser,
    /// Its id, or the name of the mailbox; empty for the settings.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// What can use a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AudioUser {
    /// A published flow.
    Flow,
    /// A draft of a flow.
    Draft,
    /// A department: its music or a message of its fallback.
    Department,
    /// The greeting of a voicemail box.
    Mailbox,
    /// The announcement of recordings in the telephony settings.
    Telephony,
}

/// A prompt that comes with the product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltInPrompt {
    /// Its name.
    pub name: String,
    /// Languages it exists in.
    pub languages: Vec<String>,
    /// Length in the first of them, in milliseconds.
    pub ms: u32,
}

/// What can speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpeechView {
    /// The engine; none when there is none on the server.
    pub engine: Option<String>,
    /// Languages it speaks; empty without one.
    pub languages: Vec<String>,
}

/// Body of `POST /core/audio/speech`. The answer is 202 with an [`AudioJob`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSpeech {
    /// Its name for people, 1 to 64 characters.
    pub name: String,
    /// What is said, 1 to 500 characters.
    pub text: String,
    /// In which language, as in `en`; none is the account's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// A conversion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioJob {
    /// Its id.
    pub id: AudioJobId,
    /// How far it is.
    #[serde(flatten)]
    pub state: AudioJobState,
}

/// How far a conversion is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AudioJobState {
    /// It runs.
    Running {
        /// How much is done, 0 to 100.
        percent: u8,
    },
    /// It is in the library.
    Ready {
        /// The file.
        audio: Box<AudioFile>,
    },
    /// It could not be taken.
    Failed {
        /// Why, as a sentence.
        detail: String,
    },
}
