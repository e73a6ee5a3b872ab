//! Where hosts are: locators and sturdyrefs, as records and as URIs.
//!
//! In and out: `<ocapn-peer transport designator hints>`, `ocapn://DESIGNATOR.TRANSPORT/s/SWISS?HINTS`. The swissnum stands in a URI in
//! base64url without padding.
//!
//! Invariants
//! - what is read from one form and written in the other is the same again;
//! - two locators are of one peer if transport and designator are equal, whatever the hints.
use passable::syrup::{Fault, Reader, Token, Writer};
use std::collections::BTreeMap;

/// Bytes of a part of a locator, at most.
const MAX_PART_BYTES: usize = 4096;
/// Hints of a locator, at most.
const MAX_HINTS: usize = 64;
/// Bytes of a swissnum, at most.
pub const MAX_SWISS_BYTES: usize = 1024;

/// A host, as others reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    pub transport: String,
    pub designator: String,
    /// None: `f` on the wire.
    pub hints: Option<BTreeMap<String, String>>,
}

/// A durable, unguessable name of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sturdyref {
    pub peer: Peer,
    pub swiss: Vec<u8>,
}

/// Text that is no locator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLocator(pub &'static str);

impl std::fmt::Display for BadLocator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not an OCapN locator (ocapn://DESIGNATOR.TRANSPORT[/s/SWISSNUM][?HINTS]): {}", self.0)
    }
}
impl std::error::Error for BadLocator {}

impl Peer {
    /// What peers are told apart by.
    pub fn key(&self) -> (String, String) {
        (self.transport.clone(), self.designator.clone())
    }
    pub fn hint(&self, name: &str) -> Option<&str> {
        self.hints.as_ref()?.get(name).map(String::as_str)
    }
    pub fn is_sound(&self) -> bool {
        let hints = self.hints.as_ref();
        let short = |s: &String| s.len() <= MAX_PART_BYTES;
        !self.transport.is_empty()
            && short(&self.transport)
            && short(&self.designator)
            && hints.is_none_or(|h| h.len() <= MAX_HINTS && h.iter().all(|(k, v)| short(k) && short(v)))
    }
    pub fn to_syrup(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write(&mut w);
        w.done()
    }
    pub(crate) fn write(&self, w: &mut Writer) {
        w.record("ocapn-peer");
        w.symbol(&self.transport);
        w.string(&self.designator);
        match &self.hints {
            None => w.boolean(false),
            Some(hints) => {
                w.dict();
                for (k, v) in hints {
                    w.key(k);
                    w.string(v);
                }
                w.end();
            }
        }
        w.end();
    }
    /// `ocapn-node` is what Goblins 0.16 calls it.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Peer, Fault> {
        match r.record()? {
            ("ocapn-peer" | "ocapn-node", 3) => {}
            _ => return Err(Fault::Unexpected),
        }
        let (transport, designator) = (r.symbol()?.to_owned(), r.string()?.to_owned());
        let hints = match r.token()? {
            Token::Boolean(false) => None,
            Token::Dict(n) => {
                let mut hints = BTreeMap::new();
                for _ in 0..n {
                    hints.insert(r.string()?.to_owned(), r.string()?.to_owned());
                }
                r.end()?;
                Some(hints)
            }
            _ => return Err(Fault::Unexpected),
        };
        r.end()?;
        let peer = Peer { transport, designator, hints };
        if peer.is_sound() { Ok(peer) } else { Err(Fault::Unexpected) }
    }
    pub fn to_uri(&self) -> String {
        format!("{}{}", self.base(), self.query())
    }
    fn base(&self) -> String {
        // the last dot is the one that splits
        let transport = escape(&self.transport).replace('.', "%2E");
        format!("ocapn://{}.{transport}", escape(&self.designator))
    }
    fn query(&self) -> String {
        let Some(hints) = &self.hints else { return String::new() };
        let all: Vec<String> = hints.iter().map(|(k, v)| format!("{}={}", escape(k), escape(v))).collect();
        format!("?{}", all.join("&"))
    }
    pub fn from_uri(uri: &str) -> Result<Peer, BadLocator> {
        match split(uri)? {
            (peer, None) => Ok(peer),
            (_, Some(_)) => Err(BadLocator("it names an object, not a host")),
        }
    }
}

impl std::fmt::Display for Peer {
    /// Without hints.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.base())
    }
}

impl Sturdyref {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.record("ocapn-sturdyref");
        self.peer.write(w);
        w.bytes(&self.swiss);
        w.end();
    }
    /// The fields; the label has been read.
    pub(crate) fn read_fields(r: &mut Reader<'_>) -> Result<Sturdyref, Fault> {
        let peer = Peer::read(r)?;
        let swiss = match r.token()? {
            Token::Bytes(b) => b.to_vec(),
            Token::String(s) => s.as_bytes().to_vec(),
            _ => return Err(Fault::Unexpected),
        };
        r.end()?;
        if swiss.is_empty() || swiss.len() > MAX_SWISS_BYTES { Err(Fault::Unexpected) } else { Ok(Sturdyref { peer, swiss }) }
    }
    pub fn to_uri(&self) -> String {
        format!("{}/s/{}{}", self.peer.base(), base64url(&self.swiss), self.peer.query())
    }
    pub fn from_uri(uri: &str) -> Result<Sturdyref, BadLocator> {
        match split(uri)? {
            (peer, Some(text)) => {
                let swiss = from_base64url(&text).ok_or(BadLocator("the swissnum is not base64url"))?;
                if swiss.is_empty() || swiss.len() > MAX_SWISS_BYTES {
                    return Err(BadLocator("the swissnum is empty or too long"));
                }
                Ok(Sturdyref { peer, swiss })
            }
            (_, None) => Err(BadLocator("it names a host, not an object")),
        }
    }
}

