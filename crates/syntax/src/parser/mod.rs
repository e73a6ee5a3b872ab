//! Tokens in; the tree, its scopes and the early errors of strict ECMAScript out.
//!
//! Invariants
//! - `ctx` describes the place that is being read; whoever changes it puts the old one back, and the recovery of a
//!   statement puts back its own, so that an error within leaves no trace;
//! - `depth` counts the nesting and never passes [`MAX_NESTING`]: the only recursion here is that counted descent;
//! - patterns are read as expressions and reinterpreted once (cover grammars), so reading is linear;
//! - declarations enter their scope when they are read; uses are resolved afterwards (`scope`).
//!
//! Must never know: levels below strict ECMAScript (they read the tree and the notes), the engine.
mod binary;
mod class;
mod class_member;
mod declare;
mod expr;
mod function;
mod function_params;
mod loops;
mod module;
mod module_export;
mod object;
mod paren;
mod pattern;
mod postfix;
mod primary;
mod stmt;
mod stmt_simple;

use crate::Options;
use crate::ast::*;
use crate::diagnostic::Diagnostic;
use crate::lexer::token::{Tok, Token};
use crate::lexer::{Lexer, Note};
use crate::limits::{MAX_NESTING, MAX_NODES};
use std::collections::{HashMap, HashSet};

/// A statement could not be read; the error is already reported.
#[derive(Debug)]
pub(crate) struct Halt;
pub(crate) type Parse<T> = Result<T, Halt>;

/// What holds at a place of the text.
#[derive(Clone, Copy)]
pub(crate) struct Ctx {
    pub func: FuncId,
    pub scope: ScopeId,
    pub var_scope: ScopeId,
    /// `await` is an operator here.
    pub is_async: bool,
    /// `yield` is an operator here.
    pub is_generator: bool,
    /// `await` is no identifier here (apart from the goal).
    pub await_reserved: bool,
    pub in_params: bool,
    pub super_property: bool,
    pub super_call: bool,
    pub new_target: bool,
    /// A field initialiser or static block: `arguments` is forbidden.
    pub no_arguments: bool,
    pub can_return: bool,
    pub in_loop: bool,
    pub in_switch: bool,
    pub labels: usize,
    /// `in` ends the expression (the head of a `for`).
    pub no_in: bool,
}

pub(crate) struct Parser<'s> {
    pub lexer: Lexer<'s>,
    pub tok: Token,
    /// Where the token before `tok` ended.
    pub prev_end: u32,
    pub tree: Tree,
    pub ctx: Ctx,
    depth: u32,
    dialect_2013: bool,
    /// `__proto__: v` in an object literal is an ordinary property (JSON).
    plain_proto: bool,
    labels: Vec<(NameId, bool)>,
    declared: HashMap<(ScopeId, NameId), BindingId>,
    /// An error of an object literal unless it turns out to be a pattern.
    pending: Option<(Span, &'static str)>,
    /// Where an assignment expression begins: an arrow function may begin there and nowhere else.
    arrow_at: u32,
    /// The last `await` or `yield` expression, which no parameter list may contain.
    suspend_at: Option<Span>,
    /// The last use of `await` as an identifier, which no async arrow's parameters may contain.
    await_name_at: Option<Span>,
    /// Array literals and argument lists in which a comma follows a final spread.
    comma_after_spread: HashSet<ExprId>,
    ops: Vec<binary::Op>,
    exported: HashSet<NameId>,
    local_exports: Vec<(NameId, NameId, Span)>,
    requests: HashMap<NameId, u32>,
}

/// What the parser leaves for the passes behind it.
pub(crate) struct Output {
    pub tree: Tree,
    pub diagnostics: Vec<Diagnostic>,
    pub notes: Vec<(Note, Span)>,
}

pub(crate) fn run(source: &str, options: &Options) -> Output {
    let mut parser = Parser::new(source, options);
    parser.program();
    parser.tree.names = std::mem::take(&mut parser.lexer.names.list);
    Output { tree: parser.tree, diagnostics: parser.lexer.sink.list, notes: parser.lexer.notes }
}

