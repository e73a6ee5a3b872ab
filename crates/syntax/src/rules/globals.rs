//! Which names Jessie knows without a declaration, and which of them nobody may declare anew.
use super::{Check, lexical::variables};
use crate::ast::*;
use crate::diagnostic::Level;
use crate::lexer::{Note, names as w};

/// The names of Jessie, and for some the static members that it has.
#[rustfmt::skip]
pub(super) const GLOBALS: &[(&str, &[&str])] = &[
    ("Infinity", &[]), ("NaN", &[]), ("undefined", &[]),
    ("Object", &["freeze", "is", "preventExtensions", "seal", "entries", "keys", "values", "fromEntries"]),
    ("Boolean", &[]),
    ("Number", &["isFinite", "isNaN", "isSafeInteger", "MAX_SAFE_INTEGER", "MIN_SAFE_INTEGER"]),
    ("Math", &["E", "PI", "abs", "ceil", "floor", "max", "min", "round", "trunc"]),
    ("String", &["fromCharCode", "raw"]),
    ("Array", &["from", "isArray", "of"]),
    ("Map", &[]), ("Set", &[]), ("WeakMap", &[]), ("WeakSet", &[]),
    ("JSON", &["parse", "stringify"]),
    ("Promise", &["all", "race", "reject", "resolve"]),
    ("BigInt", &[]),
    ("Error", &[]), ("AggregateError", &[]), ("EvalError", &[]), ("RangeError", &[]), ("ReferenceError", &[]), ("SyntaxError", &[]),
    ("TypeError", &[]), ("URIError", &[]),
    ("harden", &[]), ("Nat", &[]), ("E", &[]), ("Far", &[]), ("confine", &[]), ("makePromiseKit", &[]), ("assert", &[]),
    ("makeMap", &[]), ("makeSet", &[]), ("makeWeakMap", &[]), ("makeWeakSet", &[]), ("makePromise", &[]),
];

fn known(name: &str) -> Option<&'static [&'static str]> {
    GLOBALS.iter().find(|g| g.0 == name).map(|g| g.1)
}

pub(super) fn js_107(c: &mut Check<'_>) {
    // The names of a Justin expression are what its evaluator endows it with.
    if c.level < Level::Jessie {
        return;
    }
    let free: Vec<(NameId, Span)> = c.uses().filter(|r| r.to == Resolution::Global).map(|r| (r.name, r.span)).collect();
    let jumps: Vec<u32> = c.notes.iter().filter(|n| n.0 == Note::LineAfterJump).map(|n| n.1.end).collect();
    for (name, span) in free {
        // These have rules of their own.
        // A label that a line end has cut off from its `break`: JS-021 says so.
        let before = jumps.partition_point(|end| *end <= span.start);
        let between = before.checked_sub(1).and_then(|i| c.source.get(jumps[i] as usize..span.start as usize));
        if between.is_some_and(|text| text.len() < 256 && text.trim().is_empty()) {
            continue;
        }
        if known(&c.text(name)).is_none() && ![w::EVAL, w::ARGUMENTS, w::ASYNC].contains(&name) {
            c.reject_with(span, format!("`{}` is declared nowhere and is no name of Jessie", c.text(name)));
        }
    }
    for i in 0..c.tree.exprs.len() {
        let id = ExprId(i as u32);
        let Expr::Member { object, name, .. } = *c.tree.expr(id) else { continue };
        let Some(global) = c.global(object) else { continue };
        let members = known(&c.text(global)).unwrap_or_default();
        if !members.is_empty() && !members.contains(&c.text(name).as_str()) {
            c.reject_with(c.at(id), format!("Jessie has no `{}.{}`", c.text(global), c.text(name)));
        }
    }
}

/// A declaration must not take the name of a hardener or of another name of Jessie.
pub(super) fn js_090(c: &mut Check<'_>) {
    let declared: Vec<Span> = c.tree.bindings.iter().filter(|b| !c.is_trusted_import(b)).map(|b| b.span).collect();
    let mut places = declared;
    places.sort_by_key(|s| s.start);
    for (name, span) in variables(c) {
        let here = places.binary_search_by_key(&span.start, |s| s.start).is_ok();
        // JS-052 speaks of the constants.
        let constant = matches!(c.text(name).as_str(), "undefined" | "NaN" | "Infinity");
        if here && !constant && known(&c.text(name)).is_some() {
            c.reject_with(span, format!("`{}` always means the one Jessie knows", c.text(name)));
        }
    }
}

impl Check<'_> {
    /// From Jessie-2026 on, `import { E } from '@endo/far'` and its like bring the names that they name.
    fn is_trusted_import(&self, binding: &Binding) -> bool {
        let BindingKind::Import(index) = binding.kind else { return false };
        let Some(import) = self.tree.module.imports.get(index as usize) else { return false };
        let from = self.text(self.tree.module.requests[import.request as usize].0);
        let trusted = ["@endo/", "@agoric/"].iter().any(|prefix| from.starts_with(prefix));
        self.level > Level::Jessie && trusted && import.name == Some(binding.name)
    }
}
