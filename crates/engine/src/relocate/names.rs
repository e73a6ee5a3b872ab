//! Names of the objects of a base, and which objects of two bases have the same.
//!
//! In: two bases, the older one and this build's. Out: for an object of the older one its place in the newer one.
//!
//! An object's name is a path to it: from a root, by its number, along properties by their keys, prototypes, captures, elements.
//! Names are permanent because root numbers, keys and captures are; offsets, the order of creation and the number of objects are not.
//! An object has as many names as there are paths, and is found by any that both bases have.
//!
//! Invariants
//! - both walks go from the root breadth first and follow the order of labels: the same bases give the same pairs;
//! - a pair has the same tag; a builtin is paired with another one of its number if any path leads to such a one;
//! - of shapes only those are paired that lay objects out alike, so that an object of the one is an object of the other;
//! - what a program never sees and cannot change (elements, tables, strings) is not paired: it is copied by what it holds.
//!
//! Must never know: vats.
use super::Unmoved;
use crate::cx::{Cx, Value};
use crate::kinds::*;
use crate::object;
use crate::roots::{self, R_INTERN, R_INTERN_BASE};
use crate::shape;
use crate::string;
use cage::Mem;
use cage::layout::{H_X, OLD, Trace, size_of};
use cage::value::*;
use std::collections::{BTreeMap, VecDeque};

/// A property's key, by what it says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Text(String),
    Symbol(String),
    Index(i32),
}

/// How one object is reached from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Root(u32),
    Shape,
    Proto,
    Property(Key),
    /// The shape with one more property, with these attributes.
    Step(Key, u8),
    Word(u32),
    Element(u32),
}

/// One object of a base.
struct Node {
    /// From where it was first reached, and how.
    from: u32,
    by: Label,
    kids: Vec<(Label, Value)>,
}

/// All objects that the root of a base reaches, by offset.
type Survey = BTreeMap<u32, Node>;

/// The older base's objects, and the newer one's with the same names.
pub(super) struct Names {
    older: Survey,
    pairs: BTreeMap<u32, u32>,
}

/// Elements of one object whose names are looked at.
const MAX_KIDS: u32 = 1 << 16;

impl Names {
    /// Pairs the objects of two bases.
    pub fn new(older: (&mut Cx, Mem), newer: (&mut Cx, Mem)) -> Result<Names, Unmoved> {
        let (cx, m) = older;
        let (ncx, nm) = newer;
        let before = survey(cx, m)?;
        let after = survey(ncx, nm)?;
        let mut pairs = pair(m, &before, nm, &after);
        by_number(m, &before, nm, &after, &mut pairs);
        let alike: Vec<u32> = pairs.keys().copied().filter(|at| !keeps(cx, m, ncx, nm, *at, &pairs)).collect();
        alike.iter().for_each(|at| {
            pairs.remove(at);
        });
        Ok(Names { older: before, pairs })
    }

    /// Is it an object of the older base?
    pub fn is_base(&self, at: u32) -> bool {
        self.older.contains_key(&at)
    }

    /// Its place in the newer base.
    pub fn place(&self, at: u32) -> Option<u32> {
        self.pairs.get(&at).copied()
    }

    /// All objects of the older base with places in the newer one.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.pairs.iter().map(|(o, n)| (*o, *n))
    }

    /// Names of objects and symbols that only the older base has.
    pub fn gone(&self) -> Vec<String> {
        let seen = |node: &Node| node.kids.iter().filter(|k| is_obj(k.1) || is_sym(k.1)).map(|k| k.1 as u32).collect::<Vec<_>>();
        let all: std::collections::BTreeSet<u32> = self.older.values().flat_map(seen).collect();
        all.into_iter().filter(|at| self.place(*at).is_none()).map(|at| self.name(at)).collect()
    }

    /// What an object of the older base is called.
    pub fn name(&self, at: u32) -> String {
        let mut steps = Vec::new();
        let mut here = at;
        while let Some(node) = self.older.get(&here).filter(|_| here != OLD) {
            steps.push(&node.by);
            here = node.from;
        }
        let mut name = String::new();
        for by in steps.iter().rev() {
            match by {
                Label::Root(n) => name.push_str(&root_name(*n)),
                Label::Property(Key::Text(t)) | Label::Step(Key::Text(t), _) => name.push_str(&format!(".{t}")),
                Label::Property(Key::Symbol(t)) | Label::Step(Key::Symbol(t), _) => name.push_str(&format!("[{t}]")),
                Label::Property(Key::Index(i)) | Label::Step(Key::Index(i), _) => name.push_str(&format!("[{i}]")),
                Label::Element(i) | Label::Word(i) => name.push_str(&format!("[[{i}]]")),
                Label::Proto => name.push_str(".[[Prototype]]"),
                Label::Shape => {}
            }
        }
        name
    }
}

