//! Builtins called as the interpreter calls them.
use crate::bigint;
use crate::cx::{Args, Cx, Res, Stop, Value};
use crate::number::tests::with_machine;
use crate::object::{self, Desc};
use crate::realm::Realm;
use crate::roots::{self, *};
use crate::{array, string};
use cage::Mem;
use cage::layout::FRAMES;
use cage::value::*;

fn with_realm(f: impl FnOnce(&mut Cx, Mem)) {
    with_machine(|cx, m| {
        super::install(cx, m, &Realm { global: roots::get(m, R_GLOBAL), arrangement: crate::realm::Arrangement::Usual })
            .expect("a realm");
        f(cx, m);
    });
}

/// Calls the builtin at a path from the global object.
fn call(cx: &mut Cx, m: Mem, path: &str, this: Value, args: &[Value]) -> Res {
    let mut f = roots::get(m, R_GLOBAL);
    for name in path.split('.') {
        f = object::get_str(cx, m, f, name).expect(path);
    }
    m.w64(FRAMES, 0, f);
    m.w64(FRAMES, 16, this);
    for (i, v) in args.iter().enumerate() {
        m.w64(FRAMES + 24 + 8 * i as u32, 0, *v);
    }
    let native = super::native(crate::function::native_number(m, f)).expect(path);
    (native.run)(cx, m, Args { base: FRAMES, argc: args.len() as u32, new_target: UNDEF })
}

fn show(cx: &mut Cx, m: Mem, path: &str, this: Value, args: &[Value]) -> String {
    match call(cx, m, path, this, args) {
        Ok(v) if array::is_array(m, v) => {
            let all: Vec<String> = (0..array::dense_len(m, v))
                .map(|i| crate::convert::to_rust_string(cx, m, array::element(m, v, i)).expect("a string"))
                .collect();
            all.join(",")
        }
        Ok(v) => crate::convert::to_rust_string(cx, m, v).expect("a string"),
        Err(Stop::Throw) => {
            let name = object::get_str(cx, m, cx.thrown, "name").expect("a name");
            format!("! {}", string::to_rust(cx, m, name).expect("a name"))
        }
        Err(Stop::Abort) => "abort".to_owned(),
    }
}

#[test]
fn uris() {
    with_realm(|cx, m| {
        for (path, text, want) in [
            ("encodeURIComponent", "a b&c/é€😀", "a%20b%26c%2F%C3%A9%E2%82%AC%F0%9F%98%80"),
            ("encodeURI", "http://x/?a=b c#d;é", "http://x/?a=b%20c#d;%C3%A9"),
            ("decodeURI", "%3B%2f%23%41%20%E2%82%AC", "%3B%2f%23A €"),
            ("decodeURIComponent", "%3B%2F%F0%9F%98%80x", ";/😀x"),
            ("decodeURIComponent", "%", "! URIError"),
            ("decodeURIComponent", "%4", "! URIError"),
            ("decodeURIComponent", "%C0%80", "! URIError"),
            ("decodeURIComponent", "%ED%A0%80", "! URIError"),
            ("decodeURIComponent", "%E2%82", "! URIError"),
            ("decodeURIComponent", "%80", "! URIError"),
            ("escape", "a b+é€", "a%20b+%E9%u20AC"),
            ("unescape", "a%20b%u20AC%u20%zz%E9%", "a b€%u20%zzé%"),
        ] {
            let s = cx.str(m, text).expect("a string");
            assert_eq!(show(cx, m, path, UNDEF, &[s]), want, "{path}({text})");
        }
        let lone = string::from_units(cx, m, &[0x61, 0xD800]).expect("a string");
        assert_eq!(show(cx, m, "encodeURI", UNDEF, &[lone]), "! URIError");
    });
}

