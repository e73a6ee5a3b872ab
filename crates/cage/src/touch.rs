//! Bytes of a cage that are fetched when they are first touched.
//!
//! In: a stretch of a cage in pieces of 32 KiB, and who knows their bytes. Out: a thread that touches a piece waits until it is there.
//!
//! The kernel tells of the touch (`userfaultfd`, faults of user mode alone); one thread of the process, started when first needed,
//! fetches the piece and lays it there. Where the system has no such thing, `is_there` says so and heaps are loaded whole.
//!
//! Invariants
//! - a piece is fetched once, whole, before any byte of it is read or written; what is given back afterwards, or was declared
//!   empty, reads as zero;
//! - nobody waits for ever: a piece that cannot be fetched is zeros, and `failed` says why (any bytes in a cage do no harm);
//! - the thread that fetches touches no cage but through the kernel, and ends with the process alone.
//!
//! Must never know: what the bytes are, where they come from.
use crate::mem::{Cage, PAGE};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::ioctl::{Opcode, Updater, ioctl, opcode};
use rustix::mm::{UserfaultfdFlags, userfaultfd};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::{fmt, io};

/// Bytes of a piece.
pub const PIECE: usize = 32 << 10;

/// Fills the bytes of a piece, named by its number, or says why it cannot.
pub type Fetch = Box<dyn Fn(usize, &mut [u8]) -> Result<(), String> + Send + Sync>;

/// What is still to be fetched of one cage.
pub struct Absent {
    /// Address of the first piece.
    start: usize,
    /// Its offset in the cage.
    off: u32,
    /// Pieces that were not touched.
    absent: Vec<AtomicBool>,
    left: AtomicUsize,
    fetch: Fetch,
    failed: Mutex<Option<String>>,
}

impl fmt::Debug for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Absent({} of {} pieces)", self.left(), self.absent.len())
    }
}

impl Absent {
    /// Pieces that were not fetched yet.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    /// Why a piece could not be fetched: what was done with this cage since is worth nothing.
    pub fn failed(&self) -> Option<String> {
        lock(&self.failed).clone()
    }

    /// Whole pieces within these bytes of the cage read as zero from now on.
    pub fn forget(&self, off: u32, len: u32) {
        let from = (off.saturating_sub(self.off) as usize).div_ceil(PIECE);
        let to = (off as u64 + len as u64).saturating_sub(self.off as u64) as usize / PIECE;
        (from..to.min(self.absent.len())).for_each(|i| self.there(i));
    }

    fn there(&self, piece: usize) {
        if self.absent[piece].swap(false, Ordering::AcqRel) {
            self.left.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The bytes of a piece, or zeros.
    fn bytes(&self, piece: usize, to: &mut [u8]) {
        let done = catch_unwind(AssertUnwindSafe(|| (self.fetch)(piece, to)));
        if let Err(why) = done.unwrap_or_else(|_| Err("a panic while it was fetched".to_owned())) {
            to.fill(0);
            lock(&self.failed).get_or_insert(why);
        }
    }
}

fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(|e| e.into_inner())
}

/// The process's connection to the kernel, and the stretches by their first address.
struct Touches {
    fd: OwnedFd,
    all: Mutex<BTreeMap<usize, Arc<Absent>>>,
}

static TOUCHES: OnceLock<Option<Touches>> = OnceLock::new();

/// Can bytes be fetched when they are touched, on this system?
pub fn is_there() -> bool {
    touches().is_some()
}

fn touches() -> Option<&'static Touches> {
    let there = TOUCHES.get_or_init(|| {
        let fd = connect().ok()?;
        Some(Touches { fd, all: Mutex::default() })
    });
    let touches = there.as_ref()?;
    static STARTED: OnceLock<bool> = OnceLock::new();
    let serve = || serve(touches);
    let start = || std::thread::Builder::new().name("fetch".to_owned()).spawn(serve).is_ok();
    STARTED.get_or_init(start).then_some(touches)
}

// ---- the kernel's words (linux/userfaultfd.h) ----

const UFFD: u8 = 0xAA;
const USER_MODE_ONLY: u32 = 1;
const MODE_MISSING: u64 = 1;
const EVENT_PAGEFAULT: u8 = 0x12;
const MESSAGE: usize = 32;
/// Where in a message the address stands.
const ADDRESS_AT: usize = 16;

