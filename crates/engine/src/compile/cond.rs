//! Conditions: comparisons fused with their jumps, `&&`, `||` and `!` as control flow.
use super::{Gen, Res, func::Label};
use crate::code::op;
use syntax::ast::{BinaryOp, Expr, ExprId, LogicalOp, UnaryOp};

impl Gen<'_> {
    /// Jumps to `label` if the truth of `e` is `sense`; else goes on.
    pub(super) fn jump_if(&mut self, e: ExprId, label: Label, sense: bool) -> Res {
        let (mut e, mut sense) = (e, sense);
        loop {
            match *self.tree.expr(e) {
                Expr::Paren(inner) => e = inner,
                Expr::Unary { op: UnaryOp::Not, arg } => (e, sense) = (arg, !sense),
                _ => break,
            }
        }
        let mark = self.f.next;
        match *self.tree.expr(e) {
            Expr::Bool(b) => {
                if b == sense {
                    self.jump(label);
                }
            }
            Expr::Logical { op: op @ (LogicalOp::And | LogicalOp::Or), .. } => self.jump_logical(e, op, label, sense)?,
            Expr::Binary { op, left, right } if is_comparison(op) => self.jump_compare(e, op, left, right, label, sense)?,
            _ => {
                let r = self.any(e)?;
                self.branch(if sense { op::JT } else { op::JF }, r, 0, 0, label);
            }
        }
        self.release(mark);
        Ok(())
    }

    fn jump_logical(&mut self, e: ExprId, op: LogicalOp, label: Label, sense: bool) -> Res {
        let terms = self.logical_terms(e, op);
        let Some((&last, first)) = terms.split_last() else { return Ok(()) };
        // The truth that decides the chain early: false for `&&`, true for `||`.
        let early = op == LogicalOp::Or;
        if early == sense {
            for &term in &terms {
                self.jump_if(term, label, sense)?;
            }
            return Ok(());
        }
        let on = self.label();
        for &term in first {
            self.jump_if(term, on, early)?;
        }
        self.jump_if(last, label, sense)?;
        self.bind(on);
        Ok(())
    }

    /// `a && f()` as a statement.
    pub(super) fn logical_effect(&mut self, e: ExprId) -> Res {
        let Expr::Logical { op, .. } = *self.tree.expr(e) else { return Ok(()) };
        let end = self.label();
        let terms = self.logical_terms(e, op);
        if let Some((&last, first)) = terms.split_last() {
            for &term in first {
                self.jump_if(term, end, op == LogicalOp::Or)?;
            }
            self.effect(last)?;
        }
        self.bind(end);
        Ok(())
    }

    fn jump_compare(&mut self, e: ExprId, op: BinaryOp, left: ExprId, right: ExprId, label: Label, sense: bool) -> Res {
        let span = self.tree.expr_spans[e.index()];
        if let Some(imm) = self.literal_int(right)
            && let Some((yes, no)) = compare_imm(op)
        {
            let l = self.any(left)?;
            self.mark(span);
            self.branch_imm(if sense { yes } else { no }, l, imm, label);
            return Ok(());
        }
        if let Some(imm) = self.literal_int(left)
            && let Some((yes, no)) = compare_imm(mirrored(op))
        {
            let r = self.any(right)?;
            self.mark(span);
            self.branch_imm(if sense { yes } else { no }, r, imm, label);
            return Ok(());
        }
        let l = self.any_before(left, &[right])?;
        let r = self.any(right)?;
        self.mark(span);
        let (yes, no, swapped) = compare(op);
        let o = if sense { yes } else { no };
        if swapped {
            self.branch(o, r, l, 1, label);
        } else {
            self.branch(o, l, r, 0, label);
        }
        Ok(())
    }
}

pub(super) fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{Eq, Greater, GreaterEq, Less, LessEq, NotEq, StrictEq, StrictNotEq};
    matches!(op, Eq | NotEq | StrictEq | StrictNotEq | Less | LessEq | Greater | GreaterEq)
}

/// (jump if true, jump if false, operands swapped)
fn compare(op: BinaryOp) -> (u8, u8, bool) {
    match op {
        BinaryOp::Less => (op::JLT, op::JNLT, false),
        BinaryOp::LessEq => (op::JLE, op::JNLE, false),
        BinaryOp::Greater => (op::JLT, op::JNLT, true),
        BinaryOp::GreaterEq => (op::JLE, op::JNLE, true),
        BinaryOp::StrictEq => (op::JSEQ, op::JSNE, false),
        BinaryOp::StrictNotEq => (op::JSNE, op::JSEQ, false),
        BinaryOp::Eq => (op::JEQ, op::JNE, false),
        _ => (op::JNE, op::JEQ, false),
    }
}

fn compare_imm(op: BinaryOp) -> Option<(u8, u8)> {
    Some(match op {
        BinaryOp::Less => (op::JLTI, op::JNLTI),
        BinaryOp::LessEq => (op::JLEI, op::JNLEI),
        BinaryOp::Greater => (op::JGTI, op::JNGTI),
        BinaryOp::GreaterEq => (op::JGEI, op::JNGEI),
        BinaryOp::StrictEq => (op::JSEQI, op::JSNEI),
        BinaryOp::StrictNotEq => (op::JSNEI, op::JSEQI),
        _ => return None,
    })
}

/// `imm op x` is `x mirrored(op) imm`.
fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEq => BinaryOp::GreaterEq,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEq => BinaryOp::LessEq,
        other => other,
    }
}
