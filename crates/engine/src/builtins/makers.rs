//! The makers of npm `jessie.js`: what stands for `new` in Jessie.
use super::{Native, f, map_set, promise as promises};
use crate::cx::{Args, Cx, Res};
use crate::kinds::*;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::{harden, object, promise};
use cage::Mem;
use cage::value::*;

pub const TABLE: &[Native] = &[
    f(0x3F0, "makeMap", 0, |cx, m, a| make(cx, m, a, MAP)),
    f(0x3F1, "makeSet", 0, |cx, m, a| make(cx, m, a, SET)),
    f(0x3F2, "makeWeakMap", 0, |cx, m, a| make(cx, m, a, WEAKMAP)),
    f(0x3F3, "makeWeakSet", 0, |cx, m, a| make(cx, m, a, WEAKSET)),
    f(0x3F4, "makePromise", 1, make_promise),
];

fn make(cx: &mut Cx, m: Mem, a: Args, kind: u8) -> Res {
    let c = map_set::new(cx, m, kind)?;
    let from = a.get(m, 0);
    if !is_nullish(from) {
        map_set::fill(cx, m, c, kind, from)?;
    }
    harden_locked(cx, m, c)
}

fn harden_locked(cx: &mut Cx, m: Mem, v: u64) -> Res {
    if roots::get(m, R_UNLOCKED) == TRUE { Ok(v) } else { harden::harden(cx, m, v) }
}

fn make_promise(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let executor = a.get(m, 0);
    if !object::is_callable(m, executor) {
        return Err(cx.type_error(m, "makePromise: the executor is not a function"));
    }
    let p = promise::new_promise(cx, m)?;
    promises::run_executor(cx, m, p, executor)?;
    harden_locked(cx, m, p)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let global = r.global;
    r.methods(cx, m, global, &[0x3F0, 0x3F1, 0x3F2, 0x3F3, 0x3F4])
}
