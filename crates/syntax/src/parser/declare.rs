//! Scopes and bindings while the text is read: a name and where it is declared come in, a [`BindingId`] goes out.
//!
//! Invariant: within one scope a name has one binding; a second declaration shares it (`var` and functions of a function's
//! top level) or is reported. A `var` that meets a lexical name on its way up is found later (`scope`), where that is O(1).
use super::{Ctx, Parser, well_known as w};
use crate::ast::*;
use crate::limits::MAX_FUNCTIONS;

impl Parser<'_> {
    pub fn new_scope(&mut self, kind: ScopeKind, parent: Option<ScopeId>, func: FuncId) -> ScopeId {
        self.tree.scopes.push(Scope { kind, parent, func, bindings: Vec::new(), functions: Vec::new() });
        ScopeId(self.tree.scopes.len() as u32 - 1)
    }

    /// Runs `read` within a new scope and leaves it again.
    pub fn scoped<T>(&mut self, kind: ScopeKind, read: impl FnOnce(&mut Self, ScopeId) -> T) -> T {
        let scope = self.new_scope(kind, Some(self.ctx.scope), self.ctx.func);
        let outer = std::mem::replace(&mut self.ctx.scope, scope);
        let result = read(self, scope);
        self.ctx.scope = outer;
        result
    }

    /// A function that is not read yet, with its two scopes.
    pub fn new_function(&mut self, kind: FuncKind, start: u32) -> FuncId {
        if self.tree.functions.len() == MAX_FUNCTIONS {
            self.too_many(MAX_FUNCTIONS, "functions");
        }
        let func = FuncId(self.tree.functions.len() as u32);
        let parent = if func.0 == 0 { None } else { Some(self.ctx.scope) };
        let param_scope = self.new_scope(ScopeKind::Params, parent, func);
        let body_scope = self.new_scope(ScopeKind::Body, Some(param_scope), func);
        self.tree.functions.push(Function {
            kind,
            is_async: false,
            is_generator: false,
            span: Span { start, end: start },
            name: None,
            self_binding: None,
            params: Vec::new(),
            rest: None,
            length: 0,
            simple_params: true,
            body: Body::Block(Vec::new()),
            param_scope,
            body_scope,
            parent: self.ctx.func,
            uses_this: false,
            arguments: None,
            captures: Vec::new(),
            captures_this: false,
            uses_globals: false,
        });
        func
    }

    /// The context within a function's parameters.
    pub fn function_ctx(&self, func: FuncId) -> Ctx {
        let f = self.tree.func(func);
        Ctx {
            func,
            scope: f.param_scope,
            var_scope: f.body_scope,
            is_async: f.is_async,
            is_generator: f.is_generator,
            await_reserved: f.is_async,
            in_params: true,
            super_property: false,
            super_call: false,
            new_target: true,
            no_arguments: false,
            can_return: true,
            in_loop: false,
            in_switch: false,
            labels: self.labels.len(),
            no_in: false,
        }
    }

    pub fn add_binding(&mut self, name: NameId, span: Span, kind: BindingKind, scope: ScopeId) -> BindingId {
        let id = BindingId(self.tree.bindings.len() as u32);
        let func = self.tree.scope(scope).func;
        self.tree.bindings.push(Binding {
            name,
            kind,
            span,
            scope,
            func,
            captured: false,
            reassigned: false,
            tdz: false,
            boxed: false,
        });
        self.tree.scopes[scope.index()].bindings.push(id);
        id
    }

    /// Declares a name where the context stands.
    pub fn declare(&mut self, name: NameId, span: Span, kind: BindingKind) -> BindingId {
        if name == w::EVAL || name == w::ARGUMENTS {
            let message = format!("`{}` cannot be declared in strict code", self.show(name));
            self.error_help("E-NAME", span, message, "choose another name");
        }
        if self.is_restricted(name, kind) {
            let message = format!("`{}` is a property of the global object that cannot be replaced", self.show(name));
            self.error_help("E-DUPLICATE", span, message, "choose another name, or declare it within a block or function");
        }
        let scope = match kind {
            BindingKind::Var => self.ctx.var_scope,
            _ => self.ctx.scope,
        };
        let var_like = self.is_var_like(kind, scope);
        if let Some(&old) = self.declared.get(&(scope, name)) {
            let old_kind = self.tree.binding(old).kind;
            if !(var_like && self.is_var_like(old_kind, scope)) {
                self.duplicate(name, span);
            } else if kind == BindingKind::Function {
                let old = &mut self.tree.bindings[old.index()];
                old.reassigned |= old.kind == BindingKind::Function;
                old.kind = BindingKind::Function;
            }
            return old;
        }
        if let Some(old) = self.outer_name(scope, name) {
            let func = self.tree.scope(scope).func;
            if !var_like {
                self.duplicate(name, span);
            } else if self.tree.scope(scope).kind == ScopeKind::Body && self.tree.func(func).simple_params {
                // The parameter and the `var` are one variable.
                return old;
            }
        }
        let binding = self.add_binding(name, span, kind, scope);
        self.declared.insert((scope, name), binding);
        binding
    }

    /// A parameter of the same function, or of the same `catch`, of that name.
    fn outer_name(&self, scope: ScopeId, name: NameId) -> Option<BindingId> {
        let s = self.tree.scope(scope);
        let parent = s.parent?;
        let own = match s.kind {
            ScopeKind::Body => true,
            ScopeKind::Block => self.tree.scope(parent).kind == ScopeKind::Catch,
            _ => false,
        };
        if own { self.declared.get(&(parent, name)).copied() } else { None }
    }

    /// Declared again without harm: `var` everywhere, functions at the top level of a function or script.
    fn is_var_like(&self, kind: BindingKind, scope: ScopeId) -> bool {
        match kind {
            BindingKind::Var => true,
            BindingKind::Function => {
                let scope = self.tree.scope(scope);
                scope.kind == ScopeKind::Body && !(self.is_module() && scope.func.0 == 0)
            }
            _ => false,
        }
    }

    /// HasRestrictedGlobalProperty, for what a script declares at its top level.
    fn is_restricted(&self, name: NameId, kind: BindingKind) -> bool {
        let lexical = matches!(kind, BindingKind::Let | BindingKind::Const | BindingKind::Class | BindingKind::Function);
        if !lexical || self.is_module() || self.ctx.scope != self.ctx.var_scope || self.tree.scope(self.ctx.scope).func.0 != 0 {
            return false;
        }
        matches!(self.show(name).as_str(), "undefined" | "NaN" | "Infinity")
    }

    #[cold]
    fn duplicate(&mut self, name: NameId, span: Span) {
        let message = format!("`{}` is already declared here", self.show(name));
        self.error_help("E-DUPLICATE", span, message, "give one of the two another name");
    }
}
