//! What a module may compute when it is loaded: nothing that could have an effect, nothing that stays mutable.
use super::Check;
use crate::ast::*;

impl Check<'_> {
    /// A value for a constant of the module. `fresh_allowed`: an array or object literal need not be hardened here.
    pub(super) fn is_pure(&self, id: ExprId, fresh_allowed: bool) -> bool {
        match self.tree.expr(id) {
            Expr::Array(_) | Expr::Object(_) => fresh_allowed && self.is_pure_data(id),
            _ => self.is_pure_data(id),
        }
    }

    /// Pure, where literals may stand: within a hardener's argument. Left-deep chains are walked by the loop.
    fn is_pure_data(&self, mut id: ExprId) -> bool {
        loop {
            id = match self.tree.expr(id) {
                Expr::Null | Expr::Bool(_) | Expr::Number(_) | Expr::BigInt(_) | Expr::String(_) | Expr::Ident(_) => return true,
                Expr::Function(_) => return true,
                Expr::Template { exprs, .. } => return exprs.iter().all(|&e| self.is_pure_data(e)),
                Expr::Paren(inner) => *inner,
                Expr::Unary { arg, op } if *op != UnaryOp::Delete => *arg,
                Expr::Member { object, .. } => *object,
                Expr::Index { object, index, .. } if matches!(self.tree.expr(*index), Expr::Number(_)) => *object,
                Expr::Binary { left, right, .. } | Expr::Logical { left, right, .. } => {
                    if !self.is_pure_data(*right) {
                        return false;
                    }
                    *left
                }
                Expr::Cond { test, then, other } => {
                    if !self.is_pure_data(*then) || !self.is_pure_data(*other) {
                        return false;
                    }
                    *test
                }
                Expr::Array(items) => return items.iter().all(|e| matches!(e, Element::Item(e) if self.is_pure_data(*e))),
                Expr::Object(props) => return props.iter().all(|p| self.is_pure_property(p)),
                Expr::Call { callee, args, optional: false } => return self.is_pure_call(*callee, args),
                _ => return false,
            }
        }
    }

    fn is_pure_property(&self, prop: &Property) -> bool {
        match prop {
            Property::Value { key, value, .. } => {
                let key = if let Key::Computed(e) = key { self.is_pure_data(*e) } else { true };
                key && self.is_pure_data(*value)
            }
            Property::Method { .. } | Property::Getter { .. } | Property::Setter { .. } => true,
            Property::Proto(_) | Property::Spread(_) => false,
        }
    }

    /// The pure-callee table: hardeners, `Nat`, `BigInt`, and the pattern makers `M.…`.
    fn is_pure_call(&self, callee: ExprId, args: &[Element]) -> bool {
        let table = |name: NameId| matches!(self.text(name).as_str(), "Nat" | "BigInt" | "Number" | "String" | "Boolean");
        let known = match *self.tree.expr(callee) {
            _ if self.is_hardener(callee) => true,
            Expr::Ident(_) => self.global(callee).is_some_and(table),
            Expr::Member { object, .. } => matches!(self.tree.expr(object), Expr::Ident(r) if self.is_pattern_maker(*r)),
            _ => false,
        };
        known && args.iter().all(|e| matches!(e, Element::Item(e) if self.is_pure_data(*e)))
    }

    /// `M` of `@endo/patterns`, imported under that name.
    fn is_pattern_maker(&self, r: RefId) -> bool {
        let r = self.tree.reference(r);
        let Resolution::Local(b) = r.to else { return false };
        self.text(r.name) == "M" && matches!(self.tree.binding(b).kind, BindingKind::Import(_))
    }
}
