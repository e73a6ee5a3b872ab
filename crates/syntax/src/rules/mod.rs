//! The ladder of levels: a tree that strict ECMAScript accepts comes in, what a smaller level forbids in it goes out.
//!
//! Invariants
//! - a rule looks at the same tree as the compiler, so a smaller level is a subset by construction;
//! - most rules look at one node; none recurses on anything but what the parser has bounded;
//! - every rule of the specification is in [`rules`], also those that are not checked.
//!
//! Must never know: the engine, files.
mod expressions;
mod functions;
mod globals;
mod harden;
mod harden_expr;
mod json;
mod lexical;
mod modules;
mod pure;
mod ses;
mod statements;
mod table;

pub use table::rules;

use crate::Permits;
use crate::ast::*;
use crate::diagnostic::{Diagnostic, Level, Severity};
use crate::lexer::Note;
use crate::lexer::names as w;
use crate::limits::MAX_DIAGNOSTICS;
use std::collections::HashSet;

/// How a rule's examples are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A whole module.
    Module,
    /// Statements within a function.
    Body,
    /// Statements within a function at level Jessie-2026.
    LaterBody,
    /// An expression at level Justin.
    Justin,
    /// A JSON text.
    Json,
}

/// Who checks a rule.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Expr(fn(&mut Check<'_>, ExprId)),
    Stmt(fn(&mut Check<'_>, StmtId)),
    Whole(fn(&mut Check<'_>)),
    /// The parser or scope analysis, under this code.
    Parser(&'static str),
    /// The JSON reader.
    Json,
    /// The rule allows something; there is nothing to refuse.
    Allows,
    /// Nobody yet.
    Nobody,
}

/// A rule of the ladder.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable: `JS-047`.
    pub code: &'static str,
    /// The largest level that enforces it.
    pub until: Level,
    /// What is wrong, as a message.
    pub message: &'static str,
    /// What to write instead.
    pub help: &'static str,
    pub form: Form,
    /// Examples; empty where the rule has none.
    pub accept: &'static str,
    pub reject: &'static str,
    pub checked: bool,
    pub(crate) how: How,
}

impl Rule {
    /// The code under which a breach is reported: the rule's own, or that of the syntax error it is.
    pub fn reported_as(&self) -> &'static str {
        if let How::Parser(code) = self.how { code } else { self.code }
    }

    /// An example as a text that can be parsed, and how.
    pub fn source(&self, example: &str) -> (String, Goal, Level) {
        let level = if self.until == Level::Ses { Level::Ses } else { Level::Jessie };
        let names = "a, b, c, d, e, f, g, h, i, k, m, n, o, p, r, t, x, y, z, xs";
        let within = || format!("export const main = ({names}) => () => {{ {example} }};\n");
        match self.form {
            Form::Module => (example.to_string(), Goal::Module, level),
            Form::Body => (within(), Goal::Module, level),
            Form::LaterBody => (within(), Goal::Module, Level::Jessie2026),
            Form::Justin => (example.to_string(), Goal::Expression, Level::Justin),
            Form::Json => (example.to_string(), Goal::Expression, Level::Json),
        }
    }
}

pub(crate) struct Check<'t> {
    pub tree: &'t Tree,
    pub source: &'t str,
    pub notes: &'t [(Note, Span)],
    pub level: Level,
    rule: &'static Rule,
    /// What is assigned to.
    pub targets: HashSet<ExprId>,
    /// Comma expressions in parentheses.
    pub in_parens: HashSet<ExprId>,
    found: Vec<Diagnostic>,
}

/// What `level` forbids in a tree without errors.
pub(crate) fn check(tree: &Tree, source: &str, notes: &[(Note, Span)], level: Level, permits: Permits) -> Vec<Diagnostic> {
    if level == Level::Json {
        return Vec::new();
    }
    let mut check = Check {
        tree,
        source,
        notes,
        level,
        rule: &rules()[0],
        // determinism: sorted, or put into another set, where it is iterated.
        targets: HashSet::new(),
        // determinism: looked up only, never iterated.
        in_parens: HashSet::new(),
        found: Vec::new(),
    };
    check.collect_places();
    for rule in rules().iter().filter(|r| level <= r.until) {
        check.rule = rule;
        if permits.import_call && rule.code == "JS-S01" {
            continue;
        }
        match rule.how {
            How::Expr(f) => (0..tree.exprs.len()).for_each(|i| f(&mut check, ExprId(i as u32))),
            How::Stmt(f) => (0..tree.stmts.len()).for_each(|i| f(&mut check, StmtId(i as u32))),
            How::Whole(f) => f(&mut check),
            _ => {}
        }
    }
    let mut found = check.found;
    found.sort_by_key(|d| (d.span.start, d.code));
    found.truncate(MAX_DIAGNOSTICS);
    found
}

pub(crate) use json::check as check_json;

impl Check<'_> {
    fn collect_places(&mut self) {
        for expr in &self.tree.exprs {
            match expr {
                Expr::AssignOp { target, .. } | Expr::AssignLogical { target, .. } | Expr::Update { target, .. } => {
                    self.targets.insert(self.inside(*target));
                }
                Expr::Paren(inner) => {
                    self.in_parens.insert(*inner);
                }
                _ => {}
            }
        }
        for pat in &self.tree.pats {
            if let Pat::Target(e) = pat {
                self.targets.insert(self.inside(*e));
            }
        }
    }

    /// The expression within its parentheses.
    pub fn inside(&self, mut id: ExprId) -> ExprId {
        while let Expr::Paren(inner) = self.tree.expr(id) {
            id = *inner;
        }
        id
    }

    pub fn at(&self, id: ExprId) -> Span {
        self.tree.expr_spans[id.index()]
    }

    pub fn at_stmt(&self, id: StmtId) -> Span {
        self.tree.stmt_spans[id.index()]
    }

    /// Reports a breach of the rule at hand.
    pub fn reject(&mut self, span: Span) {
        self.reject_with(span, self.rule.message.to_string());
    }

    pub fn reject_expr(&mut self, id: ExprId) {
        self.reject(self.at(id));
    }

    pub fn reject_stmt(&mut self, id: StmtId) {
        self.reject(self.at_stmt(id));
    }

    pub fn reject_with(&mut self, span: Span, message: String) {
        self.report(Severity::Error, self.rule.code, span, message, Some(self.rule.help.to_string()));
    }

    pub fn report(&mut self, severity: Severity, code: &'static str, span: Span, message: String, help: Option<String>) {
        // Sorted and cut to the bound at the end; this keeps a hostile text from making millions.
        if self.found.len() < 64 * MAX_DIAGNOSTICS {
            self.found.push(Diagnostic { severity, code, message, span, help });
        }
    }

    pub fn reject_note(&mut self, wanted: Note) {
        for i in 0..self.notes.len() {
            if self.notes[i].0 == wanted {
                self.reject(self.notes[i].1);
            }
        }
    }

    pub fn text(&self, name: NameId) -> String {
        self.tree.name_text(name)
    }

    /// The name of a variable that nothing in the source declares.
    pub fn global(&self, id: ExprId) -> Option<NameId> {
        let Expr::Ident(r) = self.tree.expr(id) else { return None };
        let r = self.tree.reference(*r);
        if r.to == Resolution::Global { Some(r.name) } else { None }
    }

    /// A call of a hardener under its own name: the global, or an import of that name.
    pub fn is_hardener(&self, id: ExprId) -> bool {
        let Expr::Ident(r) = self.tree.expr(id) else { return false };
        let r = self.tree.reference(*r);
        let known = r.name == w::HARDEN || matches!(self.text(r.name).as_str(), "Far" | "Remotable");
        known
            && match r.to {
                Resolution::Global => true,
                Resolution::Local(b) => matches!(self.tree.binding(b).kind, BindingKind::Import(_)),
                Resolution::Unresolved => false,
            }
    }

    /// Every use of a variable, with the name.
    pub fn uses(&self) -> impl Iterator<Item = &Ref> {
        self.tree.refs.iter().filter(|r| r.to != Resolution::Unresolved)
    }
}
