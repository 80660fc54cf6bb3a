//! lab2
fn main() {}
