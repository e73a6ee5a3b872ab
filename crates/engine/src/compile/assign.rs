//! Assignments and updates.
use super::expr::short_circuit;
use super::regs::Kind;
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{BinaryOp, Expr, ExprId, LogicalOp, NameId, Pat, PatId, RefId, Resolution, Span};

/// Where an assignment goes, its parts evaluated.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// A local variable that is a register and may be written at once.
    Reg(u8),
    Var(RefId),
    /// A property of the global object; the register holds whether it was there when the target was evaluated.
    Global(RefId, u8),
    Member(u8, NameId, Span),
    Index(u8, u8, Span),
}

impl<'t> Gen<'t> {
    /// Evaluates the parts of a target. They keep their values while `later` is evaluated. `both`: it will be read and written,
    /// so its key is converted once.
    pub(super) fn place(&mut self, target: ExprId, later: &[ExprId], both: bool) -> Res<Place> {
        let target = self.unparen(target);
        let span = self.tree.expr_spans[target.index()];
        match *self.tree.expr(target) {
            Expr::Ident(id) => Ok(match self.assignable_register(id)? {
                Some(r) => Place::Reg(r),
                None => Place::Var(id),
            }),
            Expr::Member { object, name, .. } => Ok(Place::Member(self.any_before(object, later)?, name, span)),
            Expr::Index { object, index, .. } => {
                let o = self.any(object)?;
                let changes = self.may_write(index, o) || later.iter().any(|&l| self.may_write(l, o));
                let o = if changes { self.copy(o)? } else { o };
                let k = self.any_before(index, later)?;
                if !both || self.is_plain_key(index) {
                    return Ok(Place::Index(o, k, span));
                }
                let key = if self.is_temp(k) { k } else { self.alloc()? };
                self.mark(span);
                self.emit(op::TOKEY, key, k, o);
                Ok(Place::Index(o, key, span))
            }
            Expr::Private { .. } => self.not_yet("a private name", span),
            Expr::SuperMember { .. } | Expr::SuperIndex { .. } => self.not_yet("`super`", span),
            _ => self.internal("a target is none", span),
        }
    }

    /// A literal: its conversion to a key has no effect that could be seen twice.
    fn is_plain_key(&self, e: ExprId) -> bool {
        matches!(self.tree.expr(self.unparen(e)), Expr::String(_) | Expr::Number(_) | Expr::Template { .. })
    }

    fn copy(&mut self, r: u8) -> Res<u8> {
        let t = self.alloc()?;
        self.mov(t, r);
        Ok(t)
    }

    fn get_place(&mut self, place: Place, dst: u8) -> Res {
        match place {
            Place::Reg(r) => self.mov(dst, r),
            Place::Var(id) | Place::Global(id, _) => self.read(id, dst)?,
            Place::Member(o, name, span) => self.get(dst, o, name, span),
            Place::Index(o, k, span) => {
                self.mark(span);
                self.emit(op::GETE, dst, o, k);
            }
        }
        Ok(())
    }

    pub(super) fn set_place(&mut self, place: Place, src: u8) -> Res {
        match place {
            Place::Reg(r) => self.mov(r, src),
            Place::Var(id) => self.store(id, src)?,
            Place::Global(id, there) => self.store_global(id, src, there),
            Place::Member(o, name, span) => {
                let key = self.consts.name(self.tree, name);
                self.mark(span);
                self.emit_ic(op::SETP, o, src, 0, key);
            }
            Place::Index(o, k, span) => {
                self.mark(span);
                self.emit(op::SETE, o, k, src);
            }
        }
        Ok(())
    }

    pub(super) fn assignment_to(&mut self, e: ExprId, dst: u8) -> Res {
        let mark = self.f.next;
        let t = self.builder(dst)?;
        let r = self.assignment(e, t, false)?;
        self.mov(dst, r);
        self.release(mark);
        Ok(())
    }

    /// The register of the assigned value: the variable's own, or a temporary.
    pub(super) fn assignment_any(&mut self, e: ExprId) -> Res<u8> {
        let mark = self.f.next;
        let t = self.alloc()?;
        let r = self.assignment(e, t, false)?;
        self.release(if r == t { u32::from(t) + 1 } else { mark });
        Ok(r)
    }

    /// `i++` where nobody wants the value.
    pub(super) fn update_effect(&mut self, e: ExprId) -> Res {
        let t = self.alloc()?;
        self.assignment(e, t, true).map(drop)
    }

