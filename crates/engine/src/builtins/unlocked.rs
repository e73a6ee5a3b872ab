//! What unlocked realms have besides: `performance.now` and `gc`, for measuring and for conformance tests.
//!
//! Leaf: nothing here calls program code.
//!
//! Invariants
//! - locked realms have neither: a clock would make turns differ from run to run;
//! - `gc` moves nothing while native code is on the stack: the collection comes at the next allocation of the program.
use super::{Native, f};
use crate::cx::{Args, Cx, Res};
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, R_UNLOCKED};
use crate::shape::WC;
use cage::Mem;
use cage::value::*;

pub const TABLE: &[Native] = &[f(0x4E0, "now", 0, now), f(GC, "gc", 0, gc)];
pub(super) const GC: u16 = 0x4E1;

/// performance.now: 0 where the host lends no clock
fn now(cx: &mut Cx, _: Mem, _: Args) -> Res {
    Ok(from_num(cx.clock.map_or(0.0, |read| read())))
}

/// gc
fn gc(cx: &mut Cx, _: Mem, _: Args) -> Res {
    cx.heap.request_full();
    Ok(UNDEF)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    if roots::get(m, R_UNLOCKED) != TRUE {
        return Ok(());
    }
    let performance = object::new(cx, m)?;
    r.method(cx, m, performance, 0x4E0)?;
    r.value(cx, m, r.global, "performance", performance, WC)?;
    r.method(cx, m, r.global, GC)?;
    Ok(())
}
