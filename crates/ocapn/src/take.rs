//! Values that came from a peer, as data: Syrup → `passable`.
//!
//! ```text
//! integer       bigint                     bytes          { '#bytes': Latin-1 text }
//! double        number                     sturdyref      { '#sturdyref': URI }
//! symbol        registered symbol          desc:tagged    { '#tag': name, payload }
//! dict          record; a key that begins with # gets one more #
//! void, null    undefined, null            desc:error     error
//! ```
//! Invariants
//! - descriptors are looked up in the session's tables; what is not there aborts the session;
//! - explicit stack; the bytes are whole and bounded.
use crate::session::{Object, Owed, Place, Session, Thing, Why};
use crate::{Abort, Captp, Home, MAX_IMPORTS, Sturdyref, walk};
use passable::syrup::{Fault, Reader, Token, integer};
use passable::{ObjectId, PromiseId, Ref, Writer};

/// A container that is being read.
struct Frame {
    dict: bool,
    left: usize,
}

/// Names of errors that are kept in their messages: the peer's form has no place for them.
pub(crate) const ERROR_NAMES: [&str; 6] = ["TypeError", "RangeError", "ReferenceError", "SyntaxError", "EvalError", "URIError"];

impl Captp {
    /// Reads one value.
    pub(crate) fn take(&mut self, s: &mut Session, r: &mut Reader<'_>, w: &mut Writer, home: &mut dyn Home) -> Result<(), Abort> {
        let mut stack: Vec<Frame> = Vec::new();
        loop {
            if let Some(f) = stack.last_mut() {
                f.left -= 1;
                if f.dict {
                    key(w, r.string()?);
                }
            }
            let before = *r;
            let begun = match r.token()? {
                Token::List(n) => {
                    w.array(n);
                    Some(Frame { dict: false, left: n })
                }
                Token::Dict(n) => {
                    w.record(n);
                    Some(Frame { dict: true, left: n })
                }
                Token::Record(n) => self.take_record(s, n, before, r, w, home)?,
                token => {
                    atom(w, token)?;
                    None
                }
            };
            stack.extend(begun);
            while stack.pop_if(|f| f.left == 0).is_some() {
                r.end()?;
            }
            if stack.is_empty() {
                return Ok(());
            }
        }
    }

    /// The rest of a record that began at `before`; a frame if a value is still to come.
    fn take_record<'a>(
        &mut self,
        s: &mut Session,
        n: usize,
        mut before: Reader<'a>,
        r: &mut Reader<'a>,
        w: &mut Writer,
        home: &mut dyn Home,
    ) -> Result<Option<Frame>, Abort> {
        match (r.symbol()?, n - 1) {
            ("desc:export", 1) => self.take_export(s, r.natural()?, w)?,
            ("desc:answer", 1) => {
                let position = r.natural()?;
                let thing =
                    s.answers.get(&position).ok_or_else(|| Abort::new(format!("no answer has the position {position}")))?;
                put(s, w, thing.clone())?;
            }
            ("desc:import-object", 1) => {
                let position = r.natural()?;
                let n = imported(s, position, false)?.0;
                w.reference(Ref::Object(ObjectId { vat: s.vat, n }));
            }
            ("desc:import-promise", 1) => {
                let p = take_promise(s, r.natural()?)?;
                w.reference(Ref::Promise(p));
            }
            ("desc:sig-envelope", 2) => {
                let give = before.raw()?;
                let p = self.accept_gift(s, *r, give, home)?;
                *r = before;
                w.reference(Ref::Promise(p));
                return Ok(None);
            }
            ("ocapn-sturdyref", 2) => {
                let sturdy = Sturdyref::read_fields(r)?;
                w.record(1);
                w.string("#sturdyref");
                w.string(&sturdy.to_uri());
                return Ok(None);
            }
            ("void", 0) => w.undefined(),
            ("null", 0) => w.null(),
            ("desc:error", 1) => error(w, r.string()?),
            ("desc:tagged", 2) => {
                w.record(2);
                w.string("#tag");
                match r.token()? {
                    Token::Symbol(t) | Token::String(t) => w.string(t),
                    _ => return Err(Fault::Unexpected.into()),
                }
                w.string("payload");
                return Ok(Some(Frame { dict: false, left: 1 }));
            }
            (label, n) => return Err(Abort::new(format!("a value <{} …> with {n} fields is not known", shown(label)))),
        }
        r.end()?;
        Ok(None)
    }

    fn take_export(&mut self, s: &mut Session, position: u64, w: &mut Writer) -> Result<(), Abort> {
        let thing = s.exports.get(&position).map(|e| e.thing.clone());
        put(s, w, thing.ok_or_else(|| Abort::new(format!("nothing is exported at the position {position}")))?)
    }
}

/// Something of ours that the peer named.
fn put(s: &mut Session, w: &mut Writer, thing: Thing) -> Result<(), Abort> {
    match thing {
        Thing::Ref(r) => w.reference(r),
        Thing::Settled { rejected, value } => {
            w.settled(rejected);
            walk::append(w, &value).map_err(|why| Abort::new(why.0.to_owned()))?;
        }
        Thing::Bootstrap => {
            let o = s.bootstrap_object();
            w.reference(Ref::Object(o));
        }
        Thing::Resolver(q) => {
            let o = s.new_object(Object::Resolver(q));
            w.reference(Ref::Object(o));
        }
    }
    Ok(())
}

/// The number of an import that appears; true: it is new.
fn imported(s: &mut Session, position: u64, promise: bool) -> Result<(u64, bool), Abort> {
    if s.imports.len() >= MAX_IMPORTS {
        return Err(Abort::new("limit: imports of a session".to_owned()));
    }
    let found = s.import(position, promise).is_some().then(|| s.number(position)).flatten();
    found.ok_or_else(|| Abort::new(format!("the position {position} is used for an object and for a promise")))
}

/// A promise of the peer; it is asked at once what it becomes.
pub(crate) fn take_promise(s: &mut Session, position: u64) -> Result<PromiseId, Abort> {
    let (n, new) = imported(s, position, true)?;
    let promise = PromiseId { vat: s.vat, n };
    if new {
        s.owed.insert(promise, Owed { place: Place::Export(position), sent: false, fenced: false });
        s.listen(Place::Export(position), Why::Listen { position, promise });
    }
    Ok(promise)
}

fn key(w: &mut Writer, k: &str) {
    if k.starts_with('#') { w.string(&format!("#{k}")) } else { w.string(k) }
}

fn atom(w: &mut Writer, token: Token<'_>) -> Result<(), Abort> {
    match token {
        Token::Boolean(b) => w.boolean(b),
        Token::Integer { negative, digits } => w.bigint(negative, &integer::limbs(digits)),
        Token::Double(n) => w.number(n),
        Token::String(s) => w.string(s),
        Token::Symbol(s) => {
            w.registered_symbol();
            w.string(s);
        }
        Token::Bytes(b) => {
            w.record(1);
            w.string("#bytes");
            w.latin1(b);
        }
        Token::Set(_) => return Err(Abort::new("a set is no value of OCapN".to_owned())),
        _ => return Err(Fault::Unexpected.into()),
    }
    Ok(())
}

fn error(w: &mut Writer, text: &str) {
    let (name, message) = match text.split_once(": ") {
        Some((name, message)) if ERROR_NAMES.contains(&name) => (name, message),
        _ => ("Error", text),
    };
    w.error();
    w.string(name);
    w.string(message);
}

/// A peer's text in a message for people.
pub(crate) fn shown(s: &str) -> String {
    s.chars().take(60).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
