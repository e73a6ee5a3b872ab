//! Modules: linking and namespaces.
use crate::cx::{Cx, Res, Value};
use crate::object::{Desc, Prop};
use cage::Mem;

pub fn namespace_own(_cx: &mut Cx, _m: Mem, _o: Value, _key: Value) -> Res<Option<Prop>> {
    Ok(None)
}
pub fn namespace_define(_cx: &mut Cx, _m: Mem, _o: Value, _key: Value, _d: Desc) -> Res<bool> {
    Ok(false)
}
pub fn namespace_keys(_cx: &mut Cx, _m: Mem, _o: Value) -> Res<Vec<Value>> {
    Ok(Vec::new())
}
