//! The panel: the desk of those who take calls, and management.

#[cfg(target_arch = "wasm32")]
mod split;

fn main() {
    #[cfg(target_arch = "wasm32")]
    cordboard_frontend::start(split::source);
}
