//! Data for a peer: `passable` → Syrup. The forms are those of `take`.
//!
//! Invariants
//! - what cannot be told to a peer is refused with the path to it, and nothing has happened then: exports and their counts are put
//!   back, no gift is deposited;
//! - the writing is canonical, and bounded by `MAX_MESSAGE_BYTES`.
use crate::session::{MAX_EXPORTS, Object, Place, Session, Thing};
use crate::walk::{Part, Unfit, Walk};
use crate::write::write_place;
use crate::{Captp, MAX_MESSAGE_BYTES, Sturdyref, keys};
use passable::syrup::{Writer, integer};
use passable::{Data, Item, ObjectId, PromiseId, Ref, Text, VatId};
use std::collections::BTreeMap;

/// What cannot be told to a peer.
#[derive(Debug)]
pub(crate) struct Refused {
    path: String,
    why: &'static str,
}

impl Refused {
    pub fn data(&self) -> Data {
        Data::error("TypeError", &self.to_string())
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cannot be sent to another host: {}", self.path, self.why)
    }
}

/// What errors call a value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Name {
    Answer,
    /// By its number.
    Argument(usize),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Name::Answer => f.write_str("the answer"),
            Name::Argument(i) => write!(f, "argument {i}"),
        }
    }
}

/// What the writing of a message has done.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Exports that were named; true: made for it.
    exports: Vec<(u64, bool)>,
    /// Gifts to be deposited: by which session, the position of the object there, the gift's id.
    gifts: Vec<(VatId, u64, keys::Hash)>,
}

enum Frame<'a> {
    List(usize),
    Dict(Text<'a>),
    Tagged,
}

impl Captp {
    /// Writes the next value of the walk; `name` is what errors call it.
    pub(crate) fn give(
        &self,
        s: &mut Session,
        walk: &mut Walk<'_>,
        w: &mut Writer,
        given: &mut Given,
        name: Name,
    ) -> Result<(), Refused> {
        let mut stack: Vec<Frame> = Vec::new();
        loop {
            if let Err(Unfit(why)) = self.part(s, walk, w, given, &mut stack) {
                return Err(Refused { path: path(name, &stack), why });
            }
            if walk.depth() == 0 {
                return Ok(());
            }
            if let Some(Frame::List(i)) = stack.last_mut() {
                *i = i.wrapping_add(1);
            }
        }
    }

