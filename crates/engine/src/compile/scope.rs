//! Where bindings live, what closures hold, how scopes are entered.
//!
//! Invariants
//! - a binding's storage is decided by the tree alone: its box, its environment slot, or a plain value;
//! - a plain value that is captured is copied when the closure is made: the parser has shown that it does not change;
//! - `let` and `const` without `tdz` get their register at their declaration, everything else at the entry of its scope;
//! - the layout of a closure's captures (`capture_layout`) is the same seen from outside and from within.
use super::func::value;
use super::regs::Kind;
use super::{Gen, Job, Res};
use crate::code::op;
use syntax::ast::{Binding, BindingId, BindingKind, ExportEntry, Expr, FuncId, FuncKind, NameId, ScopeId, Span};

/// Where a binding of the current function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loc {
    Reg(u8),
    /// A register that holds the box.
    Box(u8),
    /// Captured by value.
    Capture(u8),
    /// A capture that is the box.
    CaptureBox(u8),
    /// A slot of the own environment.
    Env(u32),
    /// A slot of the environment that is a capture.
    CaptureEnv(u8, u32),
}

/// One capture of a closure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capture {
    Global,
    This,
    NewTarget,
    Binding(BindingId),
    /// The environment of a function around.
    Env(FuncId),
}

/// Locals of its body that a function keeps in registers when not all have room there.
const KEPT_LOCALS: usize = 100;
/// Captures of a closure before its captured variables go to environments.
const MAX_CAPTURES: usize = 250;

impl<'t> Gen<'t> {
    pub(super) fn is_own(&self, b: BindingId) -> bool {
        let f = self.f.id;
        self.tree.binding(b).func == f || self.tree.func(f).self_binding == Some(b)
    }

    pub(super) fn loc(&self, b: BindingId, span: Span) -> Res<Loc> {
        if self.is_own(b) {
            return match self.locs[b.index()] {
                Some(l) => Ok(l),
                None => self.internal("a variable is used before its scope is entered", span),
            };
        }
        if self.literals.alias(b) == Some(self.f.id) {
            return Ok(Loc::Reg(0));
        }
        let binding = self.tree.binding(b);
        if let Some(slot) = self.spills[b.index()] {
            if let Some(&c) = self.f.capture_envs.get(&binding.func) {
                return Ok(Loc::CaptureEnv(c, slot));
            }
        } else if let Some(&c) = self.f.captures.get(&b) {
            let by_value = !self.is_boxed(b) || self.is_within(self.f.id, self.literals.alias(b));
            return Ok(if by_value { Loc::Capture(c) } else { Loc::CaptureBox(c) });
        }
        self.internal("a variable is not among the captures", span)
    }

    /// Whether the binding lives in a box.
    pub(super) fn is_boxed(&self, b: BindingId) -> bool {
        self.tree.binding(b).boxed && !self.literals.needs_no_box(b)
    }

    /// Whether a function is another or stands in it.
    fn is_within(&self, mut id: FuncId, outer: Option<FuncId>) -> bool {
        let Some(outer) = outer else { return false };
        while id != outer && id.0 != 0 {
            id = self.tree.func(id).parent;
        }
        id == outer
    }

    /// What the closure of a function holds, in order. (The program: the global object, then the module's cells.)
    pub(super) fn capture_layout(&self, id: FuncId) -> Vec<Capture> {
        let func = self.tree.func(id);
        let mut layout = Vec::new();
        if func.uses_globals {
            layout.push(Capture::Global);
        }
        if func.kind == FuncKind::Arrow && func.captures_this {
            layout.push(Capture::This);
            if self.wants_new_target[id.index()] {
                layout.push(Capture::NewTarget);
            }
        }
        let mut envs: Vec<FuncId> = Vec::new();
        for &b in &func.captures {
            if func.self_binding == Some(b) || self.literals.alias(b) == Some(id) {
                continue;
            }
            if self.spills[b.index()].is_none() {
                layout.push(Capture::Binding(b));
                continue;
            }
            let owner = self.tree.binding(b).func;
            if !envs.contains(&owner) {
                envs.push(owner);
                layout.push(Capture::Env(owner));
            }
        }
        layout
    }

    /// Fills the current function's capture tables.
    pub(super) fn open_captures(&mut self, span: Span) -> Res<Vec<Capture>> {
        let layout = self.capture_layout(self.f.id);
        if layout.len() > 255 {
            return self.too_large("this function uses more than 255 variables of the functions around it", span);
        }
        for (i, c) in layout.iter().enumerate() {
            let i = i as u8;
            match *c {
                Capture::Global => debug_assert_eq!(i, 0),
                Capture::This => self.f.this_capture = Some(i),
                Capture::NewTarget => self.f.new_target_capture = Some(i),
                Capture::Binding(b) => drop(self.f.captures.insert(b, i)),
                Capture::Env(owner) => drop(self.f.capture_envs.insert(owner, i)),
            }
        }
        Ok(layout)
    }