    /// Any assignment; a value that has no register of its own goes to `t`. Gives its register, `t` or a local's.
    fn assignment(&mut self, e: ExprId, t: u8, effect: bool) -> Res<u8> {
        let tree = self.tree;
        match *tree.expr(e) {
            Expr::Assign { target, value } => self.assign(target, value, t),
            Expr::AssignOp { op, target, value } => self.assign_op(e, op, target, value, t),
            Expr::AssignLogical { op, target, value } => self.assign_logical(op, target, value, t),
            Expr::Update { inc, prefix, target } => self.update(e, inc, prefix || effect, target, t),
            _ => self.internal("an assignment is none", tree.expr_spans[e.index()]),
        }
    }

    fn assign(&mut self, target: PatId, value: ExprId, t: u8) -> Res<u8> {
        let tree = self.tree;
        let Pat::Target(target_expr) = *tree.pat(target) else {
            let mut v = self.operand(value, t)?;
            if self.f.kind[v as usize] == Kind::Changing {
                self.mov(t, v);
                v = t;
            }
            self.pattern(target, v)?;
            return Ok(v);
        };
        let mut place = self.place(target_expr, &[value], false)?;
        if self.search(value, &mut |_, x| !matches!(x, Expr::Number(_) | Expr::String(_) | Expr::Ident(_) | Expr::Function(_))) {
            place = self.resolved(place)?;
        }
        let name = self.target_name(target_expr);
        if let Place::Reg(r) = place {
            self.named_to(value, r, name)?;
            return Ok(r);
        }
        let v = if self.is_anonymous(value) {
            self.named_to(value, t, name)?;
            t
        } else {
            self.operand(value, t)?
        };
        self.set_place(place, v)?;
        Ok(v)
    }

    /// A place whose name is looked for now: what comes before the store may make a property of that name.
    pub(super) fn resolved(&mut self, place: Place) -> Res<Place> {
        match place {
            Place::Var(id) if self.tree.reference(id).to == Resolution::Global => {
                let there = self.alloc()?;
                self.has_global(id, there);
                Ok(Place::Global(id, there))
            }
            place => Ok(place),
        }
    }

    /// What an anonymous function assigned to the target is called: only a bare identifier gives its name.
    pub(super) fn target_name(&self, target: ExprId) -> &'t [u16] {
        let tree = self.tree;
        match *tree.expr(target) {
            Expr::Ident(id) => tree.name(tree.reference(id).name),
            _ => &[],
        }
    }

    fn assign_op(&mut self, e: ExprId, op: BinaryOp, target: ExprId, value: ExprId, t: u8) -> Res<u8> {
        let place = self.place(target, &[value], true)?;
        if let Place::Reg(r) = place {
            let left = if self.may_write(value, r) {
                self.mov(t, r);
                t
            } else {
                r
            };
            self.arithmetic(op, r, left, value, e)?;
            return Ok(r);
        }
        self.get_place(place, t)?;
        self.arithmetic(op, t, t, value, e)?;
        self.set_place(place, t)?;
        Ok(t)
    }

    fn assign_logical(&mut self, op: LogicalOp, target: ExprId, value: ExprId, t: u8) -> Res<u8> {
        let place = self.place(target, &[value], true)?;
        let name = self.target_name(target);
        let end = self.label();
        if let Place::Reg(r) = place {
            self.branch(short_circuit(op), r, 0, 0, end);
            self.named_to(value, r, name)?;
            self.bind(end);
            return Ok(r);
        }
        self.get_place(place, t)?;
        self.branch(short_circuit(op), t, 0, 0, end);
        self.named_to(value, t, name)?;
        self.set_place(place, t)?;
        self.bind(end);
        Ok(t)
    }

    fn update(&mut self, e: ExprId, inc: bool, prefix: bool, target: ExprId, t: u8) -> Res<u8> {
        let o = if inc { op::INC } else { op::DEC };
        let span = self.tree.expr_spans[e.index()];
        let place = self.place(target, &[], true)?;
        if let Place::Reg(r) = place {
            self.mark(span);
            if prefix {
                self.emit(o, r, r, 0);
                return Ok(r);
            }
            self.emit(op::TONUM, t, r, 0);
            self.emit(o, r, t, 0);
            return Ok(t);
        }
        self.get_place(place, t)?;
        self.mark(span);
        if prefix {
            self.emit(o, t, t, 0);
            self.set_place(place, t)?;
            return Ok(t);
        }
        self.emit(op::TONUM, t, t, 0);
        let u = self.alloc()?;
        self.emit(o, u, t, 0);
        self.set_place(place, u)?;
        Ok(t)
    }
}
