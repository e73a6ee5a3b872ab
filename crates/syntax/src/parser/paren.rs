//! `( … )`: an expression in parentheses, or the parameters of an arrow function; and arrow functions themselves.
//!
//! Invariant: nothing is read twice. Parameters are read as expressions and reinterpreted when `=>` is seen.
use super::{Halt, Parse, Parser};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    #[inline(never)]
    pub fn paren(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let arrow_allowed = start == self.arrow_at;
        let outer = self.pending.take();
        let await_name = self.await_name_at.take();
        let suspend = self.suspend_at.take();
        let no_in = std::mem::replace(&mut self.ctx.no_in, false);
        self.bump();
        let items = self.paren_items();
        self.ctx.no_in = no_in;
        let (items, arrow_only, inner_from) = items?;
        let inner_end = self.prev_end;
        self.bump();
        if self.at(Tok::Arrow) && arrow_allowed {
            self.pending = None;
            let arrow = self.arrow(start, items, false)?;
            self.pending = outer;
            self.await_name_at = self.await_name_at.or(await_name);
            self.suspend_at = suspend;
            return Ok(arrow);
        }
        self.report_pending();
        self.pending = outer;
        self.await_name_at = self.await_name_at.or(await_name);
        self.suspend_at = self.suspend_at.or(suspend);
        if arrow_only {
            return self.unexpected("`=>`");
        }
        let inner = match items[..] {
            [Element::Item(only)] => only,
            _ => {
                let list: Vec<ExprId> =
                    items.iter().filter_map(|e| if let Element::Item(e) = e { Some(*e) } else { None }).collect();
                for &item in &list[..list.len() - 1] {
                    self.discard(item);
                }
                self.add_expr(Expr::Sequence(list), Span { start: inner_from, end: inner_end })
            }
        };
        Ok(self.expr_from(Expr::Paren(inner), start))
    }

    /// The items up to `)`, whether only parameters can look like this, and where they begin.
    fn paren_items(&mut self) -> Parse<(Vec<Element>, bool, u32)> {
        let from = self.start();
        let mut items = Vec::new();
        let mut arrow_only = self.at(Tok::RParen);
        while !self.at(Tok::RParen) {
            if self.eat(Tok::Ellipsis) {
                let item = self.assign_cover()?;
                items.push(Element::Spread(item));
                arrow_only = true;
                if !self.at(Tok::RParen) {
                    return self.unexpected("`)` (nothing follows a rest parameter)");
                }
                break;
            }
            items.push(Element::Item(self.assign_cover()?));
            if !self.at(Tok::RParen) {
                self.expect(Tok::Comma, "`,` or `)`")?;
                arrow_only |= self.at(Tok::RParen);
            }
        }
        Ok((items, arrow_only, from))
    }

    /// The current token is `=>`; `items` are its parameters, read as expressions.
    #[inline(never)]
    pub fn arrow(&mut self, start: u32, items: Vec<Element>, is_async: bool) -> Parse<ExprId> {
        if self.tok.newline {
            self.error_help("E-ARROW", self.tok.span, "`=>` stands on the line of its parameters", "join the lines");
        }
        let func = self.new_function(FuncKind::Arrow, start);
        self.tree.functions[func.index()].is_async = is_async;
        if let Some(span) = self.suspend_at.filter(|s| s.start >= start) {
            self.error("E-PARAMS", span, "`await` and `yield` cannot stand in parameters");
        }
        if let Some(span) = self.await_name_at.filter(|s| is_async && s.start >= start) {
            self.error("E-RESERVED", span, "`await` is reserved in async functions");
        }
        let saved = self.ctx;
        let outer_suspend = self.suspend_at;
        let outer_await_name = self.await_name_at;
        let mut ctx = self.function_ctx(func);
        ctx.super_property = saved.super_property;
        ctx.super_call = saved.super_call;
        ctx.new_target = saved.new_target;
        ctx.no_arguments = saved.no_arguments;
        ctx.await_reserved = is_async;
        ctx.no_in = saved.no_in;
        self.ctx = ctx;
        self.arrow_params(func, items);
        self.ctx.in_params = false;
        self.ctx.scope = self.tree.func(func).body_scope;
        self.bump();
        let body = if self.at(Tok::LBrace) {
            self.ctx.no_in = false;
            self.function_body(func).map(Body::Block)
        } else {
            self.ctx.can_return = false;
            self.assign().map(Body::Expr)
        };
        self.ctx = saved;
        self.suspend_at = outer_suspend;
        self.await_name_at = outer_await_name;
        let body = body?;
        let span = self.since(start);
        let f = &mut self.tree.functions[func.index()];
        f.body = body;
        f.span = span;
        Ok(self.add_expr(Expr::Function(func), span))
    }

    fn arrow_params(&mut self, func: FuncId, items: Vec<Element>) {
        let (mut params, mut rest) = (Vec::new(), None);
        for item in items {
            match item {
                Element::Item(e) => {
                    let pat = self.reinterpret_binding(e, BindingKind::Param);
                    params.push(pat);
                }
                Element::Spread(e) => {
                    if matches!(self.tree.expr(e), Expr::Assign { .. }) {
                        self.error("E-PARAMS", self.expr_span(e), "a rest parameter has no default");
                    }
                    rest = Some(self.reinterpret_binding(e, BindingKind::Param));
                }
                Element::Hole => {}
            }
        }
        self.set_params(func, params, rest);
    }

    /// `function`, `async function`, with or without a name, as an expression.
    #[inline(never)]
    pub fn function_expression(&mut self, is_async: bool) -> Parse<ExprId> {
        let start = self.start();
        if is_async {
            self.bump();
        }
        self.bump();
        let is_generator = self.eat(Tok::Star);
        let func = self.function_with_own_name(start, is_async, is_generator)?;
        let span = self.since(start);
        if self.tree.func(func).span.end == start {
            return Err(Halt);
        }
        Ok(self.add_expr(Expr::Function(func), span))
    }
}
