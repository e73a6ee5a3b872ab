//! Vectors printed by another engine (`bigint_vectors.txt`), limits, and times.
use super::*;
use crate::number::tests::with_machine;
use crate::string;

fn big(cx: &mut Cx, m: Mem, t: &str) -> Value {
    let s = cx.str(m, t).expect("a string");
    parse(cx, m, s).expect("parses").expect("a bigint")
}

fn show(cx: &mut Cx, m: Mem, v: Res, radix: u32) -> String {
    match v {
        Ok(v) => {
            assert!(size(m, v) == 0 || limb(m, v, size(m, v) - 1) != 0, "a leading zero limb");
            let s = to_string(cx, m, v, radix).expect("a string");
            string::to_rust(cx, m, s).expect("a string")
        }
        Err(Stop::Throw) => "!".to_owned(),
        Err(Stop::Abort) => "abort".to_owned(),
    }
}

fn operator(name: &str) -> Option<BigOp> {
    Some(match name {
        "Add" => BigOp::Add,
        "Sub" => BigOp::Sub,
        "Mul" => BigOp::Mul,
        "Div" => BigOp::Div,
        "Rem" => BigOp::Rem,
        "Pow" => BigOp::Pow,
        "And" => BigOp::And,
        "Or" => BigOp::Or,
        "Xor" => BigOp::Xor,
        "Shl" => BigOp::Shl,
        "Shr" => BigOp::Shr,
        _ => return None,
    })
}

fn run(cx: &mut Cx, m: Mem, name: &str, a: &str, b: &str) -> String {
    let x = big(cx, m, a);
    let bits = u64::from_str_radix(b, 16).unwrap_or(0);
    if let Some(op) = operator(name) {
        let y = big(cx, m, b);
        let r = binary(cx, m, op, x, y);
        return show(cx, m, r, 10);
    }
    let r = match name {
        "AsInt" | "AsUint" => wrap(cx, m, b.parse().expect("bits"), x, name == "AsInt"),
        "Not" => bit_not(cx, m, x),
        "Neg" => negate(cx, m, x),
        "Str" => return show(cx, m, Ok(x), b.parse().expect("a radix")),
        "From" => from_number(cx, m, f64::from_bits(bits)),
        "Num" => return format!("{:x}", to_f64(m, x).to_bits()),
        "CmpNum" => {
            let o = compare_mixed(cx, m, x, from_num(f64::from_bits(bits))).expect("an order");
            return o.map_or("u".to_owned(), |o| (o as i8).to_string());
        }
        _ => panic!("{name}?"),
    };
    show(cx, m, r, 10)
}

#[test]
fn vectors() {
    with_machine(|cx, m| {
        for line in include_str!("bigint_vectors.txt").lines() {
            let p: Vec<&str> = line.split(' ').collect();
            assert_eq!(run(cx, m, p[0], p[1], p[2]), p[3], "{line}");
        }
    });
}

#[test]
fn strings_that_spell_none() {
    with_machine(|cx, m| {
        for t in ["x", "1n", "1.0", "1e3", "-0x1", "0x", "--1", "+", "1_0", "0b2", "1 1", "Infinity"] {
            let s = cx.str(m, t).expect("a string");
            assert_eq!(parse(cx, m, s), Ok(None), "{t}");
        }
        for (t, want) in [("", "0"), ("  \n", "0"), (" -12 ", "-12"), ("+7", "7"), ("0xFf", "255"), ("0O17", "15"), ("-0", "0")] {
            let v = big(cx, m, t);
            assert_eq!(show(cx, m, Ok(v), 10), want, "{t:?}");
        }
        for (t, want) in [("1_000n", "1000"), ("0xFFFF_FFFF_FFFF_FFFF_FFFF", "1208925819614629174706175"), ("0b101n", "5")] {
            let v = from_digits(cx, m, t);
            assert_eq!(show(cx, m, v, 10), want, "{t:?}");
        }
    });
}

#[test]
fn size_is_limited() {
    with_machine(|cx, m| {
        let (one, n) = (big(cx, m, "1"), big(cx, m, &(MAX_BITS - 1).to_string()));
        let top = binary(cx, m, BigOp::Shl, one, n).expect("fits");
        assert_eq!(bit_length(m, top), MAX_BITS);
        for (op, a, b) in [(BigOp::Shl, top, one), (BigOp::Add, top, top), (BigOp::Mul, top, top), (BigOp::Pow, top, n)] {
            assert_eq!(binary(cx, m, op, a, b), Err(Stop::Throw), "{op:?}");
        }
        let two = big(cx, m, "2");
        assert_eq!(binary(cx, m, BigOp::Pow, two, top), Err(Stop::Throw));
        assert!(binary(cx, m, BigOp::Pow, two, n).is_ok_and(|v| equals(m, v, top)));
        let minus = negate(cx, m, two).expect("fits");
        let r = binary(cx, m, BigOp::Shr, top, top);
        assert_eq!(show(cx, m, r, 10), "0");
        assert_eq!(wrap(cx, m, MAX_BITS + 1, minus, false), Err(Stop::Throw));
        assert!(wrap(cx, m, 1 << 53, minus, true).is_ok_and(|v| equals(m, v, minus)));
    });
}

