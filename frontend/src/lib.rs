//! The pure model of the web panel: plain state, inputs and effects, without a browser and without a clock.
//!
//! The program beside it (`main.rs`) shows this model and carries out its effects. Everything here runs and is
//! tested natively.

pub mod decode;
pub mod model;
