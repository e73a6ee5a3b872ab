//! Must harden before escape (JS-110 to JS-112), within one function body.
//!
//! A constant bound to an array or object literal is *fresh*. While it is fresh it may be filled and read; before it goes
//! anywhere else it must be hardened; from then on it may not be filled. Function literals are born hardened (JS-113) and
//! become fresh only if somebody assigns to their properties.
//!
//! Invariants
//! - the states only rise from fresh to hardened; `trail` lists the rises, so that leaving a branch takes them back in
//!   time proportional to what the branch did;
//! - a branch that does not fall through counts for nothing where branches meet;
//! - of closures only those are followed that escape where they are written (JS-114).
use super::Check;
use crate::ast::*;
use std::collections::HashSet;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Untracked,
    Fresh,
    Hardened,
}

pub(super) struct Flow<'c, 't> {
    pub check: &'c mut Check<'t>,
    pub tree: &'t Tree,
    /// By binding.
    pub states: Vec<State>,
    pub trail: Vec<BindingId>,
    /// Bindings whose properties are assigned to somewhere.
    pub filled: HashSet<BindingId>,
    pub spine: Vec<(ExprId, super::harden_expr::Place)>,
}

pub(super) fn js_110(c: &mut Check<'_>) {
    let tree = c.tree;
    // determinism: looked up only, never iterated.
    let mut filled = HashSet::new();
    for &target in &c.targets {
        if let Expr::Member { object, .. } | Expr::Index { object, .. } = *tree.expr(target)
            && let Expr::Ident(r) = *tree.expr(object)
            && let Resolution::Local(b) = tree.reference(r).to
        {
            filled.insert(b);
        }
    }
    let states = vec![State::Untracked; tree.bindings.len()];
    let mut flow = Flow { check: c, tree, states, trail: Vec::new(), filled, spine: Vec::new() };
    for func in &tree.functions {
        flow.trail.clear();
        for &pat in func.params.iter().chain(&func.rest) {
            flow.pattern_defaults(pat);
        }
        match &func.body {
            Body::Block(list) if func.kind != FuncKind::Program => {
                flow.statements(list);
            }
            Body::Expr(value) if func.kind != FuncKind::Program => flow.escape(*value),
            _ => {}
        }
    }
}

impl Flow<'_, '_> {
    /// Takes back what was hardened since `mark`; gives it.
    pub fn undo(&mut self, mark: usize) -> Vec<BindingId> {
        let list = self.trail.split_off(mark);
        for &b in &list {
            self.states[b.index()] = State::Fresh;
        }
        list
    }

    pub fn set_hardened(&mut self, binding: BindingId) {
        if self.states[binding.index()] == State::Fresh {
            self.states[binding.index()] = State::Hardened;
            self.trail.push(binding);
        }
    }

    /// Runs statements; says whether control can come out at their end.
    fn statements(&mut self, list: &[StmtId]) -> bool {
        let mut falls = true;
        for &s in list {
            falls &= self.statement(s);
        }
        falls
    }

    /// Runs what may or may not happen.
    pub fn maybe(&mut self, run: impl FnOnce(&mut Self)) {
        let mark = self.trail.len();
        run(self);
        self.undo(mark);
    }

