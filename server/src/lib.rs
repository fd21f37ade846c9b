//! The Cordboard server: the panel, the API, routing, telephony and media in one program.

pub mod app;
