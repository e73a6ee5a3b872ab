//! Expressions: where their values go.
//!
//! Invariants
//! - `to(e, dst)`: `dst` is reserved; if it is a local that something may read, only the last instruction writes it;
//! - `any(e)`: the value's register: a local's own, or a fresh temporary; callers mind what is evaluated after it;
//! - `effect(e)`: nothing is left behind.
use super::cond::is_comparison;
use super::func::value;
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{BinaryOp, Expr, ExprId, LogicalOp, NameId, Quasi, UnaryOp};

/// Strings joined by one CONCAT.
const MAX_CONCAT: usize = 24;

impl Gen<'_> {
    pub(super) fn unparen(&self, mut e: ExprId) -> ExprId {
        while let Expr::Paren(inner) = self.tree.expr(e) {
            e = *inner;
        }
        e
    }

    /// Evaluates into a register.
    pub(super) fn to(&mut self, e: ExprId, dst: u8) -> Res {
        let e = self.unparen(e);
        let tree = self.tree;
        match tree.expr(e) {
            Expr::Null => self.load(dst, value::NULL),
            Expr::Bool(b) => self.load(dst, if *b { value::TRUE } else { value::FALSE }),
            Expr::Number(n) => self.load_number(dst, *n),
            Expr::BigInt(digits) => self.load_bigint(dst, *digits),
            Expr::String(s) => self.load_string(dst, *s),
            Expr::Template { quasis, exprs } => return self.template(e, quasis, exprs, dst),
            Expr::Ident(id) => return self.read(*id, dst),
            Expr::This => self.read_this(dst),
            Expr::NewTarget => return self.read_new_target(e, dst),
            Expr::Array(items) => return self.array(items, dst),
            Expr::Object(props) => return self.object(props, dst),
            Expr::Function(id) => return self.function_value(*id, dst, &[]),
            Expr::Unary { op, arg } => return self.unary(e, *op, *arg, dst),
            Expr::Binary { .. } => return self.binary(e, dst),
            Expr::Logical { op, .. } => return self.logical(e, *op, dst),
            Expr::Cond { .. } => return self.conditional(e, dst),
            Expr::Update { .. } | Expr::Assign { .. } | Expr::AssignOp { .. } | Expr::AssignLogical { .. } => {
                return self.assignment_to(e, dst);
            }
            Expr::Sequence(list) => return self.sequence(list, dst),
            Expr::Member { .. } | Expr::Index { .. } | Expr::Call { .. } => return self.chain_to(e, dst),
            Expr::TaggedTemplate { .. } | Expr::Send { .. } => return self.chain_to(e, dst),
            Expr::Chain(inner) => return self.optional_chain(*inner, dst),
            Expr::New { callee, args } => return self.construct(e, *callee, args, dst),
            Expr::Await(arg) => return self.await_to(e, *arg, dst),
            _ => return self.unsupported(e),
        }
        Ok(())
    }

    fn unsupported(&mut self, e: ExprId) -> Res {
        let span = self.tree.expr_spans[e.index()];
        let what = match self.tree.expr(e) {
            Expr::RegExp { .. } => "a regular expression literal",
            Expr::Class(_) => "`class`",
            Expr::ImportMeta => "`import.meta`",
            Expr::ImportCall { .. } => "`import()`",
            Expr::Yield { .. } => "`yield`",
            Expr::Private { .. } | Expr::PrivateIn { .. } => "a private name",
            Expr::SuperMember { .. } | Expr::SuperIndex { .. } | Expr::SuperCall { .. } => "`super`",
            _ => return self.internal("the tree holds an error", span),
        };
        self.not_yet(what, span)
    }

    /// Evaluates; the register that holds the value.
    pub(super) fn any(&mut self, e: ExprId) -> Res<u8> {
        let e = self.unparen(e);
        match self.tree.expr(e) {
            Expr::Ident(id) => {
                if let Some(r) = self.variable_register(*id)? {
                    return Ok(r);
                }
            }
            Expr::This if self.f.this_capture.is_none() => return Ok(2),
            Expr::Assign { .. } | Expr::AssignOp { .. } | Expr::Update { .. } => return self.assignment_any(e),
            Expr::Member { .. } | Expr::Index { .. } | Expr::Call { .. } => return self.chain_any(e),
            Expr::TaggedTemplate { .. } | Expr::Send { .. } => return self.chain_any(e),
            _ => {}
        }
        let t = self.alloc()?;
        self.to(e, t)?;
        Ok(t)
    }

    /// As `any`; a copy if `later`, evaluated afterwards, may change that register.
    pub(super) fn any_before(&mut self, e: ExprId, later: &[ExprId]) -> Res<u8> {
        let r = self.any(e)?;
        if later.iter().any(|&l| self.may_write(l, r)) {
            let t = self.alloc()?;
            self.mov(t, r);
            return Ok(t);
        }
        Ok(r)
    }

    /// Evaluates for its effects.
    pub(super) fn effect(&mut self, e: ExprId) -> Res {
        let e = self.unparen(e);
        let mark = self.f.next;
        let tree = self.tree;
        match tree.expr(e) {
            Expr::Null | Expr::Bool(_) | Expr::Number(_) | Expr::BigInt(_) | Expr::String(_) | Expr::This => {}
            Expr::Update { .. } => self.update_effect(e)?,
            Expr::AssignLogical { .. } => {
                let t = self.alloc()?;
                self.to(e, t)?;
            }
            Expr::Logical { op: LogicalOp::And | LogicalOp::Or, .. } => self.logical_effect(e)?,
            Expr::Cond { test, then, other } => {
                let (no, end) = (self.label(), self.label());
                self.jump_if(*test, no, false)?;
                self.effect(*then)?;
                self.jump(end);
                self.bind(no);
                self.effect(*other)?;
                self.bind(end);
            }
            Expr::Sequence(list) => {
                for &x in list {
                    self.effect(x)?;
                }
            }
            Expr::Unary { op: UnaryOp::Void | UnaryOp::Not, arg } => self.effect(*arg)?,
            _ => drop(self.any(e)?),
        }
        self.release(mark);
        Ok(())
    }

    pub(super) fn load_number(&mut self, dst: u8, n: f64) {
        match small_int(n) {
            Some(i) => self.move_imm(dst, i),
            None => {
                let whole = n as i32;
                let is_int = whole as f64 == n && (whole != 0 || n.is_sign_positive());
                // a value as the machine has it: an int where it is one
                let bits = if n.is_nan() {
                    0x7ff8_0000_0000_0000
                } else if is_int {
                    0xffff << 48 | whole as u32 as u64
                } else {
                    n.to_bits()
                };
                self.emit_words(op::LDD, dst, 0, 0, &[bits as u32, (bits >> 32) as u32]);
            }
        }
    }

    fn load_bigint(&mut self, dst: u8, digits: NameId) {
        let k = self.consts.bigint(self.tree.name_text(digits));
        self.emit_slot(op::LDK, dst, 0, 0, k);
    }

    pub(super) fn load_string(&mut self, dst: u8, s: NameId) {
        let k = self.consts.name(self.tree, s);
        self.emit_slot(op::LDK, dst, 0, 0, k);
    }

    fn read_this(&mut self, dst: u8) {
        match self.f.this_capture {
            Some(c) => self.emit(op::GETCAP, dst, c, 0),
            None => self.mov(dst, 2),
        }
    }

    fn read_new_target(&mut self, e: ExprId, dst: u8) -> Res {
        match self.f.new_target_capture {
            Some(c) => self.emit(op::GETCAP, dst, c, 0),
            None if self.f.flags & crate::code::F_ARROW != 0 => {
                return self.not_yet("`new.target` in a computed key within an arrow", self.tree.expr_spans[e.index()]);
            }
            None => self.emit(op::NEWTARGET, dst, 0, 0),
        }
        Ok(())
    }

    fn sequence(&mut self, list: &[ExprId], dst: u8) -> Res {
        let Some((&last, first)) = list.split_last() else { return Ok(()) };
        for &x in first {
            self.effect(x)?;
        }
        self.to(last, dst)
    }

    /// A temporary to build a value in: `dst` itself unless something may read it meanwhile.
    pub(super) fn builder(&mut self, dst: u8) -> Res<u8> {
        if self.is_temp(dst) { Ok(dst) } else { self.alloc() }
    }

    fn logical(&mut self, e: ExprId, op: LogicalOp, dst: u8) -> Res {
        let mark = self.f.next;
        let terms = self.logical_terms(e, op);
        if op != LogicalOp::Coalesce && terms.iter().all(|&t| self.is_boolean(t)) {
            return self.truth(e, dst);
        }
        let t = self.builder(dst)?;
        let end = self.label();
        for (i, &term) in terms.iter().enumerate() {
            self.to(term, t)?;
            if i + 1 < terms.len() {
                self.branch(short_circuit(op), t, 0, 0, end);
            }
        }
        self.bind(end);
        self.mov(dst, t);
        self.release(mark);
        Ok(())
    }

    /// Whether the value is true or false for certain.
    pub(super) fn is_boolean(&self, e: ExprId) -> bool {
        match *self.tree.expr(self.unparen(e)) {
            Expr::Bool(_) | Expr::Unary { op: UnaryOp::Not, .. } => true,
            Expr::Binary { op, .. } => is_comparison(op),
            _ => false,
        }
    }

    /// The truth of a condition as a value.
    fn truth(&mut self, e: ExprId, dst: u8) -> Res {
        let (no, end) = (self.label(), self.label());
        self.jump_if(e, no, false)?;
        self.load(dst, value::TRUE);
        self.jump(end);
        self.bind(no);
        self.load(dst, value::FALSE);
        self.bind(end);
        Ok(())
    }

    /// The operands of `a op b op c …`.
    pub(super) fn logical_terms(&self, e: ExprId, op: LogicalOp) -> Vec<ExprId> {
        let mut terms = Vec::new();
        let mut cur = e;
        while let Expr::Logical { op: o, left, right } = self.tree.expr(cur) {
            if *o != op {
                break;
            }
            terms.push(*right);
            cur = self.unparen(*left);
        }
        terms.push(cur);
        terms.reverse();
        terms
    }

    fn conditional(&mut self, e: ExprId, dst: u8) -> Res {
        let end = self.label();
        let mut cur = e;
        while let Expr::Cond { test, then, other } = self.tree.expr(cur) {
            let no = self.label();
            self.jump_if(*test, no, false)?;
            self.to(*then, dst)?;
            self.jump(end);
            self.bind(no);
            cur = self.unparen(*other);
        }
        self.to(cur, dst)?;
        self.bind(end);
        Ok(())
    }

    fn unary(&mut self, e: ExprId, op: UnaryOp, arg: ExprId, dst: u8) -> Res {
        let tree = self.tree;
        let arg = self.unparen(arg);
        let mark = self.f.next;
        let o = match op {
            UnaryOp::Delete => return self.delete(e, arg, dst),
            UnaryOp::Void => {
                self.effect(arg)?;
                #[cfg(feature = "moved-base")]
                self.emit(op::LATER, dst, 0, 0);
                #[cfg(not(feature = "moved-base"))]
                self.load(dst, value::UNDEFINED);
                return Ok(());
            }
            UnaryOp::TypeOf => {
                if let Expr::Ident(id) = tree.expr(arg)
                    && tree.reference(*id).to == syntax::ast::Resolution::Global
                {
                    let t = self.builder(dst)?;
                    self.mark(tree.expr_spans[arg.index()]);
                    self.read_global(*id, t, true);
                    self.emit(op::TYPEOF, dst, t, 0);
                    self.release(mark);
                    return Ok(());
                }
                op::TYPEOF
            }
            UnaryOp::Neg => {
                if let Expr::Number(n) = tree.expr(arg) {
                    self.load_number(dst, -n);
                    return Ok(());
                }
                op::NEG
            }
            UnaryOp::Plus => op::PLUS,
            UnaryOp::BitNot => op::BNOT,
            UnaryOp::Not => op::NOT,
        };
        let r = self.operand(arg, dst)?;
        self.mark(tree.expr_spans[e.index()]);
        self.emit(o, dst, r, 0);
        self.release(mark);
        Ok(())
    }

    /// As `any`, but a temporary value goes to `dst` if it may.
    pub(super) fn operand(&mut self, e: ExprId, dst: u8) -> Res<u8> {
        let e = self.unparen(e);
        if !self.is_temp(dst) {
            return self.any(e);
        }
        if let Expr::Ident(id) = self.tree.expr(e)
            && let Some(r) = self.variable_register(*id)?
        {
            return Ok(r);
        }
        if matches!(self.tree.expr(e), Expr::This) && self.f.this_capture.is_none() {
            return Ok(2);
        }
        self.to(e, dst)?;
        Ok(dst)
    }

    fn template(&mut self, e: ExprId, quasis: &[Quasi], exprs: &[ExprId], dst: u8) -> Res {
        let mark = self.f.next;
        let base = if self.is_top_temp(dst) { dst } else { self.alloc()? };
        self.f.next = u32::from(base);
        let mut n = 0;
        for (i, quasi) in quasis.iter().enumerate() {
            let text = quasi.cooked.unwrap_or(quasi.raw);
            if !self.tree.name(text).is_empty() {
                let r = self.concat_piece(base, &mut n)?;
                self.load_string(r, text);
            }
            let Some(&x) = exprs.get(i) else { continue };
            let r = self.concat_piece(base, &mut n)?;
            let v = self.operand(x, r)?;
            self.mark(self.tree.expr_spans[x.index()]);
            self.emit(op::TOSTR, r, v, 0);
            self.release(u32::from(r) + 1);
        }
        self.mark(self.tree.expr_spans[e.index()]);
        match n {
            0 => {
                let k = self.consts.string(&[]);
                self.emit_slot(op::LDK, dst, 0, 0, k);
            }
            1 => self.mov(dst, base),
            _ => self.emit(op::CONCAT, dst, base, n as u8),
        }
        self.f.next = self.f.next.max(mark);
        self.release(mark);
        Ok(())
    }

    /// The register of the next piece; joins those there are when they are many.
    fn concat_piece(&mut self, base: u8, n: &mut usize) -> Res<u8> {
        if *n >= MAX_CONCAT || (*n > 1 && self.room() < 40) {
            self.emit(op::CONCAT, base, base, *n as u8);
            self.release(u32::from(base) + 1);
            *n = 1;
        }
        *n += 1;
        self.alloc()
    }

    fn await_to(&mut self, e: ExprId, arg: ExprId, dst: u8) -> Res {
        let mark = self.f.next;
        let r = self.operand(arg, dst)?;
        self.mark(self.tree.expr_spans[e.index()]);
        self.emit_await(dst, r, e)?;
        self.release(mark);
        Ok(())
    }

    fn emit_await(&mut self, dst: u8, r: u8, e: ExprId) -> Res {
        match self.f.coroutine {
            Some(c) => self.emit(op::AWAIT, dst, r, c),
            None => return self.internal("`await` in a function that is not async", self.tree.expr_spans[e.index()]),
        }
        Ok(())
    }

    /// An integer literal, maybe negated.
    pub(super) fn literal_int(&self, e: ExprId) -> Option<i16> {
        match self.tree.expr(self.unparen(e)) {
            Expr::Number(n) => small_int(*n),
            Expr::Unary { op: UnaryOp::Neg, arg } => match self.tree.expr(self.unparen(*arg)) {
                Expr::Number(n) => small_int(-n),
                _ => None,
            },
            _ => None,
        }
    }
}

