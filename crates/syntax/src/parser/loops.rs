//! Loops.
use super::stmt_simple::binding_kind;
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    fn loop_body(&mut self) -> Parse<StmtId> {
        let in_loop = std::mem::replace(&mut self.ctx.in_loop, true);
        let body = self.statement();
        self.ctx.in_loop = in_loop;
        body
    }

    pub fn while_statement(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        let test = self.condition()?;
        let body = self.loop_body()?;
        Ok(self.add_stmt(Stmt::While { test, body }, start))
    }

    pub fn do_statement(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        let body = self.loop_body()?;
        self.expect(Tok::While, "`while`")?;
        let test = self.condition()?;
        if !self.eat(Tok::Semi) {
            self.note_asi();
        }
        Ok(self.add_stmt(Stmt::DoWhile { body, test }, start))
    }

    #[inline(never)]
    pub fn for_statement(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        let mut is_await = false;
        if self.at(Tok::Await) {
            if !self.ctx.is_async {
                return self.unexpected("`(` (`for await` stands in async functions and modules)");
            }
            is_await = true;
            let span = self.bump().span;
            self.note_await(span);
        }
        self.expect(Tok::LParen, "`(`")?;
        let stmt = self.scoped(ScopeKind::Loop, |p, scope| p.for_rest(scope, is_await))?;
        if is_await && !matches!(stmt, Stmt::ForOf { .. }) {
            self.error("E-AWAIT", self.since(start), "`for await` needs `of`");
        }
        Ok(self.add_stmt(stmt, start))
    }

    fn for_rest(&mut self, scope: ScopeId, is_await: bool) -> Parse<Stmt> {
        let start = self.start();
        let kind = match self.tok.kind {
            Tok::Semi => return self.for_three(scope, None),
            Tok::Var => VarKind::Var,
            Tok::Let => VarKind::Let,
            Tok::Const => VarKind::Const,
            _ => return self.for_expression(scope, is_await),
        };
        self.bump();
        let no_in = std::mem::replace(&mut self.ctx.no_in, true);
        let target = self.binding_target(binding_kind(kind))?;
        if self.at(Tok::In) || self.at_word(w::OF) {
            self.ctx.no_in = no_in;
            return self.for_each(scope, Some(kind), target, is_await);
        }
        let decls = self.declarators(kind, target)?;
        self.ctx.no_in = no_in;
        if self.at(Tok::In) || self.at_word(w::OF) {
            self.error("E-FOR", self.since(start), "the variable of this loop is declared alone and without a value");
            return self.for_each(scope, Some(kind), target, is_await);
        }
        let init = self.add_stmt(Stmt::Var { kind, decls }, start);
        self.for_three(scope, Some(init))
    }

    fn for_expression(&mut self, scope: ScopeId, is_await: bool) -> Parse<Stmt> {
        let start = self.start();
        let async_first = self.is_async_word();
        let no_in = std::mem::replace(&mut self.ctx.no_in, true);
        let outer = self.pending.take();
        let head = self.assign_cover()?;
        if self.at(Tok::In) || self.at_word(w::OF) {
            self.ctx.no_in = no_in;
            self.pending = outer;
            if async_first && !is_await && self.at_word(w::OF) && matches!(self.tree.expr(head), Expr::Ident(_)) {
                self.error_help("E-FOR", self.expr_span(head), "`for (async of` is ambiguous", "choose another name");
            }
            let target = self.reinterpret_target(head);
            return self.for_each(scope, None, target, is_await);
        }
        self.report_pending();
        self.pending = outer;
        let init = if self.at(Tok::Comma) { self.sequence(start, head)? } else { head };
        self.ctx.no_in = no_in;
        self.discard(init);
        let init = self.add_stmt(Stmt::Expr(init), start);
        self.for_three(scope, Some(init))
    }

    /// From the first semicolon on.
    fn for_three(&mut self, scope: ScopeId, init: Option<StmtId>) -> Parse<Stmt> {
        self.expect(Tok::Semi, "`;`")?;
        let test = if self.at(Tok::Semi) { None } else { Some(self.expression_in()?) };
        self.expect(Tok::Semi, "`;`")?;
        let update = if self.at(Tok::RParen) { None } else { Some(self.expression_in()?) };
        if let Some(update) = update {
            self.discard(update);
        }
        self.expect(Tok::RParen, "`)`")?;
        let body = self.loop_body()?;
        Ok(Stmt::For { scope, init, test, update, body })
    }

    /// From `in` or `of` on.
    fn for_each(&mut self, scope: ScopeId, decl: Option<VarKind>, head: PatId, is_await: bool) -> Parse<Stmt> {
        let is_in = self.bump().kind == Tok::In;
        let object = if is_in { self.expression_in()? } else { self.assign_in()? };
        self.expect(Tok::RParen, "`)`")?;
        let body = self.loop_body()?;
        Ok(if is_in {
            Stmt::ForIn { scope, decl, head, object, body }
        } else {
            Stmt::ForOf { scope, decl, head, object, body, is_await }
        })
    }
}
