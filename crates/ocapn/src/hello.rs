//! The hello of a netlayer that drses hosts alone speak, and what two hosts know of each other's histories.
//!
//! ```text
//! <drses:hello 1 here key history session next acked seen dial signature>
//!   here       <ocapn-peer …>, where this side is
//!   key        of this side of the session, as in op:start-session; the same at each connection of one session
//!   history    [incarnation number [hash …]] of this side's store: its incarnation, how many openings it has records of, and the hashes
//!              of the records of its last openings, at most MAX_HASHES, the last one last; or f: it has none, nothing is durable
//!   session    the name of the session that this side knows, as bytes; or f
//!   next       the number of the first message of the peer that was not taken
//!   acked      the number of this side's first message that is not known to be acknowledged
//!   seen       [incarnation number hash]: the last record of the peer's history that this side knows; or f
//!   dial       how often this side has dialled the peer since its opening
//!   signature  as in op:start-session
//! <drses:refuse code text>     then the connection is closed
//! ```
//! Invariants
//! - a history extends what is known of it if it has that record, or is of a later incarnation;
//! - who finds that its own history lacks what the peer knows of it refuses, as does who finds it of the peer.
use crate::keys::{self, Hash, Keys};
use crate::stream::Position;
use crate::{Abort, Peer};
use passable::syrup::{Fault, Reader, Token, Writer};

const VERSION: u64 = 1;
/// Hashes in a hello, at most.
pub const MAX_HASHES: usize = 256;

/// The history of a store: one record for each opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// How often a restore from a backup began another history, from 1.
    pub incarnation: u64,
    /// The number of the last record.
    pub number: u64,
    /// Hashes of the records up to the last one, as far as they are known, oldest first; there is at least that of the last.
    pub hashes: Vec<Hash>,
}

/// A record of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub incarnation: u64,
    pub number: u64,
    pub hash: Hash,
}

/// How a history is to a record that is known of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extends {
    Yes,
    No,
    /// The record is older than the hashes go.
    Unknown,
    /// A restore has begun another history.
    Anew,
}

impl History {
    pub(crate) fn last(&self) -> Seen {
        let hash = self.hashes.last().copied().unwrap_or_default();
        Seen { incarnation: self.incarnation, number: self.number, hash }
    }
    pub(crate) fn extends(&self, seen: &Seen) -> Extends {
        if self.incarnation != seen.incarnation {
            return if self.incarnation > seen.incarnation { Extends::Anew } else { Extends::No };
        }
        let Some(back) = self.number.checked_sub(seen.number) else { return Extends::No };
        let at = usize::try_from(back).ok().and_then(|back| self.hashes.len().checked_sub(back + 1));
        match at.and_then(|at| self.hashes.get(at)) {
            None => Extends::Unknown,
            Some(hash) if *hash == seen.hash => Extends::Yes,
            Some(_) => Extends::No,
        }
    }
}

/// What a side says first.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub here: Peer,
    pub key: Hash,
    pub history: Option<History>,
    pub session: Option<Hash>,
    pub position: Position,
    pub seen: Option<Seen>,
    pub dial: u64,
}

/// Why a connection is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Another connection of the two hosts is kept.
    Crossed,
    /// A history does not extend what is known of it.
    History,
    /// The session was ended by the side that refuses.
    Ended,
    /// The hello makes no sense.
    Hello,
}

impl Code {
    const ALL: [(Code, &'static str); 4] =
        [(Code::Crossed, "crossed"), (Code::History, "history"), (Code::Ended, "ended"), (Code::Hello, "hello")];
    fn name(self) -> &'static str {
        Code::ALL.iter().find(|c| c.0 == self).map_or("hello", |c| c.1)
    }
    fn from_name(name: &str) -> Code {
        Code::ALL.iter().find(|c| c.1 == name).map_or(Code::Hello, |c| c.0)
    }
}

#[derive(Debug)]
pub(crate) struct Refusal {
    pub code: Code,
    pub text: String,
    pub by_peer: bool,
}

impl Refusal {
    pub fn new(code: Code, text: impl Into<String>) -> Refusal {
        Refusal { code, text: text.into(), by_peer: false }
    }
    pub fn to_syrup(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.record("drses:refuse");
        w.symbol(self.code.name());
        w.string(&self.text);
        w.end();
        w.done()
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::new(Code::Hello, format!("malformed: {fault}"))
    }
}

impl Greeting {
    pub fn to_syrup(&self, keys: &Keys) -> Vec<u8> {
        let location = self.here.to_syrup();
        let mut w = Writer::new();
        w.record("drses:hello");
        w.natural(VERSION);
        w.raw(&location);
        w.raw(&keys.record);
        match &self.history {
            None => w.boolean(false),
            Some(h) => {
                w.list();
                w.natural(h.incarnation);
                w.natural(h.number);
                w.list();
                h.hashes[h.hashes.len().saturating_sub(MAX_HASHES)..].iter().for_each(|hash| w.bytes(hash));
                w.end();
                w.end();
            }
        }
        match &self.session {
            None => w.boolean(false),
            Some(id) => w.bytes(id),
        }
        w.natural(self.position.next);
        w.natural(self.position.acked);
        match &self.seen {
            None => w.boolean(false),
            Some(seen) => {
                w.list();
                w.natural(seen.incarnation);
                w.natural(seen.number);
                w.bytes(&seen.hash);
                w.end();
            }
        }
        w.natural(self.dial);
        keys::write_signature(&mut w, &keys.sign(&keys::my_location(&location)));
        w.end();
        w.done()
    }

