//! Wiring: performs what the call core asks for, and owns the account's task.

mod directory;
mod handle;

pub use directory::Directory;
pub use handle::{AppHandle, Attached, Counts, LiveEvent, PresenceEvent, PresenceWrite, SocketId};
