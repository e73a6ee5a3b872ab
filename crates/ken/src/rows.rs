//! Where things stand in the store: tables, keys, and the spaces of heaps.
//!
//! ```text
//! table      key                                value
//! META       a name                             by name
//! VATS       vat                                name, limits, program, turns, counters (see `node`)
//! INBOX      vat | number                       a delivery with its origin
//! EXPORTS    vat | n                            who holds it
//! PROMISES   vat | n                            decider, state, holders
//! WAITING    vat | n | number                   a message that waits on the promise
//! DELAYS     vat | n of the answer              when it is due
//! OUTPUT     number                             lines that may not have been released yet
//! PROGRAMS   number                             name, modules by hash of their code, what they make
//! CODE       hash                               a code unit
//! UNITS      vat | index                        hash of a code unit of the vat
//! ATTEMPTS   vat                                number of a delivery, how often it was begun after an unclean stop
//! ERRORS     vat                                turn and text of the last error that nobody handled
//! BASES      hash of a base's image             its number, how long it is, hashes of its code units
//! VAT_BASES  vat                                hash of the base that its heap is stored over, if not META_BASE's
//! STURDYREFS keyed hash of a swissnum           the object, a number, whether the swissnum was chosen
//! SESSIONS, GIFTS, WITHDRAWALS, PEERS           durable sessions with other hosts (see `ocapn::rows`)
//! ```
//! Numbers in keys are big-endian, so that rows of one vat are together and in order. The heap of vat `v` is space `v`: its
//! image as bytes exclusive-or the base's (so that what equals the base is zero, and takes no room). The image of base number n is
//! space 2^32 + n: with it a build whose base is another one finds by name what a heap refers to (`engine::relocate`).
//!
//! Table numbers are a durable format: append-only.
use passable::{ObjectId, PromiseId, VatId};

pub const META: u8 = 1;
pub const VATS: u8 = 2;
pub const INBOX: u8 = 3;
pub const EXPORTS: u8 = 4;
pub const PROMISES: u8 = 5;
pub const WAITING: u8 = 6;
pub const DELAYS: u8 = 7;
pub const OUTPUT: u8 = 8;
pub const PROGRAMS: u8 = 9;
pub const CODE: u8 = 10;
pub const UNITS: u8 = 11;
pub const ATTEMPTS: u8 = 12;
pub const ERRORS: u8 = 13;
pub const BASES: u8 = 14;
pub const VAT_BASES: u8 = 15;
pub const STURDYREFS: u8 = 16;
pub const SESSIONS: u8 = 17;
pub const GIFTS: u8 = 18;
pub const WITHDRAWALS: u8 = 19;
pub const PEERS: u8 = 20;

/// Names in META.
pub const META_NODE: &[u8] = b"node";
pub const META_PROGRAM: &[u8] = b"program";
pub const META_BASE: &[u8] = b"base";
pub const META_CLEAN: &[u8] = b"clean";
pub const META_EXIT: &[u8] = b"exit";
pub const META_INCARNATION: &[u8] = b"incarnation";
/// The secret that swissnums are hashed with, and counters.
pub const META_NET: &[u8] = b"net";
/// What keeps the store besides a program: `repl`.
pub const META_KIND: &[u8] = b"kind";

pub fn vat(v: VatId) -> [u8; 4] {
    v.0.to_be_bytes()
}
pub fn number(n: u64) -> [u8; 8] {
    n.to_be_bytes()
}
/// `vat | n`
pub fn pair(v: VatId, n: u64) -> [u8; 12] {
    let mut k = [0; 12];
    k[..4].copy_from_slice(&vat(v));
    k[4..].copy_from_slice(&number(n));
    k
}
pub fn promise(p: PromiseId) -> [u8; 12] {
    pair(p.vat, p.n)
}
pub fn object(o: ObjectId) -> [u8; 12] {
    pair(o.vat, o.n)
}
/// `vat | n | number`
pub fn waiting(p: PromiseId, seq: u64) -> [u8; 20] {
    let mut k = [0; 20];
    k[..12].copy_from_slice(&promise(p));
    k[12..].copy_from_slice(&number(seq));
    k
}
/// The vat and number of a key made by `pair`.
pub fn read_pair(key: &[u8]) -> Option<(VatId, u64)> {
    let v = u32::from_be_bytes(key.get(..4)?.try_into().ok()?);
    let n = u64::from_be_bytes(key.get(4..12)?.try_into().ok()?);
    Some((VatId(v), n))
}
pub fn read_waiting(key: &[u8]) -> Option<(PromiseId, u64)> {
    let (vat, n) = read_pair(key)?;
    let seq = u64::from_be_bytes(key.get(12..20)?.try_into().ok()?);
    Some((PromiseId { vat, n }, seq))
}
/// The space of a base's image.
pub fn base_space(n: u64) -> u64 {
    (1 << 32) + n
}
/// The base whose image a space is.
pub fn base_of_space(space: u64) -> Option<u64> {
    space.checked_sub(1 << 32)
}
/// The space of a vat's heap.
pub fn space(v: VatId) -> u64 {
    v.0 as u64
}
