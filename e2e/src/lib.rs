//! Journeys through the real thing: a started server, real browsers, real telephones and workerd.
//!
//! This crate uses the product as its users do (HTTP, SIP, a browser) and imports nothing of the server. What a
//! journey needs lives here; the journeys themselves are in `tests/`, one file each.

pub mod api;
pub mod browser;
pub mod desk;
pub mod edge;
pub mod journey;
pub mod linear;
pub mod log;
pub mod office;
pub mod panel;
pub mod phone;
pub mod port;
pub mod process;
pub mod proxy;
pub mod soak;
pub mod sound;
pub mod stack;
pub mod telephony;
pub mod tone;
pub mod tools;
pub mod wait;
pub mod webhook;

pub use journey::Journey;
