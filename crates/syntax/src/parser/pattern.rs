//! Patterns: binding patterns as they are read, and expressions reinterpreted as patterns.
//!
//! Invariant: an expression is reinterpreted at most once as a target and at most once as a binding.
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    /// A name that is declared: BindingIdentifier.
    pub fn binding_name(&mut self) -> Parse<(NameId, Span)> {
        let token = self.tok;
        match token.kind {
            Tok::Ident | Tok::Await => self.check_identifier(token.name, token.span),
            Tok::Let | Tok::Static | Tok::Yield | Tok::Reserved | Tok::EscapedKeyword => self.reserved_name(),
            _ if token.is_word() => {
                self.reserved_name();
                return Err(super::Halt);
            }
            _ => return self.unexpected("a name"),
        }
        self.bump();
        Ok((token.name, token.span))
    }

    /// A name or a pattern that declares names.
    pub fn binding_target(&mut self, kind: BindingKind) -> Parse<PatId> {
        match self.tok.kind {
            Tok::LBracket | Tok::LBrace => {
                self.enter()?;
                let array = self.at(Tok::LBracket);
                let result = if array { self.array_pattern(kind) } else { self.object_pattern(kind) };
                self.depth -= 1;
                result
            }
            _ => {
                let (name, span) = self.binding_name()?;
                let binding = self.declare(name, span, kind);
                Ok(self.add_pat(Pat::Binding(binding), span))
            }
        }
    }

    /// A target with an optional default.
    pub fn binding_element(&mut self, kind: BindingKind) -> Parse<PatId> {
        let start = self.start();
        let pat = self.binding_target(kind)?;
        self.maybe_default(start, pat)
    }

    fn maybe_default(&mut self, start: u32, pat: PatId) -> Parse<PatId> {
        if !self.eat(Tok::Assign) {
            return Ok(pat);
        }
        let value = self.assign_in()?;
        let span = self.since(start);
        Ok(self.add_pat(Pat::Default { pat, value }, span))
    }

    fn array_pattern(&mut self, kind: BindingKind) -> Parse<PatId> {
        let start = self.start();
        self.bump();
        let (mut items, mut rest) = (Vec::new(), None);
        while !self.at(Tok::RBracket) {
            if self.eat(Tok::Comma) {
                items.push(None);
                continue;
            }
            if self.eat(Tok::Ellipsis) {
                rest = Some(self.binding_target(kind)?);
                break;
            }
            items.push(Some(self.binding_element(kind)?));
            if !self.at(Tok::RBracket) {
                self.expect(Tok::Comma, "`,` or `]`")?;
            }
        }
        self.expect(Tok::RBracket, "`]`")?;
        let span = self.since(start);
        Ok(self.add_pat(Pat::Array { items, rest }, span))
    }

    fn object_pattern(&mut self, kind: BindingKind) -> Parse<PatId> {
        let start = self.start();
        self.bump();
        let (mut props, mut rest) = (Vec::new(), None);
        while !self.at(Tok::RBrace) {
            if self.eat(Tok::Ellipsis) {
                let (name, span) = self.binding_name()?;
                let binding = self.declare(name, span, kind);
                rest = Some(self.add_pat(Pat::Binding(binding), span));
                break;
            }
            props.push(self.pattern_property(kind)?);
            if !self.at(Tok::RBrace) {
                self.expect(Tok::Comma, "`,` or `}`")?;
            }
        }
        self.expect(Tok::RBrace, "`}`")?;
        let span = self.since(start);
        Ok(self.add_pat(Pat::Object { props, rest }, span))
    }

    fn pattern_property(&mut self, kind: BindingKind) -> Parse<PatProp> {
        let token = self.tok;
        let key = self.key(false)?;
        if self.eat(Tok::Colon) {
            let value = self.binding_element(kind)?;
            return Ok(PatProp { key, value, shorthand: false });
        }
        match token.kind {
            Tok::Ident | Tok::Await => self.check_identifier(token.name, token.span),
            _ if token.is_word() => {
                let message = format!("`{}` is reserved and cannot be a name", self.show(token.name));
                self.error_help("E-RESERVED", token.span, message, "choose another name");
            }
            _ => return self.unexpected("`:`"),
        }
        let binding = self.declare(token.name, token.span, kind);
        let pat = self.add_pat(Pat::Binding(binding), token.span);
        let value = self.maybe_default(token.span.start, pat)?;
        Ok(PatProp { key, value, shorthand: true })
    }

    // ---- assignment targets

    /// Reports what `op=`, `++` and `--` cannot assign to.
    pub fn check_simple_target(&mut self, id: ExprId) {
        self.check_target(id, "JS-065");
    }

    fn check_target(&mut self, id: ExprId, send_code: &'static str) {
        let inner = self.without_parens(id);
        let span = self.expr_span(id);
        match self.tree.expr(inner) {
            Expr::Ident(r) => {
                let name = self.tree.reference(*r).name;
                if name == w::EVAL || name == w::ARGUMENTS {
                    let message = format!("`{}` cannot be assigned to in strict code", self.show(name));
                    self.error("E-TARGET", span, message);
                }
            }
            Expr::Member { .. } | Expr::Index { .. } | Expr::Private { .. } => {}
            Expr::SuperMember { .. } | Expr::SuperIndex { .. } | Expr::Error => {}
            Expr::Send { .. } => {
                let help = "send a message that asks the object to do it";
                self.error_help(send_code, span, "a property of a distant object cannot be assigned to", help);
            }
            Expr::Chain(_) => self.error("E-TARGET", span, "an optional chain cannot be assigned to"),
            _ => self.error("E-TARGET", span, "this cannot be assigned to"),
        }
    }

    /// An expression before `=`, as a pattern.
    pub fn reinterpret_target(&mut self, id: ExprId) -> PatId {
        let span = self.expr_span(id);
        match std::mem::replace(&mut self.tree.exprs[id.index()], Expr::Error) {
            Expr::Array(items) => {
                if self.comma_after_spread.contains(&id) {
                    self.error("E-TARGET", span, "nothing follows the rest of an array pattern");
                }
                self.array_target(items, span, None)
            }
            Expr::Object(props) => {
                if self.comma_after_spread.contains(&id) {
                    self.error("E-TARGET", span, "nothing follows the rest of an object pattern");
                }
                self.object_target(props, span, None)
            }
            other => {
                self.tree.exprs[id.index()] = other;
                self.check_target(id, "JS-062");
                self.add_pat(Pat::Target(id), span)
            }
        }
    }

    fn array_target(&mut self, list: Vec<Element>, span: Span, kind: Option<BindingKind>) -> PatId {
        let (mut items, mut rest) = (Vec::new(), None);
        let count = list.len();
        for (i, item) in list.into_iter().enumerate() {
            match item {
                Element::Hole => items.push(None),
                Element::Item(e) => items.push(Some(self.element(e, kind))),
                Element::Spread(e) => {
                    if i + 1 < count {
                        self.error("E-TARGET", self.expr_span(e), "nothing follows the rest of an array pattern");
                    }
                    if matches!(self.tree.expr(e), Expr::Assign { .. }) {
                        self.error("E-TARGET", self.expr_span(e), "the rest of a pattern has no default");
                    }
                    rest = Some(self.element(e, kind));
                }
            }
        }
        self.add_pat(Pat::Array { items, rest }, span)
    }

    fn object_target(&mut self, list: Vec<Property>, span: Span, kind: Option<BindingKind>) -> PatId {
        let (mut props, mut rest) = (Vec::new(), None);
        let count = list.len();
        for (i, prop) in list.into_iter().enumerate() {
            match prop {
                Property::Value { key, value, shorthand } => {
                    let value = self.element(value, kind);
                    props.push(PatProp { key, value, shorthand });
                }
                Property::Proto(value) => {
                    let value = self.element(value, kind);
                    props.push(PatProp { key: Key::Name(w::PROTO), value, shorthand: false });
                }
                Property::Spread(e) => {
                    let bare = match self.tree.expr(e) {
                        Expr::Array(_) | Expr::Object(_) | Expr::Assign { .. } => false,
                        Expr::Ident(_) => true,
                        _ => kind.is_none(),
                    };
                    if i + 1 < count || !bare {
                        self.error("E-TARGET", self.expr_span(e), "the rest of an object pattern is one name, and the last");
                    }
                    rest = Some(self.element(e, kind));
                }
                Property::Method { func, .. } | Property::Getter { func, .. } | Property::Setter { func, .. } => {
                    let at = self.tree.func(func).span;
                    self.error("E-TARGET", at, "a method cannot be assigned to");
                }
            }
        }
        self.add_pat(Pat::Object { props, rest }, span)
    }

    /// One element of a pattern: of a declaration if `kind` is given.
    fn element(&mut self, id: ExprId, kind: Option<BindingKind>) -> PatId {
        if let Some(kind) = kind {
            return self.reinterpret_binding(id, kind);
        }
        let span = self.expr_span(id);
        if let Expr::Assign { target, value } = *self.tree.expr(id) {
            self.tree.exprs[id.index()] = Expr::Error;
            return self.add_pat(Pat::Default { pat: target, value }, span);
        }
        self.reinterpret_target(id)
    }

    /// An expression read where it turns out that parameters stand.
    pub fn reinterpret_binding(&mut self, id: ExprId, kind: BindingKind) -> PatId {
        let span = self.expr_span(id);
        match std::mem::replace(&mut self.tree.exprs[id.index()], Expr::Error) {
            Expr::Ident(r) => self.ref_to_binding(r, kind),
            Expr::Assign { target, value } => {
                let pat = self.target_to_binding(target, kind);
                self.add_pat(Pat::Default { pat, value }, span)
            }
            Expr::Array(items) => {
                if self.comma_after_spread.contains(&id) {
                    self.error("E-PARAMS", span, "nothing follows the rest of an array pattern");
                }
                self.array_target(items, span, Some(kind))
            }
            Expr::Object(props) => {
                if self.comma_after_spread.contains(&id) {
                    self.error("E-PARAMS", span, "nothing follows the rest of an object pattern");
                }
                self.object_target(props, span, Some(kind))
            }
            _ => {
                self.error("E-PARAMS", span, "this is no parameter");
                self.add_pat(Pat::Error, span)
            }
        }
    }

    fn ref_to_binding(&mut self, r: RefId, kind: BindingKind) -> PatId {
        let (name, span) = (self.tree.reference(r).name, self.tree.reference(r).span);
        let binding = self.declare(name, span, kind);
        self.tree.refs[r.0 as usize].to = Resolution::Local(binding);
        self.add_pat(Pat::Binding(binding), span)
    }

    /// A pattern made for an assignment, as one of declarations: `([a] = []) => …`.
    fn target_to_binding(&mut self, id: PatId, kind: BindingKind) -> PatId {
        let span = self.tree.pat_spans[id.index()];
        match std::mem::replace(&mut self.tree.pats[id.index()], Pat::Error) {
            Pat::Target(e) => return self.reinterpret_binding(e, kind),
            Pat::Default { pat, value } => {
                let pat = self.target_to_binding(pat, kind);
                self.tree.pats[id.index()] = Pat::Default { pat, value };
            }
            Pat::Array { items, rest } => {
                let items = items.into_iter().map(|p| p.map(|p| self.target_to_binding(p, kind))).collect();
                let rest = rest.map(|p| self.target_to_binding(p, kind));
                self.tree.pats[id.index()] = Pat::Array { items, rest };
            }
            Pat::Object { props, rest } => {
                let convert = |p: PatProp| PatProp { value: self.target_to_binding(p.value, kind), ..p };
                let props = props.into_iter().map(convert).collect();
                let rest = rest.map(|p| self.target_to_binding(p, kind));
                if rest.is_some_and(|p| !matches!(self.tree.pat(p), Pat::Binding(_) | Pat::Error)) {
                    self.error("E-PARAMS", span, "the rest of an object pattern is one name");
                }
                self.tree.pats[id.index()] = Pat::Object { props, rest };
            }
            other => self.tree.pats[id.index()] = other,
        }
        id
    }
}
