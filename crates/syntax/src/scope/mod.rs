//! A tree as parsed comes in; the same tree with every use resolved goes out: who declares it, who captures what, which
//! uses must check for initialisation. With it come the early errors that need the whole text.
//!
//! Invariants
//! - `env` maps each name to its innermost binding at the place of the walk, so that a lookup is one index;
//! - the walk goes in source order, so that "is declared already" is "has a `ready` position";
//! - left-deep trees (`a + b + …`, `a.b.c`, calls, `else if`) are walked by loops; the rest is bounded by the parser.
//!
//! Must never know: the source text, levels.
mod resolve;
mod walk;
mod walk_stmt;

use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::sink::Sink;
use std::collections::{HashMap, HashSet};

/// What is walked and does not change.
#[derive(Clone, Copy)]
struct Nodes<'t> {
    exprs: &'t [Expr],
    expr_spans: &'t [Span],
    stmts: &'t [Stmt],
    stmt_spans: &'t [Span],
    pats: &'t [Pat],
    pat_spans: &'t [Span],
    classes: &'t [Class],
}

/// A function on the way from the program to the place of the walk.
struct Frame {
    func: FuncId,
    arrow: bool,
    /// The position at which its closure can come into being.
    created: u32,
    /// A declaration: the scope at whose entry that is.
    hoisted_in: Option<ScopeId>,
    start: u32,
}

struct Walk<'t> {
    nodes: Nodes<'t>,
    functions: &'t mut Vec<Function>,
    refs: &'t mut Vec<Ref>,
    scopes: &'t mut Vec<Scope>,
    bindings: &'t mut Vec<Binding>,
    /// By name: the innermost binding plus one, or 0.
    env: Vec<u32>,
    /// By binding: what `env` held before it.
    shadows: Vec<u32>,
    /// By binding: where its initialisation ends; `u32::MAX` while that is ahead.
    ready: Vec<u32>,
    /// By scope.
    scope_start: Vec<u32>,
    /// By function: its place in `frames`.
    level: Vec<u32>,
    frames: Vec<Frame>,
    scope: ScopeId,
    /// Which function is known to capture which binding.
    captured: HashSet<(FuncId, BindingId)>,
    /// Private names in scope, with how many classes declare them.
    private: HashMap<NameId, u32>,
    simple_catch: HashSet<BindingId>,
    /// Variables whose initialiser, a function literal, is being walked: it runs only when they have it.
    own_literal: HashSet<BindingId>,
    /// Names of function expressions that are used.
    used_self: HashSet<BindingId>,
    spine: Vec<ExprId>,
    sink: Sink,
}

/// Fills scopes, bindings, uses and functions; gives the early errors found on the way.
pub fn analyse(tree: &mut Tree) -> Vec<Diagnostic> {
    let exprs = std::mem::take(&mut tree.exprs);
    let stmts = std::mem::take(&mut tree.stmts);
    let pats = std::mem::take(&mut tree.pats);
    let classes = std::mem::take(&mut tree.classes);
    let nodes = Nodes {
        exprs: &exprs,
        expr_spans: &tree.expr_spans,
        stmts: &stmts,
        stmt_spans: &tree.stmt_spans,
        pats: &pats,
        pat_spans: &tree.pat_spans,
        classes: &classes,
    };
    let mut walk = Walk {
        nodes,
        env: vec![0; tree.names.len()],
        shadows: vec![0; tree.bindings.len()],
        ready: vec![u32::MAX; tree.bindings.len()],
        scope_start: vec![0; tree.scopes.len()],
        level: vec![0; tree.functions.len()],
        functions: &mut tree.functions,
        refs: &mut tree.refs,
        scopes: &mut tree.scopes,
        bindings: &mut tree.bindings,
        frames: Vec::new(),
        scope: ScopeId(0),
        // determinism: looked up only, never iterated.
        captured: HashSet::new(),
        // determinism: looked up only, never iterated.
        private: HashMap::new(),
        // determinism: looked up only, never iterated.
        simple_catch: HashSet::new(),
        // determinism: looked up only, never iterated.
        own_literal: HashSet::new(),
        // determinism: looked up only, never iterated.
        used_self: HashSet::new(),
        spine: Vec::new(),
        sink: Sink::default(),
    };
    walk.function(FuncId(0), None);
    walk.finish();
    let errors = walk.sink.list;
    tree.exprs = exprs;
    tree.stmts = stmts;
    tree.pats = pats;
    tree.classes = classes;
    errors
}
