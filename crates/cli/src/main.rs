#![forbid(unsafe_code)]
//! Command line.
fn main() {}
