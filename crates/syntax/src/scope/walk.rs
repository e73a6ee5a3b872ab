//! Functions, expressions, patterns and classes, in source order.
use super::{Frame, Walk};
use crate::ast::*;

impl Walk<'_> {
    /// `hoisted_in`: the scope a declaration belongs to.
    pub(super) fn function(&mut self, func: FuncId, hoisted_in: Option<ScopeId>) {
        let f = &mut self.functions[func.index()];
        let start = f.span.start;
        let (params, rest) = (std::mem::take(&mut f.params), f.rest);
        let body = std::mem::replace(&mut f.body, Body::Block(Vec::new()));
        let (param_scope, body_scope, self_binding) = (f.param_scope, f.body_scope, f.self_binding);
        let arrow = f.kind == FuncKind::Arrow;
        if let Some(outer) = self.frames.last() {
            f.parent = outer.func;
        }
        let created = hoisted_in.map_or(start, |s| self.scope_start[s.index()]);
        self.level[func.index()] = self.frames.len() as u32;
        self.frames.push(Frame { func, arrow, created, hoisted_in, start });
        // Functions of the body come into being when the parameters are there.
        let body_start = params.iter().chain(&rest).map(|p| self.nodes.pat_spans[p.index()].end).max().unwrap_or(start);
        let inner = |walk: &mut Self| {
            walk.within(param_scope, start, |walk| {
                for &pat in params.iter().chain(&rest) {
                    walk.declaration(pat);
                }
                walk.within(body_scope, body_start, |walk| match &body {
                    Body::Block(list) => walk.statements(list),
                    Body::Expr(value) => walk.expr(*value),
                });
            });
        };
        match self_binding {
            Some(binding) => {
                let scope = self.bindings[binding.index()].scope;
                self.within(scope, start, inner);
            }
            None => inner(self),
        }
        self.frames.pop();
        let f = &mut self.functions[func.index()];
        f.params = params;
        f.body = body;
    }

    /// A pattern that declares: its names are ready where it (with its value) ends.
    pub(super) fn declaration(&mut self, pat: PatId) {
        let end = self.nodes.pat_spans[pat.index()].end;
        self.pattern(pat);
        self.set_ready(pat, end);
    }

    pub(super) fn set_ready(&mut self, pat: PatId, end: u32) {
        match &self.nodes.pats[pat.index()] {
            Pat::Binding(binding) => self.ready[binding.index()] = end,
            Pat::Default { pat, .. } => self.set_ready(*pat, end),
            Pat::Array { items, rest } => items.iter().flatten().chain(rest).for_each(|&p| self.set_ready(p, end)),
            Pat::Object { props, rest } => {
                props.iter().map(|p| p.value).chain(*rest).for_each(|p| self.set_ready(p, end));
            }
            Pat::Error | Pat::Target(_) => {}
        }
    }

    /// The uses within a pattern.
    pub(super) fn pattern(&mut self, pat: PatId) {
        match &self.nodes.pats[pat.index()] {
            Pat::Error | Pat::Binding(_) => {}
            Pat::Target(e) => self.target(*e),
            Pat::Default { pat, value } => {
                self.pattern(*pat);
                self.expr(*value);
            }
            Pat::Array { items, rest } => items.iter().flatten().chain(rest).for_each(|&p| self.pattern(p)),
            Pat::Object { props, rest } => {
                for prop in props {
                    self.key(prop.key);
                    self.pattern(prop.value);
                }
                rest.iter().for_each(|&p| self.pattern(p));
            }
        }
    }

    /// What is assigned to.
    fn target(&mut self, id: ExprId) {
        let mut inner = id;
        while let Expr::Paren(e) = &self.nodes.exprs[inner.index()] {
            inner = *e;
        }
        match &self.nodes.exprs[inner.index()] {
            Expr::Ident(r) => self.reference(*r, true),
            _ => self.expr(id),
        }
    }

    fn key(&mut self, key: Key) {
        if let Key::Computed(e) = key {
            self.expr(e);
        }
    }

    fn elements(&mut self, list: &[Element]) {
        for item in list {
            if let Element::Item(e) | Element::Spread(e) = item {
                self.expr(*e);
            }
        }
    }

    /// Goes down the left side by a loop, then visits what stands to the right on the way up.
    pub(super) fn expr(&mut self, id: ExprId) {
        let base = self.spine.len();
        let mut leaf = id;
        while let Some(left) = left_child(&self.nodes.exprs[leaf.index()]) {
            self.spine.push(leaf);
            leaf = left;
        }
        self.leaf(leaf);
        while self.spine.len() > base {
            let Some(id) = self.spine.pop() else { return };
            self.right_side(id);
        }
    }

    fn right_side(&mut self, id: ExprId) {
        match &self.nodes.exprs[id.index()] {
            Expr::Binary { right, .. } | Expr::Logical { right, .. } => self.expr(*right),
            Expr::Index { index, .. } => self.expr(*index),
            Expr::Private { name, .. } => self.private_use(*name, id),
            Expr::Call { args, .. } => self.elements(args),
            Expr::TaggedTemplate { exprs, .. } => exprs.iter().for_each(|&e| self.expr(e)),
            Expr::Send { form, args, .. } => {
                if let SendForm::GetIndex(e) | SendForm::MethodIndex(e) = form {
                    self.expr(*e);
                }
                self.elements(args);
            }
            Expr::Cond { then, other, .. } => {
                self.expr(*then);
                self.expr(*other);
            }
            _ => {}
        }
    }

    fn leaf(&mut self, id: ExprId) {
        match &self.nodes.exprs[id.index()] {
            Expr::Ident(r) => self.reference(*r, false),
            Expr::This | Expr::NewTarget | Expr::SuperMember { .. } => self.mark_this(),
            Expr::SuperIndex { index } => {
                self.mark_this();
                self.expr(*index);
            }
            Expr::SuperCall { args } => {
                self.mark_this();
                self.elements(args);
            }
            Expr::Template { exprs, .. } | Expr::Sequence(exprs) => exprs.iter().for_each(|&e| self.expr(e)),
            Expr::Array(items) => self.elements(items),
            Expr::Object(props) => props.iter().for_each(|p| self.property(p)),
            Expr::Function(func) => self.function(*func, None),
            Expr::Class(class) => self.class(*class),
            Expr::Unary { arg, .. } | Expr::Await(arg) | Expr::Paren(arg) => self.expr(*arg),
            Expr::Yield { arg, .. } => arg.iter().for_each(|&e| self.expr(e)),
            Expr::Update { target, .. } => self.target(*target),
            Expr::PrivateIn { name, right } => {
                self.private_use(*name, id);
                self.expr(*right);
            }
            Expr::Assign { target, value } => {
                self.pattern(*target);
                self.expr(*value);
            }
            Expr::AssignOp { target, value, .. } | Expr::AssignLogical { target, value, .. } => {
                self.target(*target);
                self.expr(*value);
            }
            Expr::New { callee, args } => {
                self.expr(*callee);
                self.elements(args);
            }
            Expr::ImportCall { specifier, options } => {
                self.expr(*specifier);
                options.iter().for_each(|&e| self.expr(e));
            }
            _ => {}
        }
    }

    fn property(&mut self, prop: &Property) {
        match prop {
            Property::Value { key, value, .. } => {
                self.key(*key);
                self.expr(*value);
            }
            Property::Proto(e) | Property::Spread(e) => self.expr(*e),
            Property::Method { key, func } | Property::Getter { key, func } | Property::Setter { key, func } => {
                self.key(*key);
                self.function(*func, None);
            }
        }
    }

    fn private_use(&mut self, name: NameId, at: ExprId) {
        if self.private.get(&name).is_none_or(|&count| count == 0) {
            let span = self.nodes.expr_spans[at.index()];
            self.sink.error("E-PRIVATE", span, "no class around this place declares this private name");
        }
    }

    pub(super) fn class(&mut self, id: ClassId) {
        let nodes = self.nodes;
        let class = &nodes.classes[id.index()];
        self.within(class.scope, class.span.start, |walk| {
            if let Some(heritage) = class.extends {
                walk.expr(heritage);
            }
            for &name in &class.private_names {
                *walk.private.entry(name).or_insert(0) += 1;
            }
            if let Some(constructor) = class.constructor {
                walk.member_function(class, constructor);
            }
            for member in &class.members {
                walk.member(class, member);
            }
            for name in &class.private_names {
                if let Some(count) = walk.private.get_mut(name) {
                    *count -= 1;
                }
            }
            if let Some(binding) = class.self_binding {
                walk.ready[binding.index()] = class.span.end;
            }
        });
    }

    fn member(&mut self, class: &Class, member: &Member) {
        match member {
            Member::Method { key, func, .. } | Member::Getter { key, func, .. } | Member::Setter { key, func, .. } => {
                self.key(*key);
                self.member_function(class, *func);
            }
            Member::Field { key, func, .. } => {
                self.key(*key);
                func.iter().for_each(|&f| self.member_function(class, f));
            }
            Member::StaticBlock { func } => self.member_function(class, *func),
        }
    }

    /// Members run only after the class's own name is initialised.
    fn member_function(&mut self, class: &Class, func: FuncId) {
        if let Some(binding) = class.self_binding {
            self.ready[binding.index()] = class.span.start;
        }
        self.function(func, None);
        if let Some(binding) = class.self_binding {
            self.ready[binding.index()] = u32::MAX;
        }
    }
}

fn left_child(expr: &Expr) -> Option<ExprId> {
    match expr {
        Expr::Binary { left, .. } | Expr::Logical { left, .. } => Some(*left),
        Expr::Member { object, .. } | Expr::Index { object, .. } | Expr::Private { object, .. } => Some(*object),
        Expr::Call { callee, .. } => Some(*callee),
        Expr::TaggedTemplate { tag, .. } => Some(*tag),
        Expr::Send { target, .. } => Some(*target),
        Expr::Chain(inner) => Some(*inner),
        Expr::Cond { test, .. } => Some(*test),
        _ => None,
    }
}
