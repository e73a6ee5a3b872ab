//! Binary and logical operators: a loop with a stack of its own, so that a chain of a million terms nests nothing.
//!
//! Invariant: the part of `ops` above `base` has rising precedence, but for `**`, which leans right and is counted.
use super::{Parse, Parser, join};
use crate::ast::*;
use crate::lexer::token::Tok;
use crate::limits::MAX_NESTING;

#[derive(Clone, Copy)]
enum What {
    Binary(BinaryOp),
    Logical(LogicalOp),
    PrivateIn(NameId),
}

pub(crate) struct Op {
    what: What,
    level: u8,
    /// For `PrivateIn` the operand is the name; its span.
    left: Option<ExprId>,
    span: Span,
}

const RELATIONAL: u8 = 8;
const POWER: u8 = 12;

impl Parser<'_> {
    pub fn binary(&mut self) -> Parse<ExprId> {
        let base = self.ops.len();
        if !self.at(Tok::Private) {
            let first = self.unary()?;
            return match self.operator() {
                Some(op) if !self.is_arrow(first) => {
                    let result = self.binary_rest(base, first, op);
                    self.ops.truncate(base);
                    result
                }
                _ => Ok(first),
            };
        }
        let result = self.private_in(base).and_then(|()| self.operand_then_rest(base));
        self.ops.truncate(base);
        result
    }

    fn operand_then_rest(&mut self, base: usize) -> Parse<ExprId> {
        let operand = self.unary()?;
        match self.operator() {
            Some(op) => self.binary_rest(base, operand, op),
            None => Ok(self.reduce(base, operand, 0)),
        }
    }

    #[inline(never)]
    fn binary_rest(&mut self, base: usize, first: ExprId, first_op: (What, u8)) -> Parse<ExprId> {
        let (mut operand, mut op) = (first, Some(first_op));
        while let Some((what, level)) = op {
            // `**` binds its right side first.
            operand = self.reduce(base, operand, if level == POWER { level + 1 } else { level });
            if level == POWER {
                self.check_power(operand);
            }
            if (self.ops.len() - base) as u32 + self.depth > MAX_NESTING {
                return self.too_deep();
            }
            let span = self.expr_span(operand);
            self.ops.push(Op { what, level, left: Some(operand), span });
            self.bump();
            if self.at(Tok::Private) {
                if level >= RELATIONAL {
                    return self.unexpected("an expression");
                }
                self.private_in(base)?;
            }
            operand = self.unary()?;
            op = self.operator();
        }
        Ok(self.reduce(base, operand, 0))
    }

    /// `#name in …`: takes the name and `in`.
    fn private_in(&mut self, _base: usize) -> Parse<()> {
        let token = self.bump();
        if !self.at(Tok::In) || self.ctx.no_in {
            return self.unexpected("`in`");
        }
        self.bump();
        self.ops.push(Op { what: What::PrivateIn(token.name), level: RELATIONAL, left: None, span: token.span });
        Ok(())
    }

    /// Builds what binds at least as tightly as `level`.
    fn reduce(&mut self, base: usize, mut right: ExprId, level: u8) -> ExprId {
        while self.ops.len() > base && self.ops[self.ops.len() - 1].level >= level {
            let Some(op) = self.ops.pop() else { return right };
            let span = join(op.span, self.expr_span(right));
            let expr = match (op.what, op.left) {
                (What::Binary(op), Some(left)) => Expr::Binary { op, left, right },
                (What::Logical(op), Some(left)) => {
                    self.check_mix(op, left, right, span);
                    Expr::Logical { op, left, right }
                }
                (What::PrivateIn(name), _) => Expr::PrivateIn { name, right },
                _ => Expr::Error,
            };
            right = self.add_expr(expr, span);
        }
        right
    }

    fn check_mix(&mut self, op: LogicalOp, left: ExprId, right: ExprId, span: Span) {
        let other = |id: ExprId| matches!(self.tree.expr(id), Expr::Logical { op, .. } if *op != LogicalOp::Coalesce);
        if op == LogicalOp::Coalesce && (other(left) || other(right)) {
            self.error_help("E-MIX", span, "`??` does not mix with `||` and `&&`", "put parentheses around one of them");
        }
    }

    fn check_power(&mut self, left: ExprId) {
        if matches!(self.tree.expr(left), Expr::Unary { .. } | Expr::Await(_)) {
            let span = self.expr_span(left);
            self.error_help("E-POWER", span, "a unary operator before `**` is ambiguous", "put parentheses around it");
        }
    }

    #[rustfmt::skip]
    fn operator(&self) -> Option<(What, u8)> {
        use BinaryOp::*;
        Some(match self.tok.kind {
            Tok::QuestionQuestion => (What::Logical(LogicalOp::Coalesce), 1),
            Tok::BarBar => (What::Logical(LogicalOp::Or), 2),
            Tok::AmpAmp => (What::Logical(LogicalOp::And), 3),
            Tok::Bar => (What::Binary(BitOr), 4),
            Tok::Caret => (What::Binary(BitXor), 5),
            Tok::Amp => (What::Binary(BitAnd), 6),
            Tok::EqEq => (What::Binary(Eq), 7),
            Tok::NotEq => (What::Binary(NotEq), 7),
            Tok::EqEqEq => (What::Binary(StrictEq), 7),
            Tok::NotEqEq => (What::Binary(StrictNotEq), 7),
            Tok::Lt => (What::Binary(Less), RELATIONAL),
            Tok::Gt => (What::Binary(Greater), RELATIONAL),
            Tok::Le => (What::Binary(LessEq), RELATIONAL),
            Tok::Ge => (What::Binary(GreaterEq), RELATIONAL),
            Tok::InstanceOf => (What::Binary(InstanceOf), RELATIONAL),
            Tok::In if !self.ctx.no_in => (What::Binary(In), RELATIONAL),
            Tok::Shl => (What::Binary(Shl), 9),
            Tok::Shr => (What::Binary(Shr), 9),
            Tok::UShr => (What::Binary(UShr), 9),
            Tok::Plus => (What::Binary(Add), 10),
            Tok::Minus => (What::Binary(Sub), 10),
            Tok::Star => (What::Binary(Mul), 11),
            Tok::Slash => (What::Binary(Div), 11),
            Tok::Percent => (What::Binary(Mod), 11),
            Tok::StarStar => (What::Binary(Exp), POWER),
            _ => return None,
        })
    }
}
