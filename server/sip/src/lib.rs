//! The SIP core of Cordboard: RFC 3261 from the datagram up, without a socket, a task or a clock.
//!
//! Bytes, commands and the time go into [`endpoint::Endpoint`]; bytes to send, events and the next deadline come out.
//! The crate never performs I/O, never reads the time and never logs: whoever owns the sockets does.
//!
//! ```
//! use std::net::SocketAddr;
//! use std::time::Instant;
//! use cordboard_sip::{Command, Endpoint, EndpointConfig, Event, Input, Limits, Output};
//!
//! let local: SocketAddr = "192.0.2.1:5060".parse().expect("an address");
//! let config = EndpointConfig {
//!     local: local.into(),
//!     realm: "example".to_owned(),
//!     user_agent: "example".to_owned(),
//!     limits: Limits::default(),
//! };
//! let mut endpoint = Endpoint::new(config, 1);
//!
//! let bytes = b"INVITE sip:100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n\
//!     From: <sip:a@192.0.2.9>;tag=1\r\nTo: <sip:100@192.0.2.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
//!     Contact: <sip:a@192.0.2.9>\r\n\r\n".to_vec();
//! let from = "192.0.2.9:5060".parse().expect("an address");
//! endpoint.handle_input(Instant::now(), Input::Datagram { from, bytes });
//!
//! let mut to_send = Vec::new();
//! let next_wake_up = loop {
//!     match endpoint.poll_output() {
//!         Output::Transmit { to, bytes } => to_send.push((to, bytes)),
//!         Output::Event(Event::Incoming(call)) => {
//!             let (dialog, reason) = (call.dialog, None);
//!             let busy = Command::Reject { dialog, status: 486, retry_after: None, reason };
//!             endpoint.handle_input(Instant::now(), Input::Command(busy));
//!         }
//!         Output::Event(_) | Output::Close { .. } => {}
//!         Output::Timeout(deadline) => break deadline,
//!     }
//! };
//! assert!(to_send[0].1.starts_with(b"SIP/2.0 100 Trying"));
//! assert!(to_send[1].1.starts_with(b"SIP/2.0 486 Busy Here"));
//! assert!(next_wake_up.is_some(), "the 486 is repeated until its ACK comes");
//! ```

mod dialog;
pub mod digest;
pub mod endpoint;
pub mod flow;
pub mod framer;
mod known;
mod limits;
pub mod message;
pub mod origin;
mod registrar;
mod reliable;
pub mod sdp;
mod session_timer;
mod token;
mod transaction;
mod transport;
mod trunk;

pub use endpoint::{
    Command, DialogId, Endpoint, EndpointConfig, Event, Input, Invitation, Limits, Opened, Output, Stats, TrunkId,
};
pub use flow::{FlowId, LocalAddresses, Target, Transport};
pub use origin::{Network, Origin, Secret, SipUser, TrunkPeers};
pub use registrar::Binding;
