//! Declarations of variables, jumps, `switch`, `try`.
use super::{Halt, Parse, Parser};
use crate::ast::*;
use crate::lexer::Note;
use crate::lexer::token::Tok;

impl Parser<'_> {
    pub fn lexical_declaration(&mut self) -> Parse<StmtId> {
        let kind = if self.at(Tok::Let) { VarKind::Let } else { VarKind::Const };
        self.var_statement(kind)
    }

    #[inline(never)]
    pub fn var_statement(&mut self, kind: VarKind) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        let target = self.binding_target(binding_kind(kind))?;
        let decls = self.declarators(kind, target)?;
        self.semicolon()?;
        Ok(self.add_stmt(Stmt::Var { kind, decls }, start))
    }

    /// The declarators from behind the first target on.
    pub fn declarators(&mut self, kind: VarKind, first: PatId) -> Parse<Vec<Declarator>> {
        let mut decls = Vec::new();
        let mut target = first;
        loop {
            let init = if self.eat(Tok::Assign) { Some(self.assign()?) } else { None };
            let span = self.tree.pat_spans[target.index()];
            let pattern = !matches!(self.tree.pat(target), Pat::Binding(_) | Pat::Error);
            if init.is_none() && (pattern || kind == VarKind::Const) {
                let what = if pattern { "a pattern" } else { "a `const`" };
                self.error_help("E-INITIALISER", span, format!("{what} needs a value"), "write `= value` behind it");
            }
            decls.push(Declarator { target, init });
            if !self.eat(Tok::Comma) {
                return Ok(decls);
            }
            target = self.binding_target(binding_kind(kind))?;
        }
    }

    /// A line end where the operand of a jump could stand.
    fn note_line_end(&mut self, word: Span) {
        if self.tok.newline && !matches!(self.tok.kind, Tok::Semi | Tok::RBrace | Tok::Eof) {
            self.note(Note::LineAfterJump, word);
        }
    }

    /// `break` and `continue`.
    pub fn jump(&mut self) -> Parse<StmtId> {
        let start = self.start();
        let word = self.bump();
        let is_break = word.kind == Tok::Break;
        self.note_line_end(word.span);
        let mut label = None;
        if matches!(self.tok.kind, Tok::Ident | Tok::Await) && !self.tok.newline {
            let token = self.bump();
            self.check_identifier(token.name, token.span);
            label = Some(token.name);
            let known = self.labels[self.ctx.labels..].iter().find(|l| l.0 == token.name).copied();
            match known {
                None => {
                    let message = format!("no statement around this one has the label `{}`", self.show(token.name));
                    self.error("E-LABEL", token.span, message);
                }
                Some((_, false)) if !is_break => {
                    let message = format!("`{}` labels no loop", self.show(token.name));
                    self.error("E-LABEL", token.span, message);
                }
                _ => {}
            }
        } else if !(self.ctx.in_loop || is_break && self.ctx.in_switch) {
            let message = if is_break { "`break` outside a loop or switch" } else { "`continue` outside a loop" };
            self.error("E-JUMP", word.span, message);
        }
        self.semicolon()?;
        Ok(self.add_stmt(if is_break { Stmt::Break(label) } else { Stmt::Continue(label) }, start))
    }

    pub fn return_statement(&mut self) -> Parse<StmtId> {
        let start = self.start();
        let word = self.bump().span;
        if !self.ctx.can_return {
            self.error("E-RETURN", word, "`return` stands in functions only");
        }
        self.note_line_end(word);
        let ends = matches!(self.tok.kind, Tok::Semi | Tok::RBrace | Tok::Eof) || self.tok.newline;
        let value = if ends { None } else { Some(self.expression()?) };
        self.semicolon()?;
        Ok(self.add_stmt(Stmt::Return(value), start))
    }

    pub fn throw_statement(&mut self) -> Parse<StmtId> {
        let start = self.start();
        let word = self.bump().span;
        if self.tok.newline {
            self.error("E-THROW", word, "what is thrown stands on the line of `throw`");
            return Err(Halt);
        }
        let value = self.expression()?;
        self.semicolon()?;
        Ok(self.add_stmt(Stmt::Throw(value), start))
    }

    #[inline(never)]
    pub fn switch_statement(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        let on = self.condition()?;
        self.expect(Tok::LBrace, "`{`")?;
        let in_switch = std::mem::replace(&mut self.ctx.in_switch, true);
        let (scope, cases) = self.scoped(ScopeKind::Switch, |p, scope| (scope, p.cases()));
        self.ctx.in_switch = in_switch;
        let cases = cases?;
        self.expect(Tok::RBrace, "`}`")?;
        Ok(self.add_stmt(Stmt::Switch { scope, on, cases }, start))
    }

    fn cases(&mut self) -> Parse<Vec<Case>> {
        let mut cases: Vec<Case> = Vec::new();
        while !matches!(self.tok.kind, Tok::RBrace | Tok::Eof) {
            let word = self.tok.span;
            let test = if self.eat(Tok::Default) {
                if cases.iter().any(|c| c.test.is_none()) {
                    self.error("E-SWITCH", word, "`default` is given twice");
                }
                None
            } else {
                self.expect(Tok::Case, "`case`, `default` or `}`")?;
                Some(self.expression_in()?)
            };
            self.expect(Tok::Colon, "`:`")?;
            let mut body = Vec::new();
            while !matches!(self.tok.kind, Tok::RBrace | Tok::Eof | Tok::Case | Tok::Default) {
                body.push(self.case_item());
            }
            cases.push(Case { test, body });
        }
        Ok(cases)
    }

    #[inline(never)]
    pub fn try_statement(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        let block = self.block()?;
        let mut handler = None;
        if self.eat(Tok::Catch) {
            handler = Some(self.scoped(ScopeKind::Catch, |p, scope| p.catch(scope))?);
        }
        let finalizer = if self.eat(Tok::Finally) { Some(self.block()?) } else { None };
        if handler.is_none() && finalizer.is_none() {
            return self.unexpected("`catch` or `finally`");
        }
        Ok(self.add_stmt(Stmt::Try { block, handler, finalizer }, start))
    }

    fn catch(&mut self, scope: ScopeId) -> Parse<Catch> {
        let mut param = None;
        if self.eat(Tok::LParen) {
            param = Some(self.binding_target(BindingKind::Catch)?);
            self.expect(Tok::RParen, "`)`")?;
        }
        let body = self.block()?;
        Ok(Catch { scope, param, body })
    }
}

pub(crate) fn binding_kind(kind: VarKind) -> BindingKind {
    match kind {
        VarKind::Var => BindingKind::Var,
        VarKind::Let => BindingKind::Let,
        VarKind::Const => BindingKind::Const,
    }
}
