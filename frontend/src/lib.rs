//! The web panel of Cordboard: a client-side Leptos program over one pure model.
//!
//! The model is plain state, inputs and effects, without a browser and without a clock; it runs and is tested
//! natively. The views show it and carry out its effects: the *desk* for those who take calls, *manage* for those who
//! look after people and routing. What the desk does not need at once comes later, in files of its own, so that nobody
//! who takes calls waits for pages of admins.
#![cfg_attr(
    target_arch = "wasm32",
    expect(unreachable_pub, reason = "the component macro writes `pub`, whatever it is asked for")
)]

pub mod decode;
pub mod model;

#[cfg(target_arch = "wasm32")]
mod api;
#[cfg(target_arch = "wasm32")]
mod availability;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod callbacks;
#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(target_arch = "wasm32")]
pub mod chunk;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod desk;
#[cfg(target_arch = "wasm32")]
mod device;
#[cfg(target_arch = "wasm32")]
mod emergencies;
#[cfg(target_arch = "wasm32")]
mod live;
#[cfg(target_arch = "wasm32")]
mod manage;
#[cfg(target_arch = "wasm32")]
mod pages;
#[cfg(target_arch = "wasm32")]
mod panel;
#[cfg(target_arch = "wasm32")]
pub mod parts;
#[cfg(target_arch = "wasm32")]
mod shortcuts;
#[cfg(target_arch = "wasm32")]
mod start;
#[cfg(target_arch = "wasm32")]
mod telephone;

#[cfg(target_arch = "wasm32")]
pub use start::start;
