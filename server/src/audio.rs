//! The audio library: what people upload or let be spoken, kept once as the telephone carries it, 8 kHz mono.
//!
//! Files are decoded in a blocking task of their own, bounded in size, length and time. What calls may play is held in
//! memory, bounded too, and looked up without a disk.

mod convert;
mod library;
mod speech;
mod uses;

pub use convert::{ConvertError, Converted, convert};
pub use library::{AudioError, Library, shown};
pub use speech::{EspeakNg, SpeechEngine, SpeechError};
pub use uses::{is_named, of_flow, sounds_of};