fn root_name(n: u32) -> String {
    let named = roots::NAMES.iter().rev().find(|r| u32::from(r.0) <= n);
    match named {
        Some((first, _, what)) if u32::from(*first) == n => (*what).to_owned(),
        Some((first, name, _)) => format!("{name}+{}", n - u32::from(*first)),
        None => format!("root {n}"),
    }
}

/// Walks a base from its root, breadth first.
fn survey(cx: &mut Cx, m: Mem) -> Result<Survey, Unmoved> {
    let mut all = Survey::new();
    let mut todo = VecDeque::from([(OLD, OLD, Label::Root(0))]);
    // each word of the heap is a reference once at most
    let mut left = cx.heap.live_bytes() / 4;
    while let Some((at, from, by)) = todo.pop_front() {
        if all.contains_key(&at) {
            continue;
        }
        let mut kids = kids(cx, m, at)?;
        kids.retain(|k| matches!(k.1 >> 48, t if t == CELL >> 48 || t == OBJ >> 48 || t == SYM >> 48));
        kids.sort();
        left = left.checked_sub(kids.len() as u64).ok_or(Unmoved::Damaged("the base has more references than words"))?;
        todo.extend(kids.iter().map(|(by, v)| (*v as u32, at, by.clone())));
        all.insert(at, Node { from, by, kids });
    }
    Ok(all)
}

/// A key by what it says.
fn key(cx: &mut Cx, m: Mem, k: Value) -> Result<Key, Unmoved> {
    if is_sym(k) {
        let d = m.r64(k as u32, 8);
        return Ok(Key::Symbol(if is_str(d) { string::to_rust(cx, m, d)? } else { String::new() }));
    }
    if is_str(k) { Ok(Key::Text(string::to_rust(cx, m, k)?)) } else { Ok(Key::Index(as_int(k))) }
}

/// Own properties that stand in an object's shape: key, attributes, the word as it is.
pub(super) fn properties(cx: &mut Cx, m: Mem, at: u32) -> Result<Vec<(Value, u8, Value)>, Unmoved> {
    let (o, s) = (OBJ | at as u64, m.r32(at, H_X));
    let all = shape::entries(cx, m, s)?;
    Ok(all.into_iter().map(|(k, slot, attrs)| (k, attrs, m.r64(object::slot_addr(m, o, s, slot), 0))).collect())
}

/// Words of an object that are values besides its properties: the first one, and where they end. (Those of arrays are its elements.)
pub(super) fn own_words(m: Mem, at: u32) -> (u32, u32) {
    let h = m.r64(at, 0);
    let end = size_of(&KINDS, h).unwrap_or(8) / 8;
    match h as u8 {
        RECORD | ERROR | ARGS | ARR => (end, end),
        FN | NATIVE => (3, end),
        _ => (2, end),
    }
}

fn kids(cx: &mut Cx, m: Mem, at: u32) -> Result<Vec<(Label, Value)>, Unmoved> {
    let h = m.r64(at, 0);
    let mut out = Vec::new();
    let size = size_of(&KINDS, h).filter(|size| cx.heap.holds(at, u64::from(*size)));
    let Some(size) = size else { return Err(Unmoved::Damaged("a reference of the base names no object")) };
    let words = |from: u32, end: u32| (from..end.min(MAX_KIDS)).map(|i| (Label::Word(i), m.r64(at + i * 8, 0)));
    match h as u8 {
        ROOTS => {
            let strings = [u32::from(R_INTERN), u32::from(R_INTERN_BASE)];
            out.extend((1..size / 8).filter(|i| !strings.contains(i)).map(|i| (Label::Root(i), m.r64(at + i * 8, 0))));
        }
        SHAPE => {
            out.push((Label::Proto, m.r64(at, 8)));
            let n = shape::count(m, at);
            for next in shape::successors(m, at) {
                let k = key(cx, m, shape::key_at(m, next, n))?;
                out.push((Label::Step(k, shape::attrs_at(m, next, n)), CELL | u64::from(next)));
            }
        }
        DESCS | DICT | WEAKS | ETABLE => {}
        kind => match KINDS[kind as usize].trace {
            Trace::Raw => {}
            Trace::Shaped(_) => {
                let s = m.r32(at, H_X);
                out.push((Label::Shape, CELL | u64::from(s)));
                out.push((Label::Proto, shape::proto(m, s)));
                for (k, _, v) in properties(cx, m, at)? {
                    out.push((Label::Property(key(cx, m, k)?), v));
                }
                if kind == ARR {
                    let n = crate::array::dense_len(m, OBJ | u64::from(at)).min(MAX_KIDS);
                    out.extend((0..n).map(|i| (Label::Element(i), crate::array::element(m, OBJ | u64::from(at), i))));
                }
                let (from, end) = own_words(m, at);
                out.extend(words(from, end));
            }
            _ => out.extend(words(1, size / 8)),
        },
    }
    Ok(out)
}

