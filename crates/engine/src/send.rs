//! Eventual sends.
use crate::cx::{Abort, Cx, Res, Value};
use cage::Mem;
pub fn send(cx: &mut Cx, _m: Mem, _t: Value, _form: u8, _key: Value, _args: &[Value], _only: bool) -> Res {
    Err(cx.stop(Abort::Corrupt))
}
