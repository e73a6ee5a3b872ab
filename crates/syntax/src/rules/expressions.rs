//! Expressions: one function a rule, each looking at one node.
use super::Check;
use crate::ast::*;
use crate::diagnostic::Level;
use crate::lexer::names as w;
use std::collections::HashSet;

pub(super) fn js_019(c: &mut Check<'_>, id: ExprId) {
    if let Expr::RegExp { .. } = c.tree.expr(id) {
        c.reject_expr(id);
    }
}

pub(super) fn js_030(c: &mut Check<'_>, id: ExprId) {
    if let Expr::Array(items) = c.tree.expr(id)
        && items.iter().any(|e| matches!(e, Element::Hole))
    {
        c.reject_expr(id);
    }
}

pub(super) fn js_031(c: &mut Check<'_>, id: ExprId) {
    let Expr::Object(props) = c.tree.expr(id) else { return };
    let computed = |p: &Property| match p {
        Property::Value { key: Key::Computed(e), .. } | Property::Method { key: Key::Computed(e), .. } => Some(*e),
        _ => None,
    };
    for e in props.iter().filter_map(computed) {
        c.reject_expr(e);
    }
}

pub(super) fn js_032(c: &mut Check<'_>, id: ExprId) {
    let Expr::Object(props) = c.tree.expr(id) else { return };
    // determinism: looked up only, never iterated.
    let mut seen = HashSet::new();
    for prop in props {
        // A getter and a setter share a key.
        let (key, sort) = match prop {
            Property::Value { key: Key::Name(k), .. } | Property::Method { key: Key::Name(k), .. } => (*k, 3),
            Property::Getter { key: Key::Name(k), .. } => (*k, 1),
            Property::Setter { key: Key::Name(k), .. } => (*k, 2),
            _ => continue,
        };
        let fresh = match sort {
            3 => !seen.contains(&(key, 1)) & !seen.contains(&(key, 2)) & seen.insert((key, 3)),
            half => !seen.contains(&(key, 3)) & seen.insert((key, half)),
        };
        if !fresh {
            c.reject_with(c.at(id), format!("the key `{}` is given twice", c.text(key)));
        }
    }
}

pub(super) fn js_033(c: &mut Check<'_>, id: ExprId) {
    let Expr::Object(props) = c.tree.expr(id) else { return };
    for prop in props {
        let (func, computed) = match prop {
            Property::Method { func, .. } => (*func, false),
            Property::Getter { key, func } | Property::Setter { key, func } => (*func, matches!(key, Key::Computed(_))),
            _ => continue,
        };
        let f = c.tree.func(func);
        if computed || f.is_generator || f.is_async && c.level <= Level::Jessie {
            c.reject(f.span);
        }
    }
}

pub(super) fn js_034(c: &mut Check<'_>, id: ExprId) {
    if let Expr::Chain(_) = c.tree.expr(id) {
        c.reject_expr(id);
    }
}

/// A number, `-1`, or `+e`.
fn is_numeric(c: &Check<'_>, id: ExprId) -> bool {
    match c.tree.expr(id) {
        Expr::Number(_) => true,
        Expr::Unary { op: UnaryOp::Plus, .. } => true,
        Expr::Unary { op: UnaryOp::Neg, arg } => matches!(c.tree.expr(*arg), Expr::Number(_)),
        _ => false,
    }
}

pub(super) fn js_035(c: &mut Check<'_>, id: ExprId) {
    if let Expr::Index { index, .. } = *c.tree.expr(id)
        && !is_numeric(c, index)
        && !c.targets.contains(&id)
    {
        c.reject_expr(id);
    }
}

pub(super) fn js_036(c: &mut Check<'_>, id: ExprId) {
    let callee = match *c.tree.expr(id) {
        Expr::Call { callee, .. } => callee,
        Expr::TaggedTemplate { tag, .. } => tag,
        _ => return,
    };
    if let Expr::Index { .. } = c.tree.expr(c.inside(callee)) {
        c.reject_expr(id);
    }
}

pub(super) fn js_038(c: &mut Check<'_>, id: ExprId) {
    let Expr::Sequence(items) = c.tree.expr(id) else { return };
    let literal = |e: ExprId| {
        let e = c.tree.expr(e);
        matches!(e, Expr::Number(_) | Expr::String(_) | Expr::Bool(_) | Expr::Null | Expr::BigInt(_))
    };
    if items.len() != 2 || !literal(items[0]) || !c.in_parens.contains(&id) {
        c.reject_expr(id);
    }
}

