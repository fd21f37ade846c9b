//! The desk: the program of those who take calls.

#[cfg(target_arch = "wasm32")]
mod split;

fn main() {
    #[cfg(target_arch = "wasm32")]
    cordboard_frontend::desk::start(split::source);
}