    /// Makes the closure of a function in `dst`.
    pub(super) fn closure(&mut self, dst: u8, id: FuncId, name: Box<[u16]>, flags: u16) -> Res {
        let span = self.tree.func(id).span;
        let layout = self.capture_layout(id);
        if layout.len() > 255 {
            return self.too_large("this function uses more than 255 variables of the functions around it", span);
        }
        let mark = self.f.next;
        let mut sources = Vec::with_capacity(layout.len());
        for c in &layout {
            sources.push(self.capture_source(*c, span)?);
        }
        let index = self.enqueue(Job { id, name, flags });
        let mut extra = vec![index];
        for pair in sources.chunks(2) {
            extra.push(u32::from(pair[0]) | u32::from(pair.get(1).copied().unwrap_or(0)) << 16);
        }
        self.mark(span);
        self.emit_words(op::CLOSURE, dst, layout.len() as u8, 0, &extra);
        self.release(mark);
        Ok(())
    }

    fn capture_source(&mut self, c: Capture, span: Span) -> Res<u16> {
        const OWN: u16 = 0x8000;
        let of_capture = |c: u8| OWN | u16::from(c);
        Ok(match c {
            Capture::Global => OWN,
            Capture::This => self.f.this_capture.map_or(2, of_capture),
            Capture::NewTarget => match self.f.new_target_capture {
                Some(c) => of_capture(c),
                None => {
                    let r = self.alloc()?;
                    self.emit(op::NEWTARGET, r, 0, 0);
                    u16::from(r)
                }
            },
            Capture::Env(owner) if owner == self.f.id => match self.f.env {
                Some(r) => u16::from(r),
                None => return self.internal("a function has no environment", span),
            },
            Capture::Env(owner) => match self.f.capture_envs.get(&owner) {
                Some(&c) => of_capture(c),
                None => return self.internal("an environment is not among the captures", span),
            },
            Capture::Binding(b) => match self.loc(b, span)? {
                Loc::Reg(r) | Loc::Box(r) => u16::from(r),
                Loc::Capture(c) | Loc::CaptureBox(c) => of_capture(c),
                Loc::Env(_) | Loc::CaptureEnv(..) => return self.internal("a spilled variable is captured alone", span),
            },
        })
    }

    /// Puts the variables of functions with too many captures into environments.
    pub(super) fn plan_spills(&mut self) {
        let tree = self.tree;
        for func in tree.functions.iter().filter(|f| f.captures.len() > MAX_CAPTURES) {
            for &b in &func.captures {
                self.spill(b);
            }
        }
    }

    /// Puts locals of a function for which there were too few registers into its environment: those of its body beyond
    /// the first, and those of its blocks that nothing captures (an environment is not fresh in each round of a loop).
    /// False if that changes nothing.
    pub(super) fn spill_locals(&mut self, id: FuncId) -> bool {
        let tree = self.tree;
        if self.by_func.is_empty() {
            self.by_func = vec![Vec::new(); tree.functions.len()];
            for (i, b) in tree.bindings.iter().enumerate() {
                self.by_func[b.func.index()].push(BindingId(i as u32));
            }
        }
        let before = self.env_sizes[id.index()];
        let list = std::mem::take(&mut self.by_func[id.index()]);
        let body = tree.func(id).body_scope;
        let mut own = 0;
        for &b in &list {
            self.locs[b.index()] = None;
            let binding = tree.binding(b);
            if binding.scope == body {
                own += 1;
                if own > KEPT_LOCALS {
                    self.spill(b);
                }
            } else if !binding.captured && !binding.tdz {
                self.spill_from_block(b);
            }
        }
        self.env_sizes[id.index()] > before
    }

    fn spill_from_block(&mut self, b: BindingId) {
        let binding = self.tree.binding(b);
        let sort = matches!(binding.kind, BindingKind::Let | BindingKind::Const | BindingKind::Catch | BindingKind::Function);
        if sort && self.spills[b.index()].is_none() {
            self.spill_slot(b);
        }
    }

    fn spill_slot(&mut self, b: BindingId) {
        let size = &mut self.env_sizes[self.tree.binding(b).func.index()];
        self.spills[b.index()] = Some(*size);
        *size += 1;
        self.literals.forget(b);
    }

    fn spill(&mut self, b: BindingId) {
        let binding = self.tree.binding(b);
        let owner = self.tree.func(binding.func);
        let in_body = binding.scope == owner.body_scope || binding.scope == owner.param_scope;
        let movable = !matches!(binding.kind, BindingKind::SelfName | BindingKind::Import(_) | BindingKind::Arguments);
        if in_body && movable && !self.is_exported(b) && self.spills[b.index()].is_none() {
            self.spill_slot(b);
        }
    }

