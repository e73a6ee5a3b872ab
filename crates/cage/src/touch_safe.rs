//! Where the system tells nobody of touches: heaps are loaded whole.
use crate::mem::Cage;
use std::io;

/// Bytes of a piece.
pub const PIECE: usize = 32 << 10;

/// Fills the bytes of a piece, named by its number, or says why it cannot.
pub type Fetch = Box<dyn Fn(usize, &mut [u8]) -> Result<(), String> + Send + Sync>;

/// What is still to be fetched of one cage: there is no such thing.
#[derive(Debug)]
pub enum Absent {}

impl Absent {
    /// Pieces that were not fetched yet.
    pub fn left(&self) -> usize {
        match *self {}
    }
    /// Why a piece could not be fetched.
    pub fn failed(&self) -> Option<String> {
        match *self {}
    }
    /// Whole pieces within these bytes of the cage read as zero from now on.
    pub fn forget(&self, _off: u32, _len: u32) {
        match *self {}
    }
}

/// Can bytes be fetched when they are touched, on this system?
pub fn is_there() -> bool {
    false
}

impl Cage {
    /// Not on this system.
    pub fn fetch_at_touch(&mut self, _off: u32, _pieces: &[bool], _fetch: Fetch) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
