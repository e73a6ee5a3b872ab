#![forbid(unsafe_code)]
//! Tools.
fn main() {}