    fn part<'a>(
        &self,
        s: &mut Session,
        walk: &mut Walk<'a>,
        w: &mut Writer,
        given: &mut Given,
        stack: &mut Vec<Frame<'a>>,
    ) -> Result<(), Unfit> {
        if w.len() > MAX_MESSAGE_BYTES {
            return Err(Unfit("the message is too long"));
        }
        if s.exports.len() >= MAX_EXPORTS {
            return Err(Unfit("limit: exports of a session"));
        }
        match walk.part()? {
            Part::Atom(item) => atom(w, item, s.dialect().lacks_minus_zero())?,
            Part::Reference(r) => self.reference(s, r, w, given)?,
            Part::Array(_) => {
                w.list();
                // the part that follows is the first
                stack.push(Frame::List(usize::MAX));
            }
            Part::Record(n) => match walk.peek_key() {
                Some(k) if starts(k, "#") && !starts(k, "##") => special(walk, w, n, stack)?,
                _ => {
                    w.dict();
                    stack.push(Frame::Dict(Text::Latin1(b"")));
                }
            },
            Part::Key(k) => {
                let text = string(k)?;
                w.key(match text.strip_prefix('#') {
                    Some(rest) if rest.starts_with('#') => rest,
                    Some(_) => {
                        return Err(Unfit("keys that begin with '#' have a meaning of their own ('##' stands for a plain '#')"));
                    }
                    None => &text,
                });
                stack.pop();
                stack.push(Frame::Dict(k));
            }
            Part::Settled(rejected) => {
                let mut value = passable::Writer::new();
                walk.rest(&mut value)?;
                let position = s.new_export(Thing::Settled { rejected, value: value.done() });
                given.exports.push((position, true));
                s.write_import(w, position, true);
            }
            Part::End => {
                w.end();
                stack.pop();
            }
        }
        Ok(())
    }

    fn reference(&self, s: &mut Session, r: Ref, w: &mut Writer, given: &mut Given) -> Result<(), Unfit> {
        match r {
            Ref::Power(_) => return Err(Unfit("it is a power of its host")),
            Ref::Object(ObjectId { vat, n }) if vat == s.vat => match s.objects.get(&n) {
                Some(Object::Import(position)) => write_place(w, Place::Export(*position)),
                Some(Object::Bootstrap) => {
                    given.exports.push((crate::BOOTSTRAP, false));
                    s.write_import(w, crate::BOOTSTRAP, false);
                }
                Some(Object::Resolver(q)) => {
                    let position = s.new_export(Thing::Resolver(*q));
                    given.exports.push((position, true));
                    s.write_import(w, position, false);
                }
                None => return Err(Unfit("its host has taken it back")),
            },
            Ref::Object(o) => match self.foreign(o) {
                Some((other, position)) => write_gift(s, other, position, w, given),
                None => write_export(s, r, w, given),
            },
            Ref::Promise(p) => match (s.owed.get(&p), s.early.get(&p)) {
                (Some(owed), _) if !owed.fenced => write_place(w, owed.place),
                (_, Some((rejected, value))) => {
                    let thing = Thing::Settled { rejected: *rejected, value: value.clone() };
                    let position = s.new_export(thing);
                    given.exports.push((position, true));
                    s.write_import(w, position, true);
                }
                _ => write_export(s, r, w, given),
            },
        }
        Ok(())
    }

    /// The session of another peer whose object this is, and the object's position there.
    fn foreign(&self, o: ObjectId) -> Option<(&Session, u64)> {
        let other = self.sessions.get(&o.vat)?;
        match other.objects.get(&o.n)? {
            Object::Import(position) if other.live.is_some() => Some((other, *position)),
            _ => None,
        }
    }

    /// The message is sent: its gifts are deposited.
    pub(crate) fn deposit(&mut self, given: Given) {
        for (vat, position, id) in given.gifts {
            let Some(other) = self.sessions.get_mut(&vat) else { continue };
            other.next_gift += 1;
            let mut w = Writer::new();
            other.begin_deliver_only(&mut w, Place::Export(crate::BOOTSTRAP));
            w.list();
            w.symbol("deposit-gift");
            w.bytes(&id);
            write_place(&mut w, Place::Export(position));
            w.end();
            other.end_deliver_only(w);
            self.dirty.insert(vat);
        }
    }
}

impl Session {
    /// The message is not sent.
    pub(crate) fn take_back(&mut self, given: Given) {
        for (position, new) in given.exports.into_iter().rev() {
            if let Some(e) = self.exports.get_mut(&position) {
                e.count = e.count.saturating_sub(1);
                if new {
                    self.forget_export(position);
                }
            }
        }
    }
}

fn write_export(s: &mut Session, r: Ref, w: &mut Writer, given: &mut Given) {
    let (position, new) = match s.export_of.get(&r) {
        Some(position) => (*position, false),
        None => (s.new_export(Thing::Ref(r)), true),
    };
    given.exports.push((position, new));
    s.write_import(w, position, matches!(r, Ref::Promise(_)));
}

/// An object of another peer: the receiver fetches it there.
fn write_gift(s: &mut Session, other: &Session, position: u64, w: &mut Writer, given: &mut Given) {
    let mut give = s.writer();
    let (Some(here), Some(there)) = (&s.live, &other.live) else { return };
    let before = given.gifts.iter().filter(|g| g.0 == other.vat).count() as u64;
    let id = there.keys.gift_id(other.next_gift + before);
    give.record("desc:handoff-give");
    give.raw(&keys::public_record(&here.peer_key));
    other.peer.write(&mut give);
    give.bytes(&there.id);
    give.bytes(&there.keys.id);
    give.bytes(&id);
    give.end();
    let give = give.done();
    w.record("desc:sig-envelope");
    w.raw(&give);
    keys::write_signature(w, &there.keys.sign(&give));
    w.end();
    given.gifts.push((other.vat, position, id));
}

