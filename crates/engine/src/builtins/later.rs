//! What a base in the arrangement `Moved` has besides, and what it lacks: for tests of `relocate` alone.
//!
//! In: a realm. Out: `Object.later`, a builtin, and `Object.laterFunction`, which makes closures of shipped script code: the usual base has
//! neither; no `Math.expm1`.
use super::{script, unlocked};
use crate::cx::{Cx, Res};
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, R_OBJECT};
use crate::string;
use cage::Mem;

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    let key = string::intern_str(cx, m, "later")?;
    r.method_at(cx, m, roots::get(m, R_OBJECT), key, unlocked::GC)?;
    let source = "({ laterFunction(a) { return b => (a += b); } })";
    script::install(cx, m, r, roots::get(m, R_OBJECT), source, "builtin:later")?;
    let math = object::get_str(cx, m, r.global, "Math")?;
    let key = string::intern_str(cx, m, "expm1")?;
    object::remove(cx, m, math, key)
}