#[test]
fn long_numbers_are_cut_and_joined() {
    with_machine(|cx, m| {
        let (three, n) = (big(cx, m, "3"), big(cx, m, &(MAX_BITS * 63 / 100).to_string()));
        let v = binary(cx, m, BigOp::Pow, three, n).expect("fits");
        for radix in [3, 10, 16, 36] {
            let whole = to_ubig(m, v).in_radix(radix as u8).to_string();
            let t = to_string(cx, m, v, radix).expect("a string");
            assert!(string::to_rust(cx, m, t).is_ok_and(|t| t == whole), "radix {radix}");
        }
        let t = to_string(cx, m, v, 10).expect("a string");
        let again = parse(cx, m, t).expect("parses").expect("a bigint");
        assert!(equals(m, again, v));
    });
}

#[test]
fn quotient_and_remainder_make_the_dividend() {
    with_machine(|cx, m| {
        let (mut a, b) = (big(cx, m, "-98765432109876543210987654321"), big(cx, m, "340282366920938463463374607431768211507"));
        for _ in 0..40 {
            let sum = binary(cx, m, BigOp::Sub, a, b).expect("fits");
            a = binary(cx, m, BigOp::Mul, a, sum).expect("fits");
            if bit_length(m, a) > 20_000 {
                let n = big(cx, m, "19990");
                a = binary(cx, m, BigOp::Shr, a, n).expect("fits");
            }
            let q = binary(cx, m, BigOp::Div, a, b).expect("fits");
            let r = binary(cx, m, BigOp::Rem, a, b).expect("fits");
            let p = binary(cx, m, BigOp::Mul, q, b).expect("fits");
            let back = binary(cx, m, BigOp::Add, p, r).expect("fits");
            assert!(equals(m, back, a));
            assert_eq!(hash(m, back), hash(m, a));
            let t = to_string(cx, m, a, 10).expect("a string");
            let again = parse(cx, m, t).expect("parses").expect("a bigint");
            assert_eq!(compare(cx, m, again, a), Ok(Ordering::Equal));
        }
    });
}

/// Prints what the largest operations take, beside what they charge: `cargo test --release times -- --ignored --nocapture`.
#[test]
#[ignore = "measures time"]
fn times() {
    with_machine(|cx, m| {
        let make = |cx: &mut Cx, bits: u64| {
            let (three, n) = (big(cx, m, "3"), big(cx, m, &(bits * 63 / 100).to_string()));
            binary(cx, m, BigOp::Pow, three, n).expect("fits")
        };
        let (full, half, third) = (make(cx, MAX_BITS), make(cx, MAX_BITS / 2), make(cx, MAX_BITS / 3));
        let s = to_string(cx, m, full, 10).expect("a string");
        let (three, n) = (big(cx, m, "3"), big(cx, m, &(MAX_BITS * 63 / 100).to_string()));
        let mut time = |what: &str, f: &dyn Fn(&mut Cx) -> bool| {
            let (start, fuel) = (std::time::Instant::now(), cx.units_left());
            assert!(f(cx), "{what}");
            let (took, cost) = (start.elapsed(), fuel - cx.units_left());
            println!("{what:12} {took:10.1?}, charged {cost}: {:.2} ns each", took.as_nanos() as f64 / cost as f64);
        };
        time("mul half", &|cx| binary(cx, m, BigOp::Mul, half, half).is_ok());
        time("div half", &|cx| binary(cx, m, BigOp::Div, full, half).is_ok());
        time("div third", &|cx| binary(cx, m, BigOp::Div, full, third).is_ok());
        time("rem third", &|cx| binary(cx, m, BigOp::Rem, full, third).is_ok());
        time("pow", &|cx| binary(cx, m, BigOp::Pow, three, n).is_ok());
        time("add", &|cx| binary(cx, m, BigOp::Add, full, half).is_ok());
        time("to decimal", &|cx| to_string(cx, m, full, 10).is_ok());
        time("to radix 36", &|cx| to_string(cx, m, full, 36).is_ok());
        time("to hex", &|cx| to_string(cx, m, full, 16).is_ok());
        time("to binary", &|cx| to_string(cx, m, full, 2).is_ok());
        time("from decimal", &|cx| parse(cx, m, s).is_ok());
    });
}