pub(super) fn js_042(c: &mut Check<'_>, id: ExprId) {
    if let Expr::Unary { op: UnaryOp::Delete, .. } = c.tree.expr(id) {
        c.reject_expr(id);
    }
}

pub(super) fn js_045(c: &mut Check<'_>, id: ExprId) {
    use BinaryOp::*;
    let Expr::Binary { op, left, right } = *c.tree.expr(id) else { return };
    let loose =
        |op| matches!(op, Eq | NotEq | StrictEq | StrictNotEq | Less | LessEq | Greater | GreaterEq | BitAnd | BitOr | BitXor);
    for side in [left, right] {
        if let Expr::Binary { op: inner, .. } = *c.tree.expr(side) {
            let same = inner == op && matches!(op, BitAnd | BitOr | BitXor);
            if loose(op) && loose(inner) && !same {
                c.reject_expr(id);
                return;
            }
        }
    }
}

pub(super) fn js_047(c: &mut Check<'_>, id: ExprId) {
    if let Expr::Binary { op: BinaryOp::Eq | BinaryOp::NotEq, .. } = c.tree.expr(id) {
        c.reject_expr(id);
    }
}

pub(super) fn js_048(c: &mut Check<'_>, id: ExprId) {
    if let Expr::Logical { op: LogicalOp::Coalesce, .. } = c.tree.expr(id) {
        c.reject_expr(id);
    }
}

pub(super) fn js_049(c: &mut Check<'_>, id: ExprId) {
    let what = match c.tree.expr(id) {
        Expr::New { .. } => "new",
        Expr::This => "this",
        Expr::SuperCall { .. } | Expr::SuperMember { .. } | Expr::SuperIndex { .. } => "super",
        Expr::Class(_) => "class",
        Expr::NewTarget => "new.target",
        Expr::Yield { .. } => "yield",
        Expr::Binary { op: BinaryOp::InstanceOf, .. } => "instanceof",
        Expr::Binary { op: BinaryOp::In, .. } | Expr::PrivateIn { .. } => "in",
        Expr::Private { .. } => "#name",
        _ => return,
    };
    c.reject_with(c.at(id), format!("`{what}` is no part of Jessie"));
}

pub(super) fn js_050(c: &mut Check<'_>, id: ExprId) {
    if let Expr::ImportCall { .. } | Expr::ImportMeta = c.tree.expr(id) {
        c.reject_expr(id);
    }
}

pub(super) fn js_052(c: &mut Check<'_>) {
    for binding in &c.tree.bindings {
        if binding.name == w::UNDEFINED || matches!(c.text(binding.name).as_str(), "NaN" | "Infinity") {
            c.reject_with(binding.span, format!("`{}` always means its constant", c.text(binding.name)));
        }
    }
}

pub(super) fn js_053(c: &mut Check<'_>, id: ExprId) {
    match *c.tree.expr(id) {
        Expr::Assign { target, .. } if matches!(c.tree.pat(target), Pat::Array { .. } | Pat::Object { .. }) => {
            c.reject(c.tree.pat_spans[target.index()]);
        }
        Expr::Index { index, .. } if c.targets.contains(&id) && !is_numeric(c, index) => c.reject_expr(id),
        _ => {}
    }
}

pub(super) fn js_054(c: &mut Check<'_>, id: ExprId) {
    if let Expr::AssignLogical { .. } = c.tree.expr(id) {
        c.reject_expr(id);
    }
}

/// Justin: an expression and nothing that does something.
pub(super) fn justin(c: &mut Check<'_>, id: ExprId) {
    match c.tree.expr(id) {
        Expr::Function(_)
        | Expr::Assign { .. }
        | Expr::AssignOp { .. }
        | Expr::Update { .. }
        | Expr::Send { .. }
        | Expr::Await(_) => c.reject_expr(id),
        Expr::Object(props) => {
            let method = |p: &Property| match p {
                Property::Method { func, .. } | Property::Getter { func, .. } | Property::Setter { func, .. } => Some(*func),
                _ => None,
            };
            for func in props.iter().filter_map(method) {
                c.reject(c.tree.func(func).span);
            }
        }
        _ => {}
    }
}