/// How well two objects go together.
#[derive(PartialEq)]
enum Fit {
    Well,
    /// Functions of different making: by their path alone.
    ByName,
    No,
}

fn fit(m: Mem, v: Value, nm: Mem, w: Value) -> Fit {
    if v >> 48 != w >> 48 {
        return Fit::No;
    }
    let (a, b) = (object::kind(m, v), object::kind(nm, w));
    if a == NATIVE && b == NATIVE && native_number(m, v as u32) != native_number(nm, w as u32) {
        return Fit::ByName;
    }
    match a == b {
        true => Fit::Well,
        false if object::is_callable(m, v) && object::is_callable(nm, w) => Fit::ByName,
        false => Fit::No,
    }
}

fn native_number(m: Mem, at: u32) -> u32 {
    m.r32(at, 16)
}

/// Walks both from the root.
fn pair(m: Mem, before: &Survey, nm: Mem, after: &Survey) -> BTreeMap<u32, u32> {
    let mut pairs = BTreeMap::new();
    let (mut well, mut by_name) = (VecDeque::from([(OLD, OLD)]), VecDeque::new());
    while let Some((o, n)) = well.pop_front().or_else(|| by_name.pop_front()) {
        if pairs.contains_key(&o) {
            continue;
        }
        pairs.insert(o, n);
        let (Some(old), Some(new)) = (before.get(&o), after.get(&n)) else { continue };
        for (label, v) in &old.kids {
            let Ok(i) = new.kids.binary_search_by(|k| k.0.cmp(label)) else { continue };
            let w = new.kids[i].1;
            match fit(m, *v, nm, w) {
                Fit::Well => well.push_back((*v as u32, w as u32)),
                Fit::ByName => by_name.push_back((*v as u32, w as u32)),
                Fit::No => {}
            }
        }
    }
    pairs
}

/// A builtin whose paths are all gone is found by its number, if one function alone has it.
fn by_number(m: Mem, before: &Survey, nm: Mem, after: &Survey, pairs: &mut BTreeMap<u32, u32>) {
    let natives = |m: Mem, s: &Survey| -> Vec<(u32, u32)> {
        s.keys().filter(|at| m.r8(**at, 0) == NATIVE).map(|at| (native_number(m, *at), *at)).collect()
    };
    let mut one: BTreeMap<u32, Option<u32>> = BTreeMap::new();
    for (number, at) in natives(nm, after) {
        one.entry(number).and_modify(|e| *e = None).or_insert(Some(at));
    }
    for (number, at) in natives(m, before) {
        if let Some(Some(n)) = one.get(&number)
            && !pairs.contains_key(&at)
        {
            pairs.insert(at, *n);
        }
    }
}

/// Does a pair hold? Parts of other objects are copied; shapes must lay out alike.
fn keeps(cx: &mut Cx, m: Mem, ncx: &mut Cx, nm: Mem, at: u32, pairs: &BTreeMap<u32, u32>) -> bool {
    let Some(&n) = pairs.get(&at) else { return false };
    match m.r8(at, 0) {
        ROOTS | SYMBOL | BOX => true,
        ENV | TUPLE => m.r32(at, H_X) == nm.r32(n, H_X),
        SHAPE => same_layout(cx, m, ncx, nm, (at, n), pairs).unwrap_or(false),
        kind => matches!(KINDS[kind as usize].trace, Trace::Shaped(_)),
    }
}

fn same_layout(
    cx: &mut Cx,
    m: Mem,
    ncx: &mut Cx,
    nm: Mem,
    (s, t): (u32, u32),
    pairs: &BTreeMap<u32, u32>,
) -> Result<bool, Unmoved> {
    let (p, q) = (shape::proto(m, s), shape::proto(nm, t));
    let protos = if is_obj(p) { is_obj(q) && pairs.get(&(p as u32)) == Some(&(q as u32)) } else { p == q };
    let n = shape::count(m, s);
    if !protos || shape::is_dict(m, s) || shape::meta(m, s) != shape::meta(nm, t) || n != shape::count(nm, t) {
        return Ok(false);
    }
    for i in 0..n.min(shape::MAX_SHAPE) {
        let (k, l) = (key(cx, m, shape::key_at(m, s, i))?, key(ncx, nm, shape::key_at(nm, t, i))?);
        if k != l || shape::attrs_at(m, s, i) != shape::attrs_at(nm, t, i) {
            return Ok(false);
        }
    }
    Ok(true)
}