fn split(uri: &str) -> Result<(Peer, Option<String>), BadLocator> {
    let rest = uri.strip_prefix("ocapn://").ok_or(BadLocator("it does not begin with ocapn://"))?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (place, path) = match rest.split_once('/') {
        Some((place, path)) => (place, path),
        None => (rest, ""),
    };
    let swiss = match path.strip_prefix("s/") {
        Some(s) => Some(s.to_owned()),
        None if path.is_empty() => None,
        None => return Err(BadLocator("its path is not /s/SWISSNUM")),
    };
    let (designator, transport) = place.rsplit_once('.').ok_or(BadLocator("it names no transport"))?;
    let hints = query.map(hints).transpose()?;
    let part = |s: &str| unescape(s).ok_or(BadLocator("a malformed percent escape"));
    let peer = Peer { transport: part(transport)?, designator: part(designator)?, hints };
    if !peer.is_sound() {
        return Err(BadLocator("a part is empty or too long"));
    }
    Ok((peer, swiss))
}

fn hints(query: &str) -> Result<BTreeMap<String, String>, BadLocator> {
    let mut all = BTreeMap::new();
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        let (k, v) = pair.split_once('=').ok_or(BadLocator("a hint without a value"))?;
        let (Some(k), Some(v)) = (unescape(k), unescape(v)) else { return Err(BadLocator("a malformed percent escape")) };
        if all.insert(k, v).is_some() {
            return Err(BadLocator("a hint twice"));
        }
    }
    Ok(all)
}

/// All but letters, digits, `-`, `_`, `.` and `~` as `%XX`.
fn escape(s: &str) -> String {
    let mut out = String::with_capacity(s.len());
    for b in s.bytes() {
        if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) {
            out.push(b as char);
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
    }
    out
}

fn unescape(s: &str) -> Option<String> {
    let mut out = Vec::with_capacity(s.len());
    let mut bytes = s.bytes();
    while let Some(b) = bytes.next() {
        if b == b'%' {
            let mut digit = || (bytes.next()? as char).to_digit(16);
            out.push((digit()? * 16 + digit()?) as u8);
        } else {
            out.push(b);
        }
    }
    String::from_utf8(out).ok()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// RFC 4648 §5, without padding.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | *b as u32) << (8 * (3 - chunk.len()));
        for i in 0..=chunk.len() {
            out.push(ALPHABET[(n >> (18 - 6 * i)) as usize & 63] as char);
        }
    }
    out
}

pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * 3 / 4);
    for chunk in text.as_bytes().chunks(4) {
        let mut n = 0u32;
        for b in chunk {
            n = n << 6 | ALPHABET.iter().position(|a| a == b)? as u32;
        }
        n <<= 6 * (4 - chunk.len());
        let whole = chunk.len().checked_sub(1).filter(|n| *n > 0)?;
        if n & ((1 << (8 * (3 - whole))) - 1) != 0 {
            return None;
        }
        out.extend((0..whole).map(|i| (n >> (16 - 8 * i)) as u8));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer() -> Peer {
        let hints = [("host", "127.0.0.1"), ("port", "22046"), ("odd key", "ä&=%")];
        let hints = hints.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Peer { transport: "tcp-testing-only".into(), designator: "aa.bb/c".into(), hints: Some(hints) }
    }

    #[test]
    fn a_locator_written_is_read() {
        for hints in [peer().hints, None, Some(BTreeMap::new())] {
            let p = Peer { hints, ..peer() };
            assert_eq!(Peer::from_uri(&p.to_uri()), Ok(p.clone()));
            for n in 1..40u8 {
                let s = Sturdyref { peer: p.clone(), swiss: (0..n).map(|i| i.wrapping_mul(73) ^ 0xF3).collect() };
                assert_eq!(Sturdyref::from_uri(&s.to_uri()), Ok(s));
            }
        }
        let plain = Peer::from_uri("ocapn://abc.onion").unwrap();
        assert_eq!((plain.designator.as_str(), plain.transport.as_str(), plain.hints), ("abc", "onion", None));
    }

    #[test]
    fn what_is_no_locator_is_refused() {
        let long = format!("ocapn://{}.onion", "a".repeat(5000));
        for bad in ["", "http://a.b", "ocapn://a", "ocapn://a.b/x", "ocapn://a.b?x", "ocapn://a.b?x=%g0", "ocapn://a.", &long] {
            assert!(Peer::from_uri(bad).is_err(), "{bad}");
        }
        for bad in ["ocapn://a.b", "ocapn://a.b/s/", "ocapn://a.b/s/a", "ocapn://a.b/s/ab", "ocapn://a.b/s/a=b"] {
            assert!(Sturdyref::from_uri(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn base64url_is_as_in_the_standard() {
        for (bytes, text) in [("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("\u{3ff}", "z78")] {
            assert_eq!(base64url(bytes.as_bytes()), text);
            assert_eq!(from_base64url(text).as_deref(), Some(bytes.as_bytes()));
        }
    }
}
