//! Statements, their lists, and recovery after an error.
//!
//! Invariant: each round of a list takes at least one token, so that recovery ends.
use super::{Halt, Parse, Parser};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    pub fn statements_until_eof(&mut self) -> Vec<StmtId> {
        let mut list = Vec::new();
        while !self.at(Tok::Eof) {
            list.push(self.item_or_recover(true));
        }
        self.keep_completion(&list);
        list
    }

    /// The value of a script's last statement is the script's: a send there needs its answer.
    fn keep_completion(&mut self, list: &[StmtId]) {
        let Some(&last) = list.last().filter(|_| self.tree.goal == Goal::Script) else { return };
        let Stmt::Expr(mut id) = *self.tree.stmt(last) else { return };
        loop {
            id = match &mut self.tree.exprs[id.index()] {
                Expr::Paren(inner) => *inner,
                Expr::Sequence(items) => items[items.len() - 1],
                Expr::Send { send_only, .. } => {
                    *send_only = false;
                    return;
                }
                _ => return,
            }
        }
    }

    /// Statements up to `}`, which stays.
    pub fn statement_list(&mut self) -> Vec<StmtId> {
        let mut list = Vec::new();
        while !matches!(self.tok.kind, Tok::RBrace | Tok::Eof) {
            list.push(self.item_or_recover(false));
        }
        list
    }

    /// A statement of a `case`.
    pub fn case_item(&mut self) -> StmtId {
        self.item_or_recover(false)
    }

    fn item_or_recover(&mut self, top: bool) -> StmtId {
        let (ctx, depth, ops, labels) = (self.ctx, self.depth, self.ops.len(), self.labels.len());
        let start = self.start();
        let module_item = top && self.is_module() && matches!(self.tok.kind, Tok::Import | Tok::Export);
        let result = if module_item { self.module_item() } else { self.list_item() };
        result.unwrap_or_else(|Halt| {
            self.ctx = ctx;
            self.depth = depth;
            self.ops.truncate(ops);
            self.labels.truncate(labels);
            self.pending = None;
            self.recover(start);
            self.add_stmt(Stmt::Error, start)
        })
    }

    /// Skips to where a statement may begin.
    #[cold]
    fn recover(&mut self, start: u32) {
        let mut braces = 0u32;
        if self.lexer.sink.stopped {
            self.lexer.stop();
            self.bump();
            self.tok.kind = Tok::Eof;
            return;
        }
        loop {
            let moved = self.tok.span.start != start;
            match self.tok.kind {
                Tok::Eof => return,
                Tok::Semi if braces == 0 => {
                    self.bump();
                    return;
                }
                Tok::LBrace => braces += 1,
                Tok::RBrace if braces == 0 => {
                    if !moved {
                        self.bump();
                    }
                    return;
                }
                Tok::RBrace => braces -= 1,
                Tok::Template => {
                    self.lexer.template_piece(self.tok.span.start as usize + 1);
                }
                kind if braces == 0 && moved && self.tok.newline && begins_statement(kind) => return,
                _ => {}
            }
            self.bump();
        }
    }

    /// StatementListItem: a statement or a declaration.
    fn list_item(&mut self) -> Parse<StmtId> {
        self.enter()?;
        let async_function = self.at_async_function();
        let result = match self.tok.kind {
            Tok::Function => self.function_declaration(),
            Tok::Class => self.class_declaration(),
            Tok::Let | Tok::Const if !self.tok.escaped => self.lexical_declaration(),
            Tok::Ident if async_function => self.function_declaration(),
            _ => self.statement_inner(),
        };
        self.depth -= 1;
        result
    }

    pub fn at_async_function(&mut self) -> bool {
        if !self.is_async_word() {
            return false;
        }
        let next = self.peek();
        next.kind == Tok::Function && !next.newline
    }

    /// Statement, where no declaration may stand.
    pub fn statement(&mut self) -> Parse<StmtId> {
        self.enter()?;
        let declaration = match self.tok.kind {
            Tok::Function | Tok::Class | Tok::Const | Tok::Let => true,
            Tok::Ident => self.at_async_function(),
            _ => false,
        };
        let result = if declaration {
            let message = "a declaration cannot be the whole body of a statement";
            self.error_help("E-DECLARATION", self.tok.span, message, "put `{ }` around it");
            self.list_item()
        } else {
            self.statement_inner()
        };
        self.depth -= 1;
        result
    }

    fn statement_inner(&mut self) -> Parse<StmtId> {
        let start = self.start();
        match self.tok.kind {
            Tok::LBrace => self.block(),
            Tok::Semi => {
                self.bump();
                Ok(self.add_stmt(Stmt::Empty, start))
            }
            Tok::Var => self.var_statement(VarKind::Var),
            Tok::If => self.if_statement(),
            Tok::For => self.for_statement(),
            Tok::While => self.while_statement(),
            Tok::Do => self.do_statement(),
            Tok::Continue | Tok::Break => self.jump(),
            Tok::Return => self.return_statement(),
            Tok::Throw => self.throw_statement(),
            Tok::Switch => self.switch_statement(),
            Tok::Try => self.try_statement(),
            Tok::Debugger => {
                self.bump();
                self.semicolon()?;
                Ok(self.add_stmt(Stmt::Debugger, start))
            }
            Tok::With => {
                self.error_help(
                    "E-WITH",
                    self.tok.span,
                    "`with` is no part of strict code",
                    "name the object and write `object.name`",
                );
                Err(Halt)
            }
            Tok::Import => self.import_statement_or_expression(),
            Tok::Export => {
                self.error("E-MODULE", self.tok.span, "`export` stands at the top level of modules only");
                Err(Halt)
            }
            _ => self.expression_statement(),
        }
    }

    fn import_statement_or_expression(&mut self) -> Parse<StmtId> {
        if matches!(self.peek().kind, Tok::LParen | Tok::Dot) {
            return self.expression_statement();
        }
        self.error("E-MODULE", self.tok.span, "`import` stands at the top level of modules only");
        Err(Halt)
    }

    /// An expression statement, or a statement with labels.
    pub fn expression_statement(&mut self) -> Parse<StmtId> {
        let first = self.tok.kind;
        let start = self.start();
        let expr = self.expression()?;
        if self.at(Tok::Colon)
            && matches!(first, Tok::Ident | Tok::Await)
            && let Expr::Ident(r) = *self.tree.expr(expr)
        {
            return self.labelled(start, r);
        }
        self.finish_expression(start, expr)
    }

    fn finish_expression(&mut self, start: u32, expr: ExprId) -> Parse<StmtId> {
        self.discard(expr);
        self.semicolon()?;
        Ok(self.add_stmt(Stmt::Expr(expr), start))
    }

    /// `a: b: statement`; the current token is the first colon.
    fn labelled(&mut self, start: u32, first: RefId) -> Parse<StmtId> {
        let base = self.labels.len();
        let mut starts = vec![start];
        let depth = self.depth;
        self.push_label(first);
        let body = loop {
            self.bump();
            if let Err(halt) = self.enter() {
                self.depth = depth;
                return Err(halt);
            }
            if !matches!(self.tok.kind, Tok::Ident | Tok::Await) || self.at_async_function() {
                let is_loop = matches!(self.tok.kind, Tok::For | Tok::While | Tok::Do);
                for label in &mut self.labels[base..] {
                    label.1 = is_loop;
                }
                break self.statement()?;
            }
            let start = self.start();
            let expr = self.expression()?;
            match *self.tree.expr(expr) {
                Expr::Ident(r) if self.at(Tok::Colon) => {
                    starts.push(start);
                    self.push_label(r);
                }
                _ => break self.finish_expression(start, expr)?,
            }
        };
        self.depth = depth;
        let mut body = body;
        let names: Vec<NameId> = self.labels.drain(base..).map(|l| l.0).collect();
        for (label, start) in names.into_iter().zip(starts).rev() {
            body = self.add_stmt(Stmt::Labelled { label, body }, start);
        }
        Ok(body)
    }

    fn push_label(&mut self, r: RefId) {
        let (name, span) = (self.tree.reference(r).name, self.tree.reference(r).span);
        if self.labels[self.ctx.labels..].iter().any(|l| l.0 == name) {
            let message = format!("the label `{}` is taken by a statement around this one", self.show(name));
            self.error("E-LABEL", span, message);
        }
        self.labels.push((name, false));
    }

    /// `{ … }`
    #[inline(never)]
    pub fn block(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.expect(Tok::LBrace, "`{`")?;
        let (scope, body) = self.scoped(ScopeKind::Block, |p, scope| (scope, p.statement_list()));
        self.expect(Tok::RBrace, "`}`")?;
        Ok(self.add_stmt(Stmt::Block { scope, body }, start))
    }

    /// A chain of `else if` nests nothing.
    #[inline(never)]
    fn if_statement(&mut self) -> Parse<StmtId> {
        let mut arms = Vec::new();
        let mut other = None;
        loop {
            let start = self.start();
            self.bump();
            let test = self.condition()?;
            let then = self.statement()?;
            arms.push((start, test, then));
            if !self.eat(Tok::Else) {
                break;
            }
            if !self.at(Tok::If) {
                other = Some(self.statement()?);
                break;
            }
        }
        for (start, test, then) in arms.into_iter().rev() {
            other = Some(self.add_stmt(Stmt::If { test, then, other }, start));
        }
        other.ok_or(Halt)
    }

    /// `( expression )`
    pub fn condition(&mut self) -> Parse<ExprId> {
        self.expect(Tok::LParen, "`(`")?;
        let test = self.expression_in()?;
        self.expect(Tok::RParen, "`)`")?;
        Ok(test)
    }
}

fn begins_statement(kind: Tok) -> bool {
    matches!(
        kind,
        Tok::Var
            | Tok::Let
            | Tok::Const
            | Tok::Function
            | Tok::Class
            | Tok::If
            | Tok::For
            | Tok::While
            | Tok::Do
            | Tok::Switch
            | Tok::Return
            | Tok::Throw
            | Tok::Try
            | Tok::Import
            | Tok::Export
    )
}
