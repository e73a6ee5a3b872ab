//! Promises.
use crate::cx::{Abort, Cx, Res, Value};
use cage::Mem;
pub fn new_promise(cx: &mut Cx, _m: Mem) -> Res {
    Err(cx.stop(Abort::Corrupt))
}
pub fn resolve(_cx: &mut Cx, _m: Mem, _p: Value, _v: Value) -> Res<()> {
    Ok(())
}
pub fn reject(_cx: &mut Cx, _m: Mem, _p: Value, _v: Value) -> Res<()> {
    Ok(())
}
pub fn await_value(_cx: &mut Cx, _m: Mem, _c: Value, _v: Value) -> Res<()> {
    Ok(())
}
pub fn run_jobs(_cx: &mut Cx, _m: Mem) -> Res<()> {
    Ok(())
}
pub fn take_unhandled(_cx: &mut Cx, _m: Mem) -> Res<Vec<Value>> {
    Ok(Vec::new())
}
