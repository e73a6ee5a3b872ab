#![forbid(unsafe_code)]
//! Atomic durable batches and loads.
//!
//! In: batches of operations on rows and spaces. Out: a number for each; what it was after any crash, as a prefix of them.
//!
//! - **rows**: ordered tables of keys and values, small, all in memory;
//! - **spaces**: sparse arrays of up to 4 GiB, patched and read in pieces, kept on disk;
//! - **batch**: operations that take effect together; numbered without holes.
//!
//! `append` makes a batch visible to reads, `sync` makes all appended ones durable with one write and one sync. What leaves the host waits
//! for that; this room does not hold it back. A prefix survives a crash: never a later batch without an earlier one, and everything that
//! `sync` reported. Opening is an **epoch**: it takes the lock, makes a record durable, and shuts out every older handle.
//!
//! `FileStore` is a redo log and copy-on-write extents over a `Disk`; `MemStore` keeps all in memory. `suite` runs over both, and over
//! whatever implements `Store` later. `docs/store-format.md` draws the bytes.
//!
//! ```
//! use std::sync::Arc;
//! use store::{Batch, FileStore, Opening, Options, Store, disk::SimDisk};
//!
//! let disk = SimDisk::new();
//! let opening = Opening { identity: [1; 32], random: [2; 32] };
//! let store = FileStore::open(Arc::new(disk.clone()), opening, Options::default())?;
//! let mut turn = Batch::new();
//! turn.write(7, 4096, b"a changed block of heap 7").put(0, b"outbox/1", b"a message");
//! store.reserve(turn.log_bytes() as u64)?;
//! let number = store.append(&turn)?;
//! assert!(store.sync()? >= number, "from here on the message may leave");
//! drop(store);
//!
//! disk.crash(store::disk::Crash { seed: 3, misdirect: store::disk::Misdirect::Never });
//! let store = FileStore::open(Arc::new(disk), opening, Options::default())?;
//! assert_eq!(store.opened().sequence, number);
//! assert_eq!(store.get(0, b"outbox/1").as_deref(), Some(&b"a message"[..]));
//! # Ok::<(), store::Error>(())
//! ```
//!
//! Must never know: JavaScript, vats, sockets, a clock, a source of randomness. Only `Background` has a thread.

mod background;
mod batch;
mod check;
mod codec;
pub mod disk;
mod error;
mod faults;
mod file;
mod frame;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod gather;
mod image;
mod live;
mod log;
mod mem;
mod merge;
mod meta;
mod open;
mod recover;
mod state;
mod store;
pub mod suite;
mod superblock;
#[cfg(test)]
mod tests;

pub use background::Background;
pub use batch::{BATCH_BYTES_MAX, Batch, KEY_BYTES_MAX, SPACE_BYTES_MAX, VALUE_BYTES_MAX};
pub use check::{Checked, Damage};
pub use error::{Error, ErrorKind, Result};
#[cfg(any(test, feature = "seeded-bugs"))]
pub use faults::Bug;
pub use file::{FileStore, Opened, Opening, Options};
pub use mem::MemStore;
pub use merge::Merged;
pub use store::{Row, Stats, Store};
pub use superblock::{EXTENT_BYTES, EpochRecord, FORMAT_VERSION};
