//! Array and object literals, functions as values, names that functions take from where they stand.
use super::func::value;
use super::{Gen, Res};
use crate::code::{self, MAX_LITERAL_KEYS, op};
use std::collections::BTreeSet;
use syntax::ast::{Element, Expr, ExprId, FuncId, FuncKind, Key, NameId, Property};

/// Items of one NEWARR.
const MAX_ITEMS: usize = 64;
/// Registers that literals leave to what stands within them.
const RESERVE: usize = 60;

/// What precedes the name of an accessor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prefix {
    None,
    Get,
    Set,
}

impl Gen<'_> {
    /// How many of `n` values may stand in registers at once.
    fn batch(&self, n: usize, most: usize) -> usize {
        n.min(most).min((self.room() as usize).saturating_sub(RESERVE).max(1))
    }

    pub(super) fn array(&mut self, items: &[Element], dst: u8) -> Res {
        let mark = self.f.next;
        let base = if self.is_top_temp(dst) { dst } else { self.alloc()? };
        let first = items.iter().take_while(|i| !matches!(i, Element::Spread(_))).count();
        let first = self.batch(first, MAX_ITEMS);
        let (now, later) = items.split_at(first.min(items.len()));
        for (i, item) in now.iter().enumerate() {
            let r = if i == 0 { base } else { self.alloc()? };
            self.item(*item, r)?;
        }
        let out = if later.is_empty() { dst } else { base };
        self.emit(op::NEWARR, out, base, now.len() as u8);
        self.release(u32::from(base) + 1);
        for item in later {
            let t = self.f.next;
            match *item {
                Element::Spread(x) => {
                    let r = self.any(x)?;
                    self.mark(self.tree.expr_spans[x.index()]);
                    self.emit(op::APPEND, base, r, 0);
                }
                item => {
                    let r = self.alloc()?;
                    self.item(item, r)?;
                    self.emit(op::PUSH, base, r, 0);
                }
            }
            self.release(t);
        }
        if !later.is_empty() {
            self.mov(dst, base);
        }
        self.release(mark);
        Ok(())
    }

    fn item(&mut self, item: Element, r: u8) -> Res {
        match item {
            Element::Hole => self.load(r, value::HOLE),
            Element::Item(x) | Element::Spread(x) => self.to(x, r)?,
        }
        Ok(())
    }

    pub(super) fn object(&mut self, props: &[Property], dst: u8) -> Res {
        let mark = self.f.next;
        let base = if self.is_top_temp(dst) { dst } else { self.alloc()? };
        let (n, shape) = self.plain_prefix(props);
        let (now, later) = props.split_at(n);
        for (i, p) in now.iter().enumerate() {
            let r = if i == 0 { base } else { self.alloc()? };
            match p {
                Property::Value { key: Key::Name(name), value, .. } => self.named_to(*value, r, self.tree.name(*name))?,
                Property::Method { key: Key::Name(name), func } => self.method_value(*func, r, *name, Prefix::None)?,
                _ => {}
            }
        }
        let out = if later.is_empty() { dst } else { base };
        if n == 0 {
            self.emit(op::NEWOBJ, out, 0, 0);
        } else {
            let shape = self.consts.shape(shape);
            self.emit_slot(op::NEWREC, out, base, n as u8, shape);
        }
        self.release(u32::from(base) + 1);
        for p in later {
            let t = self.f.next;
            self.property(p, base)?;
            self.release(t);
        }
        if !later.is_empty() {
            self.mov(dst, base);
        }
        self.release(mark);
        Ok(())
    }

    /// How many of the first properties make a shape at once, and their keys.
    fn plain_prefix(&mut self, props: &[Property]) -> (usize, Vec<u32>) {
        let tree = self.tree;
        let most = self.batch(props.len(), MAX_LITERAL_KEYS);
        let mut seen = BTreeSet::new();
        let mut shape = Vec::new();
        for p in props.iter().take(most) {
            let (Property::Value { key: Key::Name(name), .. } | Property::Method { key: Key::Name(name), .. }) = *p else {
                break;
            };
            let key = self.consts.name(tree, name);
            if is_array_index(tree.name(name)) || !seen.insert(key) {
                break;
            }
            shape.push(key);
        }
        (shape.len(), shape)
    }

    fn property(&mut self, p: &Property, object: u8) -> Res {
        match *p {
            Property::Value { key: Key::Name(name), value, .. } => {
                let r = self.named_any(value, self.tree.name(name))?;
                self.define(object, name, r);
            }
            Property::Value { key: Key::Computed(k), value, .. } => {
                let key = self.property_key(k)?;
                let r = self.any(value)?;
                if self.is_anonymous(value) {
                    self.emit(op::SETNAME, r, key, 0);
                }
                self.mark(self.tree.expr_spans[k.index()]);
                self.emit(op::DEFE, object, key, r);
            }
            Property::Proto(v) => {
                let r = self.any(v)?;
                self.emit(op::SETPROTO, object, r, 0);
            }
            Property::Spread(v) => {
                let r = self.any(v)?;
                self.mark(self.tree.expr_spans[v.index()]);
                self.emit(op::COPYDATA, object, r, 0);
            }
            Property::Method { key: Key::Name(name), func } => {
                let r = self.alloc()?;
                self.method_value(func, r, name, Prefix::None)?;
                self.define(object, name, r);
            }
            Property::Method { key: Key::Computed(k), func } => {
                let (key, r) = self.computed_method(k, func, Prefix::None)?;
                self.emit(op::DEFE, object, key, r);
            }
            Property::Getter { key, func } => self.accessor(object, key, func, Prefix::Get)?,
            Property::Setter { key, func } => self.accessor(object, key, func, Prefix::Set)?,
            Property::Value { .. } | Property::Method { .. } => {
                return self.internal("a private name in an object", self.tree.func(self.f.id).span);
            }
        }
        Ok(())
    }

    fn define(&mut self, object: u8, name: NameId, r: u8) {
        let tree = self.tree;
        if is_array_index(tree.name(name)) {
            let mark = self.f.next;
            if let Ok(k) = self.alloc() {
                self.load_string(k, name);
                self.emit(op::DEFE, object, k, r);
            }
            self.release(mark);
            return;
        }
        let key = self.consts.name(tree, name);
        self.emit_ic(op::DEFP, object, r, 0, key);
    }

    /// A computed key, converted.
    pub(super) fn property_key(&mut self, e: ExprId) -> Res<u8> {
        let r = self.alloc()?;
        let v = self.operand(e, r)?;
        self.mark(self.tree.expr_spans[e.index()]);
        if v != r || !matches!(self.tree.expr(self.unparen(e)), Expr::String(_)) {
            self.emit(op::TOKEY, r, v, 0);
        }
        Ok(r)
    }

    fn accessor(&mut self, object: u8, key: Key, func: FuncId, prefix: Prefix) -> Res {
        let (k, r) = match key {
            Key::Name(name) => {
                let k = self.alloc()?;
                self.load_string(k, name);
                let r = self.alloc()?;
                self.method_value(func, r, name, prefix)?;
                (k, r)
            }
            Key::Computed(e) => self.computed_method(e, func, prefix)?,
            Key::Private(_) => return self.internal("a private name in an object", self.tree.func(func).span),
        };
        self.emit_words(op::DEFACC, object, k, r, &[u32::from(prefix == Prefix::Set)]);
        Ok(())
    }

    fn computed_method(&mut self, k: ExprId, func: FuncId, prefix: Prefix) -> Res<(u8, u8)> {
        let key = self.property_key(k)?;
        let r = self.alloc()?;
        let flags = self.flags_of(func);
        self.closure(r, func, Box::default(), flags)?;
        let code = match prefix {
            Prefix::None => 0,
            Prefix::Get => 1,
            Prefix::Set => 2,
        };
        self.emit(op::SETNAME, r, key, code);
        Ok((key, r))
    }

    fn method_value(&mut self, func: FuncId, r: u8, key: NameId, prefix: Prefix) -> Res {
        let text = match prefix {
            Prefix::None => "",
            Prefix::Get => "get ",
            Prefix::Set => "set ",
        };
        let name: Vec<u16> = text.encode_utf16().chain(self.tree.name(key).iter().copied()).collect();
        let flags = self.flags_of(func);
        self.closure(r, func, name.into(), flags)
    }

    pub(super) fn flags_of(&self, id: FuncId) -> u16 {
        let f = self.tree.func(id);
        let mut flags = match f.kind {
            FuncKind::Arrow => code::F_ARROW,
            FuncKind::Method | FuncKind::Getter | FuncKind::Setter => code::F_METHOD,
            FuncKind::Normal if !f.is_async && !f.is_generator => code::F_CONSTRUCTOR,
            FuncKind::Constructor { .. } => code::F_CONSTRUCTOR,
            _ => 0,
        };
        for (on, flag) in [
            (f.is_async, code::F_ASYNC),
            (f.is_generator, code::F_GENERATOR),
            (self.options.builtin, code::F_BUILTIN),
            (self.options.hardened_functions, code::F_HARDENED),
        ] {
            if on {
                flags |= flag;
            }
        }
        flags
    }

    /// A function expression or arrow; `inferred` names it if it has no name of its own.
    pub(super) fn function_value(&mut self, id: FuncId, dst: u8, inferred: &[u16]) -> Res {
        let tree = self.tree;
        let name = tree.func(id).name.map_or(inferred, |n| tree.name(n));
        let flags = self.flags_of(id);
        self.closure(dst, id, name.into(), flags)
    }

    /// Whether it is a function or class without a name (IsAnonymousFunctionDefinition).
    pub(super) fn is_anonymous(&self, e: ExprId) -> bool {
        match *self.tree.expr(self.unparen(e)) {
            Expr::Function(id) => self.tree.func(id).name.is_none(),
            Expr::Class(id) => self.tree.class(id).name.is_none(),
            _ => false,
        }
    }

    /// Evaluates; an anonymous function is called `name` (NamedEvaluation).
    pub(super) fn named_to(&mut self, e: ExprId, dst: u8, name: &[u16]) -> Res {
        match *self.tree.expr(self.unparen(e)) {
            Expr::Function(id) => self.function_value(id, dst, name),
            _ => self.to(e, dst),
        }
    }

    pub(super) fn named_any(&mut self, e: ExprId, name: &[u16]) -> Res<u8> {
        if !self.is_anonymous(e) {
            return self.any(e);
        }
        let r = self.alloc()?;
        self.named_to(e, r, name)?;
        Ok(r)
    }
}

/// Whether a key is a canonical array index: "0" … "4294967294".
pub(super) fn is_array_index(key: &[u16]) -> bool {
    let digits = key.iter().all(|&c| (0x30..=0x39).contains(&c));
    let canonical = !key.is_empty() && key.len() <= 10 && digits && (key[0] != 0x30 || key.len() == 1);
    canonical && key.iter().fold(0u64, |n, &c| n * 10 + u64::from(c) - 0x30) < 0xffff_ffff
}
