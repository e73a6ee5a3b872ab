//! Binary operators: left-deep chains without recursion, immediates.
use super::expr::binary_op;
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{BinaryOp, Expr, ExprId};

/// One step of a left-deep chain: `… op right`.
struct Step {
    op: BinaryOp,
    right: ExprId,
    whole: ExprId,
}

impl Gen<'_> {
    pub(super) fn binary(&mut self, e: ExprId, dst: u8) -> Res {
        let mut steps = Vec::new();
        let mut cur = e;
        while let Expr::Binary { op, left, right } = *self.tree.expr(cur) {
            steps.push(Step { op, right, whole: cur });
            cur = self.unparen(left);
        }
        let mark = self.f.next;
        let acc = self.builder(dst)?;
        let mut left = None;
        if let Some(first) = steps.last()
            && let Some(imm) = self.literal_int(cur)
            && let Some(o) = commuted(first.op, imm)
        {
            let first = steps.pop().map_or((e, e), |s| (s.right, s.whole));
            let out = if steps.is_empty() { dst } else { acc };
            let r = self.operand(first.0, acc)?;
            self.mark(self.tree.expr_spans[first.1.index()]);
            self.emit(o, out, r, imm.to_le_bytes()[0]);
            left = Some(out);
        }
        let mut left = match left {
            Some(l) => l,
            None => self.left_operand(cur, acc, steps.last().map(|s| s.right))?,
        };
        let low = self.f.next;
        while let Some(step) = steps.pop() {
            let out = if steps.is_empty() { dst } else { acc };
            self.arithmetic(step.op, out, left, step.right, step.whole)?;
            self.release(low);
            left = out;
        }
        self.release(mark);
        Ok(())
    }

    /// An operand that must keep its value while `right` is evaluated.
    pub(super) fn left_operand(&mut self, e: ExprId, acc: u8, right: Option<ExprId>) -> Res<u8> {
        let r = self.operand(e, acc)?;
        match right {
            Some(right) if self.may_write(right, r) => {
                let t = if self.is_temp(acc) { acc } else { self.alloc()? };
                self.mov(t, r);
                Ok(t)
            }
            _ => Ok(r),
        }
    }

    /// `out = left op right`, `left` in a register.
    pub(super) fn arithmetic(&mut self, op: BinaryOp, out: u8, left: u8, right: ExprId, whole: ExprId) -> Res {
        let span = self.tree.expr_spans[whole.index()];
        if let Some(imm) = self.literal_int(right)
            && let Some(o) = immediate(op, imm)
        {
            self.mark(span);
            self.emit(o, out, left, imm.to_le_bytes()[0]);
            return Ok(());
        }
        let r = self.any(right)?;
        self.mark(span);
        self.emit(binary_op(op), out, left, r);
        Ok(())
    }
}

/// The instruction for `x op imm`, if the immediate fits.
fn immediate(op: BinaryOp, imm: i16) -> Option<u8> {
    let signed = (-128..128).contains(&imm);
    let unsigned = (0..256).contains(&imm);
    let shift = (0..32).contains(&imm);
    match op {
        BinaryOp::Add if signed => Some(op::ADDI),
        BinaryOp::Sub if signed => Some(op::SUBI),
        BinaryOp::Mul if signed => Some(op::MULI),
        BinaryOp::Mod if unsigned && imm != 0 => Some(op::MODI),
        BinaryOp::BitAnd if unsigned => Some(op::BANDI),
        BinaryOp::BitOr if unsigned => Some(op::BORI),
        BinaryOp::Shl if shift => Some(op::SHLI),
        BinaryOp::Shr if shift => Some(op::SHRI),
        BinaryOp::UShr if shift => Some(op::USHRI),
        _ => None,
    }
}

/// The instruction for `imm op x`: operators that commute whatever x is.
fn commuted(op: BinaryOp, imm: i16) -> Option<u8> {
    match op {
        BinaryOp::Mul | BinaryOp::BitAnd | BinaryOp::BitOr => immediate(op, imm),
        _ => None,
    }
}
