//! The Cordboard server: the panel, the API, routing, telephony and media in one program.

pub mod app;
pub mod clock;
pub mod config;
pub mod keys;
pub mod store;
pub mod demo;
pub mod password;
pub mod rights;
pub mod telemetry;
