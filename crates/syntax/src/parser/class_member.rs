//! Members of classes: methods, accessors, fields, static blocks.
use super::class::{ClassState, PrivateKind};
use super::object::Modifiers;
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::{Tok, Token};

impl Parser<'_> {
    pub fn class_member(
        &mut self,
        class: ClassId,
        state: &mut ClassState,
        members: &mut Vec<Member>,
        constructor: &mut Option<FuncId>,
    ) -> Parse<()> {
        let start = self.start();
        let is_static = self.static_word();
        if is_static && self.at(Tok::LBrace) {
            let func = self.static_block(start)?;
            members.push(Member::StaticBlock { func });
            return Ok(());
        }
        let modifiers = self.modifiers();
        let token = self.tok;
        let key = self.key(true)?;
        let method = modifiers.any() || self.at(Tok::LParen);
        self.check_member_name(token, key, is_static, method, modifiers);
        if let Key::Private(name) = key {
            self.declare_private(class, state, name, token.span, is_static, modifiers);
        }
        if !method {
            let func = if self.eat(Tok::Assign) { Some(self.field_value()?) } else { None };
            self.semicolon()?;
            members.push(Member::Field { key, func, is_static });
            return Ok(());
        }
        let plain = matches!(key, Key::Name(w::CONSTRUCTOR)) && !is_static;
        if plain && !modifiers.any() {
            if constructor.is_some() {
                self.error("E-CLASS", token.span, "a class has one constructor");
            }
            *constructor = Some(self.method(start, FuncKind::Constructor { derived: state.derived }, modifiers)?);
            return Ok(());
        }
        let kind = match modifiers {
            Modifiers { getter: true, .. } => FuncKind::Getter,
            Modifiers { setter: true, .. } => FuncKind::Setter,
            _ => FuncKind::Method,
        };
        let func = self.method(start, kind, modifiers)?;
        members.push(match kind {
            FuncKind::Getter => Member::Getter { key, func, is_static },
            FuncKind::Setter => Member::Setter { key, func, is_static },
            _ => Member::Method { key, func, is_static },
        });
        Ok(())
    }

    /// Takes `static` unless it is the member's own name.
    fn static_word(&mut self) -> bool {
        if !self.at(Tok::Static) {
            return false;
        }
        let named = matches!(self.peek().kind, Tok::LParen | Tok::Assign | Tok::Semi | Tok::RBrace | Tok::Eof);
        if !named {
            self.bump();
        }
        !named
    }

    fn check_member_name(&mut self, token: Token, key: Key, is_static: bool, method: bool, modifiers: Modifiers) {
        let message = match key {
            Key::Private(w::CONSTRUCTOR) => "a private name cannot be `#constructor`",
            Key::Name(w::PROTOTYPE) if is_static => "a static member cannot be called `prototype`",
            Key::Name(w::CONSTRUCTOR) if !method => "a field cannot be called `constructor`",
            Key::Name(w::CONSTRUCTOR) if !is_static && modifiers.any() => {
                "a constructor is no getter, setter, generator or async function"
            }
            _ => return,
        };
        self.error("E-CLASS", token.span, message);
    }

    fn declare_private(
        &mut self,
        class: ClassId,
        state: &mut ClassState,
        name: NameId,
        span: Span,
        is_static: bool,
        modifiers: Modifiers,
    ) {
        let kind = match modifiers {
            Modifiers { getter: true, .. } => PrivateKind::Getter,
            Modifiers { setter: true, .. } => PrivateKind::Setter,
            _ => PrivateKind::Whole,
        };
        match state.private.get(&name).copied() {
            None => {
                state.private.insert(name, (kind, is_static));
                self.tree.classes[class.index()].private_names.push(name);
            }
            Some((old, old_static)) => {
                let halves = kind != PrivateKind::Whole && old != PrivateKind::Whole && kind != old;
                if !halves || old_static != is_static {
                    let message = format!("`#{}` is already declared in this class", self.show(name));
                    self.error("E-DUPLICATE", span, message);
                }
                state.private.insert(name, (PrivateKind::Whole, is_static));
            }
        }
    }

    /// The context of a field's initialiser or a static block.
    fn init_ctx(&mut self, start: u32) -> FuncId {
        let func = self.new_function(FuncKind::ClassInit, start);
        let mut ctx = self.function_ctx(func);
        ctx.scope = self.tree.func(func).body_scope;
        ctx.in_params = false;
        ctx.super_property = true;
        ctx.no_arguments = true;
        ctx.can_return = false;
        self.ctx = ctx;
        func
    }

    fn field_value(&mut self) -> Parse<FuncId> {
        let start = self.start();
        let saved = self.ctx;
        let func = self.init_ctx(start);
        self.ctx.await_reserved = saved.await_reserved;
        let value = self.assign();
        self.ctx = saved;
        let value = value?;
        let span = self.since(start);
        let f = &mut self.tree.functions[func.index()];
        f.body = Body::Expr(value);
        f.span = span;
        Ok(func)
    }

    fn static_block(&mut self, start: u32) -> Parse<FuncId> {
        let saved = self.ctx;
        let func = self.init_ctx(start);
        self.ctx.await_reserved = true;
        let (suspend, await_name) = (self.suspend_at, self.await_name_at);
        self.bump();
        let body = self.statement_list();
        self.ctx = saved;
        self.suspend_at = suspend;
        self.await_name_at = await_name;
        self.expect(Tok::RBrace, "`}`")?;
        let span = self.since(start);
        let f = &mut self.tree.functions[func.index()];
        f.body = Body::Block(body);
        f.span = span;
        Ok(func)
    }
}
