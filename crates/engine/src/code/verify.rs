//! The check of a unit: what the machine may rely on.
//!
//! - every instruction is whole, its opcode known, its registers below `nregs`;
//! - jumps and handlers land on instructions of the same function; it cannot run off its end;
//! - constants, functions, captures, inline caches and constant slots exist and are of the right kind; the loader writes to no
//!   other words;
//! - on every path a register is written before it is read, and not read after a call that lies below it has lost it;
//! - what stands beside the code is sound as well (`tables`).
//!
//! Not checked: what a register, a capture or a slot of an environment holds. Code that takes another value for a box reads or
//! writes some word of its own cage. Any bytes may come in: nothing here panics or recurses, and nothing takes memory
//! that the unit's length does not bound.
use super::effects_of::{Effects, effects};
use super::tables;
use crate::code::{CodeUnit, Const, FuncInfo, Handler, op};
use cage::value::is_number;
use std::collections::BTreeSet;

/// Registers that certainly hold a value.
type Set = [u64; 4];

const ALL: Set = [u64::MAX; 4];

fn has(s: &Set, r: u32) -> bool {
    s[(r / 64) as usize & 3] >> (r % 64) & 1 == 1
}
fn add(s: &mut Set, r: u32) {
    s[(r / 64) as usize & 3] |= 1 << (r % 64);
}
fn drop_from(s: &mut Set, from: u32) {
    for r in from..256 {
        s[(r / 64) as usize] &= !(1 << (r % 64));
    }
}
fn meet(a: &Set, b: &Set) -> Set {
    [a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]]
}

/// Slots of an environment; its bytes are far below 2^32.
const MAX_SLOTS: u32 = 1 << 20;

/// Checks a unit; says what is wrong.
pub fn verify(unit: &CodeUnit) -> Result<(), String> {
    // first: what explains other errors looks at them
    tables::constants(unit)?;
    tables::module(unit)?;
    let ics: BTreeSet<u32> = unit.ics.iter().copied().collect();
    let slots: BTreeSet<u32> = unit.const_slots.iter().copied().collect();
    let mut linked = Linked::default();
    let mut end = 0;
    for (i, f) in unit.functions.iter().enumerate() {
        let next = u64::from(f.at) + u64::from(f.len) + 2;
        if f.at != end || f.len == 0 || next > unit.words.len() as u64 {
            return Err(format!("f{i}: not where it should be"));
        }
        end = next as u32;
        let mut v = Function { unit, f, ics: &ics, slots: &slots, starts: Vec::new() };
        v.check(i, &mut linked).map_err(|e| format!("f{i} {:?}: {e}", String::from_utf16_lossy(&f.name)))?;
    }
    if end as usize != unit.words.len() || unit.functions.is_empty() {
        return Err("words after the last function".to_owned());
    }
    // each is the place of an operand and those are all: the sets have no room for another word
    if [linked.ics, linked.slots] != [unit.ics.len(), unit.const_slots.len()]
        || [ics.len(), slots.len()] != [linked.ics, linked.slots]
    {
        return Err("inline caches or constant slots where the code has none".to_owned());
    }
    Ok(())
}

/// How many operands of the code the loader fills.
#[derive(Default)]
struct Linked {
    ics: usize,
    slots: usize,
}

struct Function<'u> {
    unit: &'u CodeUnit,
    f: &'u FuncInfo,
    ics: &'u BTreeSet<u32>,
    slots: &'u BTreeSet<u32>,
    /// Whether an instruction begins at this offset.
    starts: Vec<bool>,
}

