//! Type conversion and comparison: ECMA-262 chapter 7.1 and 7.2, by their names there.
//!
//! In: values. Out: values, Rust numbers, booleans.
use crate::cx::{Cx, Res, Value};
use crate::kinds;
use crate::object;
use crate::roots::{self, *};
use crate::{bigint, string};
use cage::Mem;
use cage::layout::H_X;
use cage::value::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    Default,
    Number,
    String,
}

/// ToPrimitive
pub fn to_primitive(cx: &mut Cx, m: Mem, v: Value, hint: Hint) -> Res {
    if !is_obj(v) {
        return Ok(v);
    }
    let f = object::get_method(cx, m, v, roots::get(m, R_SYM_TO_PRIMITIVE))?;
    if f != UNDEF {
        let h = match hint {
            Hint::Default => R_STR_DEFAULT,
            Hint::Number => R_STR_NUMBER,
            Hint::String => R_STR_STRING,
        };
        let r = crate::interp::call(cx, m, f, v, &[roots::get(m, h)])?;
        if is_obj(r) {
            return Err(cx.type_error(m, "Cannot convert object to primitive value"));
        }
        return Ok(r);
    }
    let order = if hint == Hint::String { [R_STR_TO_STRING, R_STR_VALUE_OF] } else { [R_STR_VALUE_OF, R_STR_TO_STRING] };
    for name in order {
        let f = object::get(cx, m, v, roots::get(m, name))?;
        if object::is_callable(m, f) {
            let r = crate::interp::call(cx, m, f, v, &[])?;
            if !is_obj(r) {
                return Ok(r);
            }
        }
    }
    Err(cx.type_error(m, "Cannot convert object to primitive value"))
}

/// ToBoolean
#[inline]
pub fn truthy(m: Mem, v: Value) -> bool {
    if is_int(v) {
        v as u32 != 0
    } else if is_double(v) {
        let f = f64::from_bits(v);
        f != 0.0 && !f.is_nan()
    } else if is_str(v) {
        string::len(m, v) != 0
    } else if is_big(v) {
        m.r32(v as u32, H_X) != 0
    } else {
        v == TRUE || is_obj(v) || is_sym(v)
    }
}

/// ToNumber
pub fn to_number(cx: &mut Cx, m: Mem, v: Value) -> Res<f64> {
    if is_number(v) {
        return Ok(num(v));
    }
    if is_str(v) {
        return crate::number::parse(cx, m, v);
    }
    match v {
        UNDEF => return Ok(f64::NAN),
        NULL | FALSE => return Ok(0.0),
        TRUE => return Ok(1.0),
        _ => {}
    }
    if is_sym(v) {
        return Err(cx.type_error(m, "Cannot convert a Symbol value to a number"));
    }
    if is_big(v) {
        return Err(cx.type_error(m, "Cannot convert a BigInt value to a number"));
    }
    if !is_obj(v) {
        // no value of the language: a damaged heap
        return Ok(f64::NAN);
    }
    let p = to_primitive(cx, m, v, Hint::Number)?;
    if is_obj(p) { Ok(f64::NAN) } else { to_number(cx, m, p) }
}

/// ToNumeric: a number or a bigint.
pub fn to_numeric(cx: &mut Cx, m: Mem, v: Value) -> Res {
    let p = to_primitive(cx, m, v, Hint::Number)?;
    if is_big(p) || is_number(p) { Ok(p) } else { Ok(from_num(to_number(cx, m, p)?)) }
}

/// ToIntegerOrInfinity
pub fn to_integer(cx: &mut Cx, m: Mem, v: Value) -> Res<f64> {
    if is_int(v) {
        return Ok(as_int(v) as f64);
    }
    let f = to_number(cx, m, v)?;
    Ok(if f.is_nan() { 0.0 } else { f.trunc() + 0.0 })
}

/// ToInt32 of a double.
pub fn int32(f: f64) -> i32 {
    let i = f as i32;
    if i as f64 == f {
        return i;
    }
    if !f.is_finite() {
        return 0;
    }
    let t = f.trunc();
    if t.abs() < 9.2e18 {
        return t as i64 as i32;
    }
    let r = libm::fmod(t, 4294967296.0);
    r as i64 as i32
}
pub fn to_int32(cx: &mut Cx, m: Mem, v: Value) -> Res<i32> {
    if is_int(v) { Ok(as_int(v)) } else { Ok(int32(to_number(cx, m, v)?)) }
}
pub fn to_uint32(cx: &mut Cx, m: Mem, v: Value) -> Res<u32> {
    Ok(to_int32(cx, m, v)? as u32)
}

