//! Primary expressions: literals, names, templates, `import(…)`.
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    pub fn primary(&mut self) -> Parse<ExprId> {
        let token = self.tok;
        let expr = match token.kind {
            Tok::Ident | Tok::Await => return self.identifier_or_arrow(),
            Tok::Number => Expr::Number(token.number),
            Tok::String => Expr::String(token.name),
            Tok::BigInt => Expr::BigInt(token.name),
            Tok::Null => Expr::Null,
            Tok::True => Expr::Bool(true),
            Tok::False => Expr::Bool(false),
            Tok::This => Expr::This,
            Tok::LParen => return self.paren(),
            Tok::LBracket => return self.array_literal(),
            Tok::LBrace => return self.object_literal(),
            Tok::Function => return self.function_expression(false),
            Tok::Class => return self.class_expression(),
            Tok::Template => {
                let (quasis, exprs) = self.template_parts(false)?;
                return Ok(self.expr_from(Expr::Template { quasis, exprs }, token.span.start));
            }
            Tok::Slash | Tok::SlashAssign => return self.regexp(),
            Tok::Import => return self.import_expression(),
            Tok::Let | Tok::Static | Tok::Yield | Tok::Reserved | Tok::EscapedKeyword => {
                self.reserved_name();
                self.bump();
                let r = self.add_ref(token.name, token.span);
                return Ok(self.add_expr(Expr::Ident(r), token.span));
            }
            _ => return self.unexpected("an expression"),
        };
        self.bump();
        Ok(self.add_expr(expr, token.span))
    }

    #[cold]
    pub fn reserved_name(&mut self) {
        let message = format!("`{}` is reserved and cannot be a name", self.show(self.tok.name));
        self.error_help("E-RESERVED", self.tok.span, message, "choose another name");
    }

    /// Reports uses of `await` and `arguments` that are not allowed here.
    pub fn check_identifier(&mut self, name: NameId, span: Span) {
        if name == w::AWAIT {
            if self.is_module() || self.ctx.await_reserved {
                let help = "make the function `async`, or choose another name";
                self.error_help("E-RESERVED", span, "`await` is reserved here", help);
            }
            self.await_name_at = Some(span);
        }
    }

    fn identifier_or_arrow(&mut self) -> Parse<ExprId> {
        let at_start = self.start() == self.arrow_at;
        let token = self.tok;
        if self.is_async_word() {
            let next = self.peek();
            if next.kind == Tok::Function && !next.newline {
                return self.function_expression(true);
            }
            let name = matches!(next.kind, Tok::Ident | Tok::Await | Tok::Yield | Tok::Let | Tok::Static | Tok::Reserved);
            if at_start && name && !next.newline && !(next.kind == Tok::Ident && next.name == w::OF && !self.of_is_parameter()) {
                return self.async_name_arrow();
            }
        }
        self.bump();
        self.check_identifier(token.name, token.span);
        if token.name == w::ARGUMENTS && self.ctx.no_arguments {
            let message = "`arguments` cannot stand in a field's initialiser or a static block";
            self.error("E-ARGUMENTS", token.span, message);
        }
        let r = self.add_ref(token.name, token.span);
        let expr = self.add_expr(Expr::Ident(r), token.span);
        if at_start && self.at(Tok::Arrow) {
            return self.arrow(token.span.start, vec![Element::Item(expr)], false);
        }
        Ok(expr)
    }

    /// `async of =>`, as against `for (async of …`.
    fn of_is_parameter(&mut self) -> bool {
        let mark = self.lexer.mark();
        self.lexer.next_token();
        let arrow = self.lexer.next_token().kind == Tok::Arrow;
        self.lexer.reset(mark);
        arrow
    }

    /// `async x => …`.
    fn async_name_arrow(&mut self) -> Parse<ExprId> {
        let start = self.start();
        self.bump();
        let token = self.tok;
        if matches!(token.kind, Tok::Ident | Tok::Await) {
            self.await_name_at = None;
            self.check_identifier(token.name, token.span);
        } else {
            self.reserved_name();
        }
        self.bump();
        let r = self.add_ref(token.name, token.span);
        let expr = self.add_expr(Expr::Ident(r), token.span);
        if !self.at(Tok::Arrow) {
            return self.unexpected("`=>`");
        }
        self.arrow(start, vec![Element::Item(expr)], true)
    }

    fn regexp(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let (body, flags) = self.lexer.regexp(start as usize);
        let end = self.lexer.pos as u32;
        self.tok.span.end = end;
        self.bump();
        Ok(self.expr_from(Expr::RegExp { body, flags }, start))
    }

    /// The pieces of a template; the current token is its backquote.
    #[inline(never)]
    pub fn template_parts(&mut self, tagged: bool) -> Parse<(Vec<Quasi>, Vec<ExprId>)> {
        let (mut quasis, mut exprs) = (Vec::new(), Vec::new());
        let mut from = self.start() as usize + 1;
        loop {
            let piece = self.lexer.template_piece(from);
            if let Some(span) = piece.malformed.filter(|_| !tagged) {
                self.error("E-ESCAPE", span, "this escape is malformed");
            }
            quasis.push(piece.quasi);
            self.tok.span.end = self.lexer.pos as u32;
            if piece.last {
                self.bump();
                return Ok((quasis, exprs));
            }
            self.bump();
            exprs.push(self.expression_in()?);
            if !self.at(Tok::RBrace) {
                return self.unexpected("`}`");
            }
            from = self.start() as usize + 1;
        }
    }

    /// `import(…)` and `import.meta`.
    #[inline(never)]
    fn import_expression(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let word = self.bump().span;
        if self.eat(Tok::Dot) {
            if !self.at_word(w::META) {
                return self.unexpected("`meta`");
            }
            self.bump();
            if !self.is_module() {
                self.error("E-IMPORT-META", self.since(word.start), "`import.meta` stands in modules only");
            }
            return Ok(self.expr_from(Expr::ImportMeta, start));
        }
        self.expect(Tok::LParen, "`(` or `.`")?;
        let specifier = self.assign_in()?;
        let mut options = None;
        if self.eat(Tok::Comma) && !self.at(Tok::RParen) {
            options = Some(self.assign_in()?);
            self.eat(Tok::Comma);
        }
        self.expect(Tok::RParen, "`)`")?;
        Ok(self.expr_from(Expr::ImportCall { specifier, options }, start))
    }
}
