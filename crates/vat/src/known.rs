//! The objects and promises of this heap that stand for references known outside it.
//!
//! ```text
//! R_KNOWN       WEAKS, open addressing by the hash of a reference: the object or promise; TOMB: it died, or was forgotten
//! R_KNOWN_REFS  ELEMS beside it: the reference TUPLE (see `engine::send`), or undefined
//! ```
//! In it are presences of objects elsewhere, promises decided elsewhere, promises decided here that others wait on, and
//! exports that nobody holds but somebody would recognise.
//!
//! Invariants
//! - a reference stands here at most once, and so one presence at most stands for an object;
//! - an entry whose object died is told outside once (`sweep`), and stays while a weak collection knows its token.
use engine::cage::layout::{H_X, header};
use engine::cage::value::*;
use engine::cx::{Abort, Cx, Res, Value};
use engine::kinds::WEAKS;
use engine::roots::{self, R_KNOWN, R_KNOWN_REFS, R_KNOWN_USED};
use engine::send::DROPPED;
use engine::{cage::Mem, object, send};
use passable::{ObjectId, Op, PromiseId, Ref, VatId};

/// Flag of a reference TUPLE beside those of `send`: a promise.
const PROMISE: i32 = 16;
/// An export of this vat that nobody holds: its death is to be told.
const WATCHED: i32 = 32;

/// Places of the smallest table.
const MIN: u32 = 16;

/// What a reference TUPLE names.
pub fn of_tuple(m: Mem, r: Value) -> Ref {
    let (vat, n) = (VatId(num(m.r64(r as u32, 8)) as u32), num(m.r64(r as u32, 16)) as u64);
    if flags(m, r) & PROMISE != 0 { Ref::Promise(PromiseId { vat, n }) } else { Ref::Object(ObjectId { vat, n }) }
}

fn flags(m: Mem, r: Value) -> i32 {
    as_int(m.r64(r as u32, 32))
}

pub fn set_flags(cx: &mut Cx, m: Mem, r: Value, f: i32) {
    cx.heap.write(m, (r as u32).wrapping_add(32), int(f));
}

/// A new TUPLE for a reference that is no power.
pub fn tuple(cx: &mut Cx, m: Mem, r: Ref) -> Res {
    let Some((vat, n, f)) = words(r) else { return Err(cx.stop(Abort::Corrupt)) };
    send::reference(cx, m, vat, n, f)
}

/// What the TUPLE of a reference that is no power says: vat, number, flag.
fn words(r: Ref) -> Option<(Value, Value, i32)> {
    let (vat, n, f) = match r {
        Ref::Object(o) => (o.vat, o.n, 0),
        Ref::Promise(p) => (p.vat, p.n, PROMISE),
        Ref::Power(_) => return None,
    };
    Some((whole(vat.0 as u64), whole(n), f))
}

/// As `from_num`, of what a counter gave.
fn whole(n: u64) -> Value {
    if n <= i32::MAX as u64 { int(n as i32) } else { from_num(n as f64) }
}

/// Notes that the TUPLE, made by `send` without saying so, names a promise.
pub fn mark_promise(cx: &mut Cx, m: Mem, r: Value) {
    let f = flags(m, r);
    set_flags(cx, m, r, f | PROMISE);
}

