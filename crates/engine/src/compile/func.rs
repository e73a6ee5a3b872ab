//! The function being compiled: its words, labels and lines.
//!
//! Invariants
//! - positions are word offsets from the function's header, which is two words long;
//! - code that nothing reaches is not emitted: after a jump, return or throw, until a used label is bound;
//! - a label that is bound patches its jumps; one bound earlier patches the jump at once;
//! - on no way through the code more work than about `MOST_UNPAID` stands one after another without an instruction that takes fuel.
//!   (A backward jump takes some, and so does an exception on its way: what was unpaid there is forgotten.)
use super::{Gen, Res};
use crate::code::op::{self, word};
use crate::code::{FuncInfo, Handler};
use std::collections::BTreeMap;
use syntax::ast::{BindingId, FuncId, NameId, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(u32);

#[derive(Default)]
struct LabelState {
    at: Option<u32>,
    /// The most that is unpaid where it is jumped to.
    unpaid: u32,
    /// (position of the field, end of the instruction, whether it is the 24-bit field of a JMP)
    fixups: Vec<(u32, u32, bool)>,
}

pub(super) struct FuncState {
    pub id: FuncId,
    pub words: Vec<u32>,
    pub ics: Vec<u32>,
    pub const_slots: Vec<u32>,
    pub lines: Vec<(u32, u32)>,
    pub handlers: Vec<Handler>,
    labels: Vec<LabelState>,
    pub reachable: bool,
    /// Work, at most, since an instruction that took fuel.
    unpaid: u32,
    /// The source byte that instructions to come belong to.
    byte: u32,
    /// A jump did not fit.
    pub too_far: bool,
    /// First free register, and the most there ever were.
    pub next: u32,
    pub max: u32,
    /// What each register holds; see `regs`.
    pub kind: [super::regs::Kind; 256],
    pub control: Vec<super::tryfinally::Control>,
    /// Labels before the statement to come.
    pub labels_here: Vec<NameId>,
    /// Where `?.` of the chain being compiled leaves to.
    pub chain_exits: Vec<Label>,
    pub captures: BTreeMap<BindingId, u8>,
    /// Captures that hold the environments of functions around.
    pub capture_envs: BTreeMap<FuncId, u8>,
    pub this_capture: Option<u8>,
    pub new_target_capture: Option<u8>,
    /// Register of the own environment.
    pub env: Option<u8>,
    /// Register of the coroutine.
    pub coroutine: Option<u8>,
    /// Register of the coroutine of a module's program, which waits for the linker even if it is not async.
    pub program: Option<u8>,
    /// Register of the completion value.
    pub completion: Option<u8>,
    pub flags: u16,
}

impl FuncState {
    pub(super) fn new(id: FuncId, flags: u16) -> Self {
        FuncState {
            id,
            words: vec![0, 0],
            ics: Vec::new(),
            const_slots: Vec::new(),
            lines: Vec::new(),
            handlers: Vec::new(),
            labels: Vec::new(),
            reachable: true,
            unpaid: 0,
            byte: 0,
            too_far: false,
            next: 3,
            max: 3,
            kind: [super::regs::Kind::Temp; 256],
            control: Vec::new(),
            labels_here: Vec::new(),
            chain_exits: Vec::new(),
            captures: BTreeMap::new(),
            capture_envs: BTreeMap::new(),
            this_capture: None,
            new_target_capture: None,
            env: None,
            coroutine: None,
            program: None,
            completion: None,
            flags,
        }
    }
}

/// Instructions that neither throw nor call need no line.
fn silent(o: u8) -> bool {
    matches!(o, op::LDI..=op::GETCAP | op::NEWBOX | op::INITBOX | op::JMP..=op::JNUNDEF | op::RET | op::RETU | op::PAY)
}

fn ends(o: u8) -> bool {
    matches!(o, op::JMP | op::RET | op::RETU | op::THROW | op::THROWC | op::RETASYNC | op::REJASYNC)
}

/// So much work is paid for with one unit: a few hundred nanoseconds.
const MOST_UNPAID: u32 = 64;

/// The work of an instruction, about, where its operands are those that it is quick with. What others cost it charges itself.
fn work(o: u8, c: u8) -> u32 {
    match o {
        op::NEWREC | op::NEWARR | op::CONCAT => 4 + u32::from(c) / 2,
        op::NEWBOX | op::CLOSURE | op::NEWENV | op::NEWOBJ | op::REST | op::ARGS | op::NEXT | op::ITERRES | op::TOSTR => 4,
        op::DEFE | op::DEFACC | op::DELE | op::APPEND | op::SETPROTO | op::COPYDATA | op::OBJREST | op::TOKEY => 8,
        op::IN | op::INSTANCEOF | op::SETNAME | op::EXP | op::ITER..=op::HARDEN | op::SEND | op::SENDV => 8,
        op::GETP | op::GETM | op::SETP | op::DEFP | op::GETE | op::GETEM | op::SETE | op::GETG..=op::GETLEN | op::PUSH => 2,
        _ => 1,
    }
}

/// Instructions that take fuel themselves, whatever they do.
fn pays(o: u8) -> bool {
    matches!(o, op::CALL..=op::NEWV | op::PAY)
}

/// Those before which nothing may stand, and those that soon pay for what was before them.
fn tied(o: u8) -> bool {
    matches!(o, op::REST | op::ARGS | op::ASYNC | op::ITERRES | op::RET | op::RETU | op::THROW | op::THROWC)
}

impl Gen<'_> {
    pub(super) fn here(&self) -> u32 {
        self.f.words.len() as u32
    }

    /// Instructions that follow belong to this place of the source.
    pub(super) fn mark(&mut self, span: Span) {
        self.f.byte = span.start;
    }

    pub(super) fn emit(&mut self, o: u8, a: u8, b: u8, c: u8) {
        self.emit_words(o, a, b, c, &[]);
    }

    /// An instruction with its extra words; dropped where nothing reaches it.
    pub(super) fn emit_words(&mut self, o: u8, a: u8, b: u8, c: u8, extra: &[u32]) {
        debug_assert!(op::extra(o).is_some_and(|n| n as usize == extra.len() || o == op::CLOSURE), "op {o}");
        if !self.f.reachable {
            return;
        }
        if !tied(o) {
            self.pay();
        }
        if !silent(o) && self.f.lines.last().is_none_or(|&(_, byte)| byte != self.f.byte) {
            self.f.lines.push((self.here(), self.f.byte));
        }
        self.f.words.push(word(o, a, b, c));
        self.f.words.extend_from_slice(extra);
        self.f.unpaid = if pays(o) { 0 } else { self.f.unpaid + work(o, c) };
        if ends(o) {
            self.f.reachable = false;
        }
    }

    /// Before an instruction: pays for those before it if they are many.
    fn pay(&mut self) {
        if self.f.reachable && self.f.unpaid >= MOST_UNPAID {
            self.f.words.push(word(op::PAY, 1, 0, 0));
            self.f.unpaid = 0;
        }
    }

    /// Operands `a` and a signed 16-bit immediate.
    pub(super) fn emit_imm(&mut self, o: u8, a: u8, imm: i16) {
        let [b, c] = imm.to_le_bytes();
        self.emit(o, a, b, c);
    }

    /// With a fresh inline cache and the key.
    pub(super) fn emit_ic(&mut self, o: u8, a: u8, b: u8, c: u8, key: u32) {
        self.pay();
        if self.f.reachable {
            let at = self.here() + 1;
            self.f.ics.push(at);
        }
        self.emit_words(o, a, b, c, &[0, key]);
    }

    /// With a constant slot.
    pub(super) fn emit_slot(&mut self, o: u8, a: u8, b: u8, c: u8, constant: u32) {
        self.pay();
        if self.f.reachable {
            let at = self.here() + 1;
            self.f.const_slots.push(at);
        }
        self.emit_words(o, a, b, c, &[constant]);
    }

    pub(super) fn label(&mut self) -> Label {
        self.f.labels.push(LabelState::default());
        Label((self.f.labels.len() - 1) as u32)
    }

    pub(super) fn bind(&mut self, label: Label) {
        let here = self.here();
        let state = &mut self.f.labels[label.0 as usize];
        debug_assert!(state.at.is_none());
        state.at = Some(here);
        let fixups = std::mem::take(&mut state.fixups);
        if !fixups.is_empty() {
            self.f.unpaid = if self.f.reachable { self.f.unpaid.max(state.unpaid) } else { state.unpaid };
            self.f.reachable = true;
        }
        for (field, end, short) in fixups {
            self.patch(field, end, short, here);
        }
    }

    /// Whether anything jumps to the label so far.
    pub(super) fn is_used(&self, label: Label) -> bool {
        !self.f.labels[label.0 as usize].fixups.is_empty()
    }

    /// Binds a label that a handler reaches.
    pub(super) fn bind_handler(&mut self, reached: bool) -> u32 {
        self.f.reachable |= reached;
        self.here()
    }

    fn patch(&mut self, field: u32, end: u32, short: bool, to: u32) {
        let distance = i64::from(to) - i64::from(end);
        let limit = if short { 1 << 23 } else { 1 << 31 };
        if distance < -limit || distance >= limit {
            self.f.too_far = true;
            return;
        }
        let w = &mut self.f.words[field as usize];
        *w = if short { *w & 0xff | (distance as u32) << 8 } else { distance as u32 };
    }

    fn aim(&mut self, label: Label, field: u32, end: u32, short: bool) {
        match self.f.labels[label.0 as usize].at {
            Some(to) => self.patch(field, end, short, to),
            None => {
                let state = &mut self.f.labels[label.0 as usize];
                state.fixups.push((field, end, short));
                state.unpaid = state.unpaid.max(self.f.unpaid);
            }
        }
    }

    pub(super) fn jump(&mut self, label: Label) {
        if self.f.reachable {
            self.emit(op::JMP, 0, 0, 0);
            let end = self.here();
            self.aim(label, end - 1, end, true);
        }
    }

    /// A conditional jump, or ITERRES.
    pub(super) fn branch(&mut self, o: u8, a: u8, b: u8, c: u8, label: Label) {
        if self.f.reachable {
            self.emit_words(o, a, b, c, &[0]);
            let end = self.here();
            self.aim(label, end - 1, end, false);
        }
    }

    pub(super) fn branch_imm(&mut self, o: u8, a: u8, imm: i16, label: Label) {
        let [b, c] = imm.to_le_bytes();
        self.branch(o, a, b, c, label);
    }

    /// NEXT: to `value` with a value, to `done` when exhausted, else on.
    pub(super) fn branch_next(&mut self, iter: u8, frame: u8, value: Label, done: Label) {
        if self.f.reachable {
            self.emit_words(op::NEXT, iter, frame, 0, &[0, 0]);
            let end = self.here();
            self.aim(value, end - 2, end, false);
            self.aim(done, end - 1, end, false);
        }
    }

    pub(super) fn mov(&mut self, to: u8, from: u8) {
        if to != from {
            self.emit(op::MOV, to, from, 0);
        }
    }

    /// LDV
    pub(super) fn load(&mut self, to: u8, value: u8) {
        self.emit(op::LDV, to, value, 0);
    }

    /// Appends the finished function to the unit.
    pub(super) fn seal(&mut self, mut info: FuncInfo) -> Res {
        let at = self.words.len() as u32;
        let f = &mut self.f;
        if f.too_far || f.words.len() + self.words.len() > i32::MAX as usize {
            return self.too_large("this function is too large", info.source);
        }
        info.at = at;
        info.len = f.words.len() as u32 - 2;
        info.nregs = f.max.max(3) as u8;
        info.flags = f.flags;
        info.handlers = std::mem::take(&mut f.handlers);
        info.lines = std::mem::take(&mut f.lines);
        f.words[0] = u32::from(info.nregs) | u32::from(info.nparams) << 8 | u32::from(info.flags) << 16;
        f.words[1] = self.functions.len() as u32;
        self.words.extend_from_slice(&f.words);
        self.ics.extend(f.ics.iter().map(|p| p + at));
        self.const_slots.extend(f.const_slots.iter().map(|p| p + at));
        self.functions.push(info);
        Ok(())
    }
}

/// Value numbers of LDV.
pub(super) mod value {
    pub const UNDEFINED: u8 = 0;
    pub const NULL: u8 = 1;
    pub const FALSE: u8 = 2;
    pub const TRUE: u8 = 3;
    pub const TDZ: u8 = 4;
    pub const HOLE: u8 = 5;
}