fn empty_tree(goal: Goal) -> Tree {
    Tree {
        goal,
        exprs: Vec::new(),
        expr_spans: Vec::new(),
        stmts: Vec::new(),
        stmt_spans: Vec::new(),
        pats: Vec::new(),
        pat_spans: Vec::new(),
        functions: Vec::new(),
        classes: Vec::new(),
        names: Vec::new(),
        refs: Vec::new(),
        scopes: Vec::new(),
        bindings: Vec::new(),
        module: ModuleInfo::default(),
    }
}

impl<'s> Parser<'s> {
    fn new(source: &'s str, options: &Options) -> Self {
        let mut lexer = Lexer::new(source);
        let tok = lexer.next_token();
        let module = options.goal == Goal::Module;
        let ctx = Ctx {
            func: FuncId(0),
            scope: ScopeId(0),
            var_scope: ScopeId(0),
            is_async: module,
            is_generator: false,
            await_reserved: module,
            in_params: false,
            super_property: false,
            super_call: false,
            new_target: false,
            no_arguments: false,
            can_return: false,
            in_loop: false,
            in_switch: false,
            labels: 0,
            no_in: false,
        };
        Parser {
            lexer,
            tok,
            prev_end: 0,
            tree: empty_tree(options.goal),
            ctx,
            depth: 0,
            dialect_2013: options.dialect_2013,
            plain_proto: options.level == crate::diagnostic::Level::Json,
            labels: Vec::new(),
            // determinism: looked up only, never iterated.
            declared: HashMap::new(),
            pending: None,
            arrow_at: u32::MAX,
            suspend_at: None,
            await_name_at: None,
            // determinism: looked up only, never iterated.
            comma_after_spread: HashSet::new(),
            ops: Vec::new(),
            // determinism: looked up only, never iterated.
            exported: HashSet::new(),
            local_exports: Vec::new(),
            // determinism: looked up only, never iterated.
            requests: HashMap::new(),
        }
    }

    fn program(&mut self) {
        let func = self.new_function(FuncKind::Program, 0);
        let (param_scope, body_scope) = (self.tree.func(func).param_scope, self.tree.func(func).body_scope);
        debug_assert_eq!((func, param_scope), (FuncId(0), ScopeId(0)));
        self.ctx.scope = body_scope;
        self.ctx.var_scope = body_scope;
        let body = if self.tree.goal == Goal::Expression {
            match self.expression() {
                Ok(value) => {
                    if self.tok.kind != Tok::Eof {
                        let _ = self.unexpected::<()>("the end of the expression");
                    }
                    Body::Expr(value)
                }
                Err(Halt) => Body::Expr(self.add_expr(Expr::Error, self.tok.span)),
            }
        } else {
            Body::Block(self.statements_until_eof())
        };
        if self.tree.goal == Goal::Module {
            self.finish_exports();
        }
        let end = self.lexer.bytes.len() as u32;
        let program = &mut self.tree.functions[0];
        program.body = body;
        program.span = Span { start: 0, end };
    }

    // ---- tokens

    pub fn bump(&mut self) -> Token {
        let token = self.tok;
        self.prev_end = token.span.end;
        self.tok = self.lexer.next_token();
        token
    }

    pub fn at(&self, kind: Tok) -> bool {
        self.tok.kind == kind
    }

    pub fn eat(&mut self, kind: Tok) -> bool {
        let found = self.at(kind);
        if found {
            self.bump();
        }
        found
    }

    pub fn expect(&mut self, kind: Tok, what: &str) -> Parse<()> {
        if self.eat(kind) { Ok(()) } else { self.unexpected(what) }
    }

    /// A contextual keyword, spelled without escapes.
    pub fn at_word(&self, name: NameId) -> bool {
        self.tok.kind == Tok::Ident && self.tok.name == name && !self.tok.escaped
    }

    pub fn eat_word(&mut self, name: NameId) -> bool {
        let found = self.at_word(name);
        if found {
            self.bump();
        }
        found
    }

    /// The token behind the current one; one token is looked at and put back.
    pub fn peek(&mut self) -> Token {
        let mark = self.lexer.mark();
        let token = self.lexer.next_token();
        self.lexer.reset(mark);
        token
    }

    /// The semicolon of a statement, maybe inserted.
    pub fn semicolon(&mut self) -> Parse<()> {
        if self.eat(Tok::Semi) {
            return Ok(());
        }
        if self.tok.newline || matches!(self.tok.kind, Tok::RBrace | Tok::Eof) {
            self.note_asi();
            return Ok(());
        }
        self.unexpected("`;`")
    }