    fn is_exported(&self, b: BindingId) -> bool {
        self.exported.get(b.index()).copied().unwrap_or(false)
    }

    /// Marks the exported bindings.
    pub(super) fn plan_exports(&mut self) {
        let tree = self.tree;
        self.exported = vec![false; tree.bindings.len()];
        for e in &tree.module.exports {
            if let ExportEntry::Local { binding, .. } = e {
                self.exported[binding.index()] = true;
            }
        }
    }

    /// Finds the arrows that need the `new.target` of a function around them.
    pub(super) fn plan_new_target(&mut self) {
        let tree = self.tree;
        if !tree.exprs.iter().any(|e| matches!(e, Expr::NewTarget)) {
            return;
        }
        let mut by_start: Vec<u32> = (1..tree.functions.len() as u32).collect();
        by_start.sort_by_key(|&i| (tree.functions[i as usize].span.start, u32::MAX - tree.functions[i as usize].span.end));
        for (e, span) in tree.exprs.iter().zip(&tree.expr_spans) {
            if !matches!(e, Expr::NewTarget) {
                continue;
            }
            let k = by_start.partition_point(|&i| tree.functions[i as usize].span.start <= span.start);
            let mut id = FuncId(k.checked_sub(1).map_or(0, |k| by_start[k]));
            while id.0 != 0 && tree.func(id).span.end < span.end {
                id = tree.func(id).parent;
            }
            while tree.func(id).kind == FuncKind::Arrow && !self.wants_new_target[id.index()] {
                self.wants_new_target[id.index()] = true;
                id = tree.func(id).parent;
            }
        }
    }

    /// Enters a scope: gives the bindings that need it their place and makes the declared functions.
    pub(super) fn enter_scope(&mut self, id: ScopeId) -> Res {
        let tree = self.tree;
        let scope = tree.scope(id);
        for &b in &scope.bindings {
            self.enter_binding(b)?;
        }
        for &(b, func) in &scope.functions {
            let f = tree.func(func);
            let name = self.declared_name(f.name.unwrap_or(tree.binding(b).name));
            let flags = self.flags_of(func);
            if let Some(Loc::Reg(r)) = self.locs[b.index()] {
                self.closure(r, func, name, flags)?;
                self.f.kind[r as usize] = self.local_kind(b);
                continue;
            }
            let mark = self.f.next;
            let t = self.alloc()?;
            self.closure(t, func, name, flags)?;
            self.initialise(b, t)?;
            self.release(mark);
        }
        Ok(())
    }

    /// `export default function () {}` is called "default".
    pub(super) fn declared_name(&self, name: NameId) -> Box<[u16]> {
        let name = self.tree.name(name);
        if name.iter().copied().eq("*default*".encode_utf16()) { "default".encode_utf16().collect() } else { name.into() }
    }

    fn enter_binding(&mut self, b: BindingId) -> Res {
        let binding: &'t Binding = self.tree.binding(b);
        let is_var = binding.kind == BindingKind::Var;
        if let Some(slot) = self.spills[b.index()] {
            self.locs[b.index()] = Some(Loc::Env(slot));
            return if is_var { self.initialise_undefined(b) } else { Ok(()) };
        }
        if matches!(self.locs[b.index()], Some(Loc::CaptureBox(_))) {
            return if is_var { self.initialise_undefined(b) } else { Ok(()) };
        }
        match binding.kind {
            BindingKind::Param | BindingKind::Arguments | BindingKind::SelfName | BindingKind::Import(_) => return Ok(()),
            BindingKind::Var | BindingKind::Function => {}
            // A box that is there before its value: `const f = () => f()`.
            _ if binding.tdz || (self.is_boxed(b) && !binding.reassigned) => {}
            _ => return Ok(()),
        }
        let r = self.alloc()?;
        let plain_function = binding.kind == BindingKind::Function && !self.is_boxed(b);
        if !plain_function {
            self.load(r, if binding.tdz && !is_var { value::TDZ } else { value::UNDEFINED });
        }
        if self.is_boxed(b) {
            self.emit(op::NEWBOX, r, r, 0);
            self.locs[b.index()] = Some(Loc::Box(r));
            self.f.kind[r as usize] = Kind::Fixed;
        } else {
            self.locs[b.index()] = Some(Loc::Reg(r));
            self.f.kind[r as usize] = if plain_function { Kind::Temp } else { self.local_kind(b) };
        }
        Ok(())
    }

    pub(super) fn initialise_undefined(&mut self, b: BindingId) -> Res {
        let mark = self.f.next;
        let t = self.alloc()?;
        self.load(t, value::UNDEFINED);
        self.initialise(b, t)?;
        self.release(mark);
        Ok(())
    }
}
