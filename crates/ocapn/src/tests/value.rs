//! Values of tests, and their data.
use passable::{Data, Item, Reader, Ref, Writer};

#[derive(Clone, Debug, PartialEq)]
pub enum V {
    Undefined,
    Null,
    Bool(bool),
    Num(f64),
    Str(String),
    Sym(String),
    Big(bool, Vec<u64>),
    List(Vec<V>),
    Rec(Vec<(String, V)>),
    Err(String, String),
    Ref(Ref),
    Settled(bool, Box<V>),
}

pub fn s(text: &str) -> V {
    V::Str(text.to_owned())
}
pub fn sym(text: &str) -> V {
    V::Sym(text.to_owned())
}
pub fn rec(parts: &[(&str, V)]) -> V {
    V::Rec(parts.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect())
}

impl V {
    pub fn write(&self, w: &mut Writer) {
        match self {
            V::Undefined => w.undefined(),
            V::Null => w.null(),
            V::Bool(b) => w.boolean(*b),
            V::Num(n) => w.number(*n),
            V::Str(t) => w.string(t),
            V::Sym(t) => {
                w.registered_symbol();
                w.string(t);
            }
            V::Big(negative, limbs) => w.bigint(*negative, limbs),
            V::List(all) => {
                w.array(all.len());
                all.iter().for_each(|v| v.write(w));
            }
            V::Rec(all) => {
                w.record(all.len());
                for (k, v) in all {
                    w.string(k);
                    v.write(w);
                }
            }
            V::Err(name, message) => {
                w.error();
                w.string(name);
                w.string(message);
            }
            V::Ref(r) => w.reference(*r),
            V::Settled(rejected, v) => {
                w.settled(*rejected);
                v.write(w);
            }
        }
    }
    pub fn data(&self) -> Data {
        let mut w = Writer::new();
        self.write(&mut w);
        w.done()
    }
    pub fn of(data: &Data) -> V {
        V::read(&mut Reader::new(&data.body), &data.slots)
    }
    pub fn read(r: &mut Reader<'_>, slots: &[Ref]) -> V {
        match r.item().expect("data") {
            Item::Undefined => V::Undefined,
            Item::Null => V::Null,
            Item::Boolean(b) => V::Bool(b),
            Item::Integer(i) => V::Num(i as f64),
            Item::Number(n) => V::Num(n),
            Item::String(t) => V::Str(t.to_rust()),
            Item::Registered(t) => V::Sym(t.to_rust()),
            Item::BigInt { negative, limbs } => {
                V::Big(negative, limbs.chunks_exact(8).map(|l| u64::from_le_bytes(l.try_into().unwrap())).collect())
            }
            Item::Array(n) => V::List((0..n).map(|_| V::read(r, slots)).collect()),
            Item::Record(n) => V::Rec((0..n).map(|_| (r.text().unwrap().to_rust(), V::read(r, slots))).collect()),
            Item::Error { name, message } => V::Err(name.to_rust(), message.to_rust()),
            Item::Slot(i) => V::Ref(slots[i]),
            Item::Settled { rejected } => V::Settled(rejected, Box::new(V::read(r, slots))),
            Item::WellKnown(_) | Item::Again(_) => panic!("not in tests"),
        }
    }
}

/// A message's body: `method` with arguments, or a call.
pub fn body(method: Option<&str>, args: &[V]) -> Data {
    let mut w = Writer::new();
    match method {
        Some(m) => {
            w.byte(1);
            w.string(m);
        }
        None => w.byte(2),
    }
    w.varint(args.len() as u64);
    args.iter().for_each(|v| v.write(&mut w));
    w.done()
}

/// The form, key and arguments of a body.
pub fn parts(body: &Data) -> (u8, Option<V>, Vec<V>) {
    let mut r = Reader::new(&body.body);
    let form = r.byte().unwrap();
    let key = (form < 2).then(|| V::read(&mut r, &body.slots));
    let n = r.count().unwrap();
    (form, key, (0..n).map(|_| V::read(&mut r, &body.slots)).collect())
}