#[test]
fn functions_of_math() {
    with_realm(|cx, m| {
        let n = |f: f64| from_num(f);
        for (path, args, want) in [
            ("max", vec![n(-0.0), n(0.0)], n(0.0)),
            ("min", vec![n(0.0), n(-0.0)], n(-0.0)),
            ("max", vec![], n(f64::NEG_INFINITY)),
            ("max", vec![n(1.0), NAN, n(3.0)], NAN),
            ("round", vec![n(-0.5)], n(-0.0)),
            ("round", vec![n(2.5)], n(3.0)),
            ("round", vec![n(-2.5)], n(-2.0)),
            ("round", vec![n(0.49999999999999994)], n(0.0)),
            ("round", vec![n(4503599627370497.0)], n(4503599627370497.0)),
            ("sign", vec![n(-0.0)], n(-0.0)),
            ("sign", vec![n(-7.0)], n(-1.0)),
            ("hypot", vec![n(3.0), n(4.0)], n(5.0)),
            ("hypot", vec![NAN, n(f64::NEG_INFINITY)], n(f64::INFINITY)),
            ("hypot", vec![], n(0.0)),
            ("clz32", vec![n(0.0)], n(32.0)),
            ("imul", vec![n(4294967295.0), n(5.0)], n(-5.0)),
            ("pow", vec![n(1.0), n(f64::INFINITY)], NAN),
            ("pow", vec![NAN, n(0.0)], n(1.0)),
            ("pow", vec![n(2.0), n(0.5)], n(std::f64::consts::SQRT_2)),
            ("f16round", vec![n(1.337)], n(1.3369140625)),
            ("f16round", vec![n(65519.99)], n(65504.0)),
            ("f16round", vec![n(65520.0)], n(f64::INFINITY)),
            ("f16round", vec![n(2f64.powi(-25))], n(0.0)),
            ("f16round", vec![n(2f64.powi(-25) * 1.0000001)], n(2f64.powi(-24))),
            ("fround", vec![n(5.5)], n(5.5)),
            ("fround", vec![n(5.05)], n(5.050000190734863)),
            ("log10", vec![n(1000.0)], n(3.0)),
            ("log2", vec![n(8.0)], n(3.0)),
            ("cbrt", vec![n(27.0)], n(3.0)),
            ("trunc", vec![n(-0.9)], n(-0.0)),
            ("atan2", vec![n(-0.0), n(-1.0)], n(-std::f64::consts::PI)),
        ] {
            assert_eq!(call(cx, m, &format!("Math.{path}"), UNDEF, &args), Ok(want), "{path}");
        }
        assert_eq!(show(cx, m, "Math.random", UNDEF, &[]), "! TypeError");
    });
}

#[test]
fn integrity() {
    with_realm(|cx, m| {
        let o = object::new(cx, m).expect("an object");
        let k = string::intern_str(cx, m, "k").expect("a key");
        assert_eq!(call(cx, m, "Object.isFrozen", UNDEF, &[o]), Ok(FALSE));
        object::define_or_throw(cx, m, o, k, Desc::data(int(1), 0)).expect("defined");
        object::prevent_extensions(cx, m, o);
        assert_eq!(call(cx, m, "Object.isFrozen", UNDEF, &[o]), Ok(TRUE), "frozen by hand");
        assert_eq!(call(cx, m, "Object.isFrozen", UNDEF, &[int(1)]), Ok(TRUE));
        let a = array::from_slice(cx, m, &[int(1), int(2)]).expect("an array");
        call(cx, m, "Object.seal", UNDEF, &[a]).expect("sealed");
        assert_eq!(call(cx, m, "Object.isSealed", UNDEF, &[a]), Ok(TRUE));
        assert_eq!(call(cx, m, "Object.isFrozen", UNDEF, &[a]), Ok(FALSE));
        call(cx, m, "Object.freeze", UNDEF, &[a]).expect("frozen");
        assert_eq!(call(cx, m, "Object.isFrozen", UNDEF, &[a]), Ok(TRUE));
        assert_eq!(show(cx, m, "Object.keys", UNDEF, &[a]), "0,1");
        assert_eq!(show(cx, m, "Object.getOwnPropertyNames", UNDEF, &[a]), "0,1,length");
        let f = object::get_str(cx, m, roots::get(m, R_OBJECT), "freeze").expect("a function");
        assert_eq!(show(cx, m, "Object.getOwnPropertyNames", UNDEF, &[f]), "length,name");
    });
}