    // long: one arm a statement
    fn statement(&mut self, id: StmtId) -> bool {
        let tree = self.tree;
        match tree.stmt(id) {
            Stmt::Expr(e) => self.read(*e),
            Stmt::Var { kind, decls } => decls.iter().for_each(|d| self.declarator(*kind, d)),
            Stmt::Block { body, .. } => return self.statements(body),
            Stmt::If { .. } => return self.if_chain(id),
            Stmt::While { test, body } => {
                self.read(*test);
                self.maybe(|f| {
                    f.statement(*body);
                });
            }
            Stmt::DoWhile { body, test } => self.maybe(|f| {
                f.statement(*body);
                f.read(*test);
            }),
            Stmt::For { init, test, update, body, .. } => {
                init.iter().for_each(|&s| {
                    self.statement(s);
                });
                test.iter().for_each(|&e| self.read(e));
                self.maybe(|f| {
                    f.statement(*body);
                    update.iter().for_each(|&e| f.read(e));
                });
            }
            Stmt::ForIn { object, body, .. } | Stmt::ForOf { object, body, .. } => {
                self.read(*object);
                self.maybe(|f| {
                    f.statement(*body);
                });
            }
            Stmt::Switch { on, cases, .. } => {
                self.read(*on);
                for case in cases {
                    self.maybe(|f| {
                        case.test.iter().for_each(|&e| f.read(e));
                        f.statements(&case.body);
                    });
                }
            }
            Stmt::Return(value) => {
                value.iter().for_each(|&e| self.escape(e));
                return false;
            }
            Stmt::Throw(value) => {
                self.escape(*value);
                return false;
            }
            Stmt::Break(_) | Stmt::Continue(_) => return false,
            Stmt::Labelled { body, .. } => self.maybe(|f| {
                f.statement(*body);
            }),
            Stmt::Try { block, handler, finalizer } => {
                let mark = self.trail.len();
                self.statement(*block);
                if let Some(handler) = handler {
                    self.undo(mark);
                    self.maybe(|f| {
                        f.statement(handler.body);
                    });
                }
                finalizer.iter().for_each(|&s| {
                    self.statement(s);
                });
            }
            _ => {}
        }
        true
    }

    fn if_chain(&mut self, id: StmtId) -> bool {
        let tree = self.tree;
        let start = self.trail.len();
        // What all branches that fall through have hardened; `None` while there is none.
        let mut common: Option<HashSet<BindingId>> = None;
        let mut next = Some(id);
        let mut falls = false;
        while let Some(id) = next {
            let (branch, rest, last) = match *tree.stmt(id) {
                Stmt::If { test, then, other } => {
                    // The tests behind the first may be passed by.
                    if start == self.trail.len() && common.is_none() {
                        self.read(test);
                    } else {
                        self.maybe(|f| f.read(test));
                    }
                    (Some(then), other, other.is_none())
                }
                _ => (Some(id), None, false),
            };
            let mark = self.trail.len();
            let through = branch.is_none_or(|b| self.statement(b));
            let done = self.undo(mark);
            if through {
                falls = true;
                let done: HashSet<BindingId> = done.into_iter().collect();
                common = Some(common.map_or_else(|| done.clone(), |c| &c & &done));
            }
            if last {
                // No `else`: the way around hardens nothing.
                falls = true;
                // determinism: sorted before it is iterated.
                common = Some(HashSet::new());
            }
            next = rest;
        }
        let mut common: Vec<BindingId> = common.unwrap_or_default().into_iter().collect();
        common.sort();
        common.into_iter().for_each(|b| self.set_hardened(b));
        falls
    }

    fn declarator(&mut self, kind: VarKind, decl: &Declarator) {
        let Some(init) = decl.init else { return };
        let Pat::Binding(binding) = *self.tree.pat(decl.target) else {
            self.read(init);
            return;
        };
        if kind != VarKind::Const {
            self.escape(init);
            return;
        }
        let made = self.fresh_result(init, binding);
        if made == State::Fresh {
            self.nested(init);
        } else {
            self.escape(init);
        }
        self.states[binding.index()] = made;
    }

    /// What a constant bound to this value is.
    fn fresh_result(&self, id: ExprId, binding: BindingId) -> State {
        match self.tree.expr(id) {
            Expr::Array(_) | Expr::Object(_) => State::Fresh,
            Expr::Function(_) if self.filled.contains(&binding) => State::Fresh,
            Expr::Paren(inner) => self.fresh_result(*inner, binding),
            Expr::Cond { then, other, .. } => {
                let either = [*then, *other].map(|e| self.fresh_result(e, binding));
                if either.contains(&State::Fresh) { State::Fresh } else { State::Untracked }
            }
            Expr::Call { callee, .. } if self.check.is_hardener(*callee) => State::Hardened,
            _ => State::Untracked,
        }
    }
}
