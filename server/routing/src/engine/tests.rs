//! The engine through its public face: inputs in, outputs out, time as an argument.

mod callbacks;
mod door;
mod facts;
mod floor;
mod generated;
mod matrix;
mod scripted;
mod simulate;
mod strategies;
mod waiting;
