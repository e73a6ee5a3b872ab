//! A walk over copied data, with what stands in it twice walked twice: other encodings have no way to say "again".
//!
//! In: `Data`. Out: its parts in preorder, containers with their ends.
//!
//! Invariants
//! - circles are found, and what would grow beyond `MAX_PARTS` is refused;
//! - explicit stack, bounded by `MAX_DEPTH`.
use passable::{Data, Item, Reader, Ref, Text, Writer};

/// Containers within each other.
pub const MAX_DEPTH: usize = 256;
/// Parts of one message.
const MAX_PARTS: usize = 10_000_000;

/// Why data cannot be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit(pub &'static str);

impl From<passable::Bad> for Unfit {
    fn from(_: passable::Bad) -> Unfit {
        Unfit("malformed data")
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part<'a> {
    /// A value that has no parts.
    Atom(Item<'a>),
    Reference(Ref),
    Array(usize),
    Record(usize),
    Settled(bool),
    Key(Text<'a>),
    End,
}

#[derive(Debug)]
struct Frame<'a> {
    record: bool,
    /// A key has been given, its value is next.
    keyed: bool,
    left: usize,
    /// The container's number; none: it is walked again, within another that is.
    number: Option<usize>,
    /// Where to go on when a container that is walked again has ended.
    back: Option<Reader<'a>>,
}

#[derive(Debug)]
pub(crate) struct Walk<'a> {
    data: &'a Data,
    pub r: Reader<'a>,
    /// Where each container begins.
    begun: Vec<Reader<'a>>,
    stack: Vec<Frame<'a>>,
    again: usize,
    parts: usize,
}

impl<'a> Walk<'a> {
    pub fn new(data: &'a Data) -> Walk<'a> {
        Walk { data, r: Reader::new(&data.body), begun: Vec::new(), stack: Vec::new(), again: 0, parts: 0 }
    }
    pub fn depth(&self) -> usize {
        self.stack.len()
    }

    /// The next part; the value is over when `depth` is zero again.
    pub fn part(&mut self) -> Result<Part<'a>, Unfit> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(Unfit("it has too many parts"));
        }
        if let Some(f) = self.stack.last_mut() {
            if f.left == 0 {
                return Ok(self.end());
            }
            if f.record && !f.keyed {
                f.keyed = true;
                return Ok(Part::Key(self.r.text()?));
            }
            f.keyed = false;
            f.left -= 1;
        }
        let start = self.r.clone();
        match self.r.item()? {
            Item::Again(i) => {
                if self.stack.iter().any(|f| f.number == Some(i)) {
                    return Err(Unfit("it contains itself"));
                }
                let back = std::mem::replace(&mut self.r, self.begun.get(i).cloned().ok_or(Unfit("malformed data"))?);
                let item = self.r.item()?;
                self.again += 1;
                self.begin(item, Some(i), Some(back))
            }
            item @ (Item::Array(_) | Item::Record(_) | Item::Settled { .. }) => {
                let number = (self.again == 0).then_some(self.begun.len());
                if number.is_some() {
                    self.begun.push(start);
                }
                self.begin(item, number, None)
            }
            Item::Slot(i) => Ok(Part::Reference(*self.data.slots.get(i).ok_or(Unfit("malformed data"))?)),
            item => Ok(Part::Atom(item)),
        }
    }

    fn begin(&mut self, item: Item<'a>, number: Option<usize>, back: Option<Reader<'a>>) -> Result<Part<'a>, Unfit> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(Unfit("it is nested too deeply"));
        }
        let (part, left) = match item {
            Item::Array(n) => (Part::Array(n), n),
            Item::Record(n) => (Part::Record(n), n),
            Item::Settled { rejected } => (Part::Settled(rejected), 1),
            _ => return Err(Unfit("malformed data")),
        };
        self.stack.push(Frame { record: matches!(part, Part::Record(_)), keyed: false, left, number, back });
        Ok(part)
    }

    fn end(&mut self) -> Part<'a> {
        if let Some(Frame { back: Some(back), .. }) = self.stack.pop() {
            self.r = back;
            self.again -= 1;
        }
        Part::End
    }

    /// The key that comes next, if a record was begun and is not empty.
    pub fn peek_key(&self) -> Option<Text<'a>> {
        let f = self.stack.last()?;
        if f.left == 0 || !f.record || f.keyed { None } else { self.r.clone().text().ok() }
    }

    /// The rest of the container that was begun last, its end included, with `first` before it, appended to `w`.
    pub fn rest(&mut self, w: &mut Writer) -> Result<(), Unfit> {
        let depth = self.depth();
        while self.depth() >= depth {
            let part = self.part()?;
            write(w, part);
        }
        Ok(())
    }
}

impl Walk<'_> {
    /// The next value, appended to `w`.
    pub fn value(&mut self, w: &mut Writer) -> Result<(), Unfit> {
        let depth = self.depth();
        let part = self.part()?;
        write(w, part);
        if self.depth() > depth { self.rest(w) } else { Ok(()) }
    }
}

