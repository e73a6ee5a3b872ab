//! Statements and declarations: one function a rule, each looking at one node.
use super::Check;
use crate::ast::*;
use crate::diagnostic::Level;

pub(super) fn js_024(c: &mut Check<'_>) {
    let Body::Block(top) = &c.tree.functions[0].body else { return };
    let mut allowed = top.iter().filter(|s| matches!(c.tree.stmt(**s), Stmt::Empty)).peekable();
    let mut found = Vec::new();
    for i in 0..c.tree.stmts.len() {
        let id = StmtId(i as u32);
        if matches!(c.tree.stmt(id), Stmt::Empty) {
            if allowed.peek() == Some(&&id) {
                allowed.next();
            } else {
                found.push(id);
            }
        }
    }
    found.into_iter().for_each(|id| c.reject_stmt(id));
}

fn is_block(c: &Check<'_>, id: StmtId) -> bool {
    matches!(c.tree.stmt(id), Stmt::Block { .. })
}

pub(super) fn js_080(c: &mut Check<'_>, id: StmtId) {
    let bad = match *c.tree.stmt(id) {
        Stmt::If { then, .. } if !is_block(c, then) => Some(then),
        Stmt::If { other: Some(other), .. } if !is_block(c, other) && !matches!(c.tree.stmt(other), Stmt::If { .. }) => {
            Some(other)
        }
        Stmt::While { body, .. } | Stmt::For { body, .. } | Stmt::ForOf { body, .. } if !is_block(c, body) => Some(body),
        _ => None,
    };
    if let Some(bad) = bad {
        c.reject_stmt(bad);
    }
}

pub(super) fn js_081(c: &mut Check<'_>, id: StmtId) {
    let lexical = |kind: VarKind| kind != VarKind::Var;
    let good = match *c.tree.stmt(id) {
        Stmt::ForIn { .. } => false,
        Stmt::ForOf { decl, is_await, .. } => decl.is_some_and(lexical) && !(is_await && c.level <= Level::Jessie),
        Stmt::For { init, .. } => init.is_some_and(|i| matches!(c.tree.stmt(i), Stmt::Var { .. })),
        _ => true,
    };
    if !good {
        c.reject_stmt(id);
    }
}

pub(super) fn js_082(c: &mut Check<'_>, id: StmtId) {
    if let Stmt::DoWhile { .. } = c.tree.stmt(id) {
        c.reject_stmt(id);
    }
}

pub(super) fn js_083(c: &mut Check<'_>, id: StmtId) {
    let Stmt::Switch { cases, .. } = c.tree.stmt(id) else { return };
    for (i, case) in cases.iter().enumerate() {
        let good = match case.body[..] {
            // Labels that share the block of the next one.
            [] => i + 1 < cases.len(),
            [only] => ends_in_jump(c, only),
            _ => false,
        };
        if !good {
            let body = case.body.first().map_or(c.at_stmt(id), |&s| c.at_stmt(s));
            let span = case.test.map_or(body, |e| c.at(e));
            c.reject(span);
        }
    }
}

fn ends_in_jump(c: &Check<'_>, id: StmtId) -> bool {
    let Stmt::Block { body, .. } = c.tree.stmt(id) else { return false };
    let jump = |s: &StmtId| matches!(c.tree.stmt(*s), Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_) | Stmt::Throw(_));
    body.iter().position(jump).is_some_and(|at| at + 1 == body.len())
}

pub(super) fn js_085(c: &mut Check<'_>, id: StmtId) {
    if let Stmt::Try { handler: Some(Catch { param: None, .. }), .. } = c.tree.stmt(id) {
        c.reject_stmt(id);
    }
}

pub(super) fn js_086(c: &mut Check<'_>, id: StmtId) {
    match c.tree.stmt(id) {
        Stmt::Var { kind: VarKind::Var, .. } => c.reject_stmt(id),
        Stmt::ForOf { decl: Some(VarKind::Var), .. } | Stmt::ForIn { decl: Some(VarKind::Var), .. } => c.reject_stmt(id),
        _ => {}
    }
}

pub(super) fn js_087(c: &mut Check<'_>, id: StmtId) {
    if let Stmt::Class { .. } = c.tree.stmt(id) {
        c.reject_stmt(id);
    }
}

pub(super) fn js_088(c: &mut Check<'_>, id: StmtId) {
    let start = c.at_stmt(id).start as usize;
    if matches!(c.tree.stmt(id), Stmt::Expr(_)) && c.source.as_bytes().get(start) == Some(&b'[') {
        c.reject_stmt(id);
    }
}
