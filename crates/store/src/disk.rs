//! What a store needs of a disk, and nothing more: named files in one folder.
//!
//! Every effect of `FileStore` goes through these two traits, so a test can be the disk. Invariants that an implementation keeps: a write
//! is visible to reads at once; it is durable when `sync` of that file has returned well; creating, renaming and removing are durable
//! when `sync_dir` has. Names are plain (no folders). Bytes that were never written read as zero.

mod real;
mod record;
mod sim;

use std::io;
use std::sync::Arc;

pub use real::{Counts, RealDisk};
pub use record::{RecordingDisk, event_bytes, replay};
pub use sim::{Crash, Misdirect, Random, SimDisk};

/// The unit in which a disk is assumed to write whole or not at all.
pub const SECTOR_BYTES: usize = 512;

/// A folder of files.
pub trait Disk: Send + Sync {
    /// An existing file, to read and write.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// A file that is empty now.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Give a file another name, replacing what had it.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    fn remove(&self, name: &str) -> io::Result<()>;
    /// All names, sorted. A folder that is not there has none.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Make names durable.
    fn sync_dir(&self) -> io::Result<()>;
}

/// One open file. Places are given with each call; there is no cursor.
pub trait DiskFile: Send + Sync {
    fn length(&self) -> io::Result<u64>;
    /// Fill `buffer` from `offset`; fewer bytes only at the end of the file.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Write all of it; the file grows if it must.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Make the bytes and the length durable.
    fn sync(&self) -> io::Result<()>;
    /// Take the advisory lock; `false` if another handle has it. It goes with the handle.
    fn try_lock(&self) -> io::Result<bool>;
}
