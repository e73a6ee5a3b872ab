//! Functions, patterns, and the order of declarations and uses.
use super::Check;
use crate::ast::*;
use crate::lexer::names as w;

pub(super) fn js_070(c: &mut Check<'_>) {
    for i in 0..c.tree.functions.len() {
        let f = &c.tree.functions[i];
        if f.is_generator && f.kind != FuncKind::Method {
            c.reject(f.span);
        }
    }
}

pub(super) fn js_071(c: &mut Check<'_>) {
    for i in 0..c.tree.functions.len() {
        let f = &c.tree.functions[i];
        if f.is_async && f.kind != FuncKind::Method {
            c.reject(f.span);
        }
    }
}

/// Each `await` with the innermost function around it.
pub(super) fn awaits(c: &Check<'_>) -> Vec<(FuncId, Span)> {
    let mut events: Vec<Span> = Vec::new();
    for (i, expr) in c.tree.exprs.iter().enumerate() {
        if let Expr::Await(_) = expr {
            events.push(c.tree.expr_spans[i]);
        }
    }
    events.sort_by_key(|s| s.start);
    let mut order: Vec<usize> = (1..c.tree.functions.len()).collect();
    order.sort_by_key(|&i| (c.tree.functions[i].span.start, std::cmp::Reverse(c.tree.functions[i].span.end)));
    let (mut stack, mut next) = (vec![0usize], 0);
    let mut list = Vec::new();
    for span in events {
        while next < order.len() && c.tree.functions[order[next]].span.start <= span.start {
            let start = c.tree.functions[order[next]].span.start;
            while stack.len() > 1 && c.tree.functions[stack[stack.len() - 1]].span.end <= start {
                stack.pop();
            }
            stack.push(order[next]);
            next += 1;
        }
        while stack.len() > 1 && c.tree.functions[stack[stack.len() - 1]].span.end <= span.start {
            stack.pop();
        }
        list.push((FuncId(stack[stack.len() - 1] as u32), span));
    }
    list
}

/// The first `await` of a function stands in no branch, so that its callers see one kind of timing.
pub(super) fn js_072(c: &mut Check<'_>) {
    let mut last = None;
    let mut list = awaits(c);
    list.sort_by_key(|(f, s)| (*f, s.start));
    for (func, span) in list {
        if last == Some(func) {
            continue;
        }
        last = Some(func);
        let Body::Block(body) = &c.tree.func(func).body else { continue };
        // The statement it stands in; the list is in source order.
        let at = body.partition_point(|s| c.at_stmt(*s).end <= span.start);
        let plain = |s: &StmtId| {
            matches!(c.tree.stmt(*s), Stmt::Expr(_) | Stmt::Var { .. } | Stmt::Return(_) | Stmt::Throw(_) | Stmt::ForOf { .. })
        };
        if func.0 != 0 && body.get(at).is_some_and(|s| !plain(s)) {
            c.reject(span);
        }
    }
}

pub(super) fn js_074(c: &mut Check<'_>) {
    for i in 0..c.tree.pats.len() {
        if let Pat::Default { pat, .. } = c.tree.pats[i]
            && matches!(c.tree.pat(pat), Pat::Array { .. } | Pat::Object { .. })
        {
            c.reject(c.tree.pat_spans[i]);
        }
    }
}

pub(super) fn js_075(c: &mut Check<'_>) {
    for i in 0..c.tree.pats.len() {
        let Pat::Object { props, .. } = &c.tree.pats[i] else { continue };
        for prop in props {
            let default = matches!(c.tree.pat(prop.value), Pat::Default { .. });
            if default && !prop.shorthand || matches!(prop.key, Key::Computed(_)) {
                c.reject(c.tree.pat_spans[i]);
            }
        }
    }
}

pub(super) fn js_076(c: &mut Check<'_>) {
    for i in 0..c.tree.pats.len() {
        if matches!(&c.tree.pats[i], Pat::Array { items, .. } if items.iter().any(Option::is_none)) {
            c.reject(c.tree.pat_spans[i]);
        }
    }
}

/// Assignment to a constant, and use before the declaration in one and the same function.
pub(super) fn js_079(c: &mut Check<'_>) {
    let mut targets: Vec<ExprId> = c.targets.iter().copied().collect();
    targets.sort();
    for id in targets {
        let Expr::Ident(r) = *c.tree.expr(id) else { continue };
        let Resolution::Local(b) = c.tree.reference(r).to else { continue };
        let kind = c.tree.binding(b).kind;
        if matches!(kind, BindingKind::Const | BindingKind::Import(_) | BindingKind::SelfName) {
            c.reject_with(c.at(id), format!("`{}` is constant", c.text(c.tree.binding(b).name)));
        }
    }
    for i in 0..c.tree.refs.len() {
        let r = &c.tree.refs[i];
        let Resolution::Local(b) = r.to else { continue };
        let binding = c.tree.binding(b);
        let here = c.tree.scope(r.scope).func == binding.func;
        let ordinary = matches!(binding.kind, BindingKind::Const | BindingKind::Let);
        let switch = c.tree.scope(binding.scope).kind == ScopeKind::Switch;
        if r.check && here && ordinary && !switch && r.name != w::STAR_DEFAULT {
            c.reject_with(r.span, format!("`{}` is used before it has a value", c.text(r.name)));
        }
    }
}
