//! The Cordboard server: the panel, the API, routing, telephony and media in one program.

pub mod app;
pub mod audio;
pub mod call;
pub mod clock;
pub mod config;
pub mod demo;
pub mod directory;
pub mod edge_push;
pub mod hex;
pub mod http;
pub mod jobs;
pub mod keys;
pub mod net;
pub mod password;
pub mod prompts;
pub mod rights;
pub mod run;
pub mod store;
pub mod telemetry;

pub use run::{Running, run, start};