/// The jump that leaves a chain of `op` early.
pub(super) fn short_circuit(op: LogicalOp) -> u8 {
    match op {
        LogicalOp::And => op::JF,
        LogicalOp::Or => op::JT,
        LogicalOp::Coalesce => op::JNNULL,
    }
}

fn small_int(n: f64) -> Option<i16> {
    let i = n as i16;
    (f64::from(i) == n && (i != 0 || n.is_sign_positive())).then_some(i)
}

/// The instruction of an operator that has a value.
pub(super) fn binary_op(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Add => op::ADD,
        BinaryOp::Sub => op::SUB,
        BinaryOp::Mul => op::MUL,
        BinaryOp::Div => op::DIV,
        BinaryOp::Mod => op::MOD,
        BinaryOp::Exp => op::EXP,
        BinaryOp::BitAnd => op::BAND,
        BinaryOp::BitOr => op::BOR,
        BinaryOp::BitXor => op::BXOR,
        BinaryOp::Shl => op::SHL,
        BinaryOp::Shr => op::SHR,
        BinaryOp::UShr => op::USHR,
        BinaryOp::Eq => op::EQ,
        BinaryOp::NotEq => op::NE,
        BinaryOp::StrictEq => op::SEQ,
        BinaryOp::StrictNotEq => op::SNE,
        BinaryOp::Less => op::LT,
        BinaryOp::LessEq => op::LE,
        BinaryOp::Greater => op::GT,
        BinaryOp::GreaterEq => op::GE,
        BinaryOp::In => op::IN,
        BinaryOp::InstanceOf => op::INSTANCEOF,
    }
}
