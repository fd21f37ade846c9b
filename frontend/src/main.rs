//! The desk: the program of those who take calls.

fn main() {
    #[cfg(target_arch = "wasm32")]
    cordboard_frontend::desk::start();
}
