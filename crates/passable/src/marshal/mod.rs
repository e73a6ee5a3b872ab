//! Data as `@endo/marshal` writes it: a body of JSON, and slots for references, in the forms smallcaps and capData.
//!
//! ```text
//!             smallcaps (body "#" and JSON)             capData (body JSON)
//! undefined   "#undefined"                              {"@qclass":"undefined"}
//! numbers     1.5, "#NaN", "#Infinity", "#-Infinity"    1.5, {"@qclass":"NaN"}, …
//! bigint      "+7", "-7"                                {"@qclass":"bigint","digits":"7"}
//! string      "text", "!#text" if it begins with !…-    "text"
//! symbol      "%name", "%@@iterator"                    {"@qclass":"symbol","name":"name"}
//! error       {"#error":message,"name":name}            {"@qclass":"error","message":…,"name":…}
//! tagged      {"#tag":tag,"payload":…}                  {"@qclass":"tagged","tag":tag,"payload":…}
//! object      "$0.iface", later "$0"                    {"@qclass":"slot","iface":…,"index":0}, later without iface
//! promise     "&0"                                      {"@qclass":"slot","index":0}
//! record      keys in the order of their UTF-16 units   one with a key @qclass: {"@qclass":"hilbert","original":…,"rest":{…}}
//! ```
//! As on the wire of OCapN a tagged value is here the record `{ '#tag': 'name', payload }`, and another key that begins with `#` has one `#`
//! more here.
//!
//! Invariants
//! - what is written is read as what it was, but for −0, which is written as 0, and for sharing: what occurs twice is written twice;
//! - whatever the text: a value, or a reason; depth, bytes and slots are bounded.
//!
//! Must never know: what a slot is called; whoever carries a body names its slots.
mod read;
mod write;

use crate::{Data, Ref};

/// Which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Smallcaps,
    CapData,
}

/// A value for a peer that speaks `@endo/marshal`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marshalled {
    pub body: String,
    pub slots: Vec<Ref>,
}

/// How deep values nest.
pub const MAX_DEPTH: usize = 100;
/// Bytes of a body.
pub const MAX_BODY_BYTES: usize = 16 << 20;
/// Digits of a bigint.
pub const MAX_DIGITS: usize = 20_000;

/// Why a value has no such form, or a text no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit(pub String);

impl std::fmt::Display for Unfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
impl std::error::Error for Unfit {}

fn unfit<T>(why: impl Into<String>) -> Result<T, Unfit> {
    Err(Unfit(why.into()))
}

const QCLASS: &str = "@qclass";

impl Form {
    /// Writes; `iface` names the interface of an object for people.
    pub fn write(self, data: &Data, iface: &mut dyn FnMut(Ref) -> Option<String>) -> Result<Marshalled, Unfit> {
        write::write(self, data, iface)
    }
    /// Reads; `slots` are what the body's slots mean here.
    pub fn read(self, body: &str, slots: &[Ref]) -> Result<Data, Unfit> {
        read::read(self, body, slots)
    }
}

/// A string that smallcaps would take for something else.
fn is_special(first: Option<u16>) -> bool {
    first.is_some_and(|c| (u16::from(b'!')..=u16::from(b'-')).contains(&c))
}

#[cfg(test)]
mod tests;
