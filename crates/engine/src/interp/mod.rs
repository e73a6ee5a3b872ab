//! The interpreter.
use crate::cx::{Abort, Cx, Res, Value};
use cage::Mem;

/// Call(f, this, args) from native code: runs to its end before it returns.
pub fn call(cx: &mut Cx, m: Mem, f: Value, this: Value, args: &[Value]) -> Res {
    let _ = (m, f, this, args);
    Err(cx.stop(Abort::Corrupt))
}

/// Construct(f, args, new_target) from native code.
pub fn construct(cx: &mut Cx, m: Mem, f: Value, args: &[Value], new_target: Value) -> Res {
    let _ = (m, f, new_target, args);
    Err(cx.stop(Abort::Corrupt))
}

/// The values that iterating `v` gives (`[...v]`).
pub fn iterate_to_vec(cx: &mut Cx, m: Mem, v: Value) -> Res<Vec<Value>> {
    let _ = (m, v);
    Err(cx.stop(Abort::Corrupt))
}

/// Goes on with a suspended coroutine: `value` is what it awaited, or the reason it throws.
pub fn resume(cx: &mut Cx, m: Mem, coro: Value, value: Value, throw: bool) -> Res<()> {
    let _ = (m, coro, value, throw);
    Err(cx.stop(Abort::Corrupt))
}
