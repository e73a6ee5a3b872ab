//! Fuzz targets: bytes of rows.
use crate::codec::{Get, Put};

/// Takes an input; a panic is a finding.
pub type Target = fn(&[u8]);
/// Name and function; `cargo xtask fuzz` runs them, the tests run their corpora.
pub const TARGETS: &[(&str, Target)] = &[("delivery", delivery)];

/// A delivery as a row: what is read is written so that it reads the same.
pub fn delivery(bytes: &[u8]) {
    let mut g = Get::new(bytes);
    if let Ok(what) = g.what() {
        let mut p = Put::new();
        p.what(&what);
        let again = p.done();
        let mut g = Get::new(&again);
        // as bytes: a NaN is not equal to itself
        let read = g.what().map(|w| {
            let mut p = Put::new();
            p.what(&w);
            p.done()
        });
        assert!(read == Ok(again.clone()) && g.is_empty());
    }
    for read in [|g: &mut Get<'_>| drop(g.vats()), |g: &mut Get<'_>| drop(g.text()), |g: &mut Get<'_>| drop(g.data())] {
        read(&mut Get::new(bytes));
    }
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[test]
fn corpora() {
    corpus::run(TARGETS);
}