fn hash(r: Ref) -> u32 {
    let (vat, n, salt) = match r {
        Ref::Object(o) => (o.vat.0, o.n, 0),
        Ref::Promise(p) => (p.vat.0, p.n, 0x5555),
        Ref::Power(p) => (0, p as u64, 0x7777),
    };
    let h = (n ^ (vat as u64) << 40 ^ salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (h >> 32) as u32
}

fn tables(m: Mem) -> Option<(u32, u32, u32)> {
    let (t, r) = (roots::get(m, R_KNOWN), roots::get(m, R_KNOWN_REFS));
    if is_cell(t) && is_cell(r) { Some((t as u32, r as u32, m.r32(t as u32, H_X))) } else { None }
}

#[inline]
fn at(t: u32, i: u32) -> u32 {
    t.wrapping_add(8).wrapping_add(i.wrapping_mul(8))
}

/// The place of a reference.
fn find(cx: &mut Cx, m: Mem, r: Ref) -> Res<Option<u32>> {
    let Some((t, refs, cap)) = tables(m) else { return Ok(None) };
    let Some((vat, n, f)) = words(r) else { return Ok(None) };
    let is_it = |tuple: Value| {
        let word = |i: u16| m.r64(tuple as u32, i * 8);
        word(2) == n && word(1) == vat && as_int(word(4)) & PROMISE == f
    };
    let mut i = hash(r) & cap.wrapping_sub(1);
    for probes in 0..cap {
        if probes % 16 == 15 {
            cx.charge(16)?;
        }
        if m.r64(at(t, i), 0) == HOLE {
            return Ok(None);
        }
        let tuple = m.r64(at(refs, i), 0);
        if is_cell(tuple) && is_it(tuple) {
            return Ok(Some(i));
        }
        i = (i + 1) & cap.wrapping_sub(1);
    }
    Ok(None)
}

/// The object or promise that stands for `r`, and its TUPLE.
pub fn get(cx: &mut Cx, m: Mem, r: Ref) -> Res<Option<(Value, Value)>> {
    let Some(i) = find(cx, m, r)? else { return Ok(None) };
    let Some((t, refs, _)) = tables(m) else { return Ok(None) };
    let v = m.r64(at(t, i), 0);
    Ok(if is_obj(v) { Some((v, m.r64(at(refs, i), 0))) } else { None })
}

/// The TUPLE of a reference whose object died and is still recognised.
pub fn recognised(cx: &mut Cx, m: Mem, r: Ref) -> Res<Option<Value>> {
    let Some(i) = find(cx, m, r)? else { return Ok(None) };
    Ok(tables(m).map(|(_, refs, _)| m.r64(at(refs, i), 0)))
}

/// `v` stands for what `tuple` names from now on.
pub fn insert(cx: &mut Cx, m: Mem, tuple: Value, v: Value) -> Res<()> {
    let r = of_tuple(m, tuple);
    let f = flags(m, tuple) & !DROPPED;
    set_flags(cx, m, tuple, f);
    if let (Some(i), Some((t, refs, _))) = (find(cx, m, r)?, tables(m)) {
        cx.heap.write(m, at(t, i), v);
        cx.heap.write(m, at(refs, i), tuple);
        return Ok(());
    }
    add(cx, m, r, tuple, v)
}

/// Likewise of a promise under a number that was drawn in this turn: it is in no table. `f` are its flags but for that it is a promise.
pub fn insert_fresh(cx: &mut Cx, m: Mem, tuple: Value, p: Value, f: i32) -> Res<Ref> {
    set_flags(cx, m, tuple, (f & !DROPPED) | PROMISE);
    let r = of_tuple(m, tuple);
    add(cx, m, r, tuple, p)?;
    Ok(r)
}

fn add(cx: &mut Cx, m: Mem, r: Ref, tuple: Value, v: Value) -> Res<()> {
    let (t, refs, cap) = room(cx, m)?;
    let mut i = hash(r) & (cap - 1);
    for _ in 0..cap {
        let old = m.r64(at(t, i), 0);
        let free = old == HOLE || (old == TOMB && !is_cell(m.r64(at(refs, i), 0)));
        if free {
            cx.heap.write(m, at(t, i), v);
            cx.heap.write(m, at(refs, i), tuple);
            if old == HOLE {
                let used = as_int(roots::get(m, R_KNOWN_USED)) + 1;
                roots::set(cx, m, R_KNOWN_USED, int(used));
            }
            return Ok(());
        }
        i = (i + 1) & (cap - 1);
    }
    Err(cx.stop(Abort::Corrupt))
}

/// Tables with room for one more.
fn room(cx: &mut Cx, m: Mem) -> Res<(u32, u32, u32)> {
    let used = as_int(roots::get(m, R_KNOWN_USED)) as u32;
    let old = tables(m);
    if let Some((t, refs, cap)) = old
        && used < cap / 4 * 3
        && cap.is_power_of_two()
    {
        return Ok((t, refs, cap));
    }
    let old_cap = old.map_or(0, |o| o.2);
    cx.charge(old_cap as u64)?;
    let live: Vec<(Value, Value)> = old.map_or(Vec::new(), |(t, refs, cap)| {
        (0..cap).map(|i| (m.r64(at(t, i), 0), m.r64(at(refs, i), 0))).filter(|e| is_cell(e.1)).collect()
    });
    let cap = (live.len() as u32 * 2 + 1).next_power_of_two().max(MIN);
    let t = cx.alloc_old(m, 8 + cap * 8)?;
    m.w64(t, 0, header(WEAKS, 0, 0, cap));
    for i in 0..cap {
        m.w64(at(t, i), 0, HOLE);
    }
    let refs = object::new_elems(cx, m, cap, false, UNDEF)?;
    for (v, tuple) in &live {
        let mut i = hash(of_tuple(m, *tuple)) & (cap - 1);
        while m.r64(at(t, i), 0) != HOLE {
            i = (i + 1) & (cap - 1);
        }
        cx.heap.write(m, at(t, i), *v);
        cx.heap.write(m, at(refs, i), *tuple);
    }
    roots::set(cx, m, R_KNOWN, CELL | t as u64);
    roots::set(cx, m, R_KNOWN_REFS, CELL | refs as u64);
    roots::set(cx, m, R_KNOWN_USED, int(live.len() as i32));
    Ok((t, refs, cap))
}

/// Forgets a reference; the object or promise that stood for it, if one still did.
pub fn take(cx: &mut Cx, m: Mem, r: Ref) -> Res<Option<Value>> {
    let (Some(i), Some((t, refs, _))) = (find(cx, m, r)?, tables(m)) else { return Ok(None) };
    let v = m.r64(at(t, i), 0);
    cx.heap.write(m, at(refs, i), UNDEF);
    free(cx, m, i);
    Ok(is_obj(v).then_some(v))
}

/// Forgotten places in a row that are given back at once.
const ROW: u32 = 8;

/// Gives place `i` back, whose reference is forgotten. Where no search goes on behind it, it and the forgotten ones before it need not
/// be passed any more: so a table whose entries come and go need not be renewed.
fn free(cx: &mut Cx, m: Mem, mut i: u32) {
    let Some((t, refs, cap)) = tables(m) else { return };
    let next = (i + 1) & cap.wrapping_sub(1);
    if m.r64(at(t, next), 0) != HOLE {
        return cx.heap.write(m, at(t, i), TOMB);
    }
    let mut freed = 0;
    while freed == 0 || (freed < ROW && m.r64(at(t, i), 0) == TOMB && !is_cell(m.r64(at(refs, i), 0))) {
        cx.heap.write(m, at(t, i), HOLE);
        freed += 1;
        i = i.wrapping_sub(1) & cap.wrapping_sub(1);
    }
    let used = as_int(roots::get(m, R_KNOWN_USED)).wrapping_sub(freed as i32);
    roots::set(cx, m, R_KNOWN_USED, int(used.max(0)));
}

/// Forgets a reference.
pub fn forget(cx: &mut Cx, m: Mem, r: Ref) -> Res<()> {
    take(cx, m, r).map(|_| ())
}

/// The death of an export that is held no longer is to be told.
pub fn watch(cx: &mut Cx, m: Mem, r: Ref, o: Value) -> Res<()> {
    let t = tuple(cx, m, r)?;
    set_flags(cx, m, t, WATCHED);
    insert(cx, m, t, o)
}

/// After a collection: tells of entries whose objects died. `all`: any may have; else only those in `recent`.
pub fn sweep(cx: &mut Cx, m: Mem, all: bool, recent: &[Ref], ops: &mut Vec<Op>) -> Res<()> {
    let Some((_, _, cap)) = tables(m) else { return Ok(()) };
    if all {
        cx.charge(cap as u64 / 4)?;
        for i in 0..cap {
            sweep_one(cx, m, i, ops);
        }
        return Ok(());
    }
    for r in recent {
        if let Some(i) = find(cx, m, *r)? {
            sweep_one(cx, m, i, ops);
        }
    }
    Ok(())
}

fn sweep_one(cx: &mut Cx, m: Mem, i: u32, ops: &mut Vec<Op>) {
    let Some((t, refs, _)) = tables(m) else { return };
    let tuple = m.r64(at(refs, i), 0);
    if m.r64(at(t, i), 0) != TOMB || !is_cell(tuple) {
        return;
    }
    let f = flags(m, tuple);
    let what = of_tuple(m, tuple);
    if f & WATCHED != 0 {
        cx.heap.write(m, at(refs, i), UNDEF);
        if let Ref::Object(o) = what {
            ops.push(Op::Retired(o.n));
        }
        return;
    }
    let recognised = m.r64(tuple as u32, 24) != UNDEF;
    if !recognised {
        cx.heap.write(m, at(refs, i), UNDEF);
    }
    if f & DROPPED == 0 {
        if recognised {
            set_flags(cx, m, tuple, f | DROPPED);
        }
        ops.push(Op::Drop { what, recognised });
    }
}