    /// Reads a hello, or why there will be none.
    pub fn read(mut r: Reader<'_>) -> Result<Greeting, Refusal> {
        match r.record()? {
            ("drses:hello", 10) => {}
            ("drses:refuse", 2) => {
                let code = Code::from_name(r.symbol()?);
                // as a reason is kept: short, and safe to show
                let text = Abort::by_peer(r.string()?).text;
                return Err(Refusal { code, text, by_peer: true });
            }
            (label, _) => return Err(Refusal::new(Code::Hello, format!("{} before the hello", crate::take::shown(label)))),
        }
        let version = r.natural()?;
        if version != VERSION {
            let text = format!("the version {version} of durable sessions is not known here, {VERSION} is");
            return Err(Refusal::new(Code::Hello, text));
        }
        let location = { r }.raw()?;
        let here = Peer::read(&mut r)?;
        let key = keys::read_public(&mut r)?;
        let history = read_history(&mut r)?;
        let session = match r.token()? {
            Token::Boolean(false) => None,
            Token::Bytes(id) => Some(id.try_into().map_err(|_| Fault::Unexpected)?),
            _ => return Err(Fault::Unexpected.into()),
        };
        let position = Position { next: r.natural()?, acked: r.natural()? };
        if position.next == 0 || position.acked == 0 {
            return Err(Fault::Unexpected.into());
        }
        let seen = read_seen(&mut r)?;
        let dial = r.natural()?;
        let signature = keys::read_signature(&mut r)?;
        r.end()?;
        if !r.is_empty() {
            return Err(Fault::Unexpected.into());
        }
        if !keys::verify(&key, &keys::my_location(location), &signature) {
            return Err(Refusal::new(Code::Hello, "the signature of the hello is wrong"));
        }
        Ok(Greeting { here, key, history, session, position, seen, dial })
    }
}

fn hash(r: &mut Reader<'_>) -> Result<Hash, Fault> {
    r.bytes()?.try_into().map_err(|_| Fault::Unexpected)
}

fn read_history(r: &mut Reader<'_>) -> Result<Option<History>, Fault> {
    if let Token::Boolean(false) = r.peek()? {
        r.token()?;
        return Ok(None);
    }
    if r.list()? != 3 {
        return Err(Fault::Unexpected);
    }
    let (incarnation, number) = (r.natural()?, r.natural()?);
    let n = r.list()?;
    if n == 0 || n > MAX_HASHES || n as u64 > number {
        return Err(Fault::Unexpected);
    }
    let hashes = (0..n).map(|_| hash(r)).collect::<Result<_, _>>()?;
    r.end()?;
    r.end()?;
    Ok(Some(History { incarnation, number, hashes }))
}

fn read_seen(r: &mut Reader<'_>) -> Result<Option<Seen>, Fault> {
    if let Token::Boolean(false) = r.peek()? {
        r.token()?;
        return Ok(None);
    }
    if r.list()? != 3 {
        return Err(Fault::Unexpected);
    }
    let seen = Seen { incarnation: r.natural()?, number: r.natural()?, hash: hash(r)? };
    r.end()?;
    Ok(Some(seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use passable::syrup::{Limits, Scan};

    fn history(incarnation: u64, numbers: std::ops::RangeInclusive<u8>) -> History {
        History { incarnation, number: u64::from(*numbers.end()), hashes: numbers.map(|n| [n; 32]).collect() }
    }

    #[test]
    fn a_history_extends_what_it_contains() {
        let h = history(2, 3..=6);
        let seen = |incarnation, number, hash| Seen { incarnation, number, hash: [hash; 32] };
        assert_eq!(h.extends(&seen(2, 6, 6)), Extends::Yes);
        assert_eq!(h.extends(&seen(2, 3, 3)), Extends::Yes);
        assert_eq!(h.extends(&seen(2, 2, 2)), Extends::Unknown);
        assert_eq!(h.extends(&seen(2, 7, 7)), Extends::No);
        assert_eq!(h.extends(&seen(2, 5, 4)), Extends::No);
        assert_eq!(h.extends(&seen(1, 9, 9)), Extends::Anew);
        assert_eq!(h.extends(&seen(3, 1, 1)), Extends::No);
    }

    #[test]
    fn a_hello_is_read_as_it_was_written_and_damage_is_noticed() {
        let keys = Keys::new(&[5; 32]);
        let here =
            Peer { transport: "noise".into(), designator: "abc".into(), hints: Some([("port".into(), "1".into())].into()) };
        let seen = Some(Seen { incarnation: 1, number: 4, hash: [9; 32] });
        let position = Position { next: 7, acked: 300 };
        let (key, history) = (keys.public(), Some(history(1, 2..=4)));
        let hello = Greeting { here, key, history, session: Some([3; 32]), position, seen, dial: 2 };
        let bytes = hello.to_syrup(&keys);
        let read = |bytes: &[u8]| {
            let mut scan = Scan::new(Limits { bytes: 64 << 10, depth: 16, digits: 20 });
            match scan.advance(bytes) {
                Ok(Some(n)) if n == bytes.len() => Greeting::read(Reader::new(bytes, scan.counts())),
                _ => Err(Refusal::new(Code::Hello, "not whole")),
            }
        };
        let back = read(&bytes).expect("sound");
        assert_eq!(back.to_syrup(&keys), bytes);
        assert_eq!((back.position, back.session, back.dial), (position, Some([3; 32]), 2));
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            // what the signature does not cover may read as something else: nothing panics
            let _ = read(&bad);
            let _ = read(&bytes[..i]);
        }
        let refusal = Refusal::new(Code::Ended, "forgotten");
        let told = read(&refusal.to_syrup()).expect_err("a refusal");
        assert_eq!((told.code, told.text.as_str(), told.by_peer), (Code::Ended, "forgotten", true));
    }
}