/// Writes a part as data.
fn write(w: &mut Writer, part: Part<'_>) {
    let text = |w: &mut Writer, t: Text<'_>| match t {
        Text::Latin1(b) => w.latin1(b),
        Text::Utf16(_) => w.utf16(&t.units()),
    };
    match part {
        Part::Reference(r) => w.reference(r),
        Part::Array(n) => w.array(n),
        Part::Record(n) => w.record(n),
        Part::Settled(rejected) => w.settled(rejected),
        Part::Key(t) | Part::Atom(Item::String(t)) => text(w, t),
        Part::End => {}
        Part::Atom(item) => match item {
            Item::Null => w.null(),
            Item::Boolean(b) => w.boolean(b),
            Item::Integer(i) => w.integer(i),
            Item::Number(n) => w.number(n),
            Item::BigInt { negative, limbs } => {
                let limbs: Vec<u64> = limbs.as_chunks::<8>().0.iter().map(|l| u64::from_le_bytes(*l)).collect();
                w.bigint(negative, &limbs);
            }
            Item::Registered(t) => {
                w.registered_symbol();
                text(w, t);
            }
            Item::WellKnown(t) => {
                w.well_known_symbol();
                text(w, t);
            }
            Item::Error { name, message } => {
                w.error();
                text(w, name);
                text(w, message);
            }
            // the others are parts of their own
            _ => w.undefined(),
        },
    }
}

/// Appends a whole value.
pub(crate) fn append(w: &mut Writer, data: &Data) -> Result<(), Unfit> {
    Walk::new(data).value(w)
}

/// One part of a record or an array.
pub(crate) fn part_of(data: &Data, key: Item<'_>) -> Result<Option<Data>, Unfit> {
    let mut walk = Walk::new(data);
    let array = match walk.part()? {
        Part::Array(_) => true,
        Part::Record(_) => false,
        _ => return Err(Unfit("the promise became data that has no parts")),
    };
    let mut at = 0;
    loop {
        let found = match (array, walk.part()?, key) {
            (_, Part::End, _) => return Ok(None),
            (false, Part::Key(k), Item::String(wanted)) => k.units() == wanted.units(),
            (false, Part::Key(_), _) => false,
            (true, first, key) => {
                at += 1;
                // an item has been begun
                let mut w = Writer::new();
                write(&mut w, first);
                if walk.depth() > 1 {
                    walk.rest(&mut w)?;
                }
                if key == Item::Integer(at - 1) {
                    return Ok(Some(w.done()));
                }
                continue;
            }
            _ => return Err(Unfit("malformed data")),
        };
        let mut w = Writer::new();
        walk.value(&mut w)?;
        if found {
            return Ok(Some(w.done()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_is_walked_twice_and_circles_are_found() {
        let mut w = Writer::new();
        w.array(3);
        w.array(1);
        w.record(1);
        w.string("k");
        w.integer(7);
        w.again(1);
        w.again(2);
        let d = w.done();
        let mut flat = Writer::new();
        append(&mut flat, &d).unwrap();
        let mut expected = Writer::new();
        expected.array(3);
        for array in [true, true, false] {
            if array {
                expected.array(1);
            }
            expected.record(1);
            expected.string("k");
            expected.integer(7);
        }
        assert_eq!(flat.done(), expected.done());

        let mut w = Writer::new();
        w.array(1);
        w.again(0);
        assert_eq!(append(&mut Writer::new(), &w.done()), Err(Unfit("it contains itself")));
        let mut w = Writer::new();
        (0..MAX_DEPTH + 1).for_each(|_| w.array(1));
        w.null();
        assert_eq!(append(&mut Writer::new(), &w.done()), Err(Unfit("it is nested too deeply")));
    }

    #[test]
    fn a_part_is_found() {
        let mut w = Writer::new();
        w.record(2);
        w.string("a");
        w.array(2);
        w.integer(1);
        w.string("x");
        w.string("b");
        w.null();
        let d = w.done();
        let key = |s: &'static str| Item::String(Text::Latin1(s.as_bytes()));
        let a = part_of(&d, key("a")).unwrap().unwrap();
        assert_eq!(part_of(&a, Item::Integer(1)), Ok(Some(Data::string("x"))));
        assert_eq!(part_of(&a, Item::Integer(2)), Ok(None));
        assert_eq!(part_of(&d, key("c")), Ok(None));
        let mut w = Writer::new();
        w.null();
        assert_eq!(part_of(&d, key("b")), Ok(Some(w.done())));
        assert!(part_of(&Data::string("x"), key("b")).is_err());
    }

    #[test]
    fn what_would_explode_is_refused() {
        let mut w = Writer::new();
        w.array(41);
        w.array(0);
        for i in 1..41 {
            w.array(2);
            w.again(i);
            w.again(i);
        }
        assert_eq!(append(&mut Writer::new(), &w.done()), Err(Unfit("it has too many parts")));
    }
}
