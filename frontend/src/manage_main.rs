//! The management pages: the program of those who look after people and routing.

fn main() {
    #[cfg(target_arch = "wasm32")]
    cordboard_frontend::manage::start();
}
