#![forbid(unsafe_code)]
//! Trees in, effects on a cage out: compiler, machine, realm, builtins, promises and local sends, harden, meter.
//!
//! Must never know: vats, input and output, clocks, randomness.
pub use {cage, syntax};

pub mod array;
pub mod aside;
pub mod bigint;
pub mod builtins;
pub mod code;
pub mod compartment;
pub mod compile;
pub mod convert;
pub mod cx;
mod elsewhere;
pub mod engine;
mod faults;
pub mod function;
pub mod harden;
mod intern;
pub mod interp;
pub mod kinds;
pub mod machine;
mod met;
pub mod module;
pub mod number;
pub mod object;
pub mod pass;
pub mod promise;
pub mod realm;
pub mod relocate;
pub mod roots;
pub mod send;
pub mod shape;
mod source;
pub mod string;
pub mod table;
pub mod trace;
