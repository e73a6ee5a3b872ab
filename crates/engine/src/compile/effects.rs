//! What an expression may do, found by a bounded search.
use super::Gen;
use super::regs::Kind;
use super::scope::Loc;
use syntax::ast::{Element, Expr, ExprId, Pat, Property, Resolution, SendForm};

/// Nodes looked at before the answer is "maybe". A constant, so that the compiler stays linear.
const BUDGET: usize = 24;

impl Gen<'_> {
    /// Whether some node of the expression, functions within not entered, satisfies `found`; true if it is too large to say.
    pub(super) fn search(&self, e: ExprId, found: &mut dyn FnMut(&Self, &Expr) -> bool) -> bool {
        let mut stack = vec![e];
        let mut budget = BUDGET;
        while let Some(id) = stack.pop() {
            let x = self.tree.expr(id);
            if budget == 0 || found(self, x) || !push_children(x, &mut stack) {
                return true;
            }
            budget -= 1;
        }
        false
    }

    /// Whether evaluating `e` may assign to the variable that is register `r`.
    pub(super) fn may_write(&self, e: ExprId, r: u8) -> bool {
        self.f.kind[r as usize] == Kind::Changing && self.search(e, &mut |g, x| g.writes(x, r))
    }

    fn writes(&self, x: &Expr, r: u8) -> bool {
        let target = match *x {
            Expr::Assign { target, .. } => match *self.tree.pat(target) {
                Pat::Target(t) => t,
                _ => return true,
            },
            Expr::Update { target, .. } | Expr::AssignOp { target, .. } | Expr::AssignLogical { target, .. } => target,
            _ => return false,
        };
        match self.tree.expr(self.unparen(target)) {
            Expr::Ident(id) => match self.tree.reference(*id).to {
                Resolution::Local(b) => self.is_own(b) && self.locs[b.index()] == Some(Loc::Reg(r)),
                _ => false,
            },
            _ => false,
        }
    }
}

/// Pushes the expressions directly within `x`; false where that is not worth the while.
fn push_children(x: &Expr, stack: &mut Vec<ExprId>) -> bool {
    match x {
        Expr::Error | Expr::Null | Expr::Bool(_) | Expr::Number(_) | Expr::BigInt(_) | Expr::String(_) => {}
        Expr::RegExp { .. } | Expr::Ident(_) | Expr::This | Expr::NewTarget | Expr::ImportMeta | Expr::Function(_) => {}
        Expr::Template { exprs, .. } => stack.extend(exprs),
        Expr::Array(items) => push_elements(items, stack),
        Expr::Object(props) => {
            for p in props {
                match *p {
                    Property::Value { key: syntax::ast::Key::Name(_), value, .. } => stack.push(value),
                    Property::Proto(e) | Property::Spread(e) => stack.push(e),
                    Property::Method { key: syntax::ast::Key::Name(_), .. } => {}
                    _ => return false,
                }
            }
        }
        Expr::Unary { arg, .. } | Expr::Await(arg) | Expr::Paren(arg) | Expr::Chain(arg) => stack.push(*arg),
        Expr::Update { target, .. } => stack.push(*target),
        Expr::Binary { left, right, .. } | Expr::Logical { left, right, .. } => stack.extend([*left, *right]),
        Expr::Cond { test, then, other } => stack.extend([*test, *then, *other]),
        Expr::Assign { value, .. } => stack.push(*value),
        Expr::AssignOp { target, value, .. } | Expr::AssignLogical { target, value, .. } => stack.extend([*target, *value]),
        Expr::Sequence(list) => stack.extend(list),
        Expr::Member { object, .. } => stack.push(*object),
        Expr::Index { object, index, .. } => stack.extend([*object, *index]),
        Expr::Call { callee, args, .. } | Expr::New { callee, args } => {
            stack.push(*callee);
            push_elements(args, stack);
        }
        Expr::Send { target, form, args, .. } => {
            stack.push(*target);
            if let SendForm::GetIndex(k) | SendForm::MethodIndex(k) = form {
                stack.push(*k);
            }
            push_elements(args, stack);
        }
        _ => return false,
    }
    stack.len() <= 4 * BUDGET
}

fn push_elements(items: &[Element], stack: &mut Vec<ExprId>) {
    for item in items.iter().take(5 * BUDGET) {
        if let Element::Item(e) | Element::Spread(e) = item {
            stack.push(*e);
        }
    }
}
