//! Function declarations and expressions, methods, bodies.
use super::object::Modifiers;
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    /// `function f() {}` and its async and generator forms, as a declaration.
    #[inline(never)]
    pub fn function_declaration(&mut self) -> Parse<StmtId> {
        let start = self.start();
        let (is_async, is_generator) = self.function_words();
        let (name, span) = self.binding_name()?;
        self.declared_function(start, is_async, is_generator, name, span, Some(name))
    }

    /// Takes `async`, `function` and `*`.
    pub fn function_words(&mut self) -> (bool, bool) {
        let is_async = self.eat_word(w::ASYNC);
        self.bump();
        (is_async, self.eat(Tok::Star))
    }

    /// From the parameters on; `binding_name` differs from `name` for `export default function () {}`.
    pub fn declared_function(
        &mut self,
        start: u32,
        is_async: bool,
        is_generator: bool,
        binding_name: NameId,
        span: Span,
        name: Option<NameId>,
    ) -> Parse<StmtId> {
        let binding = self.declare(binding_name, span, BindingKind::Function);
        let func = self.new_function(FuncKind::Normal, start);
        let scope = self.ctx.scope;
        self.tree.scopes[scope.index()].functions.push((binding, func));
        self.tree.functions[func.index()].name = name;
        self.function_rest(func, Modifiers { is_async, is_generator, ..Modifiers::default() }, |_| {})?;
        Ok(self.add_stmt(Stmt::Function { binding, func }, start))
    }

    /// A function expression from its name on.
    pub fn function_with_own_name(&mut self, start: u32, is_async: bool, is_generator: bool) -> Parse<FuncId> {
        let func = self.new_function(FuncKind::Normal, start);
        if !self.at(Tok::LParen) {
            // The name is read as the function's own code would read it.
            let outer = self.ctx;
            self.ctx.await_reserved = is_async;
            let name = self.binding_name();
            self.ctx = outer;
            let (name, span) = name?;
            if name == w::EVAL || name == w::ARGUMENTS {
                let message = format!("`{}` cannot be declared in strict code", self.show(name));
                self.error_help("E-NAME", span, message, "choose another name");
            }
            let scope = self.new_scope(ScopeKind::FunctionName, Some(self.ctx.scope), func);
            let binding = self.add_binding(name, span, BindingKind::SelfName, scope);
            let f = &mut self.tree.functions[func.index()];
            f.name = Some(name);
            f.self_binding = Some(binding);
            let params = f.param_scope;
            self.tree.scopes[params.index()].parent = Some(scope);
        }
        self.function_rest(func, Modifiers { is_async, is_generator, ..Modifiers::default() }, |_| {})?;
        Ok(func)
    }

    /// A method of a literal or class, from its parameters on; `super.x` is allowed in it.
    pub fn method(&mut self, start: u32, kind: FuncKind, modifiers: Modifiers) -> Parse<FuncId> {
        let func = self.new_function(kind, start);
        let open = self.tok.span;
        let super_call = kind == FuncKind::Constructor { derived: true };
        self.function_rest(func, modifiers, |ctx| {
            ctx.super_property = true;
            ctx.super_call = super_call;
        })?;
        let f = self.tree.func(func);
        let count = f.params.len();
        if kind == FuncKind::Getter && (count > 0 || f.rest.is_some()) {
            self.error("E-PARAMS", open, "a getter has no parameters");
        } else if kind == FuncKind::Setter && (count != 1 || f.rest.is_some()) {
            self.error("E-PARAMS", open, "a setter has one parameter");
        }
        Ok(func)
    }

    /// Parameters and body.
    pub fn function_rest(&mut self, func: FuncId, modifiers: Modifiers, adapt: impl FnOnce(&mut super::Ctx)) -> Parse<()> {
        let f = &mut self.tree.functions[func.index()];
        f.is_async = modifiers.is_async;
        f.is_generator = modifiers.is_generator;
        let start = f.span.start;
        let mut ctx = self.function_ctx(func);
        adapt(&mut ctx);
        let saved = std::mem::replace(&mut self.ctx, ctx);
        let (suspend, await_name) = (self.suspend_at, self.await_name_at);
        let result = self.params_and_body(func);
        self.ctx = saved;
        self.suspend_at = suspend;
        self.await_name_at = await_name;
        let body = result?;
        let span = self.since(start);
        let f = &mut self.tree.functions[func.index()];
        f.body = Body::Block(body);
        f.span = span;
        Ok(())
    }

    fn params_and_body(&mut self, func: FuncId) -> Parse<Vec<StmtId>> {
        self.formal_params(func)?;
        self.ctx.in_params = false;
        self.ctx.scope = self.tree.func(func).body_scope;
        self.function_body(func)
    }

    /// `{ … }` of a function.
    pub fn function_body(&mut self, func: FuncId) -> Parse<Vec<StmtId>> {
        self.expect(Tok::LBrace, "`{`")?;
        let directives = self.at(Tok::String);
        let body = self.statement_list();
        self.expect(Tok::RBrace, "`}`")?;
        if directives && !self.tree.func(func).simple_params {
            self.check_use_strict(&body);
        }
        Ok(body)
    }

    fn check_use_strict(&mut self, body: &[StmtId]) {
        for &stmt in body {
            let Stmt::Expr(e) = *self.tree.stmt(stmt) else { return };
            let Expr::String(name) = *self.tree.expr(e) else { return };
            let span = self.expr_span(e);
            if name == w::USE_STRICT && span.end - span.start == 12 {
                self.error("E-STRICT", span, "a function whose parameters are not plain names cannot say `use strict`");
            }
        }
    }
}
