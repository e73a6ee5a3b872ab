//! Classes.
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::Tok;
use std::collections::HashMap;

/// What a class has declared so far.
#[derive(Default)]
pub(crate) struct ClassState {
    pub derived: bool,
    /// Private names with what they are: an accessor half may be joined by the other.
    pub private: HashMap<NameId, (PrivateKind, bool)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrivateKind {
    Getter,
    Setter,
    Whole,
}

impl Parser<'_> {
    #[inline(never)]
    pub fn class_declaration(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        let (name, span) = self.binding_name()?;
        let binding = self.declare(name, span, BindingKind::Class);
        let class = self.class_tail(start, Some((name, span)))?;
        Ok(self.add_stmt(Stmt::Class { binding, class }, start))
    }

    #[inline(never)]
    pub fn class_expression(&mut self) -> Parse<ExprId> {
        let start = self.start();
        self.bump();
        let name = if matches!(self.tok.kind, Tok::LBrace | Tok::Extends) { None } else { Some(self.binding_name()?) };
        if let Some((name, span)) = name.filter(|n| n.0 == w::EVAL || n.0 == w::ARGUMENTS) {
            let message = format!("`{}` cannot be declared in strict code", self.show(name));
            self.error_help("E-NAME", span, message, "choose another name");
        }
        let class = self.class_tail(start, name)?;
        Ok(self.expr_from(Expr::Class(class), start))
    }

    /// From `extends` or the body on.
    pub fn class_tail(&mut self, start: u32, name: Option<(NameId, Span)>) -> Parse<ClassId> {
        let (no_in, outer) = (std::mem::replace(&mut self.ctx.no_in, false), self.pending.take());
        self.enter()?;
        let result = self.scoped(ScopeKind::Class, |p, scope| p.class_in_scope(start, name, scope));
        self.depth -= 1;
        self.ctx.no_in = no_in;
        self.pending = outer;
        result
    }

    fn class_in_scope(&mut self, start: u32, name: Option<(NameId, Span)>, scope: ScopeId) -> Parse<ClassId> {
        let self_binding = name.map(|(name, span)| self.add_binding(name, span, BindingKind::Class, scope));
        let id = ClassId(self.tree.classes.len() as u32);
        self.tree.classes.push(Class {
            name: name.map(|n| n.0),
            self_binding,
            scope,
            span: Span { start, end: start },
            extends: None,
            constructor: None,
            members: Vec::new(),
            private_names: Vec::new(),
        });
        let extends = if self.eat(Tok::Extends) { Some(self.heritage()?) } else { None };
        let mut state = ClassState { derived: extends.is_some(), ..ClassState::default() };
        self.expect(Tok::LBrace, "`{`")?;
        let (mut members, mut constructor) = (Vec::new(), None);
        while !matches!(self.tok.kind, Tok::RBrace | Tok::Eof) {
            if self.eat(Tok::Semi) {
                continue;
            }
            self.class_member(id, &mut state, &mut members, &mut constructor)?;
        }
        self.expect(Tok::RBrace, "`}`")?;
        let span = self.since(start);
        let class = &mut self.tree.classes[id.index()];
        class.extends = extends;
        class.members = members;
        class.constructor = constructor;
        class.span = span;
        Ok(id)
    }

    fn heritage(&mut self) -> Parse<ExprId> {
        self.enter()?;
        self.arrow_at = u32::MAX;
        let result = self.left_hand_side();
        self.depth -= 1;
        result
    }
}
