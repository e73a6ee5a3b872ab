#![forbid(unsafe_code)]
//! Trees in, effects on a cage out: compiler, machine, realm, builtins, promises and local sends, harden, meter.
//!
//! Must never know: vats, input and output, clocks, randomness.
pub mod code;
