//! What a host keeps of a vat beside the node.
//!
//! In: turns of the vat. Out: where it is, and what operators and the clock ask of it.
use passable::Limits;
use vat::Vat;

/// Where a vat is while no turn of it runs.
pub(crate) struct Slot {
    pub(crate) vat: Option<Box<Vat>>,
    pub(crate) limits: Limits,
    /// It may stand in the store.
    pub(crate) stored: bool,
    /// The number of the batch that its last changes go with.
    pub(crate) batch: u64,
    /// The tick of its last turn since it was asked to collect; 0: there was none.
    pub(crate) ran: u64,
    /// Counts turns of all vats: which one ran longest ago.
    pub(crate) last: u64,
    /// Bytes of its heap after its last turn: for operators.
    pub(crate) heap_bytes: u64,
    /// The operator was told that it is nearly full.
    pub(crate) warned: bool,
    /// Its next delivery was begun by a process that did not end well: the attempt is counted before it runs.
    pub(crate) suspect: bool,
    /// The attempt that runs is counted.
    pub(crate) counted: bool,
}

impl Slot {
    pub(crate) fn new(limits: Limits) -> Slot {
        Slot {
            vat: None,
            limits,
            stored: false,
            batch: 0,
            ran: 0,
            last: 0,
            heap_bytes: 0,
            warned: false,
            suspect: false,
            counted: false,
        }
    }
}
