//! Where values go within an expression (for JS-110 to JS-112).
//!
//! Invariant: left-deep chains are walked by a loop over `spine`; each entry knows what becomes of its own value.
use super::harden::{Flow, State};
use crate::ast::*;

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Looked at and forgotten.
    Read,
    /// Part of a fresh value: literals may stand here, fresh constants would become aliases.
    Nested,
    /// Hardened here.
    Harden,
    /// Leaves the function's hands.
    Escape,
}

impl Flow<'_, '_> {
    pub fn read(&mut self, id: ExprId) {
        self.value(id, Place::Read);
    }

    pub fn nested(&mut self, id: ExprId) {
        self.value(id, Place::Nested);
    }

    pub fn escape(&mut self, id: ExprId) {
        self.value(id, Place::Escape);
    }

    fn elements(&mut self, list: &[Element], place: Place) {
        for item in list {
            match item {
                Element::Item(e) => self.value(*e, place),
                // What is spread is read.
                Element::Spread(e) => self.value(*e, Place::Read),
                Element::Hole => {}
            }
        }
    }

    fn value(&mut self, id: ExprId, place: Place) {
        let base = self.spine.len();
        let (mut id, mut place) = (id, place);
        while let Some((left, left_place)) = self.left(id, place) {
            self.spine.push((id, place));
            (id, place) = (left, left_place);
        }
        self.leaf(id, place);
        while self.spine.len() > base {
            let Some((id, place)) = self.spine.pop() else { return };
            self.right(id, place);
        }
    }

    /// The left part of a chain and what becomes of it.
    fn left(&self, id: ExprId, place: Place) -> Option<(ExprId, Place)> {
        Some(match *self.tree.expr(id) {
            Expr::Binary { left, .. } => (left, Place::Read),
            Expr::Logical { left, .. } => (left, place),
            Expr::Cond { test, .. } => (test, Place::Read),
            Expr::Member { object, .. } | Expr::Index { object, .. } | Expr::Private { object, .. } => (object, Place::Read),
            Expr::Paren(inner) | Expr::Chain(inner) => (inner, place),
            Expr::Call { callee, .. } => match *self.tree.expr(callee) {
                // The object of a method call is its `this`.
                Expr::Member { object, .. } | Expr::Index { object, .. } => (object, Place::Escape),
                _ => (callee, Place::Read),
            },
            Expr::TaggedTemplate { tag, .. } => match *self.tree.expr(tag) {
                Expr::Member { object, .. } | Expr::Index { object, .. } => (object, Place::Escape),
                _ => (tag, Place::Read),
            },
            Expr::Send { target, .. } => (target, Place::Escape),
            _ => return None,
        })
    }

    fn right(&mut self, id: ExprId, place: Place) {
        let tree = self.tree;
        match tree.expr(id) {
            Expr::Binary { right, .. } => self.read(*right),
            Expr::Logical { right, .. } => self.maybe(|f| f.value(*right, place)),
            Expr::Cond { then, other, .. } => {
                self.maybe(|f| f.value(*then, place));
                self.maybe(|f| f.value(*other, place));
            }
            Expr::Index { index, .. } => self.read(*index),
            Expr::Call { callee, args, .. } => {
                if let Expr::Index { index, .. } = tree.expr(*callee) {
                    self.read(*index);
                }
                let arg_place = if self.hardens(*callee) { Place::Harden } else { Place::Escape };
                self.elements(args, arg_place);
            }
            Expr::TaggedTemplate { exprs, .. } => exprs.iter().for_each(|&e| self.escape(e)),
            Expr::Send { form, args, .. } => {
                if let SendForm::GetIndex(e) | SendForm::MethodIndex(e) = form {
                    self.read(*e);
                }
                // What is sent is hardened.
                self.elements(args, Place::Harden);
            }
            _ => {}
        }
    }

    /// A hardener, or `E(x).m`, whose arguments are hardened when they are sent.
    fn hardens(&self, callee: ExprId) -> bool {
        if self.check.is_hardener(callee) {
            return true;
        }
        let object = match *self.tree.expr(callee) {
            Expr::Member { object, .. } => object,
            Expr::Call { .. } => callee,
            _ => return false,
        };
        let Expr::Call { callee, .. } = *self.tree.expr(object) else { return false };
        matches!(self.tree.expr(callee), Expr::Ident(r) if self.tree.name_text(self.tree.reference(*r).name) == "E")
    }

    /// The constant that this expression is the name of, if it is followed.
    fn tracked(&self, id: ExprId) -> Option<BindingId> {
        let Expr::Ident(r) = *self.tree.expr(id) else { return None };
        match self.tree.reference(r).to {
            // The state of a variable of another function says nothing here.
            Resolution::Local(b) if self.states[b.index()] != State::Untracked && self.same_function(r, b) => Some(b),
            _ => None,
        }
    }

    fn same_function(&self, r: RefId, b: BindingId) -> bool {
        self.tree.scope(self.tree.reference(r).scope).func == self.tree.binding(b).func
    }

