//! harden, Nat, Far, makePromiseKit, lockdown.
use super::{Native, f};
use crate::cx::{Args, Cx, Res, Value};
use crate::object;
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::shape::WC;
use crate::{convert, harden, pass, promise, string};
use cage::Mem;
use cage::value::*;

const HARDEN: u16 = 0x3C0;
const LOCKDOWN: u16 = 0x3C4;

pub const TABLE: &[Native] = &[
    f(HARDEN, "harden", 1, |cx, m, a| harden::harden(cx, m, a.get(m, 0))),
    f(0x3C1, "Nat", 1, nat),
    f(0x3C2, "Far", 2, far),
    f(0x3C3, "makePromiseKit", 0, make_promise_kit),
    f(LOCKDOWN, "lockdown", 1, lockdown),
];

/// The largest number whose neighbours are exact too.
const MAX_SAFE: f64 = 9007199254740991.0;

fn nat(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let v = a.get(m, 0);
    if is_int(v) && as_int(v) >= 0 {
        return Ok(v);
    }
    let why = if !is_number(v) {
        "not a number"
    } else {
        let n = num(v);
        if n.is_nan() {
            "NaN not natural"
        } else if n < 0.0 {
            "negative"
        } else if !n.is_finite() || n.trunc() != n {
            "not integral"
        } else if n > MAX_SAFE {
            "too big"
        } else {
            return Ok(v);
        }
    };
    Err(cx.range_error(m, why))
}

/// Far(name, object), or Far(name): a token.
fn far(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let name = a.get(m, 0);
    if !is_str(name) {
        return Err(cx.type_error(m, "Far: the interface name must be a string"));
    }
    let o = if a.argc < 2 { object::new(cx, m)? } else { a.get(m, 1) };
    pass::far(cx, m, name, o)
}

fn make_promise_kit(cx: &mut Cx, m: Mem, _a: Args) -> Res {
    let p = promise::new_promise(cx, m)?;
    let (resolve, reject) = promise::resolving_functions(cx, m, p)?;
    let kit = super::promise::kit(cx, m, p, resolve, reject)?;
    if roots::get(m, R_UNLOCKED) == TRUE { Ok(kit) } else { harden::harden(cx, m, kit) }
}

/// The options of ses' lockdown and what they may be; the second empty: anything.
const OPTIONS: &[(&str, &[&str])] = &[
    ("errorTaming", &["safe", "unsafe", "unsafe-debug"]),
    ("errorTrapping", &["platform", "none", "report", "abort", "exit"]),
    ("reporting", &["platform", "console", "none"]),
    ("unhandledRejectionTrapping", &["report", "none"]),
    ("regExpTaming", &["safe", "unsafe"]),
    ("localeTaming", &["safe", "unsafe"]),
    ("consoleTaming", &["safe", "unsafe"]),
    ("overrideTaming", &["moderate", "min", "severe"]),
    ("overrideDebug", &[]),
    ("stackFiltering", &["concise", "omit-frames", "shorten-paths", "verbose"]),
    ("domainTaming", &["safe", "unsafe"]),
    ("evalTaming", &["safe-eval", "unsafe-eval", "no-eval", "safeEval", "unsafeEval", "noEval"]),
    ("legacyRegeneratorRuntimeTaming", &["safe", "unsafe-ignore"]),
    ("__hardenTaming__", &["safe", "unsafe"]),
    ("dateTaming", &["safe", "unsafe"]),
    ("mathTaming", &["safe", "unsafe"]),
];

/// The realm is locked down before any program runs: lockdown checks its options and does nothing.
fn lockdown(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let options = a.get(m, 0);
    if options != UNDEF && !is_obj(options) {
        return Err(cx.type_error(m, "lockdown: options must be an object"));
    }
    if is_obj(options) {
        for key in object::own_keys(cx, m, options)? {
            let v = object::get(cx, m, options, key)?;
            check_option(cx, m, key, v)?;
        }
    }
    Ok(UNDEF)
}

fn check_option(cx: &mut Cx, m: Mem, key: Value, v: Value) -> Res<()> {
    let name = object::key_text(cx, m, key)?;
    let Some((_, allowed)) = OPTIONS.iter().find(|o| o.0 == name) else {
        return Err(cx.type_error(m, &format!("lockdown: unknown option '{name}'")));
    };
    if v == UNDEF || allowed.is_empty() {
        return Ok(());
    }
    let text = convert::to_shown(cx, m, v)?;
    if !allowed.contains(&text.as_str()) {
        let list = allowed.join(", ");
        return Err(cx.type_error(m, &format!("lockdown: option '{name}' must be one of {list}, not '{text}'")));
    }
    Ok(())
}

pub fn install(cx: &mut Cx, m: Mem, r: &Realm) -> Res<()> {
    for n in [0x3C1, 0x3C2, 0x3C3, LOCKDOWN] {
        r.method(cx, m, r.global, n)?;
    }
    let h = r.method(cx, m, r.global, HARDEN)?;
    let object = roots::get(m, R_OBJECT);
    if is_obj(object) {
        let name = string::intern_str(cx, m, "harden")?;
        let key = super::symbol::registered(cx, m, name)?;
        object::define_or_throw(cx, m, object, key, object::Desc::data(h, WC))?;
    }
    Ok(())
}
