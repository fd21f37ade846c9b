//! Wiring: performs what the call core asks for, and owns the account's task.

mod account;
mod company;
mod facts;
mod handle;
mod journal;
mod log;
mod people;
mod policy;
mod replay;
mod seen;
mod simulate;
mod start;

pub use company::{ChangedBy, REALM, flow_findings, preview, sip_user, telephony_warnings, without_secrets};
pub use handle::{AppHandle, Attached, Counts, DialWish, FactWrite, LiveEvent, PolicyEdit, PresenceEvent, SocketId};
pub use log::read_event;
pub use people::PersonEdit;
pub use policy::findings as policy_findings;
pub use seen::Seen;
pub use start::{RunningApp, Telephony, start};

pub use crate::directory::Directory;
