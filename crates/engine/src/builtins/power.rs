//! Powers that a host serves: objects whose methods put a request to what leaves the vat, and return a promise at once.
//!
//! The requests are entries OUT_POWER of `send`; who carries them out is not known here. Arguments that cannot pass, or
//! are of the wrong type, reject the promise: nothing is requested then.
use super::{Native, f};
use crate::cx::{Args, Cx, ErrorKind, Res, Value};
use crate::{array, harden, object, pass, promise, send, string};
use cage::Mem;
use cage::value::*;

/// What an entry OUT_POWER asks for.
pub const NOW: i32 = 0;
pub const DELAY: i32 = 1;
pub const MAKE: i32 = 2;
pub const MAKE_FROM_SOURCE: i32 = 3;
pub const BYTES: i32 = 4;
pub const EXPORT: i32 = 5;
pub const EXPORT_AS: i32 = 6;
pub const IMPORT: i32 = 7;
pub const REVOKE: i32 = 8;

/// Bytes that `random.bytes` gives at once.
pub const MAX_RANDOM_BYTES: f64 = 65_536.0;
/// The longest delay, in milliseconds: some 285,000 years.
pub const MAX_DELAY_MS: f64 = 9_007_199_254_740_991.0;

/// Characters of a sturdyref at most.
pub const MAX_URI_CHARS: f64 = 4096.0;
/// Bytes of a chosen swissnum at most.
pub const MAX_SWISSNUM_BYTES: usize = 256;

pub const TABLE: &[Native] = &[
    f(0x500, "now", 0, |cx, m, _| request(cx, m, NOW, &[])),
    f(0x501, "delay", 1, delay),
    f(0x502, "make", 3, |cx, m, a| make(cx, m, a, MAKE)),
    f(0x503, "makeFromSource", 3, |cx, m, a| make(cx, m, a, MAKE_FROM_SOURCE)),
    f(0x504, "bytes", 1, bytes),
    f(0x505, "export", 1, export),
    f(0x506, "import", 1, |cx, m, a| uri(cx, m, a, IMPORT)),
    f(0x507, "revoke", 1, |cx, m, a| uri(cx, m, a, REVOKE)),
    f(0x508, "export", 2, export_as),
];

/// Methods of the powers timer, vats, random, net and names.
pub const TIMER: &[u16] = &[0x500, 0x501];
pub const VATS: &[u16] = &[0x502, 0x503];
pub const RANDOM: &[u16] = &[0x504];
pub const NET: &[u16] = &[0x505, 0x506, 0x507];
pub const NAMES: &[u16] = &[0x508];

/// The promise of a request's answer.
fn request(cx: &mut Cx, m: Mem, what: i32, args: &[Value]) -> Res {
    let p = promise::new_promise(cx, m)?;
    harden::mark(cx, m, p);
    let list = array::from_slice(cx, m, args)?;
    send::push_out(cx, m, [UNDEF, int(send::OUT_POWER), int(what), list, p])?;
    send::remote(cx, m, p)?;
    Ok(p)
}

fn refused(cx: &mut Cx, m: Mem, kind: ErrorKind, why: &str) -> Res {
    let p = promise::new_promise(cx, m)?;
    harden::mark(cx, m, p);
    let e = super::error::make(cx, m, kind, why)?;
    let e = harden::harden(cx, m, e)?;
    promise::reject(cx, m, p, e)?;
    Ok(p)
}

fn delay(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    if !is_number(v) || num(v).is_nan() {
        return refused(cx, m, ErrorKind::Type, "timer.delay: the milliseconds are not a number");
    }
    let ms = num(v).clamp(0.0, MAX_DELAY_MS).ceil();
    request(cx, m, DELAY, &[from_num(ms)])
}

fn bytes(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    let n = if is_number(v) { num(v) } else { f64::NAN };
    if n.fract() != 0.0 || !(0.0..=MAX_RANDOM_BYTES).contains(&n) {
        let why = format!("random.bytes: the count is not a whole number from 0 to {MAX_RANDOM_BYTES}");
        return refused(cx, m, ErrorKind::Range, &why);
    }
    request(cx, m, BYTES, &[v])
}

