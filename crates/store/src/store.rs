//! What every store does.
//!
//! All methods take `&self`: one thread appends while another syncs. Calls to `append` are put in one order; the numbers say which.

use crate::batch::Batch;
use crate::disk::Disk;
use crate::error::Result;
use crate::superblock::EpochRecord;

/// A key and its value.
pub type Row = (Vec<u8>, Vec<u8>);

/// Figures of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub epoch: u64,
    /// The number of the last batch appended, and of the last that is durable.
    pub appended: u64,
    pub durable: u64,
    pub rows: u64,
    pub spaces: u64,
    /// Frames on disk that are not merged, and their bytes.
    pub log_frames: u64,
    pub log_bytes: u64,
    /// Segments of the log in use, and those ready to be used.
    pub segments: u64,
    pub free_segments: u64,
    /// Extents that hold something, and the places for them in the file.
    pub extents: u64,
    pub slots: u64,
    pub meta_bytes: u64,
    /// How often the log was merged, in the store's life.
    pub generation: u64,
}

/// Atomic durable batches over rows and spaces.
pub trait Store: Send + Sync {
    fn identity(&self) -> [u8; 32];

    /// One record for each opening, this one last.
    fn epochs(&self) -> Vec<EpochRecord>;

    /// Make sure that `bytes` more of batches (`Batch::log_bytes`) can be appended and synced. An error changes nothing.
    fn reserve(&self, bytes: u64) -> Result<()>;

    /// Apply a batch. Reads see it at once; it is durable when `sync` has returned its number or a higher one.
    fn append(&self, batch: &Batch) -> Result<u64>;

    /// Make what was appended before this call durable. Returns the number up to which all batches are.
    fn sync(&self) -> Result<u64>;

    /// The last batch appended, and the last one that is durable; without waiting.
    fn position(&self) -> (u64, u64);

    fn get(&self, table: u8, key: &[u8]) -> Option<Vec<u8>>;

    /// Rows of `table` from `from` on and below `until`, in the order of their keys, at most `limit`.
    fn scan(&self, table: u8, from: &[u8], until: Option<&[u8]>, limit: usize) -> Vec<Row>;

    /// Rows whose key begins with `prefix`.
    fn scan_prefix(&self, table: u8, prefix: &[u8], limit: usize) -> Vec<Row> {
        self.scan(table, prefix, after_prefix(prefix).as_deref(), limit)
    }

    /// Fill `buffer` with what the space has from `offset` on: zero where nothing was written, where it ends, and where it is not there.
    fn read(&self, space: u64, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// The length of a space: as far as it was written, or what it was resized to. `None` if it is not there.
    fn length(&self, space: u64) -> Option<u64>;

    /// All spaces, sorted.
    fn spaces(&self) -> Vec<u64>;

    fn stats(&self) -> Stats;

    /// Move what is durable from the log to where it stays; turns go on meanwhile. `false` if there was nothing to move.
    fn merge_step(&self) -> Result<bool>;

    /// Read everything and report what cannot be read.
    fn check(&self) -> Result<crate::Checked>;

    /// Write a store with the state of now to an empty folder. The store may be used meanwhile.
    fn backup(&self, to: &dyn Disk) -> Result<()>;

    /// Make all durable and say that nothing more is coming, so that damage to the last frame would be noticed. For idle times.
    fn seal(&self) -> Result<()>;

    /// `seal`, and let go of the files.
    fn close(self: Box<Self>) -> Result<()>;
}

/// The first key that is above all keys with this prefix; `None` if there is none.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut after = prefix[..=last].to_vec();
    after[last] += 1;
    Some(after)
}
