//! Model.
fn main() {}
