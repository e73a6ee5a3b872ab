//! Modules: what may stand at the top level.
use super::Check;
use crate::ast::*;
use crate::diagnostic::Level;
use crate::lexer::Note;
use crate::lexer::names as w;
use std::collections::HashMap;

/// The statements of the module itself, with `export` taken off.
fn top(c: &Check<'_>) -> Vec<(StmtId, StmtId)> {
    if c.tree.goal != Goal::Module {
        return Vec::new();
    }
    let Body::Block(list) = &c.tree.functions[0].body else { return Vec::new() };
    list.iter().map(|&s| if let Stmt::ExportDecl(inner) = c.tree.stmt(s) { (s, *inner) } else { (s, s) }).collect()
}

pub(super) fn js_100(c: &mut Check<'_>) {
    let mut prologue = true;
    for (outer, id) in top(c) {
        let directive = matches!(c.tree.stmt(id), Stmt::Expr(e) if matches!(c.tree.expr(*e), Expr::String(_)));
        prologue &= directive;
        let allowed = match c.tree.stmt(id) {
            Stmt::Import | Stmt::ExportList | Stmt::ExportDefault { .. } | Stmt::Empty => true,
            Stmt::Var { kind, .. } => *kind == VarKind::Const,
            Stmt::Expr(_) => prologue || c.level > Level::Jessie && hardened_name(c, id).is_some(),
            _ => false,
        };
        // JS-103 speaks of exports, JS-086 and JS-087 of `var` and `class`.
        let elsewhere = matches!(c.tree.stmt(id), Stmt::Var { kind: VarKind::Var, .. } | Stmt::Class { .. });
        if !allowed && outer == id && !elsewhere {
            c.reject_stmt(id);
        }
    }
    for (func, span) in super::functions::awaits(c) {
        if func.0 == 0 {
            c.reject(span);
        }
    }
}

/// `harden(name);`: the use of the name.
fn hardened_name<'t>(c: &Check<'t>, id: StmtId) -> Option<&'t Ref> {
    let Stmt::Expr(e) = c.tree.stmt(id) else { return None };
    let Expr::Call { callee, args, optional: false } = c.tree.expr(*e) else { return None };
    let [Element::Item(arg)] = args[..] else { return None };
    let Expr::Ident(r) = *c.tree.expr(arg) else { return None };
    let hardens = matches!(c.tree.expr(*callee), Expr::Ident(f) if c.tree.reference(*f).name == w::HARDEN);
    if hardens && c.is_hardener(*callee) { Some(c.tree.reference(r)) } else { None }
}

/// The constants of the module that a statement `harden(name);` hardens.
fn post_hardened(c: &Check<'_>) -> HashMap<BindingId, u32> {
    let found = top(c).into_iter().filter_map(|(_, id)| hardened_name(c, id));
    found.filter_map(|r| if let Resolution::Local(b) = r.to { Some((b, r.span.start)) } else { None }).collect()
}

pub(super) fn js_101(c: &mut Check<'_>) {
    // determinism: looked up only, never iterated.
    let later = if c.level > Level::Jessie { post_hardened(c) } else { HashMap::new() };
    for (_, id) in top(c) {
        match c.tree.stmt(id) {
            Stmt::Var { kind: VarKind::Const, decls } => {
                for decl in decls {
                    let Some(init) = decl.init else { continue };
                    let hardened_later = matches!(c.tree.pat(decl.target), Pat::Binding(b) if later.contains_key(b));
                    if !c.is_pure(init, hardened_later) {
                        c.reject_expr(init);
                    }
                }
            }
            Stmt::ExportDefault { value, .. } if !c.is_pure(*value, false) => c.reject_expr(*value),
            _ => {}
        }
    }
}

/// `harden(name);` comes before every other use of the name.
pub(super) fn js_102(c: &mut Check<'_>) {
    if c.level <= Level::Jessie {
        for (_, id) in top(c) {
            if hardened_name(c, id).is_some() {
                c.reject_stmt(id);
            }
        }
        return;
    }
    let hardened = post_hardened(c);
    let mut declared: Vec<Option<(u32, u32)>> = vec![None; c.tree.bindings.len()];
    for (_, id) in top(c) {
        let Stmt::Var { decls, .. } = c.tree.stmt(id) else { continue };
        for decl in decls {
            if let Pat::Binding(b) = c.tree.pat(decl.target) {
                declared[b.index()] = hardened.get(b).map(|at| (c.at_stmt(id).end, *at));
            }
        }
    }
    for i in 0..c.tree.refs.len() {
        let r = &c.tree.refs[i];
        let Resolution::Local(b) = r.to else { continue };
        if declared[b.index()].is_some_and(|(from, to)| r.span.start >= from && r.span.start < to) {
            c.reject_with(r.span, format!("`{}` is used before it is hardened", c.text(r.name)));
        }
    }
}

pub(super) fn js_103(c: &mut Check<'_>) {
    for (outer, id) in top(c) {
        let exported = outer != id;
        let bad = match c.tree.stmt(id) {
            Stmt::ExportList => c.level <= Level::Jessie,
            Stmt::Var { kind, .. } => exported && *kind != VarKind::Const,
            Stmt::Function { .. } | Stmt::Class { .. } => exported,
            _ => false,
        };
        if bad {
            c.reject_stmt(outer);
        }
    }
}

pub(super) fn js_104(c: &mut Check<'_>) {
    c.reject_note(Note::OddImport);
}