#[repr(C)]
struct Api {
    api: u64,
    features: u64,
    ioctls: u64,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Range {
    start: u64,
    len: u64,
}

#[repr(C)]
struct Register {
    range: Range,
    mode: u64,
    ioctls: u64,
}

#[repr(C)]
struct Copy {
    to: u64,
    from: u64,
    len: u64,
    mode: u64,
    copied: i64,
}

#[repr(C)]
struct Zero {
    range: Range,
    mode: u64,
    zeroed: i64,
}

const API: Opcode = opcode::read_write::<Api>(UFFD, 0x3F);
const REGISTER: Opcode = opcode::read_write::<Register>(UFFD, 0);
const WAKE: Opcode = opcode::read::<Range>(UFFD, 2);
const COPY: Opcode = opcode::read_write::<Copy>(UFFD, 3);
const ZERO: Opcode = opcode::read_write::<Zero>(UFFD, 4);
const _: () = assert!(size_of::<Register>() == 32 && size_of::<Copy>() == 40 && size_of::<Zero>() == 32);

fn connect() -> io::Result<OwnedFd> {
    let flags = UserfaultfdFlags::CLOEXEC | UserfaultfdFlags::from_bits_retain(USER_MODE_ONLY);
    // SAFETY: the descriptor is kept here, and used only for stretches of cages, whose bytes may be any.
    let fd = unsafe { userfaultfd(flags)? };
    let mut api = Api { api: UFFD as u64, features: 0, ioctls: 0 };
    // SAFETY: the opcode's argument is such a structure, which lives until the call ends.
    unsafe { ioctl(&fd, Updater::<API, Api>::new(&mut api))? };
    Ok(fd)
}

impl Touches {
    fn register(&self, start: usize, len: usize) -> io::Result<()> {
        let range = Range { start: start as u64, len: len as u64 };
        let mut ask = Register { range, mode: MODE_MISSING, ioctls: 0 };
        // SAFETY: the range is of whole pages of one cage's reservation (checked by who calls), whose pages are plain data; from now on
        // a touch of a missing page waits for the thread below, which answers each.
        unsafe { ioctl(&self.fd, Updater::<REGISTER, Register>::new(&mut ask))? };
        Ok(())
    }

    /// Lays `bytes` at missing pages from `to` on; how many pages it was stopped after, with what.
    fn copy(&self, to: usize, bytes: &[u8]) -> Result<(), (usize, Errno)> {
        let mut ask = Copy { to: to as u64, from: bytes.as_ptr() as u64, len: bytes.len() as u64, mode: 0, copied: 0 };
        // SAFETY: the kernel reads `bytes`, which live until the call ends, and fills pages that are registered and missing; it refuses all others.
        let done = unsafe { ioctl(&self.fd, Updater::<COPY, Copy>::new(&mut ask)) };
        done.map_err(|e| (usize::try_from(ask.copied).unwrap_or(0) / PAGE, e))
    }

    fn zero(&self, page: usize) {
        let mut ask = Zero { range: Range { start: page as u64, len: PAGE as u64 }, mode: 0, zeroed: 0 };
        // SAFETY: fills one registered and missing page with zeros; the kernel refuses all others.
        let done = unsafe { ioctl(&self.fd, Updater::<ZERO, Zero>::new(&mut ask)) };
        if done.is_err() {
            self.wake(page, PAGE);
        }
    }

    fn wake(&self, start: usize, len: usize) {
        let mut ask = Range { start: start as u64, len: len as u64 };
        // SAFETY: wakes who waits for these pages; no memory is changed.
        let _ = unsafe { ioctl(&self.fd, Updater::<WAKE, Range>::new(&mut ask)) };
    }

    /// A page was touched that is not there.
    fn touched(&self, address: usize, buffer: &mut [u8]) {
        let page = address / PAGE * PAGE;
        let found = lock(&self.all).range(..=address).next_back().map(|e| e.1.clone());
        let Some(absent) = found else { return self.wake(page, PAGE) };
        let piece = (address - absent.start) / PIECE;
        if !absent.absent.get(piece).is_some_and(|a| a.load(Ordering::Acquire)) {
            return self.zero(page);
        }
        absent.bytes(piece, buffer);
        // before who waits for it goes on; the next touch is answered after this one
        absent.there(piece);
        let start = absent.start + piece * PIECE;
        let mut at = 0;
        // a change of the process's mappings interrupts it; a page that is there already stays
        while let Err((pages, e)) = self.copy(start + at, &buffer[at..]) {
            at += pages * PAGE;
            match e {
                Errno::AGAIN | Errno::INTR => {}
                Errno::EXIST => at += PAGE,
                // the cage is gone
                _ => break,
            }
            if at >= PIECE {
                break;
            }
        }
        self.wake(start, PIECE);
    }
}

/// Answers touches until the process ends.
fn serve(touches: &Touches) {
    let mut buffer = vec![0; PIECE];
    let mut message = [0; MESSAGE];
    loop {
        match rustix::io::read(&touches.fd, &mut message) {
            Ok(MESSAGE) if message[0] == EVENT_PAGEFAULT => {
                let mut word = [0; 8];
                word.copy_from_slice(&message[ADDRESS_AT..ADDRESS_AT + 8]);
                touches.touched(u64::from_le_bytes(word) as usize, &mut buffer);
            }
            // no other event was asked for; an interrupted call is made again
            _ => std::thread::yield_now(),
        }
    }
}

impl Cage {
    /// From now on `pieces` of them from `off` on, pages that were never touched, are fetched when they are. `&mut self`: once a cage.
    pub fn fetch_at_touch(&mut self, off: u32, pieces: &[bool], fetch: Fetch) -> io::Result<()> {
        let touches = touches().ok_or(io::ErrorKind::Unsupported)?;
        assert!(self.absent.is_none(), "one stretch a cage");
        let start = self.address(off, pieces.len() * PIECE);
        let absent = pieces.iter().map(|p| AtomicBool::new(*p)).collect();
        let left = AtomicUsize::new(pieces.iter().filter(|p| **p).count());
        let absent = Arc::new(Absent { start, off, absent, left, fetch, failed: Mutex::default() });
        touches.register(start, pieces.len() * PIECE)?;
        lock(&touches.all).insert(start, absent.clone());
        self.absent = Some(absent);
        Ok(())
    }
}

/// The cage is about to be given back.
pub(crate) fn ended(absent: &Absent) {
    if let Some(touches) = touches() {
        lock(&touches.all).remove(&absent.start);
    }
}