/// Why the powers for a new vat cannot pass. A record of powers is copied even if there are functions in it: it is a list
/// of what the program gets, not an object that serves it.
fn powers_refusal(cx: &mut Cx, m: Mem, powers: Value) -> Res<Option<String>> {
    if !pass::is_plain_record(cx, m, powers)? {
        return pass::refusal(cx, m, powers, "powers");
    }
    for (key, power) in pass::children(cx, m, powers)? {
        let name = format!("powers.{}", object::key_text(cx, m, key)?);
        if let Some(why) = pass::refusal(cx, m, power, &name)? {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// `make(specifier, powers, limits)`, `makeFromSource(text, powers, limits)`
fn make(cx: &mut Cx, m: Mem, a: Args, what: i32) -> Res {
    let name = if what == MAKE { "vats.make: the specifier" } else { "vats.makeFromSource: the source" };
    let (source, powers, limits) = (a.get(m, 0), a.get(m, 1), a.get(m, 2));
    if !is_str(source) {
        return refused(cx, m, ErrorKind::Type, &format!("{name} is not a string"));
    }
    let source = string::flat(cx, m, source)?;
    if let Some(why) = powers_refusal(cx, m, powers)? {
        return refused(cx, m, ErrorKind::Type, &why);
    }
    harden::harden(cx, m, powers)?;
    let mut numbers = [UNDEF, UNDEF];
    if !is_nullish(limits) {
        if !is_obj(limits) {
            return refused(cx, m, ErrorKind::Type, "vats.make: the limits are not a record");
        }
        for (i, name) in ["maxHeap", "maxInstructions"].into_iter().enumerate() {
            let v = object::get_str(cx, m, limits, name)?;
            if v != UNDEF && !(is_number(v) && num(v) >= 1.0) {
                return refused(cx, m, ErrorKind::Type, &format!("vats.make: limits.{name} is not a positive number"));
            }
            numbers[i] = v;
        }
    }
    request(cx, m, what, &[source, powers, numbers[0], numbers[1]])
}

/// Why a value cannot be given a name in the network; it is hardened if it can.
fn not_exportable(cx: &mut Cx, m: Mem, v: Value, method: &str) -> Res<Option<String>> {
    match pass::style(cx, m, v)? {
        pass::Style::Remotable => {
            harden::harden(cx, m, v)?;
            Ok(None)
        }
        pass::Style::Promise => {
            Ok(Some(format!("{method}: a promise has no name of its own: await it and export what it becomes")))
        }
        pass::Style::Refused(why) => Ok(Some(format!("{method}: {why} does not pass by reference"))),
        _ => Ok(Some(format!(
            "{method}: data does not pass by reference: export a function, an object with a method, or one marked with Far"
        ))),
    }
}

/// `net.export(object)`
fn export(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    match not_exportable(cx, m, v, "net.export")? {
        Some(why) => refused(cx, m, ErrorKind::Type, &why),
        None => request(cx, m, EXPORT, &[v]),
    }
}

/// `names.export(object, swissnum)`
fn export_as(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (v, name) = (a.get(m, 0), a.get(m, 1));
    if let Some(why) = not_exportable(cx, m, v, "names.export")? {
        return refused(cx, m, ErrorKind::Type, &why);
    }
    let fine = is_str(name) && (1.0..=MAX_SWISSNUM_BYTES as f64).contains(&(string::len(m, name) as f64));
    if !fine || string::units(cx, m, name)?.iter().any(|c| *c > 255) {
        let why = format!("names.export: the swissnum is not a string of 1 to {MAX_SWISSNUM_BYTES} characters up to U+00FF");
        return refused(cx, m, ErrorKind::Type, &why);
    }
    let name = string::flat(cx, m, name)?;
    request(cx, m, EXPORT_AS, &[v, name])
}

/// `net.import(uri)`, `net.revoke(uri)`
fn uri(cx: &mut Cx, m: Mem, a: Args, what: i32) -> Res {
    let mut v = a.get(m, 0);
    if pass::is_plain_record(cx, m, v)? {
        // as a sturdyref comes in a message
        v = object::get_str(cx, m, v, "#sturdyref")?;
    }
    let method = if what == IMPORT { "net.import" } else { "net.revoke" };
    if !is_str(v) || string::len(m, v) as f64 > MAX_URI_CHARS {
        let why = format!("{method}: the sturdyref is not a string of at most {MAX_URI_CHARS} characters");
        return refused(cx, m, ErrorKind::Type, &why);
    }
    let v = string::flat(cx, m, v)?;
    request(cx, m, what, &[v])
}

/// The object of a power with these methods, hardened.
pub fn object(cx: &mut Cx, m: Mem, methods: &[u16]) -> Res {
    let o = object::new(cx, m)?;
    for &n in methods {
        let f = crate::function::native(cx, m, n, &[])?;
        let name = super::native(n).map_or("", |n| n.name);
        let key = string::intern_str(cx, m, name)?;
        object::create_data_or_throw(cx, m, o, key, f)?;
    }
    harden::harden(cx, m, o)
}
