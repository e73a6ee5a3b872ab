//! Messages of the form `call`: the receiver decides whether the first argument names a method.
use passable::{Data, Delivery, Ending, Message, Op, PromiseId, Ref, Resolution, Target, VatId, What, Writer};
use vat::{Quota, Shared, Vat};

const THIS: VatId = VatId(1);

fn answer(n: u64) -> PromiseId {
    PromiseId { vat: passable::HOST, n }
}

fn call(args: impl FnOnce(&mut Writer) -> u64) -> Data {
    let mut inner = Writer::new();
    let n = args(&mut inner);
    let inner = inner.done();
    let mut w = Writer::new();
    w.byte(3);
    w.varint(n);
    let mut d = w.done();
    d.body.extend_from_slice(&inner.body);
    d
}

/// Starts a program; the object it returns.
fn start(text: &str) -> (Shared, Vat, Ref) {
    let shared = Shared::new(false).expect("a base");
    let mut vat = Vat::new(&shared, THIS, Quota::default()).expect("a vat");
    let what = What::StartText { text: text.into(), powers: vat::powers_data(&[], &[], &[]), answer: answer(1) };
    let t = vat.deliver(&shared, &what.into());
    assert_eq!(t.ending, Ending::Done, "{t:?}");
    let root = t.ops.iter().find_map(|op| match op {
        Op::Resolve { to: Resolution::Fulfilled(d), .. } => d.as_reference(),
        _ => None,
    });
    (shared, vat, root.expect("an object"))
}

fn send(shared: &Shared, vat: &mut Vat, to: Ref, body: Data) -> Resolution {
    let Ref::Object(o) = to else { panic!("no object: {to:?}") };
    let m = Message { target: Target::Object(o), body, answer: Some(answer(2)), id: 0 };
    let t = vat.deliver(shared, &Delivery::from(What::Message(Box::new(m))));
    assert_eq!(t.ending, Ending::Done, "{t:?}");
    let to = t.ops.into_iter().find_map(|op| match op {
        Op::Resolve { to, .. } => Some(to),
        _ => None,
    });
    to.expect("an answer")
}

fn symbol_and_number(w: &mut Writer) -> u64 {
    w.registered_symbol();
    w.string("add");
    w.integer(5);
    2
}

#[test]
fn an_object_takes_the_symbol_as_the_name_of_its_method() {
    let (shared, mut vat, root) = start("export default () => harden({ add: (n, m) => [n + 1, m] });");
    let mut w = Writer::new();
    w.array(2);
    w.integer(6);
    w.undefined();
    assert_eq!(send(&shared, &mut vat, root, call(symbol_and_number)), Resolution::Fulfilled(w.done()));
}

#[test]
fn a_function_takes_all_as_arguments() {
    let (shared, mut vat, root) = start("export default () => harden((...all) => all);");
    let mut w = Writer::new();
    w.array(2);
    symbol_and_number(&mut w);
    assert_eq!(send(&shared, &mut vat, root, call(symbol_and_number)), Resolution::Fulfilled(w.done()));
    let mut w = Writer::new();
    w.array(0);
    assert_eq!(send(&shared, &mut vat, root, call(|_| 0)), Resolution::Fulfilled(w.done()));
}

#[test]
fn an_object_without_such_a_method_refuses() {
    let (shared, mut vat, root) = start("export default () => harden({ add: 1, sub: () => 2 });");
    let refused = |r: Resolution| matches!(r, Resolution::Rejected(d) if d.describe().starts_with("TypeError"));
    assert!(refused(send(&shared, &mut vat, root, call(|_| 0))));
    assert!(refused(send(&shared, &mut vat, root, call(symbol_and_number))));
    // a string names no method: peers send symbols
    assert!(refused(send(
        &shared,
        &mut vat,
        root,
        call(|w| {
            w.string("sub");
            1
        })
    )));
}

#[test]
fn a_handler_is_asked_for_the_method_by_its_name() {
    let text = "export default () => {
        let to;
        const p = new HandledPromise((_resolve, _reject, withPresence) => {
            to = withPresence({ applyMethod: (_o, name, args) => [name, args], applyFunction: (_o, args) => args });
        });
        return to;
    };";
    let (shared, mut vat, root) = start(text);
    let mut w = Writer::new();
    w.array(2);
    w.string("add");
    w.array(1);
    w.integer(5);
    assert_eq!(send(&shared, &mut vat, root, call(symbol_and_number)), Resolution::Fulfilled(w.done()));
    let mut w = Writer::new();
    w.array(1);
    w.integer(5);
    let plain = call(|w| {
        w.integer(5);
        1
    });
    assert_eq!(send(&shared, &mut vat, root, plain), Resolution::Fulfilled(w.done()));
}
