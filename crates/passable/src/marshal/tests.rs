//! Each line of the cheat sheet of smallcaps, the same for capData, and what is refused.
use super::{Form, MAX_DEPTH, Marshalled};
use crate::{Data, ObjectId, PromiseId, Ref, VatId, Writer};

const OBJECT: Ref = Ref::Object(ObjectId { vat: VatId(3), n: 4 });
const PROMISE: Ref = Ref::Promise(PromiseId { vat: VatId(3), n: 9 });

fn data(write: impl FnOnce(&mut Writer)) -> Data {
    let mut w = Writer::new();
    write(&mut w);
    w.done()
}

fn symbol(well_known: bool, name: &str) -> Data {
    data(|w| {
        if well_known {
            w.well_known_symbol()
        } else {
            w.registered_symbol()
        }
        w.string(name);
    })
}

/// Values, as JSON in smallcaps and in capData.
fn pairs() -> Vec<(Data, &'static str, &'static str)> {
    let number = |n: f64| data(|w| w.number(n));
    let bigint = |negative, limbs: &'static [u64]| data(|w| w.bigint(negative, limbs));
    vec![
        (data(|w| w.undefined()), r##""#undefined""##, r#"{"@qclass":"undefined"}"#),
        (data(|w| w.null()), "null", "null"),
        (data(|w| w.boolean(true)), "true", "true"),
        (data(|w| w.boolean(false)), "false", "false"),
        (bigint(false, &[7]), r#""+7""#, r#"{"@qclass":"bigint","digits":"7"}"#),
        (bigint(true, &[7]), r#""-7""#, r#"{"@qclass":"bigint","digits":"-7"}"#),
        (bigint(false, &[]), r#""+0""#, r#"{"@qclass":"bigint","digits":"0"}"#),
        (bigint(false, &[0, 1]), r#""+18446744073709551616""#, r#"{"@qclass":"bigint","digits":"18446744073709551616"}"#),
        (number(7.1), "7.1", "7.1"),
        (number(-3.0), "-3", "-3"),
        (number(1e21), "1e+21", "1e+21"),
        (number(5e-324), "5e-324", "5e-324"),
        (number(0.1 + 0.2), "0.30000000000000004", "0.30000000000000004"),
        (number(f64::NAN), r##""#NaN""##, r#"{"@qclass":"NaN"}"#),
        (number(f64::INFINITY), r##""#Infinity""##, r#"{"@qclass":"Infinity"}"#),
        (number(f64::NEG_INFINITY), r##""#-Infinity""##, r#"{"@qclass":"-Infinity"}"#),
        (Data::string("foo"), r#""foo""#, r#""foo""#),
        (Data::string("#foo"), r##""!#foo""##, r##""#foo""##),
        (Data::string("!"), r#""!!""#, r#""!""#),
        (Data::string("-1"), r#""!-1""#, r#""-1""#),
        (Data::string(".x"), r#"".x""#, r#"".x""#),
        (Data::string(""), r#""""#, r#""""#),
        (Data::string("a\"\\\n\u{1}\u{2028}日😀"), "\"a\\\"\\\\\\n\\u0001\u{2028}日😀\"", "\"a\\\"\\\\\\n\\u0001\u{2028}日😀\""),
        (symbol(false, "foo"), r#""%foo""#, r#"{"@qclass":"symbol","name":"foo"}"#),
        (symbol(true, "asyncIterator"), r#""%@@asyncIterator""#, r#"{"@qclass":"symbol","name":"@@asyncIterator"}"#),
        (symbol(false, "@@odd"), r#""%@@@@odd""#, r#"{"@qclass":"symbol","name":"@@@@odd"}"#),
        (
            Data::error("TypeError", "msg"),
            r##"{"#error":"msg","name":"TypeError"}"##,
            r#"{"@qclass":"error","message":"msg","name":"TypeError"}"#,
        ),
        (
            Data::error("Error", "#msg"),
            r##"{"#error":"!#msg","name":"Error"}"##,
            r##"{"@qclass":"error","message":"#msg","name":"Error"}"##,
        ),
    ]
}

fn nothing(_: Ref) -> Option<String> {
    None
}

/// Written so, and read as what it was.
fn both(d: &Data, smallcaps: &str, cap_data: &str) {
    for (form, body) in [(Form::Smallcaps, format!("#{smallcaps}")), (Form::CapData, cap_data.to_owned())] {
        let written = form.write(d, &mut nothing).expect("it can be written");
        assert_eq!(written.body, body);
        let again = form.read(&body, &written.slots).expect("it can be read");
        assert_eq!(form.write(&again, &mut nothing).expect("it can be written").body, body);
        assert_eq!(again.describe(), d.describe(), "{body}");
    }
}

#[test]
fn atoms() {
    for (d, smallcaps, cap_data) in pairs() {
        both(&d, smallcaps, cap_data);
        for (form, body) in [(Form::Smallcaps, format!("#{smallcaps}")), (Form::CapData, cap_data.to_owned())] {
            let read = form.read(&body, &[]).expect("it can be read");
            // a NaN is not equal to itself, nor an integer in both its encodings
            let same = |d: &Data| form.write(d, &mut nothing).expect("written").body;
            assert_eq!(same(&read), same(&d));
        }
    }
    // the forms have no minus zero
    assert_eq!(Form::Smallcaps.write(&data(|w| w.number(-0.0)), &mut nothing).expect("written").body, "#0");
}

#[test]
fn containers() {
    // {foo: 1, '#foo': 2} of JavaScript elsewhere is {foo: 1, '##foo': 2} here
    let record = data(|w| {
        w.record(3);
        w.string("foo");
        w.integer(1);
        w.string("##foo");
        w.integer(2);
        w.string("Z");
        w.array(2);
        w.undefined();
        w.string("%x");
    });
    both(
        &record,
        r##"{"!#foo":2,"Z":["#undefined","!%x"],"foo":1}"##,
        r##"{"#foo":2,"Z":[{"@qclass":"undefined"},"%x"],"foo":1}"##,
    );
    let tagged = data(|w| {
        w.record(2);
        w.string("#tag");
        w.string("#t");
        w.string("payload");
        w.string("+1");
    });
    both(&tagged, r##"{"#tag":"!#t","payload":"!+1"}"##, r##"{"@qclass":"tagged","tag":"#t","payload":"+1"}"##);
    let hilbert = data(|w| {
        w.record(2);
        w.string("@qclass");
        w.string("slot");
        w.string("a");
        w.record(1);
        w.string("@qclass");
        w.null();
    });
    both(
        &hilbert,
        r#"{"@qclass":"slot","a":{"@qclass":null}}"#,
        r#"{"@qclass":"hilbert","original":"slot","rest":{"a":{"@qclass":"hilbert","original":null}}}"#,
    );
    // what occurs twice is written twice
    let twice = data(|w| {
        w.array(2);
        w.array(1);
        w.integer(5);
        w.again(1);
    });
    both(&twice, "[[5],[5]]", "[[5],[5]]");
}

#[test]
fn references() {
    let d = data(|w| {
        w.array(4);
        [OBJECT, PROMISE, OBJECT, PROMISE].into_iter().for_each(|r| w.reference(r));
    });
    let mut iface = |_| Some("Alleged: foo".to_owned());
    let Marshalled { body, slots } = Form::Smallcaps.write(&d, &mut iface).expect("written");
    assert_eq!((body.as_str(), slots.as_slice()), (r##"#["$0.Alleged: foo","&1","$0","&1"]"##, &[OBJECT, PROMISE][..]));
    assert_eq!(Form::Smallcaps.read(&body, &slots), Ok(d.clone()));
    assert!(Form::Smallcaps.read(&body, &[PROMISE, OBJECT]).is_err(), "of the other kind");
    let Marshalled { body, slots } = Form::CapData.write(&d, &mut iface).expect("written");
    let slot = |i: u32| format!(r#"{{"@qclass":"slot","index":{i}}}"#);
    let first = r#"{"@qclass":"slot","iface":"Alleged: foo","index":0}"#;
    assert_eq!(body, format!("[{first},{},{},{}]", slot(1), slot(0), slot(1)));
    assert_eq!(Form::CapData.read(&body, &slots), Ok(d));
}

#[test]
fn what_is_no_value_is_refused() {
    let deep = format!("#{}1{}", "[".repeat(MAX_DEPTH + 20), "]".repeat(MAX_DEPTH + 20));
    for bad in [
        "",
        "1",
        "#",
        "#[",
        r##"#"#nothing""##,
        r##"#"$0""##,
        r##"#"&0""##,
        r##"#"$""##,
        r##"#"$00""##,
        r##"#"+""##,
        r##"#"+1x""##,
        r##"#"*a""##,
        r##"#"'a""##,
        r##"#{"#tag":1,"payload":1}"##,
        r##"#{"#tag":"a"}"##,
        r##"#{"#tag":"a","payload":1,"more":1}"##,
        r##"#{"#error":"a"}"##,
        r##"#{"#error":1,"name":"Error"}"##,
        r##"#{"#other":1}"##,
        r##"#{"%a":1}"##,
        r##"#"\ud800""##,
        &deep,
    ] {
        assert!(Form::Smallcaps.read(bad, &[]).is_err(), "{bad}");
    }
    for bad in [
        "",
        "#1",
        r#"{"@qclass":1}"#,
        r#"{"@qclass":"ibid","index":0}"#,
        r#"{"@qclass":"slot"}"#,
        r#"{"@qclass":"slot","index":0}"#,
        r#"{"@qclass":"slot","index":-1}"#,
        r#"{"@qclass":"bigint"}"#,
        r#"{"@qclass":"bigint","digits":"1.5"}"#,
        r#"{"@qclass":"hilbert"}"#,
        r#"{"@qclass":"hilbert","original":1,"rest":{}}"#,
        r#"{"@qclass":"hilbert","original":1,"rest":{"@qclass":"NaN"}}"#,
        r#"{"@qclass":"error","message":"a"}"#,
        r#"{"@qclass":"symbol"}"#,
        r#"{"@qclass":"tagged","tag":"a"}"#,
    ] {
        assert!(Form::CapData.read(bad, &[]).is_err(), "{bad}");
    }
}

#[test]
fn what_has_no_form_is_refused() {
    let itself = data(|w| {
        w.array(1);
        w.again(0);
    });
    let power = data(|w| w.reference(Ref::Power(crate::Power::USUAL[0])));
    let settled = data(|w| {
        w.settled(false);
        w.null();
    });
    let bytes = data(|w| {
        w.record(1);
        w.string("#bytes");
        w.string("abc");
    });
    for d in [itself, power, settled, bytes, Data { body: [99u8].as_slice().into(), slots: Vec::new() }] {
        for form in [Form::Smallcaps, Form::CapData] {
            assert!(form.write(&d, &mut nothing).is_err());
        }
    }
    // long numbers and a text whose sharing would take all memory
    let long = format!("#\"+{}\"", "1".repeat(30_000));
    assert!(Form::Smallcaps.read(&long, &[]).is_err());
    let shared = data(|w| {
        w.array(2);
        w.string(&"x".repeat(1000));
        w.array(60);
        (0..60).for_each(|i| {
            w.array(2);
            let before = if i == 0 { 1 } else { i + 1 };
            w.again(before.min(i + 1));
            w.again(before.min(i + 1));
        });
    });
    assert!(Form::Smallcaps.write(&shared, &mut nothing).is_err());
}