impl Function<'_> {
    fn words(&self) -> &[u32] {
        &self.unit.words[self.f.at as usize..(self.f.at + self.f.len + 2) as usize]
    }

    fn check(&mut self, index: usize, linked: &mut Linked) -> Result<(), String> {
        tables::function(self.unit, self.f)?;
        let words = self.words();
        let header = u32::from(self.f.nregs) | u32::from(self.f.nparams) << 8 | u32::from(self.f.flags) << 16;
        if words[0] != header || words[1] != index as u32 {
            return Err("a bad header".to_owned());
        }
        let mut starts = vec![false; words.len()];
        let mut at = 2;
        while at < words.len() {
            starts[at] = true;
            at += length(words[at]).ok_or_else(|| format!("{at}: unknown opcode"))?;
        }
        if at != words.len() {
            return Err("the last instruction is cut off".to_owned());
        }
        self.starts = starts;
        self.handlers()?;
        let mut at = 2;
        while at < self.words().len() {
            self.operands(at, linked).map_err(|e| self.explain(at, &e))?;
            at += length(self.words()[at]).unwrap_or(1);
        }
        self.flow()
    }

    fn explain(&self, at: usize, e: &str) -> String {
        format!("{at} {}: {e}", super::disasm::instruction(self.unit, self.words(), at).0)
    }

    fn handlers(&self) -> Result<(), String> {
        for h in &self.f.handlers {
            let end = self.words().len() as u32;
            if h.start < 2 || h.start >= h.end || h.end > end || !self.is_start(i64::from(h.target)) || h.reg >= self.f.nregs {
                return Err(format!("a bad handler {h:?}"));
            }
        }
        Ok(())
    }

    fn is_start(&self, at: i64) -> bool {
        usize::try_from(at).ok().and_then(|at| self.starts.get(at).copied()).unwrap_or(false)
    }

    fn operands(&self, at: usize, linked: &mut Linked) -> Result<(), String> {
        let words = self.words();
        let [o, a, b, c] = words[at].to_le_bytes();
        let operands = op::OPS.iter().find(|e| e.0 == o).map_or("", |e| e.2);
        let mut fields = [a, b, c].into_iter();
        let mut extra = at + 1;
        let next = (at + length(words[at]).unwrap_or(1)) as i64;
        for sort in operands.split_ascii_whitespace() {
            match sort {
                "A" | "B" | "C" => {
                    if fields.next().unwrap_or(0) >= self.f.nregs {
                        return Err("a register beyond the frame".to_owned());
                    }
                }
                "J" if !self.is_start(next + i64::from(words[at] as i32 >> 8)) => return Err("a jump to nowhere".to_owned()),
                "j" | "#" | "@" | "~" | "f" | "w" => {
                    self.extra([o, a, b, c], sort, extra, next)?;
                    linked.ics += usize::from(sort == "~");
                    linked.slots += usize::from(sort == "@");
                    extra += 1;
                }
                "J" | "I" => {}
                _ => drop(fields.next()),
            }
        }
        self.numbers(at)
    }

    /// Plain numbers that name something, or say how many words something has.
    fn numbers(&self, at: usize) -> Result<(), String> {
        let words = self.words();
        let [o, _, b, _] = words[at].to_le_bytes();
        let captures = self.f.capture_names.len();
        let ok = match o {
            op::LDV => b <= 5,
            // anything else could be a reference
            op::LDD => is_number(u64::from(words[at + 1]) | u64::from(words[at + 2]) << 32),
            op::GETCAP | op::GETCAPB | op::SETCAPB | op::GETG | op::SETG | op::HASG => usize::from(b) < captures,
            op::CLOSURE => {
                let callee = self.unit.functions.get(words[at + 1] as usize);
                let source = |k: usize| words[at + 2 + k / 2] >> (16 * (k % 2)) & 0xffff;
                let exists = |s: u32| s & 0x8000 == 0 || ((s & 0x7fff) as usize) < captures;
                callee.is_some_and(|f| f.capture_names.len() == usize::from(b)) && (0..usize::from(b)).all(|k| exists(source(k)))
            }
            _ => true,
        };
        if ok { Ok(()) } else { Err("a capture, a constant value or a number that is none".to_owned()) }
    }

    fn extra(&self, [o, _, _, c]: [u8; 4], sort: &str, at: usize, next: i64) -> Result<(), String> {
        let w = self.words()[at];
        let place = self.f.at + at as u32;
        let constant = self.unit.consts.get(w as usize);
        let ok = match sort {
            "j" => self.is_start(next + i64::from(w as i32)),
            "#" => matches!(constant, Some(Const::String(_))),
            "@" if o == op::NEWREC => {
                let fits = |k: &Const| matches!(k, Const::Shape(keys) if keys.len() == usize::from(c));
                self.slots.contains(&place) && constant.is_some_and(fits)
            }
            "@" => self.slots.contains(&place) && constant.is_some_and(|c| !matches!(c, Const::Shape(_))),
            "~" => w == 0 && self.ics.contains(&place),
            "f" => (w as usize) < self.unit.functions.len(),
            "w" if o == op::OBJREST => w <= u32::from(self.f.nregs),
            "w" if matches!(o, op::NEWENV | op::GETENV | op::SETENV) => w < MAX_SLOTS,
            "w" if o == op::DEFACC => w <= 1,
            _ => true,
        };
        if ok { Ok(()) } else { Err(format!("a bad operand {sort} {w}")) }
    }

    /// By word: the innermost handler. Linear, however many handlers lie over one another: covered words are skipped.
    fn covering(&self) -> Vec<Option<&Handler>> {
        let n = self.words().len();
        let mut covering = vec![None; n];
        // the next word that no handler covers yet, itself perhaps
        let mut free: Vec<usize> = (0..=n).collect();
        let next = |free: &mut Vec<usize>, mut at: usize| {
            while free[at] != at {
                free[at] = free[free[at]];
                at = free[at];
            }
            at
        };
        for h in &self.f.handlers {
            let mut at = next(&mut free, h.start as usize);
            while at < h.end as usize {
                covering[at] = Some(h);
                free[at] = at + 1;
                at = next(&mut free, at);
            }
        }
        covering
    }

    /// Which registers hold values where: a forward analysis to the fixed point.
    fn flow(&self) -> Result<(), String> {
        let words = self.words();
        let mut state: Vec<Option<Set>> = vec![None; words.len()];
        let mut entry: Set = [0; 4];
        for r in 0..3 + u32::from(self.f.nparams) {
            add(&mut entry, r);
        }
        let handlers = self.covering();
        let mut work = vec![2usize];
        state[2] = Some(entry);
        while let Some(at) = work.pop() {
            let Some(before) = state[at] else { continue };
            let e = effects(words, at);
            if e.registers().any(|r| r >= u32::from(self.f.nregs)) {
                return Err(self.explain(at, "a register beyond the frame"));
            }
            if let Some(r) = e.reads.iter().find(|&&r| !has(&before, r)) {
                return Err(self.explain(at, &format!("r{r} holds nothing here")));
            }
            if let Some(h) = handlers[at] {
                let mut s = before;
                drop_from(&mut s, e.lost.unwrap_or(256));
                add(&mut s, u32::from(h.reg));
                merge(&mut state, &mut work, h.target as usize, &s);
            }
            self.successors(at, &before, &e, &mut state, &mut work)?;
        }
        Ok(())
    }

    fn successors(
        &self,
        at: usize,
        before: &Set,
        e: &Effects,
        state: &mut [Option<Set>],
        work: &mut Vec<usize>,
    ) -> Result<(), String> {
        let mut after = *before;
        drop_from(&mut after, e.lost.unwrap_or(256));
        for &r in &e.writes {
            add(&mut after, r);
        }
        for &(to, written) in &e.jumps {
            let mut s = after;
            if let Some(r) = written {
                add(&mut s, r);
            }
            merge(state, work, to, &s);
        }
        if e.falls {
            let next = at + length(self.words()[at]).unwrap_or(1);
            if next >= self.words().len() {
                return Err("runs off its end".to_owned());
            }
            let mut s = after;
            if let Some(r) = e.writes_on_fall {
                add(&mut s, r);
            }
            merge(state, work, next, &s);
        }
        Ok(())
    }
}

fn merge(state: &mut [Option<Set>], work: &mut Vec<usize>, at: usize, s: &Set) {
    let new = meet(s, &state[at].unwrap_or(ALL));
    if state[at] != Some(new) {
        state[at] = Some(new);
        work.push(at);
    }
}

/// Words of an instruction; none for what no compiler emits.
pub(super) fn length(first: u32) -> Option<usize> {
    let [o, _, b, _] = first.to_le_bytes();
    if matches!(o, op::JTABLE | op::THIS | op::IMPORTMETA | op::EXIT..) {
        return None;
    }
    let sources = if o == op::CLOSURE { usize::from(b).div_ceil(2) } else { 0 };
    op::extra(o).map(|n| 1 + n as usize + sources)
}
