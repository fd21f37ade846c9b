//! The endpoint on a virtual network: two of them, or one and a scripted peer, on a clock that is an argument.

#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod bare;
mod bridge;
mod challenge;
mod change;
mod checks;
mod hostile;
mod in_dialog;
mod large;
mod loss;
mod messages;
mod peer;
mod progress;
mod register;
mod screen;
mod sim;
mod streams;
mod timers;
mod torture;
mod transfer;
mod trunk;
mod uac;
mod uas;
