//! print (temporary).
use super::{Native, f};
use crate::cx::{Args, Cx, OutputLine, Res};
use crate::realm::Realm;
use cage::Mem;
use cage::value::*;
pub const TABLE: &[Native] = &[f(0x460, "print", 0, print)];
fn print(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut parts = Vec::new();
    for i in 0..a.argc {
        parts.push(crate::convert::to_rust_string(cx, m, a.get(m, i))?);
    }
    cx.output.push(OutputLine { error: false, text: parts.join(" ") });
    Ok(UNDEF)
}
pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    r.method(cx, m, r.global, 0x460)?;
    Ok(())
}
