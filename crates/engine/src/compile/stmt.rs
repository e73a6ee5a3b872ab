//! Statements.
//!
//! Invariant: a statement leaves no temporary behind; only declarations leave registers, to their scope.
use super::func::value;
use super::loops::ForEach;
use super::regs::Kind;
use super::tryfinally::{Control, Exit};
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{Case, Declarator, Expr, ExprId, LogicalOp, NameId, Pat, ScopeId, Stmt, StmtId, VarKind};

impl Gen<'_> {
    pub(super) fn statements(&mut self, list: &[StmtId]) -> Res {
        for &s in list {
            self.statement(s)?;
        }
        Ok(())
    }

    pub(super) fn statement(&mut self, id: StmtId) -> Res {
        let tree = self.tree;
        let mark = self.f.next;
        match tree.stmt(id) {
            Stmt::Var { kind, decls } => return self.declare(*kind, decls),
            Stmt::ExportDecl(inner) => return self.statement(*inner),
            Stmt::ExportDefault { binding, value } => {
                let v = self.named_any(*value, &"default".encode_utf16().collect::<Vec<_>>())?;
                self.initialise(*binding, v)?;
            }
            Stmt::Empty | Stmt::Debugger | Stmt::Function { .. } | Stmt::Import | Stmt::ExportList => {}
            Stmt::Expr(e) => self.expression_statement(*e)?,
            Stmt::Block { scope, body } => {
                self.enter_scope(*scope)?;
                self.statements(body)?;
            }
            Stmt::If { .. } => self.if_statement(id)?,
            Stmt::While { test, body } => self.while_loop(*test, *body)?,
            Stmt::DoWhile { body, test } => self.do_loop(*body, *test)?,
            Stmt::For { scope, init, test, update, body } => self.for_loop(*scope, (*init, *test, *update), *body)?,
            Stmt::ForIn { scope, decl, head, object, body } => {
                self.for_in(ForEach { scope: *scope, decl: *decl, head: *head, object: *object, body: *body })?;
            }
            Stmt::ForOf { scope, decl, head, object, body, is_await } => {
                let each = ForEach { scope: *scope, decl: *decl, head: *head, object: *object, body: *body };
                self.for_of(each, *is_await)?;
            }
            Stmt::Switch { scope, on, cases } => self.switch(*scope, *on, cases)?,
            Stmt::Return(e) => self.return_statement(*e)?,
            Stmt::Throw(e) => {
                let r = self.any(*e)?;
                self.mark(tree.stmt_spans[id.index()]);
                self.emit(op::THROW, r, 0, 0);
            }
            Stmt::Break(label) => self.leave(id, *label, false)?,
            Stmt::Continue(label) => self.leave(id, *label, true)?,
            Stmt::Labelled { label, body } => self.labelled(*label, *body)?,
            Stmt::Try { block, handler, finalizer } => self.try_statement(*block, *handler, *finalizer)?,
            Stmt::Class { .. } => return self.not_yet("`class`", tree.stmt_spans[id.index()]),
            Stmt::Error => return self.internal("the tree holds an error", tree.stmt_spans[id.index()]),
        }
        self.release(mark);
        Ok(())
    }

    fn expression_statement(&mut self, e: ExprId) -> Res {
        match self.f.completion {
            Some(r) => self.to(e, r),
            None => self.effect(e),
        }
    }

    fn declare(&mut self, kind: VarKind, decls: &[Declarator]) -> Res {
        for d in decls {
            match (self.tree.pat(d.target), d.init) {
                (Pat::Binding(b), Some(e)) => self.initialise_with(*b, e)?,
                (Pat::Binding(b), None) if kind != VarKind::Var => match self.initial_register(*b)? {
                    Some(r) => {
                        self.load(r, value::UNDEFINED);
                        self.f.kind[r as usize] = self.local_kind(*b);
                    }
                    None => {
                        self.predeclare_binding(*b)?;
                        self.initialise_undefined(*b)?;
                    }
                },
                (_, Some(e)) => {
                    if kind != VarKind::Var {
                        self.predeclare(d.target)?;
                    }
                    let mark = self.f.next;
                    let v = self.steady(e)?;
                    self.pattern(d.target, v)?;
                    self.release(mark);
                }
                (_, None) => {}
            }
        }
        Ok(())
    }

    /// A value in a register that no pattern writes.
    fn steady(&mut self, e: ExprId) -> Res<u8> {
        let v = self.any(e)?;
        if self.f.kind[v as usize] != Kind::Changing {
            return Ok(v);
        }
        let t = self.alloc()?;
        self.mov(t, v);
        Ok(t)
    }

    fn if_statement(&mut self, id: StmtId) -> Res {
        let end = self.label();
        let mut cur = id;
        loop {
            let Stmt::If { test, then, other } = *self.tree.stmt(cur) else {
                self.statement(cur)?;
                break;
            };
            self.reset_completion();
            if let Some(exit) = self.bare_exit(then) {
                self.jump_if(test, exit, true)?;
            } else {
                let no = self.label();
                self.jump_if(test, no, false)?;
                self.statement(then)?;
                if other.is_some() {
                    self.jump(end);
                }
                self.bind(no);
            }
            match other {
                Some(s) => cur = s,
                None => break,
            }
        }
        self.bind(end);
        Ok(())
    }

    /// The label that `break` or `continue` jumps to, if that is all it does.
    fn bare_exit(&self, mut id: StmtId) -> Option<super::func::Label> {
        while let Stmt::Block { scope, body } = self.tree.stmt(id)
            && self.tree.scope(*scope).bindings.is_empty()
            && body.len() == 1
        {
            id = body[0];
        }
        let exit = match *self.tree.stmt(id) {
            Stmt::Break(label) => self.find_target(label, false)?,
            Stmt::Continue(label) => self.find_target(label, true)?,
            _ => return None,
        };
        match exit {
            Exit::Jump { label, .. } if self.is_bare(exit) => Some(label),
            _ => None,
        }
    }

    fn leave(&mut self, id: StmtId, label: Option<NameId>, is_continue: bool) -> Res {
        match self.find_target(label, is_continue) {
            Some(exit) => self.exit(exit, 0),
            None => self.internal("a break or continue without its target", self.tree.stmt_spans[id.index()]),
        }
    }

    fn labelled(&mut self, label: NameId, body: StmtId) -> Res {
        self.f.labels_here.push(label);
        if matches!(
            self.tree.stmt(body),
            Stmt::Labelled { .. }
                | Stmt::While { .. }
                | Stmt::DoWhile { .. }
                | Stmt::For { .. }
                | Stmt::ForIn { .. }
                | Stmt::ForOf { .. }
        ) {
            return self.statement(body);
        }
        let labels = std::mem::take(&mut self.f.labels_here);
        let end = self.label();
        self.f.control.push(Control::Target { labels, brk: Some(end), cont: None, plain: false });
        self.statement(body)?;
        drop(self.f.control.pop());
        self.bind(end);
        Ok(())
    }

    fn return_statement(&mut self, e: Option<ExprId>) -> Res {
        match e {
            Some(e) => self.return_value(e),
            None if self.is_bare(Exit::Return) && self.f.coroutine.is_none() => {
                self.emit(op::RETU, 0, 0, 0);
                Ok(())
            }
            None => {
                let t = self.alloc()?;
                self.load(t, value::UNDEFINED);
                self.exit(Exit::Return, t)
            }
        }
    }

    /// Returns; each branch of `c ? a : b` by itself.
    pub(super) fn return_value(&mut self, e: ExprId) -> Res {
        let mark = self.f.next;
        let mut cur = self.unparen(e);
        while let Expr::Cond { test, then, other } = *self.tree.expr(cur) {
            let no = self.label();
            self.jump_if(test, no, false)?;
            self.return_value(then)?;
            self.bind(no);
            cur = self.unparen(other);
        }
        if let Expr::Logical { op, .. } = *self.tree.expr(cur)
            && op != LogicalOp::Coalesce
            && self.logical_terms(cur, op).iter().all(|&t| self.is_boolean(t))
        {
            let (no, t) = (self.label(), self.alloc()?);
            self.jump_if(cur, no, false)?;
            self.load(t, value::TRUE);
            self.exit(Exit::Return, t)?;
            self.bind(no);
            self.load(t, value::FALSE);
            self.exit(Exit::Return, t)?;
            self.release(mark);
            return Ok(());
        }
        let v = self.any(cur)?;
        self.exit(Exit::Return, v)?;
        self.release(mark);
        Ok(())
    }

    fn switch(&mut self, scope: ScopeId, on: ExprId, cases: &[Case]) -> Res {
        self.reset_completion();
        let v = self.steady(on)?;
        self.enter_scope(scope)?;
        let end = self.label();
        let mut entries = Vec::with_capacity(cases.len());
        let mut fallback = end;
        for case in cases {
            let entry = self.label();
            entries.push(entry);
            let Some(test) = case.test else {
                fallback = entry;
                continue;
            };
            if let Some(imm) = self.literal_int(test) {
                self.branch_imm(op::JSEQI, v, imm, entry);
            } else {
                let mark = self.f.next;
                let r = self.any(test)?;
                self.branch(op::JSEQ, v, r, 0, entry);
                self.release(mark);
            }
        }
        self.jump(fallback);
        self.f.control.push(Control::Target { labels: Vec::new(), brk: Some(end), cont: None, plain: true });
        for (case, entry) in cases.iter().zip(entries) {
            self.bind(entry);
            self.statements(&case.body)?;
        }
        drop(self.f.control.pop());
        self.bind(end);
        Ok(())
    }
}