#[test]
fn tags_and_names() {
    with_realm(|cx, m| {
        let global = roots::get(m, R_GLOBAL);
        for (name, want) in [
            ("Number", "[object Number]"),
            ("String", "[object String]"),
            ("Symbol", "[object Symbol]"),
            ("Object", "[object Object]"),
        ] {
            let Ok(c) = object::get_str(cx, m, global, name) else { continue };
            if is_obj(c) {
                let p = object::get_str(cx, m, c, "prototype").expect("a prototype");
                assert_eq!(show(cx, m, "Object.prototype.toString", p, &[]), want);
            }
        }
        let math = object::get_str(cx, m, global, "Math").expect("Math");
        assert_eq!(show(cx, m, "Object.prototype.toString", math, &[]), "[object Math]");
        assert_eq!(show(cx, m, "Object.prototype.toString", UNDEF, &[]), "[object Undefined]");
        let freeze = object::get_str(cx, m, roots::get(m, R_OBJECT), "freeze").expect("a function");
        let bound = call(cx, m, "Function.prototype.bind", freeze, &[UNDEF, int(1)]).expect("bound");
        let name = object::get_str(cx, m, bound, "name").expect("a name");
        assert_eq!(string::to_rust(cx, m, name), Ok("bound freeze".to_owned()));
        assert_eq!(object::get_str(cx, m, bound, "length"), Ok(int(0)));
        let (x, y) = (cx.str(m, "12").expect("a string"), cx.str(m, "12").expect("a string"));
        let s = call(cx, m, "Symbol.for", UNDEF, &[x]).expect("a symbol");
        assert_eq!(call(cx, m, "Symbol.for", UNDEF, &[y]), Ok(s));
        assert_eq!(show(cx, m, "Symbol.prototype.toString", s, &[]), "Symbol(12)");
        assert_eq!(show(cx, m, "Symbol.keyFor", UNDEF, &[s]), "12");
        assert_eq!(show(cx, m, "Function.prototype.constructor", UNDEF, &[]), "! TypeError");
    });
}

#[test]
fn numbers_and_bigints() {
    with_realm(|cx, m| {
        assert_eq!(show(cx, m, "Number.prototype.toString", int(255), &[int(16)]), "ff");
        assert_eq!(show(cx, m, "Number.prototype.toString", int(255), &[int(1)]), "! RangeError");
        assert_eq!(show(cx, m, "Number.prototype.toFixed", from_num(1.5), &[int(101)]), "! RangeError");
        assert_eq!(show(cx, m, "Number.prototype.toPrecision", NAN, &[int(1000)]), "NaN");
        assert_eq!(show(cx, m, "Number.prototype.valueOf", UNDEF, &[]), "! TypeError");
        assert_eq!(call(cx, m, "Number.isSafeInteger", UNDEF, &[from_num(9007199254740992.0)]), Ok(FALSE));
        let one = bigint::from_i64(cx, m, -1).expect("a bigint");
        assert_eq!(show(cx, m, "BigInt.asUintN", UNDEF, &[int(64), one]), "18446744073709551615");
        assert_eq!(show(cx, m, "BigInt.asUintN", UNDEF, &[int(-1), one]), "! RangeError");
        assert_eq!(show(cx, m, "BigInt", UNDEF, &[from_num(1e20)]), "100000000000000000000");
        assert_eq!(show(cx, m, "BigInt", UNDEF, &[from_num(1.5)]), "! RangeError");
        assert_eq!(show(cx, m, "BigInt", UNDEF, &[UNDEF]), "! TypeError");
        let x = cx.str(m, "x").expect("a string");
        assert_eq!(show(cx, m, "BigInt", UNDEF, &[x]), "! SyntaxError");
    });
}

#[test]
fn what_is_shown_is_bounded() {
    with_realm(|cx, m| {
        let o = object::new(cx, m).expect("an object");
        for i in 0..50_000 {
            let key = string::intern_str(cx, m, &format!("a rather long name {i}")).expect("a name");
            object::create_data_or_throw(cx, m, o, key, int(i)).expect("a property");
        }
        let text = super::console::format(cx, m, &[o]).expect("a text");
        assert!(text.starts_with("{\n  'a rather long name 0': 0,\n") && text.len() < 1 << 20, "{} bytes", text.len());
        let shown = text.lines().count() - 3;
        assert!(shown > 1000 && text.ends_with(&format!(",\n  ... {} more properties\n}}", 50_000 - shown)), "{shown} shown");
        let json = super::console::inspect::json_like(cx, m, o).expect("a text");
        assert!(json.ends_with("…}") && json.len() < 1 << 20, "{} bytes", json.len());
    });
}
