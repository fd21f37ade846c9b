//! Who answers next, and why not the others.
//!
//! The engine is pure and deterministic: commands and the time go in, offers, withdrawals and ledger
//! entries come out. It knows no socket, no clock, no database and no thread, and it also runs in the
//! browser.
//!
//! ```text
//! handle_input(now, Input) ──► poll_output() … until Output::Timeout(next deadline)
//! ```

mod agent;
mod command;
mod durable;
mod engine;
mod event;
mod ledger;
mod line;
mod matrix;
mod offer;
mod strategy;

pub use agent::{Agent, DeviceId, DeviceKind, Load};
pub use command::{Arrival, Elapsed, EngineError, Input, Output, Target};
pub use durable::{Bound, Durable};
pub use engine::Engine;
pub use event::{Callback, Event, Place};
pub use line::{Exhausted, RING_SECONDS_DIRECT};
pub use matrix::{Column, Letter, Matrix, Row};