/// A record whose first key says what it stands for.
fn special<'a>(walk: &mut Walk<'a>, w: &mut Writer, n: usize, stack: &mut Vec<Frame<'a>>) -> Result<(), Unfit> {
    const MALFORMED: Unfit = Unfit("a record of '#bytes', '#sturdyref' or '#tag' with 'payload' was expected, in this order");
    let Part::Key(key) = walk.part()? else { return Err(MALFORMED) };
    let key = string(key)?;
    let Part::Atom(Item::String(text)) = walk.part()? else { return Err(MALFORMED) };
    match (key.as_str(), n) {
        ("#bytes", 1) => {
            let Text::Latin1(bytes) = text else { return Err(Unfit("a character in '#bytes' is no byte")) };
            w.bytes(bytes);
            walk.part()?;
        }
        ("#sturdyref", 1) => {
            let sturdy = Sturdyref::from_uri(&string(text)?).map_err(|_| Unfit("'#sturdyref' is not the URI of an object"))?;
            sturdy.write(w);
            walk.part()?;
        }
        ("#tag", 2) => {
            match walk.part()? {
                Part::Key(Text::Latin1(b"payload")) => {}
                _ => return Err(MALFORMED),
            }
            w.record("desc:tagged");
            w.symbol(&string(text)?);
            stack.push(Frame::Tagged);
        }
        _ => return Err(MALFORMED),
    }
    Ok(())
}

fn atom(w: &mut Writer, item: Item<'_>, no_minus_zero: bool) -> Result<(), Unfit> {
    match item {
        Item::Undefined => empty(w, "void"),
        Item::Null => empty(w, "null"),
        Item::Boolean(b) => w.boolean(b),
        Item::Integer(i) => w.double(i as f64),
        Item::Number(n) => w.double(if no_minus_zero && n == 0.0 { 0.0 } else { n }),
        Item::String(t) => match t {
            Text::Latin1(b) if b.is_ascii() => w.string(std::str::from_utf8(b).unwrap_or("")),
            t => w.string(&string(t)?),
        },
        Item::BigInt { negative, limbs } => {
            let limbs: Vec<u64> = limbs.as_chunks::<8>().0.iter().map(|l| u64::from_le_bytes(*l)).collect();
            if limbs.len() > crate::MAX_INTEGER_DIGITS / 20 {
                return Err(Unfit("the integer is too long"));
            }
            w.integer(negative, &integer::digits(&limbs));
        }
        Item::Registered(t) => w.symbol(&string(t)?),
        Item::WellKnown(_) => return Err(Unfit("a well-known symbol means nothing there")),
        Item::Error { name, message } => {
            let (name, message) = (name.to_rust(), message.to_rust());
            w.record("desc:error");
            if crate::take::ERROR_NAMES.contains(&name.as_str()) {
                w.string(&format!("{name}: {message}"));
            } else {
                w.string(&message);
            }
            w.end();
        }
        Item::Array(_) | Item::Record(_) | Item::Settled { .. } | Item::Slot(_) | Item::Again(_) => {
            return Err(Unfit("malformed data"));
        }
    }
    Ok(())
}

fn empty(w: &mut Writer, label: &str) {
    w.record(label);
    w.end();
}

fn starts(t: Text<'_>, with: &str) -> bool {
    match t {
        Text::Latin1(b) => b.starts_with(with.as_bytes()),
        Text::Utf16(b) => with.bytes().enumerate().all(|(i, c)| b.get(2 * i..2 * i + 2) == Some(&[c, 0])),
    }
}

pub(crate) fn string(t: Text<'_>) -> Result<String, Unfit> {
    match t {
        Text::Latin1(_) => Ok(t.to_rust()),
        Text::Utf16(_) => String::from_utf16(&t.units()).map_err(|_| Unfit("half a surrogate pair is no text")),
    }
}

fn path(name: Name, stack: &[Frame<'_>]) -> String {
    let mut path = name.to_string();
    for f in stack {
        match f {
            Frame::List(i) if *i != usize::MAX => path.push_str(&format!("[{i}]")),
            Frame::Dict(k) if k.units().is_empty() => {}
            Frame::Dict(k) => path.push_str(&format!(".{}", crate::take::shown(&k.to_rust()))),
            Frame::Tagged => path.push_str(".payload"),
            Frame::List(_) => {}
        }
    }
    path
}

/// Promises that were settled before the peer said hello.
pub(crate) type Early = BTreeMap<PromiseId, (bool, Data)>;
