//! Words, white space, semicolons.
use super::Check;
use crate::ast::*;
use crate::diagnostic::Severity;
use crate::lexer::{Note, names as w};

pub(super) fn js_004(c: &mut Check<'_>) {
    c.reject_note(Note::OddNumber);
}

pub(super) fn js_007(c: &mut Check<'_>) {
    c.reject_note(Note::OddSpace);
}

pub(super) fn js_011(c: &mut Check<'_>) {
    c.reject_note(Note::OddWord);
}

pub(super) fn js_020(c: &mut Check<'_>) {
    c.reject_note(Note::Asi);
}

pub(super) fn js_021(c: &mut Check<'_>) {
    c.reject_note(Note::LineAfterJump);
}

/// Names of variables and where they stand: uses and declarations.
pub(super) fn variables(c: &Check<'_>) -> Vec<(NameId, Span)> {
    // A parameter of an arrow is a use that became a declaration: its place counts once.
    let declared = c.tree.bindings.iter().filter(|b| b.kind != BindingKind::Arguments && b.name != w::STAR_DEFAULT);
    let mut list: Vec<(NameId, Span)> = c.uses().map(|r| (r.name, r.span)).chain(declared.map(|b| (b.name, b.span))).collect();
    list.sort_by_key(|(name, span)| (span.start, *name));
    list.dedup();
    list
}

pub(super) fn js_012(c: &mut Check<'_>) {
    // A use of what is declared is not reported again.
    let declared: Vec<(NameId, Span)> = c.tree.bindings.iter().map(|b| (b.name, b.span)).collect();
    let free = c.uses().filter(|r| r.to == Resolution::Global || r.name == w::ARGUMENTS).map(|r| (r.name, r.span));
    let mut list: Vec<(NameId, Span)> = free.chain(declared).filter(|(_, span)| span.end > span.start).collect();
    list.sort_by_key(|(_, span)| span.start);
    for (name, span) in list {
        if name == w::ASYNC || name == w::ARGUMENTS {
            c.reject_with(span, format!("`{}` is reserved and cannot be a variable", c.text(name)));
        }
    }
}

pub(super) fn js_051(c: &mut Check<'_>) {
    for (name, span) in variables(c) {
        if name == w::EVAL {
            c.reject(span);
        }
    }
}

/// Property names and keys as written, with the place of the node they belong to.
pub(super) fn property_names(c: &Check<'_>) -> Vec<(NameId, Span)> {
    let mut list = Vec::new();
    for (i, expr) in c.tree.exprs.iter().enumerate() {
        let span = c.tree.expr_spans[i];
        match expr {
            Expr::Member { name, .. } => list.push((*name, span)),
            Expr::Send { form: SendForm::Get(name) | SendForm::Method(name), .. } => list.push((*name, span)),
            Expr::Object(props) => props.iter().for_each(|p| match p {
                Property::Proto(_) => list.push((w::PROTO, span)),
                Property::Value { key: Key::Name(name), shorthand: false, .. } => list.push((*name, span)),
                Property::Method { key: Key::Name(name), .. }
                | Property::Getter { key: Key::Name(name), .. }
                | Property::Setter { key: Key::Name(name), .. } => list.push((*name, span)),
                _ => {}
            }),
            Expr::Index { index, .. } => {
                if let Expr::String(name) = c.tree.expr(*index) {
                    list.push((*name, span));
                }
            }
            _ => {}
        }
    }
    for (i, pat) in c.tree.pats.iter().enumerate() {
        if let Pat::Object { props, .. } = pat {
            let span = c.tree.pat_spans[i];
            let names = props.iter().filter(|p| !p.shorthand);
            list.extend(names.filter_map(|p| if let Key::Name(name) = p.key { Some((name, span)) } else { None }));
        }
    }
    list
}

pub(super) fn js_017(c: &mut Check<'_>) {
    let mut list = variables(c);
    list.extend(property_names(c));
    for (name, span) in list {
        if c.tree.name(name).starts_with(&[36, 104, 95]) || c.tree.name(name).starts_with(&[36, 105, 95]) {
            c.reject(span);
        }
    }
}

pub(super) fn js_018(c: &mut Check<'_>) {
    let mut list = property_names(c);
    list.extend(c.tree.bindings.iter().map(|b| (b.name, b.span)));
    for (name, span) in list {
        if name == w::PROTO {
            c.reject(span);
        }
    }
}

pub(super) fn js_067(c: &mut Check<'_>) {
    for i in 0..c.tree.exprs.len() {
        let id = ExprId(i as u32);
        if let Expr::Send { form: SendForm::Get(name) | SendForm::Method(name), .. } = *c.tree.expr(id) {
            if name == w::PROTO {
                c.reject_expr(id);
            } else if c.text(name) == "then" {
                let help = "use `E.when` or `await` on the promise itself".to_string();
                let message = "this asks the distant object for `then`; it does not wait".to_string();
                c.report(Severity::Warning, "JS-067", c.at(id), message, Some(help));
            }
        }
    }
}
