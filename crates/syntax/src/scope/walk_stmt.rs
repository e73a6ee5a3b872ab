//! Statements, in source order.
use super::Walk;
use crate::ast::*;

impl Walk<'_> {
    pub(super) fn statements(&mut self, list: &[StmtId]) {
        for &stmt in list {
            self.statement(stmt);
        }
    }

    fn statement(&mut self, id: StmtId) {
        let nodes = self.nodes;
        let span = nodes.stmt_spans[id.index()];
        match &nodes.stmts[id.index()] {
            Stmt::Error | Stmt::Empty | Stmt::Debugger | Stmt::Break(_) | Stmt::Continue(_) | Stmt::Import | Stmt::ExportList => {
            }
            Stmt::Expr(e) | Stmt::Throw(e) => self.expr(*e),
            Stmt::Return(e) => e.iter().for_each(|&e| self.expr(e)),
            Stmt::Var { kind, decls } => self.declarators(*kind, decls),
            Stmt::Function { func, .. } => self.function(*func, Some(self.scope)),
            Stmt::Class { binding, class } => {
                self.class(*class);
                self.ready[binding.index()] = span.end;
            }
            Stmt::Block { scope, body } => self.within(*scope, span.start, |walk| walk.statements(body)),
            Stmt::If { .. } => self.if_chain(id),
            Stmt::While { test, body } => {
                self.expr(*test);
                self.statement(*body);
            }
            Stmt::DoWhile { body, test } => {
                self.statement(*body);
                self.expr(*test);
            }
            Stmt::For { scope, init, test, update, body } => self.within(*scope, span.start, |walk| {
                init.iter().for_each(|&s| walk.statement(s));
                test.iter().chain(update).for_each(|&e| walk.expr(e));
                walk.statement(*body);
            }),
            Stmt::ForIn { scope, decl, head, object, body } | Stmt::ForOf { scope, decl, head, object, body, .. } => {
                self.within(*scope, span.start, |walk| walk.for_each(*decl, *head, *object, *body));
            }
            Stmt::Switch { scope, on, cases } => {
                self.expr(*on);
                self.within(*scope, span.start, |walk| {
                    for case in cases {
                        case.test.iter().for_each(|&e| walk.expr(e));
                        walk.statements(&case.body);
                    }
                });
            }
            Stmt::Labelled { body, .. } => self.statement(*body),
            Stmt::Try { block, handler, finalizer } => {
                self.statement(*block);
                if let Some(handler) = handler {
                    self.catch(handler, span);
                }
                finalizer.iter().for_each(|&s| self.statement(s));
            }
            Stmt::ExportDecl(inner) => self.statement(*inner),
            Stmt::ExportDefault { binding, value } => {
                self.expr(*value);
                self.ready[binding.index()] = span.end;
            }
        }
    }

    fn if_chain(&mut self, id: StmtId) {
        let nodes = self.nodes;
        let mut next = Some(id);
        while let Some(id) = next {
            let Stmt::If { test, then, other } = &nodes.stmts[id.index()] else {
                self.statement(id);
                return;
            };
            self.expr(*test);
            self.statement(*then);
            next = *other;
        }
    }

    fn catch(&mut self, handler: &Catch, span: Span) {
        self.within(handler.scope, span.start, |walk| {
            if let Some(param) = handler.param {
                if let Pat::Binding(binding) = walk.nodes.pats[param.index()] {
                    walk.simple_catch.insert(binding);
                }
                walk.declaration(param);
            }
            walk.statement(handler.body);
        });
    }

    fn declarators(&mut self, kind: VarKind, decls: &[Declarator]) {
        let nodes = self.nodes;
        for decl in decls {
            self.pattern(decl.target);
            self.initialiser(decl);
            if kind == VarKind::Var {
                self.var_names(decl.target, decl.init.is_some());
            }
            let span = decl.init.map_or(nodes.pat_spans[decl.target.index()], |e| nodes.expr_spans[e.index()]);
            self.set_ready(decl.target, span.end);
        }
    }

    fn initialiser(&mut self, decl: &Declarator) {
        let Some(init) = decl.init else { return };
        let mut inner = init;
        while let Expr::Paren(e) = &self.nodes.exprs[inner.index()] {
            inner = *e;
        }
        match (&self.nodes.exprs[inner.index()], &self.nodes.pats[decl.target.index()]) {
            (Expr::Function(_), Pat::Binding(binding)) => {
                self.own_literal.insert(*binding);
                self.expr(init);
                self.own_literal.remove(binding);
            }
            _ => self.expr(init),
        }
    }

    /// A `var` is checked against the blocks around it, and assigned if it has a value.
    fn var_names(&mut self, pat: PatId, assigned: bool) {
        let nodes = self.nodes;
        match &nodes.pats[pat.index()] {
            Pat::Binding(binding) => {
                self.check_var(*binding);
                self.bindings[binding.index()].reassigned |= assigned;
            }
            Pat::Default { pat, .. } => self.var_names(*pat, assigned),
            Pat::Array { items, rest } => items.iter().flatten().chain(rest).for_each(|&p| self.var_names(p, assigned)),
            Pat::Object { props, rest } => {
                props.iter().map(|p| p.value).chain(*rest).for_each(|p| self.var_names(p, assigned));
            }
            Pat::Error | Pat::Target(_) => {}
        }
    }

    fn for_each(&mut self, decl: Option<VarKind>, head: PatId, object: ExprId, body: StmtId) {
        self.pattern(head);
        self.expr(object);
        if decl == Some(VarKind::Var) {
            self.var_names(head, true);
        }
        let end = self.nodes.expr_spans[object.index()].end;
        self.set_ready(head, end);
        self.statement(body);
    }
}
