#![forbid(unsafe_code)]
#![deny(clippy::print_stderr, clippy::print_stdout)]
//! The room with files, terminals and clocks, around vats.
//!
//! In: paths, arguments, terminals. Out: what programs write, exit codes.
//!
//! Must never know: how the engine works.
mod awake;
mod begin;
pub mod bundle;
mod clock;
mod commit;
mod control;
pub mod embed;
mod files;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod json;
pub mod net;
pub mod operate;
pub mod output;
mod pool;
mod powers;
pub mod remote;
pub mod repl;
pub mod run;
mod seat;
mod short;
mod signals;
mod slot;
pub mod state;
pub mod storage;
pub mod traces;
mod vital;
mod wake;

pub use vat::{Quota, can_wake_at_touch};
