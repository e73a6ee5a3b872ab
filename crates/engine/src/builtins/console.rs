//! print and console: lines for the host, released when the turn is committed.
//!
//! `print` makes strings of its arguments (and may call their `toString`); `console` shows values and calls nothing.
pub mod inspect;
mod layout;

use self::inspect::{DEPTH, inspect};
use super::{Native, f};
use crate::cx::{Args, Cx, OutputLine, Res, Value};
use crate::realm::Realm;
use crate::shape::{WC, WEC};
use crate::{convert, function, object, string};
use cage::Mem;
use cage::value::*;

pub const TABLE: &[Native] = &[
    f(0x460, "print", 0, print),
    f(0x461, "log", 0, |cx, m, a| write(cx, m, a, false)),
    f(0x462, "info", 0, |cx, m, a| write(cx, m, a, false)),
    f(0x463, "debug", 0, |cx, m, a| write(cx, m, a, false)),
    f(0x464, "warn", 0, |cx, m, a| write(cx, m, a, true)),
    f(0x465, "error", 0, |cx, m, a| write(cx, m, a, true)),
];

/// Units of the longest string whose directives are looked for.
const MAX_PATTERN: u32 = 1 << 16;
/// Bytes of output a turn may hold for each instruction unit charged: output is charged as work.
const BYTES_PER_UNIT: u64 = 4;

fn emit(cx: &mut Cx, text: String, error: bool) -> Res {
    cx.charge(10 + text.len() as u64 / BYTES_PER_UNIT)?;
    cx.output.push(OutputLine { error, text });
    Ok(UNDEF)
}

fn print(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let mut text = String::new();
    for i in 0..a.argc {
        if i > 0 {
            text.push(' ');
        }
        let v = a.get(m, i);
        let s = if is_sym(v) { super::symbol::descriptive_string(cx, m, v)? } else { convert::to_string(cx, m, v)? };
        string::append_rust(cx, m, s, &mut text)?;
    }
    emit(cx, text, false)
}

fn write(cx: &mut Cx, m: Mem, a: Args, error: bool) -> Res {
    let args: Vec<Value> = (0..a.argc).map(|i| a.get(m, i)).collect();
    let text = format(cx, m, &args)?;
    emit(cx, text, error)
}

/// The text `console.log` writes for its arguments.
pub fn format(cx: &mut Cx, m: Mem, args: &[Value]) -> Res<String> {
    let (mut out, mut rest) = (String::new(), args);
    if let [first, more @ ..] = args
        && is_str(*first)
    {
        rest = more;
        if more.is_empty() || string::len(m, *first) > MAX_PATTERN {
            string::append_rust(cx, m, *first, &mut out)?;
        } else {
            let pattern = string::to_rust(cx, m, *first)?;
            out = fill(cx, m, &pattern, &mut rest)?;
        }
        if !rest.is_empty() {
            out.push(' ');
        }
    }
    for (i, v) in rest.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        if is_str(*v) {
            string::append_rust(cx, m, *v, &mut out)?;
        } else {
            out += &inspect(cx, m, *v, DEPTH)?;
        }
    }
    Ok(out)
}

/// Replaces the directives of a format string by arguments, which it takes from `rest`.
fn fill(cx: &mut Cx, m: Mem, pattern: &str, rest: &mut &[Value]) -> Res<String> {
    let mut out = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(&d) = chars.peek() else {
            out.push('%');
            continue;
        };
        if d == '%' {
            chars.next();
            out.push('%');
            continue;
        }
        let [v, more @ ..] = *rest else {
            out.push('%');
            continue;
        };
        let shown = match d {
            's' => as_string(cx, m, *v)?,
            'd' => as_number(cx, m, *v, |n| n)?,
            'i' => as_number(cx, m, *v, f64::trunc)?,
            'f' => as_number(cx, m, *v, |n| n)?.trim_end_matches('n').to_owned(),
            'j' => inspect::json_like(cx, m, *v)?,
            'o' => inspect(cx, m, *v, 4)?,
            'O' => inspect(cx, m, *v, DEPTH)?,
            'c' => String::new(),
            _ => {
                out.push('%');
                continue;
            }
        };
        chars.next();
        out += &shown;
        *rest = more;
    }
    Ok(out)
}

fn as_string(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    if is_str(v) {
        return string::to_rust(cx, m, v);
    }
    if is_obj(v) && object::is_callable(m, v) {
        let s = function::source_text(cx, m, v)?;
        return string::to_rust(cx, m, s);
    }
    inspect(cx, m, v, 0)
}

/// The number an argument of %d, %i or %f is; of a string the longest beginning that is one.
fn as_number(cx: &mut Cx, m: Mem, v: Value, adjust: fn(f64) -> f64) -> Res<String> {
    if is_big(v) {
        return inspect(cx, m, v, 0);
    }
    let n = if is_str(v) {
        let s = string::to_short(cx, m, v, convert::MAX_SHOWN)?;
        leading_number(&s)
    } else if is_obj(v) || is_sym(v) {
        f64::NAN
    } else {
        convert::to_number(cx, m, v)?
    };
    inspect(cx, m, from_num(adjust(n)), 0)
}

fn leading_number(s: &str) -> f64 {
    let s = s.trim_start();
    let mut end = 0;
    for (i, c) in s.char_indices().take(400) {
        let t = &s[..i + c.len_utf8()];
        if t.parse::<f64>().is_ok() && c.is_ascii_digit() {
            end = t.len();
        }
    }
    s[..end].parse().unwrap_or(f64::NAN)
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    r.method(cx, m, r.global, 0x460)?;
    let console = object::new(cx, m)?;
    for number in 0x461..=0x465 {
        // enumerable, as people know it: `console.log(console)` shows them
        let name = super::native(number).map_or("", |n| n.name);
        let f = function::native(cx, m, number, &[])?;
        r.value(cx, m, console, name, f, WEC)?;
    }
    r.tag(cx, m, console, "console")?;
    r.value(cx, m, r.global, "console", console, WC)
}
