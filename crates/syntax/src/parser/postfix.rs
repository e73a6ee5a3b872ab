//! Member access, calls, tagged templates, optional chains, eventual sends, `new`, postfix `++`: a loop, not a descent.
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    pub fn postfix(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let expr = self.left_hand_side()?;
        if matches!(self.tok.kind, Tok::PlusPlus | Tok::MinusMinus) && !self.tok.newline && !self.is_arrow(expr) {
            self.check_simple_target(expr);
            let inc = self.bump().kind == Tok::PlusPlus;
            let target = self.without_parens(expr);
            return Ok(self.expr_from(Expr::Update { inc, prefix: false, target }, start));
        }
        Ok(expr)
    }

    /// LeftHandSideExpression.
    pub fn left_hand_side(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let first = match self.tok.kind {
            Tok::New => self.new_expression()?,
            Tok::Super => self.super_form()?,
            _ => self.primary()?,
        };
        if matches!(
            self.tok.kind,
            Tok::Dot | Tok::LBracket | Tok::LParen | Tok::Template | Tok::QuestionDot | Tok::TildeDot | Tok::Bang
        ) && !self.is_arrow(first)
        {
            return self.tails(start, first);
        }
        Ok(first)
    }

    #[inline(never)]
    fn tails(&mut self, start: u32, first: ExprId) -> Parse<ExprId> {
        let mut expr = first;
        let mut in_chain = false;
        loop {
            expr = match self.tok.kind {
                Tok::Dot | Tok::LBracket => self.member_tail(start, expr)?,
                Tok::LParen => {
                    let async_arrow = start == self.arrow_at && expr == first && self.is_async_ident(expr);
                    if async_arrow {
                        let (result, arrow) = self.async_call_or_arrow(start, expr)?;
                        if arrow {
                            return Ok(result);
                        }
                        result
                    } else {
                        let args = self.arguments()?;
                        self.expr_from(Expr::Call { callee: expr, args, optional: false }, start)
                    }
                }
                Tok::Template => {
                    if in_chain {
                        self.error("E-CHAIN", self.tok.span, "a template cannot be tagged with an optional chain");
                    }
                    let (quasis, exprs) = self.template_parts(true)?;
                    self.expr_from(Expr::TaggedTemplate { tag: expr, quasis, exprs }, start)
                }
                Tok::QuestionDot => {
                    in_chain = true;
                    self.bump();
                    self.optional_tail(start, expr)?
                }
                Tok::TildeDot => {
                    let target = if in_chain { self.expr_from(Expr::Chain(expr), start) } else { expr };
                    in_chain = false;
                    self.bump();
                    self.send(start, target)?
                }
                Tok::Bang if self.dialect_2013 && !self.tok.newline => {
                    let target = if in_chain { self.expr_from(Expr::Chain(expr), start) } else { expr };
                    in_chain = false;
                    self.bump();
                    self.send(start, target)?
                }
                _ => break,
            };
        }
        Ok(if in_chain { self.expr_from(Expr::Chain(expr), start) } else { expr })
    }

    /// `.name`, `.#name`, `[index]`.
    fn member_tail(&mut self, start: u32, object: ExprId) -> Parse<ExprId> {
        if self.at(Tok::LBracket) {
            self.bump();
            let index = self.expression_in()?;
            self.expect(Tok::RBracket, "`]`")?;
            return Ok(self.expr_from(Expr::Index { object, index, optional: false }, start));
        }
        self.bump();
        self.name_tail(start, object, false)
    }

    fn name_tail(&mut self, start: u32, object: ExprId, optional: bool) -> Parse<ExprId> {
        let token = self.tok;
        if token.kind == Tok::Private {
            self.bump();
            return Ok(self.expr_from(Expr::Private { object, name: token.name, optional }, start));
        }
        let name = self.property_word()?;
        Ok(self.expr_from(Expr::Member { object, name, optional }, start))
    }

    /// Any identifier, reserved or not.
    pub fn property_word(&mut self) -> Parse<NameId> {
        if self.tok.is_word() {
            return Ok(self.bump().name);
        }
        self.unexpected("a property name")
    }

    fn optional_tail(&mut self, start: u32, object: ExprId) -> Parse<ExprId> {
        match self.tok.kind {
            Tok::LParen => {
                let args = self.arguments()?;
                Ok(self.expr_from(Expr::Call { callee: object, args, optional: true }, start))
            }
            Tok::LBracket => {
                self.bump();
                let index = self.expression_in()?;
                self.expect(Tok::RBracket, "`]`")?;
                Ok(self.expr_from(Expr::Index { object, index, optional: true }, start))
            }
            Tok::Template => {
                self.error("E-CHAIN", self.tok.span, "a template cannot be tagged with an optional chain");
                Ok(object)
            }
            _ => self.name_tail(start, object, true),
        }
    }

    /// What follows `~.`: one send.
    fn send(&mut self, start: u32, target: ExprId) -> Parse<ExprId> {
        let (form, args) = match self.tok.kind {
            Tok::LParen => (SendForm::Apply, self.arguments()?),
            Tok::LBracket => {
                self.bump();
                let index = self.expression_in()?;
                self.expect(Tok::RBracket, "`]`")?;
                if self.at(Tok::LParen) {
                    (SendForm::MethodIndex(index), self.arguments()?)
                } else {
                    (SendForm::GetIndex(index), Vec::new())
                }
            }
            Tok::Template => {
                let help = "write `~.(…)` with an ordinary template as argument";
                self.error_help("JS-064", self.tok.span, "a send cannot be a tagged template", help);
                return Err(super::Halt);
            }
            _ if self.tok.is_word() => {
                let name = self.bump().name;
                if self.at(Tok::LParen) { (SendForm::Method(name), self.arguments()?) } else { (SendForm::Get(name), Vec::new()) }
            }
            _ => return self.unexpected("a property name, `[` or `(` after `~.`"),
        };
        Ok(self.expr_from(Expr::Send { target, form, args, send_only: false }, start))
    }

    pub fn is_async_ident(&self, id: ExprId) -> bool {
        match self.tree.expr(id) {
            Expr::Ident(r) => {
                let r = self.tree.reference(*r);
                r.name == w::ASYNC && r.span.end - r.span.start == 5
            }
            _ => false,
        }
    }

    /// `async (…)`: a call, or with `=>` behind it a function.
    fn async_call_or_arrow(&mut self, start: u32, callee: ExprId) -> Parse<(ExprId, bool)> {
        let same_line = !self.tok.newline;
        let open = self.tok.span;
        let await_name = self.await_name_at.take();
        let suspend = self.suspend_at.take();
        let outer = self.pending.take();
        let no_in = std::mem::replace(&mut self.ctx.no_in, false);
        let args = self.arguments_cover();
        self.ctx.no_in = no_in;
        let args = args?;
        let call = self.expr_from(Expr::Call { callee, args: args.0, optional: false }, start);
        if same_line && self.at(Tok::Arrow) {
            self.pending = None;
            if args.1 {
                self.error("E-SYNTAX", self.since(open.start), "nothing follows a rest parameter");
            }
            let Expr::Call { args, .. } = std::mem::replace(&mut self.tree.exprs[call.index()], Expr::Error) else {
                return Err(super::Halt);
            };
            let arrow = self.arrow(start, args, true)?;
            self.await_name_at = self.await_name_at.or(await_name);
            self.suspend_at = suspend;
            self.pending = outer;
            return Ok((arrow, true));
        }
        self.report_pending();
        self.pending = outer;
        self.await_name_at = self.await_name_at.or(await_name);
        self.suspend_at = self.suspend_at.or(suspend);
        Ok((call, false))
    }

    /// `( … )` after a callee.
    pub fn arguments(&mut self) -> Parse<Vec<Element>> {
        let no_in = std::mem::replace(&mut self.ctx.no_in, false);
        let outer = self.pending.take();
        let result = self.arguments_inner();
        self.ctx.no_in = no_in;
        self.pending = outer;
        result
    }

    fn arguments_inner(&mut self) -> Parse<Vec<Element>> {
        self.expect(Tok::LParen, "`(`")?;
        let mut args = Vec::new();
        while !self.at(Tok::RParen) {
            let spread = self.eat(Tok::Ellipsis);
            let item = self.assign()?;
            args.push(if spread { Element::Spread(item) } else { Element::Item(item) });
            if !self.at(Tok::RParen) {
                self.expect(Tok::Comma, "`,` or `)`")?;
            }
        }
        self.bump();
        Ok(args)
    }

    /// Arguments that may turn out to be parameters; also whether a comma follows a final spread.
    fn arguments_cover(&mut self) -> Parse<(Vec<Element>, bool)> {
        self.expect(Tok::LParen, "`(`")?;
        let (mut args, mut after_spread) = (Vec::new(), false);
        while !self.at(Tok::RParen) {
            let spread = self.eat(Tok::Ellipsis);
            let item = self.assign_cover()?;
            args.push(if spread { Element::Spread(item) } else { Element::Item(item) });
            if !self.at(Tok::RParen) {
                self.expect(Tok::Comma, "`,` or `)`")?;
                after_spread = spread && self.at(Tok::RParen);
            }
        }
        self.bump();
        Ok((args, after_spread))
    }

    /// `new X(…)`, `new X`, `new.target`.
    #[inline(never)]
    fn new_expression(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let word = self.bump().span;
        if self.eat(Tok::Dot) {
            let escaped = self.tok.escaped;
            let known = self.tok.kind == Tok::Ident && self.tok.name == w::TARGET;
            if !known || escaped {
                return self.unexpected("`target`");
            }
            self.bump();
            if !self.ctx.new_target {
                self.error("E-NEW-TARGET", self.since(word.start), "`new.target` stands in functions only");
            }
            return Ok(self.expr_from(Expr::NewTarget, start));
        }
        self.enter()?;
        let callee = self.new_callee();
        self.depth -= 1;
        let callee = callee?;
        let args = if self.at(Tok::LParen) { self.arguments()? } else { Vec::new() };
        Ok(self.expr_from(Expr::New { callee, args }, start))
    }

    fn new_callee(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let mut expr = match self.tok.kind {
            Tok::New => self.new_expression()?,
            Tok::Super => self.super_form()?,
            Tok::Import => {
                let span = self.tok.span;
                let expr = self.primary()?;
                if matches!(self.tree.expr(expr), Expr::ImportCall { .. }) {
                    self.error("E-SYNTAX", span, "`import(…)` makes no object; `new` cannot stand before it");
                }
                expr
            }
            _ => self.primary()?,
        };
        loop {
            expr = match self.tok.kind {
                Tok::Dot | Tok::LBracket => self.member_tail(start, expr)?,
                Tok::Template => {
                    let (quasis, exprs) = self.template_parts(true)?;
                    self.expr_from(Expr::TaggedTemplate { tag: expr, quasis, exprs }, start)
                }
                Tok::QuestionDot | Tok::TildeDot => {
                    let help = "put parentheses around what `new` is to make";
                    let message = "an optional chain or a send cannot be what `new` makes an object of";
                    self.error_help("E-CHAIN", self.tok.span, message, help);
                    return Err(super::Halt);
                }
                _ => return Ok(expr),
            };
        }
    }

    /// `super.name`, `super[index]`, `super(…)`.
    #[inline(never)]
    fn super_form(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let span = self.bump().span;
        match self.tok.kind {
            Tok::LParen => {
                if !self.ctx.super_call {
                    let message = "`super(…)` stands in the constructor of a class that extends another";
                    self.error("E-SUPER", span, message);
                }
                let args = self.arguments()?;
                return Ok(self.expr_from(Expr::SuperCall { args }, start));
            }
            Tok::Dot | Tok::LBracket => {}
            _ => return self.unexpected("`.`, `[` or `(` after `super`"),
        }
        if !self.ctx.super_property {
            self.error("E-SUPER", span, "`super` stands in methods only");
        }
        if self.eat(Tok::LBracket) {
            let index = self.expression_in()?;
            self.expect(Tok::RBracket, "`]`")?;
            return Ok(self.expr_from(Expr::SuperIndex { index }, start));
        }
        self.bump();
        let name = self.property_word()?;
        Ok(self.expr_from(Expr::SuperMember { name }, start))
    }
}
