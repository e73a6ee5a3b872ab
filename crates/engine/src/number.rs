//! Numbers and strings: parsing and printing, by ECMA-262 7.1.4.1 and 6.1.6.1.20.
use crate::cx::{Cx, Res, Value};
use crate::string;
use cage::Mem;
use cage::value::*;

/// StringToNumber
pub fn parse(cx: &mut Cx, m: Mem, s: Value) -> Res<f64> {
    let t = string::to_rust(cx, m, s)?;
    Ok(t.trim().parse().unwrap_or(f64::NAN))
}

/// Number::toString(v, 10)
pub fn to_string(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if is_int(v) {
        let i = as_int(v);
        if (0..10).contains(&i) {
            return Ok(string::of_unit8(m, b'0' + i as u8));
        }
        return cx.str(m, &i.to_string());
    }
    let mut b = ryu_js::Buffer::new();
    let t = b.format(f64::from_bits(v)).to_owned();
    cx.str(m, &t)
}
