//! The audio core of Cordboard: browser peers, phone legs, who hears whom, players and recorders.
//!
//! Nothing here opens a socket, reads a clock or a file, or starts a thread. Datagrams, commands and the time go in
//! through [`MediaCore::handle_input`]; datagrams to send, events and the next deadline come out of
//! [`MediaCore::poll_output`]. The shell in the server owns sockets and files.

pub mod clip;
pub mod codec;
pub mod command;
mod conceal;
pub mod core;
mod decode;
mod demux;
pub mod dtls;
pub mod dtmf;
pub mod event;
pub mod goertzel;
mod inband;
mod jitter;
mod leg;
mod opus;
pub mod packet;
mod peer;
mod receive;
mod recorder;
mod reports;
mod rtcp;
mod source_lock;
pub mod srtp;
mod stream;
mod table;
mod timer;
pub mod tone;
mod transcode;
mod watch;

pub use clip::{Clip, ClipError};
pub use codec::{Codec, G711};
pub use command::{Command, Flow, PlayId, RtcpTo, RtpParams, Security, Side, Source};
pub use cordboard_shared::id::{LegId, RecordingId};
pub use core::{BrowserCodecs, CoreConfig, CoreError, Input, MediaCore};
pub use event::{AudioStats, AudioVerdict, Event, Output, RecordEnd};

/// Samples per second of everything here: G.711 and the telephone network know no other rate, and Opus is run at it.
pub const SAMPLE_RATE: u32 = 8_000;

/// Samples in one paced frame of 20 ms.
pub const FRAME_SAMPLES: usize = 160;
