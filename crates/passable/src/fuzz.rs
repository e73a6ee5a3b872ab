//! Fuzz targets: bytes that may be anything, and what must hold whatever they are.
use crate::syrup::{self, Limits, Scan, Token};
use crate::{Data, Item};

/// Takes an input; a panic is a finding.
pub type Target = fn(&[u8]);
/// Name and function; `cargo xtask fuzz` runs them, the tests run their corpora.
pub const TARGETS: &[(&str, Target)] = &[("syrup", syrup), ("data", data), ("marshal", marshal)];

const LIMITS: Limits = Limits { bytes: 1 << 16, depth: 32, digits: 100 };

/// In one piece or in many: the same end, or a fault (which of several is found first may differ); what is whole is read, and written again the same.
pub fn syrup(bytes: &[u8]) {
    let mut whole = Scan::new(LIMITS);
    let found = whole.advance(bytes);
    let mut pieces = Scan::new(LIMITS);
    let size = 1 + bytes.len() % 7;
    let mut at = 0;
    let in_pieces = loop {
        let end = (at + size).min(bytes.len());
        match pieces.advance(&bytes[..end]) {
            Ok(None) if end < bytes.len() => at = end,
            other => break other,
        }
    };
    assert_eq!(found.ok(), in_pieces.ok(), "pieces of {size}");
    let Ok(Some(end)) = found else { return };
    assert_eq!(whole.counts(), pieces.counts());
    read(&bytes[..end], whole.counts());
}

fn read(bytes: &[u8], counts: &[u32]) {
    let mut r = syrup::Reader::new(bytes, counts);
    let mut w = syrup::Writer::new();
    let mut plain = true;
    while !r.is_empty() {
        match r.token().expect("it was found whole") {
            Token::Boolean(b) => w.boolean(b),
            Token::Integer { negative, digits } => {
                assert_eq!(syrup::integer::digits(&syrup::integer::limbs(digits)), digits);
                w.integer(negative, digits);
            }
            Token::Double(n) => w.double(n),
            Token::Bytes(b) => w.bytes(b),
            Token::String(s) => w.string(s),
            Token::Symbol(s) => w.symbol(s),
            Token::List(_) => w.list(),
            // written by label or by key alone
            Token::Record(_) | Token::Dict(_) | Token::Set(_) => {
                plain = false;
                break;
            }
            Token::End => w.end(),
        }
    }
    if plain {
        assert_eq!(w.done(), bytes, "one encoding");
    }
    assert_eq!(syrup::Reader::new(bytes, counts).raw(), Ok(bytes));
}

/// A body of smallcaps or of capData: what is read is written, and read as the same again.
pub fn marshal(bytes: &[u8]) {
    use crate::marshal::Form;
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let slots = [
        crate::Ref::Object(crate::ObjectId { vat: crate::VatId(1), n: 1 }),
        crate::Ref::Promise(crate::PromiseId { vat: crate::VatId(1), n: 2 }),
    ];
    for form in [Form::Smallcaps, Form::CapData] {
        let Ok(data) = form.read(text, &slots) else { continue };
        let written = form.write(&data, &mut |_| None).expect("it was read");
        let again = form.read(&written.body, &written.slots).expect("it was written");
        assert_eq!(form.write(&again, &mut |_| None), Ok(written));
    }
}

/// Any bytes are read to their end or to a fault, in bounded time, and described.
pub fn data(bytes: &[u8]) {
    let mut r = crate::Reader::new(bytes);
    let mut left = 1usize;
    while left > 0 {
        let before = r.rest().len();
        let Ok(item) = r.item() else { break };
        assert!(r.rest().len() < before, "each item takes a byte");
        left = left.saturating_add(parts(item)) - 1;
    }
    crate::verb(bytes);
    let d = Data { body: bytes.into(), slots: Vec::new() };
    assert!(d.describe().len() <= 8 * bytes.len() + 1000, "a description is bounded by what it describes");
    d.as_reference();
}

fn parts(item: Item<'_>) -> usize {
    match item {
        Item::Array(n) => n,
        Item::Record(n) => 2 * n,
        Item::Settled { .. } => 1,
        Item::String(t) | Item::Registered(t) | Item::WellKnown(t) => {
            assert_eq!(t.to_rust().encode_utf16().count(), t.units().len(), "a unit stays a unit");
            0
        }
        _ => 0,
    }
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[test]
fn corpora() {
    corpus::run(TARGETS);
}