    pub fn note_asi(&mut self) {
        let span = Span { start: self.prev_end, end: self.prev_end };
        self.lexer.notes.push((Note::Asi, span));
    }

    pub fn note(&mut self, note: Note, span: Span) {
        self.lexer.notes.push((note, span));
    }

    // ---- errors

    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>) {
        self.lexer.sink.error(code, span, message);
    }

    pub fn error_help(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.lexer.sink.error_help(code, span, message, help);
    }

    /// Reports that the current token is not what must stand here.
    #[cold]
    pub fn unexpected<T>(&mut self, expected: &str) -> Parse<T> {
        if self.tok.kind != Tok::Invalid {
            let span = self.tok.span;
            let found = match self.tok.kind {
                Tok::Eof => "the end of the text".to_string(),
                _ => {
                    let text: String = self.lexer.src[span.start as usize..span.end as usize].chars().take(40).collect();
                    format!("`{text}`")
                }
            };
            self.error("E-SYNTAX", span, format!("expected {expected}, found {found}"));
        }
        Err(Halt)
    }

    /// One level further down; the caller subtracts it again.
    pub fn enter(&mut self) -> Parse<()> {
        if self.depth >= MAX_NESTING {
            return self.too_deep();
        }
        self.depth += 1;
        Ok(())
    }

    #[cold]
    fn too_deep<T>(&mut self) -> Parse<T> {
        let message = format!("the text is nested more than {MAX_NESTING} levels deep");
        self.error_help("E-NESTING", self.tok.span, message, "give the inner parts names of their own");
        self.lexer.stop();
        Err(Halt)
    }

    // ---- nodes

    pub fn start(&self) -> u32 {
        self.tok.span.start
    }

    pub fn since(&self, start: u32) -> Span {
        Span { start, end: self.prev_end.max(start) }
    }

    /// One arena is full: the text is read no further.
    #[cold]
    pub fn too_many(&mut self, count: usize, what: &str) {
        let message = format!("the text has more than {count} {what}");
        self.error_help("E-LIMIT", self.tok.span, message, "split it into modules");
        self.lexer.stop();
        self.tok.kind = Tok::Eof;
    }

    pub fn add_expr(&mut self, expr: Expr, span: Span) -> ExprId {
        if self.tree.exprs.len() == MAX_NODES {
            self.too_many(MAX_NODES, "expressions or statements");
        }
        self.tree.exprs.push(expr);
        self.tree.expr_spans.push(span);
        ExprId(self.tree.exprs.len() as u32 - 1)
    }

    /// An expression that ends with the last token taken.
    pub fn expr_from(&mut self, expr: Expr, start: u32) -> ExprId {
        let span = self.since(start);
        self.add_expr(expr, span)
    }

    pub fn add_stmt(&mut self, stmt: Stmt, start: u32) -> StmtId {
        let span = self.since(start);
        if self.tree.stmts.len() == MAX_NODES {
            self.too_many(MAX_NODES, "expressions or statements");
        }
        self.tree.stmts.push(stmt);
        self.tree.stmt_spans.push(span);
        StmtId(self.tree.stmts.len() as u32 - 1)
    }

    pub fn add_pat(&mut self, pat: Pat, span: Span) -> PatId {
        if self.tree.pats.len() == MAX_NODES {
            self.too_many(MAX_NODES, "expressions or statements");
        }
        self.tree.pats.push(pat);
        self.tree.pat_spans.push(span);
        PatId(self.tree.pats.len() as u32 - 1)
    }

    pub fn add_ref(&mut self, name: NameId, span: Span) -> RefId {
        let scope = self.ctx.scope;
        self.tree.refs.push(Ref { name, span, scope, to: Resolution::Unresolved, check: false });
        RefId(self.tree.refs.len() as u32 - 1)
    }

    pub fn expr_span(&self, id: ExprId) -> Span {
        self.tree.expr_spans[id.index()]
    }

    pub fn show(&self, name: NameId) -> String {
        self.lexer.names.show(name)
    }

    pub fn is_module(&self) -> bool {
        self.tree.goal == Goal::Module
    }
}

pub(crate) fn join(from: Span, to: Span) -> Span {
    Span { start: from.start, end: to.end.max(from.start) }
}

pub(crate) use crate::lexer::names as well_known;
