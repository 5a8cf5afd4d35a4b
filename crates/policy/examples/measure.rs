//! Temporary.
#[path = "../../../benches/src/decide.rs"]
mod decide;
fn main() {
    decide::run().unwrap();
}
