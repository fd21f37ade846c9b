//! Tells Cargo that a new migration file changes the program.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
