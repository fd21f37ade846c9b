//! The web panel of Cordboard: a client-side Leptos program.
//!
//! It shows the model of the library beside it and carries out the model's effects. On any target but the browser it
//! is empty: the model is what is tested natively.
#![cfg_attr(
    target_arch = "wasm32",
    expect(unreachable_pub, reason = "the component macro writes `pub`, whatever it is asked for")
)]

#[cfg(target_arch = "wasm32")]
mod api;
#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod availability;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod calls;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod device;
#[cfg(target_arch = "wasm32")]
mod live;
#[cfg(target_arch = "wasm32")]
mod pages;
#[cfg(target_arch = "wasm32")]
mod panel;
#[cfg(target_arch = "wasm32")]
mod shortcuts;
#[cfg(target_arch = "wasm32")]
mod telephone;

fn main() {
    #[cfg(target_arch = "wasm32")]
    app::start();
}
