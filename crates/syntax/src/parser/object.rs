//! Array and object literals, property keys, methods in literals.
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::number_to_string;
use crate::lexer::token::Tok;
use crate::limits::MAX_BIGINT_KEY_DIGITS;

/// What the words before a method's name say.
#[derive(Clone, Copy, Default)]
pub(crate) struct Modifiers {
    pub is_async: bool,
    pub is_generator: bool,
    pub getter: bool,
    pub setter: bool,
}

impl Modifiers {
    pub fn any(self) -> bool {
        self.is_async || self.is_generator || self.getter || self.setter
    }
}

impl Parser<'_> {
    #[inline(never)]
    pub fn array_literal(&mut self) -> Parse<ExprId> {
        let no_in = std::mem::replace(&mut self.ctx.no_in, false);
        let result = self.array_items();
        self.ctx.no_in = no_in;
        result
    }

    fn array_items(&mut self) -> Parse<ExprId> {
        let start = self.start();
        self.bump();
        let mut items = Vec::new();
        let mut after_spread = false;
        while !self.at(Tok::RBracket) {
            if self.eat(Tok::Comma) {
                items.push(Element::Hole);
                continue;
            }
            let spread = self.eat(Tok::Ellipsis);
            let item = self.assign_cover()?;
            items.push(if spread { Element::Spread(item) } else { Element::Item(item) });
            if !self.at(Tok::RBracket) {
                self.expect(Tok::Comma, "`,` or `]`")?;
                after_spread |= spread;
            }
        }
        self.bump();
        let id = self.expr_from(Expr::Array(items), start);
        if after_spread {
            self.comma_after_spread.insert(id);
        }
        Ok(id)
    }

    #[inline(never)]
    pub fn object_literal(&mut self) -> Parse<ExprId> {
        let no_in = std::mem::replace(&mut self.ctx.no_in, false);
        let result = self.object_items();
        self.ctx.no_in = no_in;
        result
    }

    fn object_items(&mut self) -> Parse<ExprId> {
        let start = self.start();
        self.bump();
        let mut props = Vec::new();
        let (mut has_proto, mut after_spread) = (false, false);
        while !self.at(Tok::RBrace) {
            let from = self.start();
            let prop = self.property()?;
            if matches!(prop, Property::Proto(_)) {
                if has_proto && self.pending.is_none() {
                    self.pending = Some((self.since(from), "`__proto__` is given twice"));
                }
                has_proto = true;
            }
            let spread = matches!(prop, Property::Spread(_));
            props.push(prop);
            if !self.at(Tok::RBrace) {
                self.expect(Tok::Comma, "`,` or `}`")?;
                after_spread |= spread;
            }
        }
        self.bump();
        let id = self.expr_from(Expr::Object(props), start);
        if after_spread {
            self.comma_after_spread.insert(id);
        }
        Ok(id)
    }

    fn property(&mut self) -> Parse<Property> {
        if self.eat(Tok::Ellipsis) {
            return Ok(Property::Spread(self.assign_cover()?));
        }
        let start = self.start();
        let first = self.tok;
        let modifiers = self.modifiers();
        let key_token = self.tok;
        let key = self.key(false)?;
        if modifiers.any() || self.at(Tok::LParen) {
            return self.method_property(start, key, modifiers);
        }
        if self.eat(Tok::Colon) {
            let value = self.assign_cover()?;
            let proto = !self.plain_proto && first.kind != Tok::LBracket && matches!(key, Key::Name(w::PROTO));
            return Ok(if proto { Property::Proto(value) } else { Property::Value { key, value, shorthand: false } });
        }
        self.shorthand(key_token, key)
    }

    fn shorthand(&mut self, token: crate::lexer::token::Token, key: Key) -> Parse<Property> {
        match token.kind {
            Tok::Ident | Tok::Await => self.check_identifier(token.name, token.span),
            _ if token.is_word() => {
                let message = format!("`{}` is reserved and cannot be a variable", self.show(token.name));
                self.error_help("E-RESERVED", token.span, message, "write `name: value`");
            }
            _ => return self.unexpected("`:` or `(`"),
        }
        if token.name == w::ARGUMENTS && self.ctx.no_arguments {
            self.error("E-ARGUMENTS", token.span, "`arguments` cannot stand in a field's initialiser or a static block");
        }
        let r = self.add_ref(token.name, token.span);
        let name = self.add_expr(Expr::Ident(r), token.span);
        if !self.at(Tok::Assign) {
            return Ok(Property::Value { key, value: name, shorthand: true });
        }
        let at = self.tok.span;
        self.bump();
        let default = self.assign()?;
        let target = self.add_pat(Pat::Target(name), token.span);
        let value = self.expr_from(Expr::Assign { target, value: default }, token.span.start);
        if token.name == w::EVAL || token.name == w::ARGUMENTS {
            self.check_simple_target(name);
        }
        self.pending = self.pending.or(Some((at, "a default stands in patterns only; write `name: value` in an object")));
        Ok(Property::Value { key, value, shorthand: true })
    }

    /// `async`, `*`, `get`, `set` before the name of a method.
    pub fn modifiers(&mut self) -> Modifiers {
        let mut modifiers = Modifiers::default();
        for word in [w::ASYNC, w::GET, w::SET] {
            if !self.at_word(word) {
                continue;
            }
            let next = self.peek();
            let named = next.is_word()
                || matches!(next.kind, Tok::String | Tok::Number | Tok::BigInt | Tok::LBracket | Tok::Private)
                || word == w::ASYNC && next.kind == Tok::Star;
            if !named || word == w::ASYNC && next.newline {
                continue;
            }
            self.bump();
            match word {
                w::ASYNC => modifiers.is_async = true,
                w::GET => modifiers.getter = true,
                _ => modifiers.setter = true,
            }
            break;
        }
        if !modifiers.getter && !modifiers.setter && self.eat(Tok::Star) {
            modifiers.is_generator = true;
        }
        modifiers
    }

    fn method_property(&mut self, start: u32, key: Key, modifiers: Modifiers) -> Parse<Property> {
        let kind = match modifiers {
            Modifiers { getter: true, .. } => FuncKind::Getter,
            Modifiers { setter: true, .. } => FuncKind::Setter,
            _ => FuncKind::Method,
        };
        let func = self.method(start, kind, modifiers)?;
        Ok(match kind {
            FuncKind::Getter => Property::Getter { key, func },
            FuncKind::Setter => Property::Setter { key, func },
            _ => Property::Method { key, func },
        })
    }

    /// A property key; private names where `private` says so.
    pub fn key(&mut self, private: bool) -> Parse<Key> {
        let token = self.tok;
        match token.kind {
            Tok::String => {
                self.bump();
                Ok(Key::Name(token.name))
            }
            Tok::Number => {
                self.bump();
                let text = number_to_string(token.number);
                Ok(Key::Name(self.lexer.names.owned(&text)))
            }
            Tok::BigInt => {
                self.bump();
                let digits = self.show(token.name);
                let text = self.bigint_key(&digits, token.span);
                Ok(Key::Name(self.lexer.names.owned(&text)))
            }
            Tok::LBracket => {
                self.bump();
                let key = self.assign_in()?;
                self.expect(Tok::RBracket, "`]`")?;
                Ok(Key::Computed(key))
            }
            Tok::Private if private => {
                self.bump();
                Ok(Key::Private(token.name))
            }
            _ => Ok(Key::Name(self.property_word()?)),
        }
    }

    fn bigint_key(&mut self, digits: &str, span: Span) -> String {
        let radix = match digits.as_bytes().get(1) {
            Some(b'x') => 16,
            Some(b'o') => 8,
            Some(b'b') => 2,
            _ => return digits.to_string(),
        };
        if digits.len() > MAX_BIGINT_KEY_DIGITS {
            self.error("E-LIMIT", span, format!("a BigInt key has at most {MAX_BIGINT_KEY_DIGITS} digits"));
            return String::new();
        }
        // Decimal digits, lowest first.
        let mut decimal = vec![0u32];
        for digit in digits[2..].chars().filter_map(|c| c.to_digit(radix)) {
            let mut carry = digit;
            for place in &mut decimal {
                let value = *place * radix + carry;
                *place = value % 10;
                carry = value / 10;
            }
            while carry > 0 {
                decimal.push(carry % 10);
                carry /= 10;
            }
        }
        decimal.iter().rev().filter_map(|&d| char::from_digit(d, 10)).collect()
    }
}
