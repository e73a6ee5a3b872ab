//! Names of function literals: `const f = () => f()`, `function f() { f(); }`.
//!
//! Within such a function the name is the function's own closure, register 0. Unless a function beside it may hold the name
//! before it has its value, the name needs no box either.
//!
//! Invariant: only names that never change and that are initialised with the literal, which nothing can call before.
use syntax::ast::{BindingId, BindingKind, Expr, FuncId, Pat, ScopeKind, Stmt, Tree};

/// What is known about each binding.
#[derive(Clone, Copy, Default)]
struct Name {
    /// The function whose name it is.
    literal: Option<FuncId>,
    /// Another function beside it holds it, and may come into being before the name has its value.
    shared: bool,
}

#[derive(Default)]
pub(super) struct Literals(Vec<Name>);

impl Literals {
    pub(super) fn new(tree: &Tree, exported: &[bool]) -> Self {
        let mut names = vec![Name::default(); tree.bindings.len()];
        let mut note = |b: BindingId, id: FuncId, kind: BindingKind| {
            let binding = tree.binding(b);
            if binding.kind == kind && !binding.reassigned && binding.captured && !exported[b.index()] {
                names[b.index()].literal = Some(id);
            }
        };
        for stmt in &tree.stmts {
            let Stmt::Var { decls, .. } = stmt else { continue };
            for d in decls {
                if let (Pat::Binding(b), Some(mut e)) = (tree.pat(d.target), d.init) {
                    while let Expr::Paren(inner) = tree.expr(e) {
                        e = *inner;
                    }
                    if let Expr::Function(id) = *tree.expr(e) {
                        note(*b, id, BindingKind::Const);
                    }
                }
            }
        }
        for scope in &tree.scopes {
            for &(b, id) in &scope.functions {
                note(b, id, BindingKind::Function);
            }
        }
        Self::unshare(tree, names)
    }

    /// Finds the names that have several functions (declared twice), or that others hold.
    fn unshare(tree: &Tree, mut names: Vec<Name>) -> Self {
        for scope in &tree.scopes {
            for &(b, id) in &scope.functions {
                // The last declaration was noted: an earlier one has another value under the name.
                if names[b.index()].literal.is_some_and(|l| l != id) {
                    names[b.index()] = Name::default();
                }
            }
        }
        let mut hoisted = vec![false; tree.functions.len()];
        for &(_, id) in tree.scopes.iter().flat_map(|s| &s.functions) {
            hoisted[id.index()] = true;
        }
        for (i, func) in tree.functions.iter().enumerate() {
            for &b in &func.captures {
                let (name, binding) = (&mut names[b.index()], tree.binding(b));
                let Some(literal) = name.literal.filter(|l| l.index() != i && func.parent == binding.func) else { continue };
                // One that stands behind the literal comes into being when the name has its value.
                let behind = func.span.start >= tree.func(literal).span.end && !hoisted[i];
                let skipped = tree.scope(binding.scope).kind == ScopeKind::Switch;
                name.shared |= !behind || skipped;
            }
        }
        Literals(names)
    }

    /// The function whose closure the binding holds, for ever.
    pub(super) fn alias(&self, b: BindingId) -> Option<FuncId> {
        self.0.get(b.index()).and_then(|n| n.literal)
    }

    pub(super) fn needs_no_box(&self, b: BindingId) -> bool {
        self.0.get(b.index()).is_some_and(|n| n.literal.is_some() && !n.shared)
    }

    pub(super) fn forget(&mut self, b: BindingId) {
        if let Some(n) = self.0.get_mut(b.index()) {
            *n = Name::default();
        }
    }
}
