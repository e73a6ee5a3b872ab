#![forbid(unsafe_code)]
//! The room with files, terminals and clocks, around vats.
//!
//! In: paths, arguments, terminals. Out: what programs write, exit codes.
//!
//! Must never know: how the engine works.
pub mod bundle;
pub mod output;
mod pool;
mod powers;
pub mod repl;
pub mod run;

pub use vat::Quota;
