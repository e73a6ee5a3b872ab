//! What unlocked realms have besides: `performance.now` and `gc`, for conformance tests and measurements.
//!
//! The clock is the host's: without one `performance.now` gives 0. `gc` asks for a full collection, which happens when the
//! call is over (none happens while native code is on the stack).
use super::{Native, f};
use crate::cx::{Args, Cx, Res};
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, R_OBJECT_PROTO, R_UNLOCKED};
use crate::shape::WC;
use cage::Mem;
use cage::value::*;

const NOW: u16 = 0x5F0;
const GC: u16 = 0x5F1;

pub const TABLE: &[Native] = &[f(NOW, "now", 0, now), f(GC, "gc", 0, gc)];

fn now(cx: &mut Cx, _m: Mem, _a: Args) -> Res {
    cx.charge(10)?;
    Ok(from_num(cx.clock.map_or(0.0, |read| read())))
}

fn gc(cx: &mut Cx, _m: Mem, _a: Args) -> Res {
    cx.charge(10)?;
    cx.full_collection = true;
    Ok(UNDEF)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    if roots::get(m, R_UNLOCKED) != TRUE {
        return Ok(());
    }
    let performance = object::create(cx, m, roots::get(m, R_OBJECT_PROTO))?;
    r.method(cx, m, performance, NOW)?;
    r.value(cx, m, r.global, "performance", performance, WC)?;
    r.method(cx, m, r.global, GC)?;
    Ok(())
}
