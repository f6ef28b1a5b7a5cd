//! Amity
fn main() {}
