//! Loops, tested at the bottom: one backward jump a round.
use super::func::Label;
use super::regs::Kind;
use super::scope::Loc;
use super::tryfinally::{Control, Region};
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{BindingId, BindingKind, Expr, ExprId, NameId, Pat, PatId, ScopeId, StmtId, VarKind};

/// A for-in or for-of statement.
#[derive(Clone, Copy)]
pub(super) struct ForEach {
    pub scope: ScopeId,
    pub decl: Option<VarKind>,
    pub head: PatId,
    pub object: ExprId,
    pub body: StmtId,
}

impl Gen<'_> {
    /// The labels in front of the statement, taken.
    fn take_labels(&mut self) -> Vec<NameId> {
        std::mem::take(&mut self.f.labels_here)
    }

    fn push_loop(&mut self, brk: Option<Label>, cont: Option<Label>, labels: Vec<NameId>) {
        self.f.control.push(Control::Target { labels, brk, cont, plain: true });
    }

    fn is_true(&self, e: ExprId) -> bool {
        matches!(self.tree.expr(self.unparen(e)), Expr::Bool(true))
    }

    pub(super) fn while_loop(&mut self, test: ExprId, body: StmtId) -> Res {
        self.reset_completion();
        let labels = self.take_labels();
        let (top, cont, end) = (self.label(), self.label(), self.label());
        let endless = self.is_true(test);
        if !endless {
            self.jump(cont);
        }
        let entered = self.f.reachable || self.is_used(cont);
        self.loop_top(top, entered);
        self.push_loop(Some(end), Some(cont), labels);
        self.statement(body)?;
        drop(self.f.control.pop());
        self.bind(cont);
        if endless {
            self.jump(top);
        } else {
            self.jump_if(test, top, true)?;
        }
        self.bind(end);
        Ok(())
    }

    /// Binds the head of a loop that is entered by a jump to its test.
    pub(super) fn loop_top(&mut self, top: Label, entered: bool) {
        self.f.reachable = entered;
        self.bind(top);
    }

    pub(super) fn do_loop(&mut self, body: StmtId, test: ExprId) -> Res {
        self.reset_completion();
        let labels = self.take_labels();
        let (top, cont, end) = (self.label(), self.label(), self.label());
        self.bind(top);
        self.push_loop(Some(end), Some(cont), labels);
        self.statement(body)?;
        drop(self.f.control.pop());
        self.bind(cont);
        self.jump_if(test, top, true)?;
        self.bind(end);
        Ok(())
    }

    pub(super) fn for_loop(
        &mut self,
        scope: ScopeId,
        (init, test, update): (Option<StmtId>, Option<ExprId>, Option<ExprId>),
        body: StmtId,
    ) -> Res {
        self.reset_completion();
        let labels = self.take_labels();
        let mark = self.f.next;
        self.enter_scope(scope)?;
        if let Some(s) = init {
            // not a statement of its own: it has no value
            let completion = self.f.completion.take();
            self.statement(s)?;
            self.f.completion = completion;
        }
        let fresh = self.fresh_bindings(scope);
        self.renew(&fresh)?;
        let (top, cont, check, end) = (self.label(), self.label(), self.label(), self.label());
        let test = test.filter(|&t| !self.is_true(t));
        if test.is_some() {
            self.jump(check);
        }
        let entered = self.f.reachable || self.is_used(check);
        self.loop_top(top, entered);
        self.push_loop(Some(end), Some(cont), labels);
        self.statement(body)?;
        drop(self.f.control.pop());
        self.bind(cont);
        self.renew(&fresh)?;
        if let Some(u) = update {
            self.effect(u)?;
        }
        self.bind(check);
        match test {
            Some(t) => self.jump_if(t, top, true)?,
            None => self.jump(top),
        }
        self.bind(end);
        self.release(mark);
        Ok(())
    }

    /// The `let` bindings of a for statement that closures may hold: each round has its own.
    fn fresh_bindings(&self, scope: ScopeId) -> Vec<u8> {
        let tree = self.tree;
        let is_let = |b: &&BindingId| tree.binding(**b).kind == BindingKind::Let;
        let boxed = |b: &BindingId| match self.locs[b.index()] {
            Some(Loc::Box(r)) => Some(r),
            _ => None,
        };
        tree.scope(scope).bindings.iter().filter(is_let).filter_map(boxed).collect()
    }

    /// A new box with the old value for each.
    fn renew(&mut self, boxes: &[u8]) -> Res {
        if boxes.is_empty() {
            return Ok(());
        }
        let mark = self.f.next;
        let t = self.alloc()?;
        let name = self.consts.string(&[]);
        for &r in boxes {
            self.emit_words(op::GETBOX, t, r, 0, &[name]);
            self.emit(op::NEWBOX, r, t, 0);
        }
        self.release(mark);
        Ok(())
    }

    /// The object of for-in or for-of: the loop's own names are declared but not initialised there.
    fn each_object(&mut self, each: ForEach, dst: u8) -> Res {
        let mark = self.f.next;
        let tree = self.tree;
        let names: Vec<BindingId> = tree.scope(each.scope).bindings.clone();
        self.enter_scope(each.scope)?;
        self.to(each.object, dst)?;
        for b in names {
            if self.spills[b.index()].is_none() {
                self.locs[b.index()] = None;
            }
        }
        self.release(mark);
        Ok(())
    }

    /// Binds the value of a round.
    fn each_head(&mut self, each: ForEach, v: u8) -> Res {
        if each.decl.is_some() {
            self.enter_scope(each.scope)?;
            if let Pat::Binding(b) = *self.tree.pat(each.head)
                && self.locs[b.index()].is_none()
                && !self.is_boxed(b)
            {
                // The value's register is the variable.
                self.locs[b.index()] = Some(Loc::Reg(v));
                self.f.kind[v as usize] = self.local_kind(b);
                return Ok(());
            }
            self.predeclare(each.head)?;
        }
        self.f.kind[v as usize] = Kind::Fixed;
        self.pattern(each.head, v)
    }

    pub(super) fn for_of(&mut self, each: ForEach, is_await: bool) -> Res {
        self.reset_completion();
        let labels = self.take_labels();
        let mark = self.f.next;
        let iter = self.alloc_n(3)?;
        self.each_object(each, iter + 2)?;
        let span = self.tree.expr_spans[each.object.index()];
        self.mark(span);
        self.emit(if is_await { op::AITER } else { op::ITER }, iter, iter + 2, 0);
        let (top, cont, end) = (self.label(), self.label(), self.label());
        self.jump(cont);
        let entered = self.is_used(cont);
        self.push_loop(Some(end), None, labels.clone());
        // The handler stands before the body: the jump to the first round passes it anyway.
        let handler = self.here();
        let frame = self.scratch(4)?;
        self.f.reachable = entered;
        let skip_close = self.label();
        self.close_thrown(iter, is_await, frame, skip_close)?;
        self.loop_top(top, entered);
        self.f.control.push(Control::Iterator { iter, is_async: is_await, region: Region::open(self.here()) });
        self.push_loop(None, Some(cont), labels);
        let low = self.f.next;
        self.each_head(each, iter + 2)?;
        self.statement(each.body)?;
        self.release(low);
        self.f.kind[iter as usize + 2] = Kind::Temp;
        drop(self.f.control.pop());
        let inner = self.f.control.pop();
        let here = self.here();
        drop(self.f.control.pop());
        if let Some(Control::Iterator { mut region, .. }) = inner {
            region.close(here);
            self.handlers_at(region, handler, iter + 2);
        }
        self.bind(cont);
        self.mark(span);
        if is_await {
            self.async_next(iter, top, end)?;
        } else {
            let frame = self.scratch(4)?;
            self.branch_next(iter, frame, top, end);
            self.branch(op::ITERRES, iter, frame, 0, end);
            self.jump(top);
        }
        self.bind(end);
        self.release(mark);
        Ok(())
    }

    /// The handler of an iterating loop: closes the iterator and throws on.
    fn close_thrown(&mut self, iter: u8, is_await: bool, frame: u8, swallow: Label) -> Res {
        let x = iter + 2;
        if is_await {
            self.async_close(iter, Some(swallow))?;
            self.bind(swallow);
        } else {
            self.emit(op::ITERCLOSE, iter, frame, 1);
        }
        self.emit(op::THROW, x, 0, 0);
        Ok(())
    }

    pub(super) fn close_iterator(&mut self, iter: u8, is_async: bool) -> Res {
        if is_async {
            return self.async_close(iter, None);
        }
        let frame = self.scratch(4)?;
        self.emit(op::ITERCLOSE, iter, frame, 0);
        Ok(())
    }

    /// `next` of an async iterator: called, awaited, unpacked.
    fn async_next(&mut self, iter: u8, top: Label, end: Label) -> Res {
        let mark = self.f.next;
        let base = self.alloc_n(3)?;
        let Some(coroutine) = self.f.coroutine else { return Ok(()) };
        self.mov(base, iter + 1);
        self.mov(base + 2, iter);
        self.emit(op::CALLM, base, 0, 0);
        self.emit(op::AWAIT, base, base, coroutine);
        self.branch(op::ITERRES, iter, base, 0, end);
        self.jump(top);
        self.release(mark);
        Ok(())
    }

    /// AsyncIteratorClose. After a throw (`swallow`) its own errors are dropped: they go to `swallow`.
    fn async_close(&mut self, iter: u8, swallow: Option<Label>) -> Res {
        let mark = self.f.next;
        let base = self.alloc_n(4)?;
        let Some(coroutine) = self.f.coroutine else { return Ok(()) };
        let none = self.label();
        let key = self.consts.string(&"return".encode_utf16().collect::<Vec<_>>());
        let mut region = Region::open(self.here());
        self.emit_ic(op::GETM, base, iter, 0, key);
        self.branch(op::JNULL, base, 0, 0, none);
        self.emit(op::CALLM, base, 0, 0);
        self.emit(op::AWAIT, base, base, coroutine);
        region.close(self.here());
        match swallow {
            Some(label) => {
                self.jump(label);
                if self.handle(region, base) {
                    self.jump(label);
                }
            }
            None => {
                // TypeError unless an object: `in` says so.
                let k = base + 1;
                let done = self.consts.string(&"done".encode_utf16().collect::<Vec<_>>());
                self.emit_slot(op::LDK, k, 0, 0, done);
                self.emit(op::IN, base, k, base);
            }
        }
        self.bind(none);
        self.release(mark);
        Ok(())
    }

    pub(super) fn for_in(&mut self, each: ForEach) -> Res {
        self.reset_completion();
        let labels = self.take_labels();
        let mark = self.f.next;
        let object = self.alloc_n(5)?;
        let (keys, i, n, key) = (object + 1, object + 2, object + 3, object + 4);
        self.each_object(each, object)?;
        self.mark(self.tree.expr_spans[each.object.index()]);
        self.emit(op::FORIN, keys, object, 0);
        self.move_imm(i, 0);
        let length = self.consts.string(&"length".encode_utf16().collect::<Vec<_>>());
        self.emit_ic(op::GETLEN, n, keys, 0, length);
        let (top, cont, check, end) = (self.label(), self.label(), self.label(), self.label());
        self.jump(check);
        let entered = self.is_used(check);
        self.loop_top(top, entered);
        self.emit(op::GETE, key, keys, i);
        let low = self.f.next;
        let still = self.alloc()?;
        self.emit(op::FORINCHECK, still, object, key);
        self.branch(op::JF, still, 0, 0, cont);
        self.release(low);
        self.push_loop(Some(end), Some(cont), labels);
        self.each_head(each, key)?;
        self.statement(each.body)?;
        self.release(low);
        self.f.kind[key as usize] = Kind::Temp;
        drop(self.f.control.pop());
        self.bind(cont);
        self.emit(op::ADDI, i, i, 1);
        self.bind(check);
        self.branch(op::JLT, i, n, 0, top);
        self.bind(end);
        self.release(mark);
        Ok(())
    }
}
