//! Operators on any operands: ECMA-262 13.15.3 ApplyStringOrNumericBinaryOperator and the unary and relational ones.
use super::Frame;
use super::fast::{a, b, c};
use super::slow::relational;
use crate::bigint::{self, BigOp};
use crate::code::op::*;
use crate::convert::{self, Hint, to_primitive};
use crate::cx::{Abort, Cx, Res, Value};
use crate::string;
use cage::Mem;
use cage::value::*;

// long: one arm an instruction
pub(super) fn exec<'c>(cx: &mut Cx, m: Mem<'c>, fr: &mut Frame<'c>, i: u32) -> Res<()> {
    let win = fr.win;
    let (x, y) = (win.get(b(i)), win.get(c(i)));
    let small = int(c(i) as i8 as i32);
    let bits = int(c(i) as i32);
    let op = i as u8;
    // which operands come here is the same on any machine, however warm its caches are
    cx.charge(1)?;
    let r = match op {
        ADD => add(cx, m, x, y)?,
        SUB | MUL | DIV | MOD | EXP | BAND | BOR | BXOR | SHL | SHR | USHR => numeric(cx, m, op, x, y)?,
        ADDI => add(cx, m, x, small)?,
        SUBI => numeric(cx, m, SUB, x, small)?,
        MULI => numeric(cx, m, MUL, x, small)?,
        MODI => numeric(cx, m, MOD, x, bits)?,
        BANDI => numeric(cx, m, BAND, x, bits)?,
        BORI => numeric(cx, m, BOR, x, bits)?,
        SHLI => numeric(cx, m, SHL, x, bits)?,
        SHRI => numeric(cx, m, SHR, x, bits)?,
        USHRI => numeric(cx, m, USHR, x, bits)?,
        NEG => {
            let v = convert::to_numeric(cx, m, x)?;
            if is_big(v) { bigint::negate(cx, m, v)? } else { from_num(-num(v)) }
        }
        PLUS => from_num(convert::to_number(cx, m, x)?),
        BNOT => {
            let v = convert::to_numeric(cx, m, x)?;
            if is_big(v) { bigint::bit_not(cx, m, v)? } else { int(!convert::int32(num(v))) }
        }
        NOT => bool(!convert::truthy(m, x)),
        TYPEOF => convert::type_of(m, x),
        TONUM => convert::to_numeric(cx, m, x)?,
        INC | DEC => {
            let v = convert::to_numeric(cx, m, x)?;
            match (is_big(v), op == INC) {
                (true, true) => bigint::inc(cx, m, v)?,
                (true, false) => bigint::dec(cx, m, v)?,
                (false, true) => from_num(num(v) + 1.0),
                (false, false) => from_num(num(v) - 1.0),
            }
        }
        LT => bool(relational(cx, m, x, y, false, false)?),
        LE => bool(relational(cx, m, x, y, true, false)?),
        GT => bool(relational(cx, m, y, x, false, true)?),
        GE => bool(relational(cx, m, y, x, true, true)?),
        SEQ => bool(convert::strict_equals(cx, m, x, y)?),
        SNE => bool(!convert::strict_equals(cx, m, x, y)?),
        EQ => bool(convert::loose_equals(cx, m, x, y)?),
        NE => bool(!convert::loose_equals(cx, m, x, y)?),
        TOSTR => convert::to_string(cx, m, x)?,
        CONCAT => {
            let mut s = x;
            for k in 1..c(i) {
                let v = win.get(b(i).wrapping_add(k));
                if !is_str(v) || !is_str(s) {
                    return Err(cx.stop(Abort::Corrupt));
                }
                s = string::concat(cx, m, s, v)?;
            }
            s
        }
        _ => return Err(cx.stop(Abort::Corrupt)),
    };
    win.set(a(i), r);
    Ok(())
}

fn add(cx: &mut Cx, m: Mem, x: Value, y: Value) -> Res {
    if is_str(x) && is_str(y) {
        return string::concat(cx, m, x, y);
    }
    let x = to_primitive(cx, m, x, Hint::Default)?;
    let y = to_primitive(cx, m, y, Hint::Default)?;
    if is_str(x) || is_str(y) {
        let x = convert::to_string(cx, m, x)?;
        let y = convert::to_string(cx, m, y)?;
        return string::concat(cx, m, x, y);
    }
    numeric(cx, m, ADD, x, y)
}

fn numeric(cx: &mut Cx, m: Mem, op: u8, x: Value, y: Value) -> Res {
    let x = if is_number(x) { x } else { convert::to_numeric(cx, m, x)? };
    let y = if is_number(y) { y } else { convert::to_numeric(cx, m, y)? };
    if is_big(x) && is_big(y) {
        if op == USHR {
            return Err(cx.type_error(m, "BigInts have no unsigned right shift, use >> instead"));
        }
        return bigint::binary(cx, m, big_op(op), x, y);
    }
    if is_big(x) || is_big(y) {
        return Err(cx.type_error(m, "Cannot mix BigInt and other types, use explicit conversions"));
    }
    let (f, g) = (num(x), num(y));
    let (p, q) = (convert::int32(f), convert::int32(g));
    Ok(match op {
        ADD => from_num(f + g),
        SUB => from_num(f - g),
        MUL => from_num(f * g),
        DIV => from_num(f / g),
        MOD => from_num(remainder(f, g)),
        EXP => from_num(crate::number::pow(f, g)),
        BAND => int(p & q),
        BOR => int(p | q),
        BXOR => int(p ^ q),
        SHL => int(p.wrapping_shl(q as u32)),
        SHR => int(p.wrapping_shr(q as u32)),
        _ => from_num((p as u32).wrapping_shr(q as u32) as f64),
    })
}

/// Number::remainder
fn remainder(f: f64, g: f64) -> f64 {
    // exact for the whole numbers that loops use, and much faster than the general one
    if f.abs() < 9.0e15 && g.abs() < 9.0e15 && f.trunc() == f && g.trunc() == g && g != 0.0 {
        let r = (f as i64 % g as i64) as f64;
        return if r == 0.0 && f.is_sign_negative() { -0.0 } else { r };
    }
    libm::fmod(f, g)
}

fn big_op(op: u8) -> BigOp {
    match op {
        ADD => BigOp::Add,
        SUB => BigOp::Sub,
        MUL => BigOp::Mul,
        DIV => BigOp::Div,
        MOD => BigOp::Rem,
        EXP => BigOp::Pow,
        BAND => BigOp::And,
        BOR => BigOp::Or,
        BXOR => BigOp::Xor,
        SHL => BigOp::Shl,
        _ => BigOp::Shr,
    }
}
