#![forbid(unsafe_code)]
//! Durable turns: the commit rule as types, and the rows in which a host stands in its store.
//!
//! In: the changes that turns made, with the output that waits for them. Out: the output, once the changes are durable.
//!
//! The rule
//! 1. One delivery is one turn. What it sends exists for others only by its outcome.
//! 2. Outcomes go into batches in the order of their `TurnDone`: changed heap blocks, what was consumed, what was sent, what was
//!    resolved. A batch is atomic; messages that came and went within one leave no trace.
//! 3. Output, which is everything that leaves the process, is released only once the batch of its turn is durable: `Undurable` →
//!    `Ledger::append` → `Appended` → `Ledger::sync` → `Released`. There is no other way to a `Released`.
//! 4. After a crash the host is as after some batch, at least the last one that was reported durable.
//! 5. A failed write or sync ends the process: nothing is tried again.
//!
//! Must never know: engines, threads, sockets, clocks.
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod ledger;
pub mod rows;

pub use ledger::{Appended, Ledger, Released, Undurable};
pub use passable::codec;