    fn leaf(&mut self, id: ExprId, place: Place) {
        let tree = self.tree;
        match tree.expr(id) {
            Expr::Ident(_) => self.name(id, place),
            Expr::Function(func) => self.closure(*func, place),
            Expr::Array(items) => {
                let inner = self.literal(id, place);
                self.elements(items, inner);
            }
            Expr::Object(props) => {
                let inner = self.literal(id, place);
                for prop in props {
                    match prop {
                        Property::Value { value, .. } | Property::Proto(value) => self.value(*value, inner),
                        Property::Spread(e) => self.read(*e),
                        Property::Method { func, .. } | Property::Getter { func, .. } | Property::Setter { func, .. } => {
                            self.closure(*func, inner);
                        }
                    }
                }
            }
            Expr::Template { exprs, .. } => exprs.iter().for_each(|&e| self.read(e)),
            Expr::Sequence(items) => {
                for (i, &e) in items.iter().enumerate() {
                    self.value(e, if i + 1 == items.len() { place } else { Place::Read });
                }
            }
            Expr::Unary { arg, .. } => self.read(*arg),
            Expr::Await(arg) => self.escape(*arg),
            Expr::Yield { arg: Some(arg), .. } => self.escape(*arg),
            Expr::Assign { target, value } => self.assign(*target, *value),
            Expr::AssignOp { target, value, .. } | Expr::AssignLogical { target, value, .. } => {
                self.fill(*target);
                self.escape(*value);
            }
            Expr::Update { target, .. } => {
                self.fill(*target);
            }
            Expr::New { callee, args } => {
                self.read(*callee);
                self.elements(args, Place::Escape);
            }
            _ => {}
        }
    }

    /// A literal in this place: reported if it gets away. What its parts then are.
    fn literal(&mut self, id: ExprId, place: Place) -> Place {
        match place {
            Place::Escape => {
                let message = "this value escapes before it is hardened".to_string();
                self.check.reject_with(self.check.at(id), message);
                Place::Nested
            }
            Place::Harden => Place::Harden,
            Place::Read | Place::Nested => Place::Nested,
        }
    }

    /// A closure that gets away takes with it what it captures (JS-114, within this function).
    fn closure(&mut self, func: FuncId, place: Place) {
        if place != Place::Escape && place != Place::Harden {
            return;
        }
        let tree = self.tree;
        let f = tree.func(func);
        let fresh = f.captures.iter().find(|b| self.states[b.index()] == State::Fresh && tree.binding(**b).func == f.parent);
        if let Some(binding) = fresh {
            let name = self.check.text(tree.binding(*binding).name);
            let message = format!("this function takes `{name}` with it, which is not hardened yet");
            let help = format!("write `harden({name});` before it");
            self.check.report(crate::diagnostic::Severity::Error, "JS-114", f.span, message, Some(help));
        }
    }

    fn name(&mut self, id: ExprId, place: Place) {
        let Some(binding) = self.tracked(id) else { return };
        match place {
            Place::Read => {}
            Place::Harden => self.set_hardened(binding),
            Place::Nested | Place::Escape if self.states[binding.index()] == State::Fresh => {
                let name = self.check.text(self.tree.binding(binding).name);
                self.check.reject_with(self.check.at(id), format!("`{name}` escapes before it is hardened"));
            }
            _ => {}
        }
    }

    fn assign(&mut self, target: PatId, value: ExprId) {
        match *self.tree.pat(target) {
            Pat::Target(e) => {
                let fresh = self.fill(e);
                self.value(value, if fresh { Place::Nested } else { Place::Escape });
            }
            _ => self.read(value),
        }
    }

    /// Assignment to `v.p`: says whether `v` is fresh, reports it if `v` is hardened.
    fn fill(&mut self, target: ExprId) -> bool {
        let inner = self.check.inside(target);
        let (Expr::Member { object, .. } | Expr::Index { object, .. }) = *self.tree.expr(inner) else { return false };
        let Some(binding) = self.tracked(object) else {
            self.read(object);
            return false;
        };
        if self.states[binding.index()] == State::Fresh {
            return true;
        }
        let name = self.check.text(self.tree.binding(binding).name);
        let message = format!("`{name}` is hardened and cannot be assigned to");
        let help = "assign before it is hardened".to_string();
        let span = self.check.at(inner);
        self.check.report(crate::diagnostic::Severity::Error, "JS-112", span, message, Some(help));
        false
    }

    /// Defaults of parameters: what they make is bound to no constant.
    pub fn pattern_defaults(&mut self, pat: PatId) {
        let tree = self.tree;
        match tree.pat(pat) {
            Pat::Default { pat, value } => {
                let name = matches!(tree.pat(*pat), Pat::Binding(_));
                self.value(*value, if name { Place::Escape } else { Place::Read });
                self.pattern_defaults(*pat);
            }
            Pat::Array { items, rest } => items.iter().flatten().chain(rest).for_each(|&p| self.pattern_defaults(p)),
            Pat::Object { props, rest } => {
                props.iter().map(|p| p.value).chain(*rest).for_each(|p| self.pattern_defaults(p));
            }
            _ => {}
        }
    }
}
