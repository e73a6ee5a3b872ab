//! Reading, initialising and assigning variables.
use super::func::value;
use super::regs::Kind;
use super::scope::Loc;
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{BindingId, BindingKind, Expr, ExprId, Property, RefId, Resolution, Span};

impl Gen<'_> {
    /// The index of the constant that names a binding.
    fn name_const(&mut self, b: BindingId) -> u32 {
        self.consts.name(self.tree, self.tree.binding(b).name)
    }

    /// The register that is this variable, if it is one. (Checked if it needs to be.)
    pub(super) fn variable_register(&mut self, id: RefId) -> Res<Option<u8>> {
        let reference = self.tree.reference(id);
        let Resolution::Local(b) = reference.to else { return Ok(None) };
        if self.is_pending(b) {
            return Ok(None);
        }
        let Loc::Reg(r) = self.loc(b, reference.span)? else { return Ok(None) };
        // Register 0 is the function itself: running, it is there.
        if reference.check && r != 0 {
            let name = self.name_const(b);
            self.mark(reference.span);
            self.emit_words(op::CHECK, r, 0, 0, &[name]);
        }
        Ok(Some(r))
    }

    pub(super) fn read(&mut self, id: RefId, dst: u8) -> Res {
        let reference = self.tree.reference(id);
        self.mark(reference.span);
        match reference.to {
            Resolution::Local(b) => self.read_binding(b, reference.check, reference.span, dst),
            Resolution::Global => {
                self.read_global(id, dst, false);
                Ok(())
            }
            Resolution::Unresolved => self.internal("an identifier is unresolved", reference.span),
        }
    }

    /// `undefined`, `NaN` and `Infinity` are values: no global object can change them.
    pub(super) fn read_global(&mut self, id: RefId, dst: u8, for_typeof: bool) {
        let tree = self.tree;
        let name = tree.reference(id).name;
        match tree.name_text(name).as_str() {
            "undefined" => self.load(dst, value::UNDEFINED),
            "NaN" => self.load_number(dst, f64::NAN),
            "Infinity" => self.load_number(dst, f64::INFINITY),
            _ => {
                let key = self.consts.name(tree, name);
                self.emit_ic(op::GETG, dst, 0, u8::from(for_typeof), key);
            }
        }
    }

    /// A parameter (or name of a catch clause) that the pattern around the use has still to initialise.
    fn is_pending(&self, b: BindingId) -> bool {
        self.is_own(b)
            && match self.locs[b.index()] {
                Some(Loc::Reg(r)) => r >= 3 && self.f.kind[r as usize] == Kind::Temp,
                None => matches!(self.tree.binding(b).kind, BindingKind::Param | BindingKind::Catch),
                _ => false,
            }
    }

    fn read_binding(&mut self, b: BindingId, check: bool, span: Span, dst: u8) -> Res {
        if self.is_pending(b) {
            let name = self.name_const(b);
            let t = self.builder(dst)?;
            self.load(t, value::TDZ);
            self.emit_words(op::CHECK, t, 0, 0, &[name]);
            return Ok(());
        }
        let loc = self.loc(b, span)?;
        let name = self.name_const(b);
        match loc {
            Loc::Reg(r) => {
                if check {
                    self.emit_words(op::CHECK, r, 0, 0, &[name]);
                }
                self.mov(dst, r);
            }
            Loc::Box(r) => self.emit_words(op::GETBOX, dst, r, 0, &[name]),
            Loc::Capture(c) => {
                self.emit(op::GETCAP, dst, c, 0);
                if check {
                    self.emit_words(op::CHECK, dst, 0, 0, &[name]);
                }
            }
            Loc::CaptureBox(c) => self.emit_words(op::GETCAPB, dst, c, 0, &[name]),
            Loc::Env(slot) => {
                let env = self.env_register(span)?;
                self.emit_words(op::GETENV, dst, env, 0, &[slot, name]);
            }
            Loc::CaptureEnv(c, slot) => {
                self.emit(op::GETCAP, dst, c, 0);
                self.emit_words(op::GETENV, dst, dst, 0, &[slot, name]);
            }
        }
        Ok(())
    }

    /// Reads a binding of the function itself.
    pub(super) fn read_own(&mut self, b: BindingId, dst: u8) -> Res {
        self.read_binding(b, false, self.tree.binding(b).span, dst)
    }

    fn env_register(&self, span: Span) -> Res<u8> {
        match self.f.env {
            Some(r) => Ok(r),
            None => self.internal("a function has no environment", span),
        }
    }

    fn is_constant(&self, b: BindingId) -> bool {
        matches!(self.tree.binding(b).kind, BindingKind::Const | BindingKind::SelfName | BindingKind::Import(_))
    }

    /// The register an assigned value may be computed into: that of a variable which changes.
    pub(super) fn assignable_register(&self, id: RefId) -> Res<Option<u8>> {
        let reference = self.tree.reference(id);
        let Resolution::Local(b) = reference.to else { return Ok(None) };
        if self.is_constant(b) || reference.check || self.is_pending(b) {
            return Ok(None);
        }
        Ok(match self.loc(b, reference.span)? {
            Loc::Reg(r) => Some(r),
            _ => None,
        })
    }

    /// Assignment: the variable exists (or not: a ReferenceError).
    pub(super) fn store(&mut self, id: RefId, src: u8) -> Res {
        let tree = self.tree;
        let reference = tree.reference(id);
        let name = self.consts.name(tree, reference.name);
        self.mark(reference.span);
        let b = match reference.to {
            Resolution::Local(b) => b,
            Resolution::Global => {
                self.store_global(id, src, 0);
                return Ok(());
            }
            Resolution::Unresolved => return self.internal("an identifier is unresolved", reference.span),
        };
        if self.is_constant(b) {
            if reference.check {
                let mark = self.f.next;
                let t = self.alloc()?;
                self.read_binding(b, true, reference.span, t)?;
                self.release(mark);
            }
            self.emit_words(op::THROWC, 0, 0, 0, &[name]);
            // What follows is reached by nothing, but the value of the assignment still has its register.
            return Ok(());
        }
        self.store_binding(b, reference.check, reference.span, src)
    }

    /// `there`: 0, or the register that says whether the name was resolved.
    pub(super) fn store_global(&mut self, id: RefId, src: u8, there: u8) {
        let reference = self.tree.reference(id);
        let name = self.consts.name(self.tree, reference.name);
        self.mark(reference.span);
        self.emit_ic(op::SETG, src, 0, there, name);
    }

    pub(super) fn has_global(&mut self, id: RefId, dst: u8) {
        let reference = self.tree.reference(id);
        let name = self.consts.name(self.tree, reference.name);
        self.mark(reference.span);
        self.emit_ic(op::HASG, dst, 0, 0, name);
    }

    fn store_binding(&mut self, b: BindingId, check: bool, span: Span, src: u8) -> Res {
        if self.is_pending(b) {
            let mark = self.f.next;
            let t = self.alloc()?;
            self.read_binding(b, true, span, t)?;
            self.release(mark);
            return Ok(());
        }
        let loc = self.loc(b, span)?;
        let name = self.name_const(b);
        match loc {
            Loc::Reg(r) => {
                if check {
                    self.emit_words(op::CHECK, r, 0, 0, &[name]);
                }
                self.mov(r, src);
            }
            Loc::Box(r) => self.emit_words(op::SETBOX, r, src, 0, &[name]),
            Loc::CaptureBox(c) => self.emit_words(op::SETCAPB, src, c, 0, &[name]),
            Loc::Env(slot) => {
                let env = self.env_register(span)?;
                self.emit_words(op::SETENV, env, src, 0, &[slot, name]);
            }
            Loc::CaptureEnv(c, slot) => {
                let mark = self.f.next;
                let t = self.alloc()?;
                self.emit(op::GETCAP, t, c, 0);
                self.emit_words(op::SETENV, t, src, 0, &[slot, name]);
                self.release(mark);
            }
            Loc::Capture(_) => return self.internal("a variable that changes is captured by value", span),
        }
        Ok(())
    }

    /// Initialisation: gives a binding its first value. May allocate its register, at the top of the stack.
    pub(super) fn initialise(&mut self, b: BindingId, src: u8) -> Res {
        match self.locs[b.index()] {
            None if self.is_boxed(b) => {
                let r = self.alloc()?;
                self.emit(op::NEWBOX, r, src, 0);
                self.locs[b.index()] = Some(Loc::Box(r));
                self.f.kind[r as usize] = Kind::Fixed;
                Ok(())
            }
            None => {
                let r = self.alloc()?;
                self.mov(r, src);
                self.locs[b.index()] = Some(Loc::Reg(r));
                self.f.kind[r as usize] = self.local_kind(b);
                Ok(())
            }
            Some(loc) => self.initialise_at(b, loc, src),
        }
    }

    fn initialise_at(&mut self, b: BindingId, loc: Loc, src: u8) -> Res {
        let span = self.tree.binding(b).span;
        match loc {
            Loc::Reg(r) => {
                self.mov(r, src);
                self.f.kind[r as usize] = self.local_kind(b);
            }
            Loc::Box(r) => self.emit(op::INITBOX, r, src, 0),
            Loc::CaptureBox(c) => {
                let mark = self.f.next;
                let t = self.alloc()?;
                self.emit(op::GETCAP, t, c, 0);
                self.emit(op::INITBOX, t, src, 0);
                self.release(mark);
            }
            Loc::Env(slot) => {
                let (env, name) = (self.env_register(span)?, self.name_const(b));
                self.emit_words(op::SETENV, env, src, 1, &[slot, name]);
            }
            Loc::Capture(_) | Loc::CaptureEnv(..) => return self.internal("a captured variable is initialised", span),
        }
        Ok(())
    }

    /// The register into which a binding's first value may be computed at once: one that nothing can see before.
    /// A binding without a place gets one.
    pub(super) fn initial_register(&mut self, b: BindingId) -> Res<Option<u8>> {
        match self.locs[b.index()] {
            Some(Loc::Reg(r)) => Ok(Some(r)),
            None if !self.is_boxed(b) => {
                let r = self.alloc()?;
                self.locs[b.index()] = Some(Loc::Reg(r));
                Ok(Some(r))
            }
            _ => Ok(None),
        }
    }

    /// `let x = e`: initialises a binding with an expression.
    pub(super) fn initialise_with(&mut self, b: BindingId, e: ExprId) -> Res {
        let tree = self.tree;
        let name = tree.binding(b).name;
        if let Some(r) = self.initial_register(b)? {
            self.named_to(e, r, tree.name(name))?;
            self.f.kind[r as usize] = self.local_kind(b);
            return Ok(());
        }
        if self.locs[b.index()].is_none() {
            let r = self.alloc()?;
            if self.holds_function(e) {
                self.load(r, value::UNDEFINED);
                self.emit(op::NEWBOX, r, r, 0);
                self.locs[b.index()] = Some(Loc::Box(r));
                self.f.kind[r as usize] = Kind::Fixed;
            } else {
                // No function: no name to give.
                let v = self.operand(e, r)?;
                self.emit(op::NEWBOX, r, v, 0);
                self.locs[b.index()] = Some(Loc::Box(r));
                self.f.kind[r as usize] = Kind::Fixed;
                return Ok(());
            }
        }
        let mark = self.f.next;
        let v = self.named_any(e, tree.name(name))?;
        self.initialise(b, v)?;
        self.release(mark);
        Ok(())
    }

    /// Whether a closure may be made while the expression is evaluated.
    fn holds_function(&self, e: ExprId) -> bool {
        self.search(e, &mut |_, x| match x {
            Expr::Function(_) | Expr::Class(_) => true,
            Expr::Object(props) => props.iter().any(|p| !matches!(p, Property::Value { .. } | Property::Spread(_))),
            _ => false,
        })
    }
}
