//! Calls, construction and sends: arguments straight into place.
use super::func::value;
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{Element, Expr, ExprId, Quasi, SendForm, Span};

/// Arguments passed in registers; more go by an array.
const MAX_ARGS: usize = 64;
/// Registers that must remain for what an argument needs.
const RESERVE: usize = 24;

impl Gen<'_> {
    /// The call (or tagged template) `e` of what is at `base`; with its `this` at base + 2 if `method`.
    pub(super) fn call_link(&mut self, e: ExprId, base: u8, method: bool) -> Res {
        let tree = self.tree;
        match tree.expr(e) {
            Expr::Call { callee, args, optional } => {
                if *optional && let Some(&exit) = self.f.chain_exits.last() {
                    self.branch(op::JNULL, base, 0, 0, exit);
                }
                let end = tree.expr_spans[callee.index()].end;
                let at = Span { start: end, end };
                if let Some(n) = self.arguments(args)? {
                    self.mark(at);
                    self.emit(if method { op::CALLM } else { op::CALL }, base, n, 0);
                } else {
                    self.argument_array(args)?;
                    if !method {
                        self.load(base + 2, value::UNDEFINED);
                    }
                    self.mark(at);
                    self.emit(op::CALLV, base, 0, 0);
                }
            }
            Expr::TaggedTemplate { quasis, exprs, .. } => self.tagged(e, quasis, exprs, base, method)?,
            _ => return self.internal("a call is none", tree.expr_spans[e.index()]),
        }
        Ok(())
    }

    /// In the JavaScript that we ship `$call(f, thisValue, a, …)` calls f with a `this`.
    pub(super) fn is_explicit_call(&self, head: ExprId) -> bool {
        self.options.builtin
            && matches!(*self.tree.expr(head), Expr::Ident(r)
                if self.tree.name(self.tree.reference(r).name).iter().copied().eq("$call".encode_utf16()))
    }

    pub(super) fn explicit_call(&mut self, e: ExprId, base: u8) -> Res {
        let tree = self.tree;
        let span = tree.expr_spans[e.index()];
        let Expr::Call { args, .. } = tree.expr(e) else { return self.internal("a call is none", span) };
        let [Element::Item(f), Element::Item(this), args @ ..] = &args[..] else {
            return self.internal("$call wants a function and a this", span);
        };
        self.to(*f, base)?;
        self.to(*this, base + 2)?;
        self.release(u32::from(base) + 3);
        let Some(n) = self.arguments(args)? else { return self.internal("$call with too many arguments", span) };
        self.mark(span);
        self.emit(op::CALLM, base, n, 0);
        Ok(())
    }

    /// Evaluates arguments into the registers that follow; their number, or nothing done if they want an array.
    fn arguments(&mut self, args: &[Element]) -> Res<Option<u8>> {
        let plain = args.iter().all(|a| matches!(a, Element::Item(_)));
        if !plain || args.len() > MAX_ARGS || (args.len() > 4 && args.len() + RESERVE > self.room() as usize) {
            return Ok(None);
        }
        for a in args {
            if let Element::Item(x) = *a {
                let r = self.alloc()?;
                self.to(x, r)?;
            }
        }
        Ok(Some(args.len() as u8))
    }

    fn argument_array(&mut self, args: &[Element]) -> Res {
        let r = self.alloc()?;
        self.array(args, r)
    }

    fn tagged(&mut self, e: ExprId, quasis: &[Quasi], exprs: &[ExprId], base: u8, method: bool) -> Res {
        let tree = self.tree;
        let text = |n| -> Box<[u16]> { tree.name(n).into() };
        let cooked = quasis.iter().map(|q| q.cooked.map(text)).collect();
        let raw = quasis.iter().map(|q| text(q.raw)).collect();
        let constant = self.consts.template(cooked, raw);
        let first = self.alloc()?;
        let in_array = exprs.len() >= MAX_ARGS || exprs.len() + RESERVE > self.room() as usize;
        self.emit_slot(op::LDK, first, 0, 0, constant);
        if in_array {
            self.emit(op::NEWARR, first, first, 1);
        }
        for &x in exprs {
            let r = self.alloc()?;
            self.to(x, r)?;
            if in_array {
                self.emit(op::PUSH, first, r, 0);
                self.release(u32::from(r));
            }
        }
        if in_array && !method {
            self.load(base + 2, value::UNDEFINED);
        }
        self.mark(tree.expr_spans[e.index()]);
        match (in_array, method) {
            (true, _) => self.emit(op::CALLV, base, 0, 0),
            (false, true) => self.emit(op::CALLM, base, exprs.len() as u8 + 1, 0),
            (false, false) => self.emit(op::CALL, base, exprs.len() as u8 + 1, 0),
        }
        Ok(())
    }

    pub(super) fn construct(&mut self, e: ExprId, callee: ExprId, args: &[Element], dst: u8) -> Res {
        let mark = self.f.next;
        let base = if self.is_top_temp(dst) { dst } else { self.alloc()? };
        self.to(callee, base)?;
        let _ = self.alloc_n(2)?;
        let span = self.tree.expr_spans[e.index()];
        if let Some(n) = self.arguments(args)? {
            self.mark(span);
            self.emit(op::NEW, base, n, 0);
        } else {
            self.argument_array(args)?;
            self.mark(span);
            self.emit(op::NEWV, base, 0, 0);
        }
        self.mov(dst, base);
        self.release(mark);
        Ok(())
    }

    /// The eventual send `e` to the target that is at `base`.
    pub(super) fn send(&mut self, e: ExprId, base: u8) -> Res {
        let tree = self.tree;
        let Expr::Send { form, args, send_only, .. } = tree.expr(e) else { return Ok(()) };
        let key = self.alloc()?;
        let code = match *form {
            SendForm::Get(name) | SendForm::Method(name) => {
                self.load_string(key, name);
                u8::from(matches!(form, SendForm::Method(_)))
            }
            SendForm::GetIndex(index) | SendForm::MethodIndex(index) => {
                self.to(index, key)?;
                u8::from(matches!(form, SendForm::MethodIndex(_)))
            }
            SendForm::Apply => {
                self.load(key, value::UNDEFINED);
                2
            }
        };
        let code = if *send_only { code | 4 } else { code };
        if let Some(n) = self.arguments(args)? {
            self.mark(tree.expr_spans[e.index()]);
            self.emit(op::SEND, base, code, n);
        } else {
            self.argument_array(args)?;
            self.mark(tree.expr_spans[e.index()]);
            self.emit(op::SENDV, base, code, 0);
        }
        Ok(())
    }
}
