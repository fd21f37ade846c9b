//! The SIP core of Cordboard: RFC 3261 from the datagram up, without a socket, a task or a clock.
//!
//! Bytes, commands and the time go into [`endpoint::Endpoint`]; bytes to send, events and the next deadline come out.
//! The crate never performs I/O, never reads the time and never logs: whoever owns the sockets does.

mod dialog;
pub mod endpoint;
pub mod flow;
pub mod message;
pub mod sdp;
mod token;
mod transaction;

pub use endpoint::{Command, DialogId, Endpoint, EndpointConfig, Event, Input, Limits, Output, Stats};
