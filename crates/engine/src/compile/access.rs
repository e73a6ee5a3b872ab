//! Chains of members, calls, tagged templates and sends, innermost first and without recursion.
//!
//! Invariants
//! - the value so far is in a local's register or in one of three temporaries `t`, `t + 1`, `t + 2`;
//! - a call's base is `t` or `t + 1`, whichever the value is not in: everything above is free.
use super::func::value;
use super::{Gen, Res, func::Label};
use crate::code::op;
use syntax::ast::{Expr, ExprId, NameId, Span};

/// The value of the chain so far.
#[derive(Clone, Copy)]
struct Cur {
    reg: u8,
}

/// A property of a chain.
#[derive(Clone, Copy)]
enum Prop {
    Name(NameId),
    Index(ExprId),
}

impl Gen<'_> {
    pub(super) fn chain_to(&mut self, e: ExprId, dst: u8) -> Res {
        let mark = self.f.next;
        let t = if self.is_top_temp(dst) { dst } else { self.alloc()? };
        let r = self.chain(e, t, dst)?;
        self.mov(dst, r);
        self.release(mark);
        Ok(())
    }

    pub(super) fn chain_any(&mut self, e: ExprId) -> Res<u8> {
        let t = self.alloc()?;
        let r = self.chain(e, t, t)?;
        self.release(u32::from(r.max(t)) + 1);
        Ok(r)
    }

    /// The links of a chain, outermost first, and its head.
    fn links(&self, e: ExprId) -> (Vec<ExprId>, ExprId) {
        let mut links = Vec::new();
        let mut cur = e;
        loop {
            let inner = match *self.tree.expr(cur) {
                Expr::Member { object, .. } | Expr::Index { object, .. } => object,
                Expr::Call { callee, .. } => callee,
                Expr::TaggedTemplate { tag, .. } => tag,
                Expr::Send { target, .. } => target,
                _ => return (links, cur),
            };
            links.push(cur);
            cur = self.unparen(inner);
        }
    }

    /// Evaluates a chain with `t` the topmost temporary; a property read at its end goes to `out`. Gives the register.
    fn chain(&mut self, e: ExprId, t: u8, out: u8) -> Res<u8> {
        let (mut links, head) = self.links(e);
        let mut cur = self.chain_head(head, &links, t)?;
        while let Some(link) = links.pop() {
            let calls_next = links.last().is_some_and(|&l| self.is_call(l));
            let out = if links.is_empty() { out } else { t };
            cur = match *self.tree.expr(link) {
                Expr::Member { name, optional, .. } => {
                    self.skip_nullish(cur.reg, optional);
                    let span = self.link_span(link);
                    if calls_next {
                        let call = links.pop().unwrap_or(link);
                        self.method_call(cur, t, Prop::Name(name), span, call)?
                    } else {
                        self.get(out, cur.reg, name, span);
                        Cur { reg: out }
                    }
                }
                Expr::Index { index, optional, .. } => {
                    self.skip_nullish(cur.reg, optional);
                    let span = self.link_span(link);
                    if calls_next {
                        let call = links.pop().unwrap_or(link);
                        self.method_call(cur, t, Prop::Index(index), span, call)?
                    } else {
                        self.get_index(out, cur.reg, t, index, span)?
                    }
                }
                Expr::Send { .. } => self.send_link(cur, t, link)?,
                _ => self.plain_call(cur, t, link, head)?,
            };
            self.release(u32::from(cur.reg.max(t)).min(u32::from(t) + 2) + 1);
        }
        Ok(cur.reg)
    }

    fn is_call(&self, e: ExprId) -> bool {
        matches!(self.tree.expr(e), Expr::Call { .. } | Expr::TaggedTemplate { .. })
    }

    /// The place of a property read or call: where its object ends, for chains that run over many lines.
    fn link_span(&self, link: ExprId) -> Span {
        let at = |e: ExprId| {
            let end = self.tree.expr_spans[e.index()].end;
            Span { start: end, end }
        };
        match *self.tree.expr(link) {
            Expr::Member { object, .. } | Expr::Index { object, .. } => at(object),
            _ => self.tree.expr_spans[link.index()],
        }
    }

    fn skip_nullish(&mut self, r: u8, optional: bool) {
        if optional && let Some(&exit) = self.f.chain_exits.last() {
            self.branch(op::JNULL, r, 0, 0, exit);
        }
    }

    /// The head goes where the first link wants it.
    fn chain_head(&mut self, head: ExprId, links: &[ExprId], t: u8) -> Res<Cur> {
        let first = links.last().map(|&l| self.tree.expr(l));
        let second_calls = links.len() > 1 && self.is_call(links[links.len() - 2]);
        let reg = match first {
            Some(Expr::Member { .. } | Expr::Index { .. }) if second_calls => {
                let mark = self.f.next;
                let r = self.alloc_n(2)? + 1;
                let got = self.operand(head, r)?;
                if got != r {
                    self.release(mark);
                }
                got
            }
            Some(Expr::Member { .. } | Expr::Index { .. }) => self.operand(head, t)?,
            Some(Expr::Call { .. } | Expr::TaggedTemplate { .. }) if matches!(self.tree.expr(head), Expr::Chain(_)) => t,
            Some(Expr::Call { .. }) if self.is_explicit_call(head) => t,
            _ => {
                self.to(head, t)?;
                t
            }
        };
        Ok(Cur { reg })
    }

    /// `dst = r.name`
    pub(super) fn get(&mut self, dst: u8, r: u8, name: NameId, span: Span) {
        let tree = self.tree;
        let key = self.consts.name(tree, name);
        self.mark(span);
        let is_length = tree.name(name).iter().copied().eq("length".encode_utf16());
        self.emit_ic(if is_length { op::GETLEN } else { op::GETP }, dst, r, 0, key);
    }

    fn get_index(&mut self, out: u8, r: u8, t: u8, index: ExprId, span: Span) -> Res<Cur> {
        let object = self.keep(r, t, index)?;
        let k = self.any(index)?;
        self.mark(span);
        self.emit(op::GETE, out, object, k);
        Ok(Cur { reg: out })
    }

    /// `r`, or a copy in `t` if evaluating `later` may change it.
    fn keep(&mut self, r: u8, t: u8, later: ExprId) -> Res<u8> {
        if self.may_write(later, r) {
            self.mov(t, r);
            return Ok(t);
        }
        Ok(r)
    }

    /// Reserves a call's three registers: at `t`, or above it if the value is there.
    fn call_base(&mut self, reg: u8, t: u8) -> Res<u8> {
        let base = if reg == t { u32::from(t) + 1 } else { u32::from(t) };
        let above = if self.is_temp(reg) { u32::from(reg) + 1 } else { 0 };
        self.f.next = base;
        let base = self.alloc_n(3)?;
        self.f.next = self.f.next.max(above);
        Ok(base)
    }

    fn method_call(&mut self, cur: Cur, t: u8, prop: Prop, span: Span, call: ExprId) -> Res<Cur> {
        let base = self.method(cur, t, prop, span)?;
        self.call_link(call, base, true)?;
        Ok(Cur { reg: base })
    }

    /// The method at the base of a call, its `this` at base + 2.
    fn method(&mut self, cur: Cur, t: u8, prop: Prop, span: Span) -> Res<u8> {
        let base = self.call_base(cur.reg, t)?;
        match prop {
            Prop::Name(name) => {
                let key = self.consts.name(self.tree, name);
                self.mark(span);
                self.emit_ic(op::GETM, base, cur.reg, 0, key);
            }
            Prop::Index(index) => {
                let object = self.keep(cur.reg, base + 2, index)?;
                let k = self.any(index)?;
                self.mark(span);
                self.emit(op::GETEM, base, object, k);
            }
        }
        self.release(u32::from(base) + 3);
        Ok(base)
    }

    /// A call of the value itself, or of what a parenthesised optional chain gives.
    fn plain_call(&mut self, cur: Cur, t: u8, link: ExprId, head: ExprId) -> Res<Cur> {
        let first = self.callee_of(link) == Some(head);
        if first && let Expr::Chain(inner) = *self.tree.expr(head) {
            self.f.next = u32::from(t);
            let base = self.alloc_n(3)?;
            self.optional_method(inner, base)?;
            self.call_link(link, base, true)?;
            return Ok(Cur { reg: base });
        }
        if first && self.is_explicit_call(head) {
            self.f.next = u32::from(t);
            let base = self.alloc_n(3)?;
            self.explicit_call(link, base)?;
            return Ok(Cur { reg: base });
        }
        let base = cur.reg;
        debug_assert!(base == t || base == t + 1);
        self.f.next = u32::from(base);
        let base = self.alloc_n(3)?;
        self.call_link(link, base, false)?;
        Ok(Cur { reg: base })
    }

    fn callee_of(&self, link: ExprId) -> Option<ExprId> {
        match *self.tree.expr(link) {
            Expr::Call { callee, .. } => Some(self.unparen(callee)),
            Expr::TaggedTemplate { tag, .. } => Some(self.unparen(tag)),
            _ => None,
        }
    }

    /// `(a?.b)(c)`: the method to `base`, `this` to base + 2.
    fn optional_method(&mut self, inner: ExprId, base: u8) -> Res {
        let inner = self.unparen(inner);
        let (end, exit) = (self.label(), self.label());
        self.f.chain_exits.push(exit);
        let object = match *self.tree.expr(inner) {
            Expr::Member { object, .. } | Expr::Index { object, .. } => object,
            _ => {
                self.to(inner, base)?;
                self.load(base + 2, value::UNDEFINED);
                inner
            }
        };
        if object != inner {
            let r = self.any(object)?;
            let span = self.link_span(inner);
            match *self.tree.expr(inner) {
                Expr::Member { name, optional, .. } => {
                    self.skip_nullish(r, optional);
                    let key = self.consts.name(self.tree, name);
                    self.mark(span);
                    self.emit_ic(op::GETM, base, r, 0, key);
                }
                Expr::Index { index, optional, .. } => {
                    self.skip_nullish(r, optional);
                    let object = self.keep(r, base + 2, index)?;
                    let k = self.any(index)?;
                    self.mark(span);
                    self.emit(op::GETEM, base, object, k);
                }
                _ => {}
            }
            self.release(u32::from(base) + 3);
        }
        self.f.chain_exits.pop();
        self.end_chain(exit, end, &[base, base + 2]);
        Ok(())
    }

    /// A whole optional chain.
    pub(super) fn optional_chain(&mut self, inner: ExprId, dst: u8) -> Res {
        let mark = self.f.next;
        let t = self.builder(dst)?;
        let (end, exit) = (self.label(), self.label());
        self.f.chain_exits.push(exit);
        self.to(inner, t)?;
        self.f.chain_exits.pop();
        self.end_chain(exit, end, &[t]);
        self.mov(dst, t);
        self.release(mark);
        Ok(())
    }

    fn end_chain(&mut self, exit: Label, end: Label, undefined: &[u8]) {
        if self.is_used(exit) {
            self.jump(end);
            self.bind(exit);
            for &r in undefined {
                self.load(r, value::UNDEFINED);
            }
        }
        self.bind(end);
    }

    /// `x ~. …`: the target at the base.
    fn send_link(&mut self, cur: Cur, t: u8, link: ExprId) -> Res<Cur> {
        debug_assert!(cur.reg == t || cur.reg == t + 1);
        self.f.next = u32::from(cur.reg);
        let base = self.alloc()?;
        self.send(link, base)?;
        Ok(Cur { reg: base })
    }

    pub(super) fn delete(&mut self, e: ExprId, arg: ExprId, dst: u8) -> Res {
        if let Expr::Chain(inner) = *self.tree.expr(arg) {
            let mark = self.f.next;
            let t = self.builder(dst)?;
            let (end, exit) = (self.label(), self.label());
            self.f.chain_exits.push(exit);
            let inner = self.unparen(inner);
            self.delete(e, inner, t)?;
            self.f.chain_exits.pop();
            if self.is_used(exit) {
                self.jump(end);
                self.bind(exit);
                self.load(t, value::TRUE);
            }
            self.bind(end);
            self.mov(dst, t);
            self.release(mark);
            return Ok(());
        }
        let mark = self.f.next;
        let span = self.tree.expr_spans[e.index()];
        match *self.tree.expr(arg) {
            Expr::Member { object, name, optional } => {
                let r = self.any(object)?;
                self.skip_nullish(r, optional);
                let k = self.alloc()?;
                self.load_string(k, name);
                self.mark(span);
                self.emit(op::DELE, dst, r, k);
            }
            Expr::Index { object, index, optional } => {
                let r = self.any_before(object, &[index])?;
                self.skip_nullish(r, optional);
                let k = self.any(index)?;
                self.mark(span);
                self.emit(op::DELE, dst, r, k);
            }
            _ => {
                self.effect(arg)?;
                self.load(dst, value::TRUE);
            }
        }
        self.release(mark);
        Ok(())
    }
}