/// ToLength, as a double (an integer from 0 to 2^53 - 1).
pub fn to_length(cx: &mut Cx, m: Mem, v: Value) -> Res<f64> {
    Ok(to_integer(cx, m, v)?.clamp(0.0, 9007199254740991.0))
}

/// A relative index as slice and its kin take them: clamped to [0, len].
pub fn relative_index(cx: &mut Cx, m: Mem, v: Value, len: f64, default: f64) -> Res<f64> {
    if v == UNDEF {
        return Ok(default);
    }
    let r = to_integer(cx, m, v)?;
    Ok(if r < 0.0 { (len + r).max(0.0) } else { r.min(len) })
}

/// ToString
pub fn to_string(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if is_str(v) {
        return Ok(v);
    }
    if is_number(v) {
        return crate::number::to_string(cx, m, v);
    }
    match v {
        UNDEF => return Ok(roots::get(m, R_STR_UNDEFINED)),
        NULL => return Ok(roots::get(m, R_STR_NULL)),
        FALSE => return Ok(roots::get(m, R_STR_FALSE)),
        TRUE => return Ok(roots::get(m, R_STR_TRUE)),
        _ => {}
    }
    if is_sym(v) {
        return Err(cx.type_error(m, "Cannot convert a Symbol value to a string"));
    }
    if is_big(v) {
        return bigint::to_string(cx, m, v, 10);
    }
    if !is_obj(v) {
        return Ok(roots::get(m, R_STR_UNDEFINED));
    }
    let p = to_primitive(cx, m, v, Hint::String)?;
    if is_obj(p) { Ok(roots::get(m, R_EMPTY)) } else { to_string(cx, m, p) }
}

/// ToString, copied out for messages: the beginning of what is long.
pub fn to_shown(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    let s = to_string(cx, m, v)?;
    string::to_short(cx, m, s, MAX_SHOWN)
}

/// Units of a text that a message shows.
pub const MAX_SHOWN: u32 = 10_000;

/// ToString, copied out for messages and output.
pub fn to_rust_string(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    let s = to_string(cx, m, v)?;
    string::to_rust(cx, m, s)
}

/// ToObject
pub fn to_object(cx: &mut Cx, m: Mem, v: Value) -> Res {
    if is_obj(v) {
        return Ok(v);
    }
    if is_nullish(v) {
        return Err(cx.type_error(m, "Cannot convert undefined or null to object"));
    }
    let i = if is_bool(v) {
        0
    } else if is_number(v) {
        1
    } else if is_str(v) {
        2
    } else if is_sym(v) {
        3
    } else {
        4
    };
    let s = roots::get(m, R_SHAPE_WRAPPER + i) as u32;
    object::exotic(cx, m, kinds::WRAPPER, s, &[v])
}

/// The string `typeof` gives.
pub fn type_of(m: Mem, v: Value) -> Value {
    let r = if is_number(v) {
        R_STR_NUMBER
    } else if is_str(v) {
        R_STR_STRING
    } else if v == UNDEF {
        R_STR_UNDEFINED
    } else if is_bool(v) {
        R_STR_BOOLEAN
    } else if is_sym(v) {
        R_STR_SYMBOL
    } else if is_big(v) {
        R_STR_BIGINT
    } else if object::is_callable(m, v) {
        R_STR_FUNCTION
    } else {
        R_STR_OBJECT
    };
    roots::get(m, r)
}

