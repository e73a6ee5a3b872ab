//! Assignment, conditional, unary and sequence expressions.
use super::{Parse, Parser, join, well_known as w};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    /// `a, b`: Expression.
    pub fn expression(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let first = self.assign()?;
        if !self.at(Tok::Comma) { Ok(first) } else { self.sequence(start, first) }
    }

    pub fn sequence(&mut self, start: u32, first: ExprId) -> Parse<ExprId> {
        let mut items = vec![first];
        while self.eat(Tok::Comma) {
            self.discard(items[items.len() - 1]);
            items.push(self.assign()?);
        }
        Ok(self.expr_from(Expr::Sequence(items), start))
    }

    /// An expression in which `in` is an operator again.
    pub fn expression_in(&mut self) -> Parse<ExprId> {
        let no_in = std::mem::replace(&mut self.ctx.no_in, false);
        let result = self.expression();
        self.ctx.no_in = no_in;
        result
    }

    pub fn assign_in(&mut self) -> Parse<ExprId> {
        let no_in = std::mem::replace(&mut self.ctx.no_in, false);
        let result = self.assign();
        self.ctx.no_in = no_in;
        result
    }

    /// AssignmentExpression.
    pub fn assign(&mut self) -> Parse<ExprId> {
        let outer = self.pending.take();
        let result = self.assign_cover();
        self.report_pending();
        self.pending = outer;
        result
    }

    /// What only a pattern may have is left in `pending` if the result is a bare literal.
    pub fn assign_cover(&mut self) -> Parse<ExprId> {
        self.enter()?;
        let result = self.assign_inner();
        self.depth -= 1;
        result
    }

    pub fn report_pending(&mut self) {
        if let Some((span, message)) = self.pending.take() {
            self.error("E-SYNTAX", span, message);
        }
    }

    fn assign_inner(&mut self) -> Parse<ExprId> {
        let start = self.start();
        if self.at(Tok::Yield) && self.ctx.is_generator {
            return self.yield_expr();
        }
        self.arrow_at = start;
        let outer = self.pending.take();
        let left = self.conditional()?;
        let literal = matches!(self.tree.expr(left), Expr::Array(_) | Expr::Object(_));
        let result = if self.tok.kind as u8 >= Tok::Assign as u8 && self.tok.kind as u8 <= Tok::QuestionQuestionAssign as u8 {
            if literal && self.at(Tok::Assign) {
                self.pending = None;
            }
            self.assignment(start, left)?
        } else {
            left
        };
        if self.pending.is_some() && (!literal || result != left) {
            self.report_pending();
        }
        self.pending = outer.or(self.pending);
        Ok(result)
    }

    fn assignment(&mut self, start: u32, left: ExprId) -> Parse<ExprId> {
        let op = self.tok.kind;
        if op == Tok::Assign {
            let target = self.reinterpret_target(left);
            self.bump();
            let value = self.assign()?;
            return Ok(self.expr_from(Expr::Assign { target, value }, start));
        }
        self.check_simple_target(left);
        self.bump();
        let value = self.assign()?;
        let target = self.without_parens(left);
        let expr = match op {
            Tok::AmpAmpAssign => Expr::AssignLogical { op: LogicalOp::And, target, value },
            Tok::BarBarAssign => Expr::AssignLogical { op: LogicalOp::Or, target, value },
            Tok::QuestionQuestionAssign => Expr::AssignLogical { op: LogicalOp::Coalesce, target, value },
            _ => Expr::AssignOp { op: compound(op), target, value },
        };
        Ok(self.expr_from(expr, start))
    }

    #[inline(never)]
    fn yield_expr(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let span = self.bump().span;
        if self.ctx.in_params {
            self.error("E-YIELD", span, "`yield` cannot stand in parameters");
        }
        self.suspend_at = Some(span);
        let mut delegate = false;
        let ends = matches!(
            self.tok.kind,
            Tok::RParen | Tok::RBracket | Tok::RBrace | Tok::Comma | Tok::Semi | Tok::Colon | Tok::Eof | Tok::In
        );
        let arg = if self.tok.newline || ends {
            None
        } else {
            delegate = self.eat(Tok::Star);
            Some(self.assign()?)
        };
        Ok(self.expr_from(Expr::Yield { arg, delegate }, start))
    }

    fn conditional(&mut self) -> Parse<ExprId> {
        let start = self.start();
        let test = self.binary()?;
        if !self.at(Tok::Question) || self.is_arrow(test) {
            return Ok(test);
        }
        self.bump();
        let then = self.assign_in()?;
        self.expect(Tok::Colon, "`:`")?;
        let other = self.assign()?;
        Ok(self.expr_from(Expr::Cond { test, then, other }, start))
    }

    /// An arrow function without parentheses ends the expression it stands in.
    pub fn is_arrow(&self, id: ExprId) -> bool {
        matches!(self.tree.expr(id), Expr::Function(f) if self.tree.func(*f).kind == FuncKind::Arrow)
    }

    pub fn unary(&mut self) -> Parse<ExprId> {
        let op = match self.tok.kind {
            Tok::Minus => UnaryOp::Neg,
            Tok::Plus => UnaryOp::Plus,
            Tok::Bang => UnaryOp::Not,
            Tok::Tilde => UnaryOp::BitNot,
            Tok::TypeOf => UnaryOp::TypeOf,
            Tok::Void => UnaryOp::Void,
            Tok::Delete => UnaryOp::Delete,
            Tok::PlusPlus | Tok::MinusMinus | Tok::Await => return self.other_prefix(),
            _ => return self.postfix(),
        };
        self.enter()?;
        let start = self.start();
        self.bump();
        let arg = self.unary();
        self.depth -= 1;
        let arg = arg?;
        let span = join(Span { start, end: start }, self.expr_span(arg));
        match op {
            UnaryOp::Delete => self.check_delete(arg, span),
            UnaryOp::Void => self.discard(arg),
            _ => {}
        }
        Ok(self.add_expr(Expr::Unary { op, arg }, span))
    }

    /// `++x`, `--x`, `await x`.
    #[inline(never)]
    fn other_prefix(&mut self) -> Parse<ExprId> {
        if self.at(Tok::Await) && !self.await_is_operator() {
            return self.postfix();
        }
        self.enter()?;
        let start = self.start();
        let token = self.bump();
        let arg = self.unary();
        self.depth -= 1;
        let arg = arg?;
        let expr = if token.kind == Tok::Await {
            self.note_await(token.span);
            Expr::Await(arg)
        } else {
            self.check_simple_target(arg);
            Expr::Update { inc: token.kind == Tok::PlusPlus, prefix: true, target: self.without_parens(arg) }
        };
        Ok(self.expr_from(expr, start))
    }

    fn await_is_operator(&self) -> bool {
        self.ctx.is_async && !self.tok.escaped
    }

    pub fn note_await(&mut self, span: Span) {
        if self.ctx.in_params {
            self.error("E-AWAIT", span, "`await` cannot stand in parameters");
        }
        self.suspend_at = Some(span);
        if self.ctx.func.0 == 0 {
            self.tree.module.has_top_level_await = true;
        }
    }

    pub fn without_parens(&self, mut id: ExprId) -> ExprId {
        while let Expr::Paren(inner) = self.tree.expr(id) {
            id = *inner;
        }
        id
    }

    fn check_delete(&mut self, arg: ExprId, span: Span) {
        let inner = self.without_parens(arg);
        let chain_end = if let Expr::Chain(e) = self.tree.expr(inner) { *e } else { inner };
        match self.tree.expr(inner) {
            Expr::Ident(_) => self.error("E-DELETE", span, "a variable cannot be deleted"),
            Expr::Send { .. } => {
                let help = "send a message that asks the object to do it";
                self.error_help("JS-063", span, "a property of a distant object cannot be deleted", help);
            }
            _ if matches!(self.tree.expr(chain_end), Expr::Private { .. }) => {
                self.error("E-DELETE", span, "a private name cannot be deleted");
            }
            _ => {}
        }
    }

    /// The value of this expression goes nowhere: a send in it needs no answer.
    pub fn discard(&mut self, mut id: ExprId) {
        loop {
            id = match &mut self.tree.exprs[id.index()] {
                Expr::Paren(inner) => *inner,
                Expr::Sequence(items) => items[items.len() - 1],
                Expr::Send { send_only, .. } => {
                    *send_only = true;
                    return;
                }
                _ => return,
            }
        }
    }

    pub fn is_async_word(&self) -> bool {
        self.at_word(w::ASYNC)
    }
}

fn compound(op: Tok) -> BinaryOp {
    match op {
        Tok::PlusAssign => BinaryOp::Add,
        Tok::MinusAssign => BinaryOp::Sub,
        Tok::StarAssign => BinaryOp::Mul,
        Tok::SlashAssign => BinaryOp::Div,
        Tok::PercentAssign => BinaryOp::Mod,
        Tok::StarStarAssign => BinaryOp::Exp,
        Tok::ShlAssign => BinaryOp::Shl,
        Tok::ShrAssign => BinaryOp::Shr,
        Tok::UShrAssign => BinaryOp::UShr,
        Tok::AmpAssign => BinaryOp::BitAnd,
        Tok::BarAssign => BinaryOp::BitOr,
        _ => BinaryOp::BitXor,
    }
}
