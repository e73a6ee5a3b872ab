//! One heap: 4 GiB of address space reached by 32-bit offsets, which is also its own disk format.
//!
//! In: plain words, offsets and a table of kinds (how big an object is, which of its words are values).
//! Out: allocation, collection, the write barrier, undo, deltas and images.
//!
//! Invariants
//! - this is the only crate with `unsafe`, and of it only `mem`, `touch` and `code`; all else is safe code over `Mem`;
//! - no offset, however corrupt, leaves its cage; no bit pattern in a cage is invalid;
//! - what lies below `layout::OLD` is volatile and never stored.
//!
//! Two backings with one API: `mem`, `touch` and `code` map memory; `mem_safe`, `touch_safe` and `code_safe` take no `unsafe` (feature
//! `safe-backing`, Miri, systems other than Linux).
//!
//! Must never know: JavaScript, files, clocks.
#[cfg(all(target_os = "linux", not(miri), not(feature = "safe-backing")))]
pub mod code;
#[cfg(not(all(target_os = "linux", not(miri), not(feature = "safe-backing"))))]
#[path = "code_safe.rs"]
pub mod code;
pub mod heap;
pub mod layout;
#[cfg(all(target_os = "linux", not(miri), not(feature = "safe-backing")))]
pub mod mem;
#[cfg(not(all(target_os = "linux", not(miri), not(feature = "safe-backing"))))]
#[path = "mem_safe.rs"]
pub mod mem;
#[cfg(all(target_os = "linux", not(miri), not(feature = "safe-backing")))]
pub mod touch;
#[cfg(not(all(target_os = "linux", not(miri), not(feature = "safe-backing"))))]
#[path = "touch_safe.rs"]
pub mod touch;
pub mod value;

/// The crate's README; its program is a test.
#[doc = include_str!("../README.md")]
#[cfg(doctest)]
pub struct Readme;

pub use code::{Code, CodeSpace};
pub use heap::{Base, DeltaStats, Fault, Heap, HeapFull, ImageError, Limits, Stats, TurnEnd, apply_delta};
pub use heap::{image_len, image_patches};
pub use mem::{BaseImage, Cage, Mem, Win};