/// IsStrictlyEqual
pub fn strict_equals(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<bool> {
    if is_number(a) && is_number(b) {
        return Ok(num(a) == num(b));
    }
    if a == b {
        return Ok(true);
    }
    if is_str(a) && is_str(b) {
        return string::eq(cx, m, a, b);
    }
    if is_big(a) && is_big(b) {
        return Ok(bigint::compare(cx, m, a, b)? == std::cmp::Ordering::Equal);
    }
    Ok(false)
}

/// IsLooselyEqual
pub fn loose_equals(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<bool> {
    if is_nullish(a) || is_nullish(b) {
        return Ok(is_nullish(a) && is_nullish(b));
    }
    let class = |v| {
        if is_number(v) {
            0
        } else if is_str(v) {
            1
        } else if is_bool(v) {
            2
        } else if is_big(v) {
            3
        } else if is_sym(v) {
            4
        } else {
            5
        }
    };
    let (ca, cb) = (class(a), class(b));
    if ca == cb {
        return strict_equals(cx, m, a, b);
    }
    if ca == 2 {
        return loose_equals(cx, m, int((a == TRUE) as i32), b);
    }
    if cb == 2 {
        return loose_equals(cx, m, a, int((b == TRUE) as i32));
    }
    if ca == 5 {
        let p = to_primitive(cx, m, a, Hint::Default)?;
        return if is_obj(p) { Ok(false) } else { loose_equals(cx, m, p, b) };
    }
    if cb == 5 {
        let p = to_primitive(cx, m, b, Hint::Default)?;
        return if is_obj(p) { Ok(false) } else { loose_equals(cx, m, a, p) };
    }
    if ca == 4 || cb == 4 {
        return Ok(false);
    }
    if ca == 3 || cb == 3 {
        return Ok(bigint::compare_mixed(cx, m, a, b)? == Some(std::cmp::Ordering::Equal));
    }
    Ok(to_number(cx, m, a)? == to_number(cx, m, b)?)
}

/// SameValue (Object.is)
pub fn same_value(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<bool> {
    if is_number(a) && is_number(b) {
        let (x, y) = (num(a), num(b));
        return Ok((x.is_nan() && y.is_nan()) || (x == y && x.is_sign_negative() == y.is_sign_negative()));
    }
    strict_equals(cx, m, a, b)
}

/// SameValueZero
pub fn same_value_zero(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<bool> {
    if is_number(a) && is_number(b) {
        let (x, y) = (num(a), num(b));
        return Ok(x == y || (x.is_nan() && y.is_nan()));
    }
    strict_equals(cx, m, a, b)
}

/// IsLessThan after the operands became primitives: `None` if either is NaN.
pub fn less_than(cx: &mut Cx, m: Mem, a: Value, b: Value) -> Res<Option<bool>> {
    if is_str(a) && is_str(b) {
        return Ok(Some(string::compare(cx, m, a, b)? == std::cmp::Ordering::Less));
    }
    if is_big(a) || is_big(b) {
        return Ok(bigint::compare_mixed(cx, m, a, b)?.map(|o| o == std::cmp::Ordering::Less));
    }
    let (x, y) = (to_number(cx, m, a)?, to_number(cx, m, b)?);
    Ok(if x.is_nan() || y.is_nan() { None } else { Some(x < y) })
}

/// InstanceofOperator
pub fn instance_of(cx: &mut Cx, m: Mem, v: Value, target: Value) -> Res<bool> {
    if !is_obj(target) {
        return Err(cx.type_error(m, "Right-hand side of 'instanceof' is not an object"));
    }
    let h = object::get_method(cx, m, target, roots::get(m, R_SYM_HAS_INSTANCE))?;
    if h != UNDEF {
        let r = crate::interp::call(cx, m, h, target, &[v])?;
        return Ok(truthy(m, r));
    }
    if !object::is_callable(m, target) {
        return Err(cx.type_error(m, "Right-hand side of 'instanceof' is not callable"));
    }
    ordinary_has_instance(cx, m, target, v)
}

/// OrdinaryHasInstance
pub fn ordinary_has_instance(cx: &mut Cx, m: Mem, c: Value, v: Value) -> Res<bool> {
    let mut c = c;
    while object::is_callable(m, c) && object::kind(m, c) == kinds::BOUND {
        cx.charge(2)?;
        // InstanceofOperator(v, target), whose usual method is this very function
        c = m.r64(c as u32, 16);
        let h = object::get_method(cx, m, c, roots::get(m, R_SYM_HAS_INSTANCE))?;
        if h != UNDEF && !crate::builtins::function::is_has_instance(m, h) {
            let r = crate::interp::call(cx, m, h, c, &[v])?;
            return Ok(truthy(m, r));
        }
    }
    if !object::is_callable(m, c) {
        return Ok(false);
    }
    if !is_obj(v) {
        return Ok(false);
    }
    let p = object::get(cx, m, c, roots::get(m, R_STR_PROTOTYPE))?;
    if !is_obj(p) {
        return Err(cx.type_error(m, "Function has non-object prototype in instanceof check"));
    }
    let mut o = object::proto_of(m, v);
    while is_obj(o) {
        if o == p {
            return Ok(true);
        }
        o = object::proto_of(m, o);
        cx.charge(1)?;
    }
    Ok(false)
}
