//! Patterns: of declarations, parameters and assignments.
//!
//! Invariants
//! - the bindings of a declared pattern have their places before its value is taken apart (`predeclare`);
//! - the value taken apart stands in a register that no part of the pattern writes;
//! - whatever a part does, the iterator of an array pattern is closed, unless the iterator itself failed or is exhausted.
use super::assign::Place;
use super::func::value;
use super::object::is_array_index;
use super::regs::Kind;
use super::scope::Loc;
use super::tryfinally::Region;
use super::{Gen, Res};
use crate::code::op;
use syntax::ast::{BindingId, Expr, ExprId, Key, NameId, Pat, PatId, PatProp};

/// Where the value of a part of a pattern comes from.
#[derive(Clone, Copy)]
enum Fetch {
    Name(u8, NameId),
    Key(u8, u8),
    /// A temporary that holds it.
    Here(u8),
}

/// The registers of an array pattern's iteration.
#[derive(Clone, Copy)]
struct Items {
    /// Iterator state, and the value in the third.
    iter: u8,
    /// Whether the iterator is exhausted, or failed.
    done: u8,
}

impl<'t> Gen<'t> {
    /// Gives the bindings of a pattern that have no place their register or box.
    pub(super) fn predeclare(&mut self, pat: PatId) -> Res {
        let tree = self.tree;
        match tree.pat(pat) {
            Pat::Error | Pat::Target(_) => {}
            Pat::Binding(b) => self.predeclare_binding(*b)?,
            Pat::Default { pat, .. } => self.predeclare(*pat)?,
            Pat::Array { items, rest } => {
                for &p in items.iter().flatten().chain(rest) {
                    self.predeclare(p)?;
                }
            }
            Pat::Object { props, rest } => {
                for &p in props.iter().map(|p| &p.value).chain(rest) {
                    self.predeclare(p)?;
                }
            }
        }
        Ok(())
    }

    pub(super) fn predeclare_binding(&mut self, b: BindingId) -> Res {
        if self.locs[b.index()].is_some() {
            return Ok(());
        }
        let binding = self.tree.binding(b);
        if let Some(slot) = self.spills[b.index()] {
            self.locs[b.index()] = Some(Loc::Env(slot));
            return Ok(());
        }
        let r = self.alloc()?;
        if binding.tdz || self.is_boxed(b) {
            self.load(r, value::TDZ);
        }
        if self.is_boxed(b) {
            self.emit(op::NEWBOX, r, r, 0);
        }
        self.locs[b.index()] = Some(if self.is_boxed(b) { Loc::Box(r) } else { Loc::Reg(r) });
        if binding.tdz || self.is_boxed(b) {
            self.f.kind[r as usize] = if self.is_boxed(b) { Kind::Fixed } else { self.local_kind(b) };
        }
        Ok(())
    }

    /// Takes the value in `src` apart.
    pub(super) fn pattern(&mut self, pat: PatId, src: u8) -> Res {
        let tree = self.tree;
        match tree.pat(pat) {
            Pat::Array { items, rest } => self.array_pattern(pat, items, *rest, src),
            Pat::Object { props, rest } => self.object_pattern(pat, props, *rest, src),
            _ => self.part(pat, Fetch::Here(src), &mut |_| Ok(())),
        }
    }

    /// One part: evaluates its target, fetches the value, applies the default, stores. `before` runs between target and fetch.
    fn part(&mut self, pat: PatId, fetch: Fetch, before: &mut dyn FnMut(&mut Self) -> Res) -> Res {
        let tree = self.tree;
        let mark = self.f.next;
        let (inner, default) = match *tree.pat(pat) {
            Pat::Default { pat, value } => (pat, Some(value)),
            _ => (pat, None),
        };
        let place = match *tree.pat(inner) {
            Pat::Target(e) => {
                let place = self.place(e, &[], false)?;
                Some(self.resolved(place)?)
            }
            _ => None,
        };
        before(self)?;
        let dst = self.part_register(inner, place, default.is_some(), fetch)?;
        self.fetch(fetch, dst, pat);
        if let Some(e) = default {
            let have = self.label();
            self.branch(op::JNUNDEF, dst, 0, 0, have);
            let name = match *tree.pat(inner) {
                Pat::Binding(b) => tree.name(tree.binding(b).name),
                Pat::Target(t) => self.target_name(t),
                _ => &[],
            };
            self.named_to(e, dst, name)?;
            self.bind(have);
        }
        match *tree.pat(inner) {
            Pat::Binding(b) => self.initialise(b, dst)?,
            Pat::Target(_) => {
                if let Some(place) = place {
                    self.set_place(place, dst)?;
                }
            }
            _ => self.pattern(inner, dst)?,
        }
        self.release(mark);
        Ok(())
    }

    /// The register a part's value is fetched into.
    fn part_register(&mut self, inner: PatId, place: Option<Place>, has_default: bool, fetch: Fetch) -> Res<u8> {
        let own = match (self.tree.pat(inner), place) {
            (Pat::Binding(b), _) => match self.locs[b.index()] {
                Some(Loc::Reg(r)) => Some(r),
                _ => None,
            },
            (_, Some(Place::Reg(r))) => Some(r),
            _ => None,
        };
        match (own, fetch) {
            (Some(r), _) if self.is_temp(r) || !has_default => Ok(r),
            (_, Fetch::Here(r)) if self.is_temp(r) || !has_default => Ok(r),
            _ => self.alloc(),
        }
    }

    fn fetch(&mut self, fetch: Fetch, dst: u8, pat: PatId) {
        let span = self.tree.pat_spans[pat.index()];
        match fetch {
            Fetch::Name(src, name) => self.get(dst, src, name, span),
            Fetch::Key(src, key) => {
                self.mark(span);
                self.emit(op::GETE, dst, src, key);
            }
            Fetch::Here(r) => self.mov(dst, r),
        }
    }

    fn object_pattern(&mut self, pat: PatId, props: &[PatProp], rest: Option<PatId>, src: u8) -> Res {
        let tree = self.tree;
        let mark = self.f.next;
        self.mark(tree.pat_spans[pat.index()]);
        if !self.fetches_first(props) {
            self.emit(op::OBJCHECK, src, 0, 0);
        }
        // With a rest all keys are kept, side by side.
        let keys = if rest.is_some() { Some(self.alloc_n(props.len() as u32)?) } else { None };
        for (i, p) in props.iter().enumerate() {
            let low = self.f.next;
            let kept = keys.map(|k| k + i as u8);
            let fetch = match p.key {
                Key::Name(name) if !is_array_index(tree.name(name)) => {
                    if let Some(k) = kept {
                        self.load_string(k, name);
                    }
                    Fetch::Name(src, name)
                }
                key => {
                    let k = match kept {
                        Some(k) => k,
                        None => self.alloc()?,
                    };
                    match key {
                        Key::Computed(e) => {
                            let v = self.operand(e, k)?;
                            self.mark(tree.expr_spans[e.index()]);
                            self.emit(op::TOKEY, k, v, 0);
                        }
                        Key::Name(name) => self.load_string(k, name),
                        Key::Private(_) => return self.internal("a private name in a pattern", tree.pat_spans[pat.index()]),
                    }
                    Fetch::Key(src, k)
                }
            };
            self.part(p.value, fetch, &mut |_| Ok(()))?;
            self.release(low);
        }
        if let (Some(rest), Some(keys)) = (rest, keys) {
            let count = props.len() as u32;
            let r = self.alloc()?;
            let mut take = |g: &mut Self| {
                g.emit_words(op::OBJREST, r, src, keys, &[count]);
                Ok(())
            };
            self.part(rest, Fetch::Here(r), &mut take)?;
        }
        self.release(mark);
        Ok(())
    }

    /// Whether the first thing done is to read a property: that throws for null and undefined by itself.
    fn fetches_first(&self, props: &[PatProp]) -> bool {
        let Some(PatProp { key: Key::Name(_), value, .. }) = props.first() else { return false };
        let inner = match *self.tree.pat(*value) {
            Pat::Default { pat, .. } => pat,
            _ => *value,
        };
        match *self.tree.pat(inner) {
            Pat::Target(e) => matches!(self.tree.expr(self.unparen(e)), Expr::Ident(_)),
            _ => true,
        }
    }

    fn array_pattern(&mut self, pat: PatId, items: &[Option<PatId>], rest: Option<PatId>, src: u8) -> Res {
        let mark = self.f.next;
        let iter = self.alloc_n(3)?;
        self.mark(self.tree.pat_spans[pat.index()]);
        self.emit(op::ITER, iter, src, 0);
        if items.iter().flatten().chain(&rest).all(|&p| self.cannot_throw(p)) {
            self.quiet_items(items, rest, iter)?;
        } else {
            self.careful_items(pat, items, rest, iter)?;
        }
        self.release(mark);
        Ok(())
    }

    /// A part that is a plain local: storing into it does nothing else.
    fn cannot_throw(&self, pat: PatId) -> bool {
        match *self.tree.pat(pat) {
            Pat::Binding(b) => !matches!(self.locs[b.index()], None | Some(Loc::Env(_))),
            Pat::Target(e) => self.assignable_target(e).is_some(),
            _ => false,
        }
    }

    fn assignable_target(&self, e: ExprId) -> Option<u8> {
        match *self.tree.expr(self.unparen(e)) {
            Expr::Ident(id) => self.assignable_register(id).ok().flatten(),
            _ => None,
        }
    }

    /// The register that such a part is.
    fn plain_local(&self, pat: PatId) -> Option<u8> {
        match *self.tree.pat(pat) {
            Pat::Binding(b) => match self.locs[b.index()] {
                Some(Loc::Reg(r)) => Some(r),
                _ => None,
            },
            Pat::Target(e) => self.assignable_target(e),
            _ => None,
        }
    }

    fn put_quietly(&mut self, pat: PatId, src: u8) -> Res {
        match *self.tree.pat(pat) {
            Pat::Binding(b) => self.initialise(b, src),
            Pat::Target(e) => {
                if let Some(r) = self.assignable_target(e) {
                    self.mov(r, src);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An array pattern of locals: one track while values come, one for the rest when they are exhausted.
    fn quiet_items(&mut self, items: &[Option<PatId>], rest: Option<PatId>, iter: u8) -> Res {
        let mut exhausted = Vec::new();
        let v = iter + 2;
        for item in items {
            let done = self.label();
            exhausted.push(done);
            self.next_value(iter, done)?;
            if let Some(p) = *item {
                self.put_quietly(p, v)?;
            }
        }
        let end = self.label();
        match rest {
            Some(p) => {
                let arr = self.collect_rest(iter)?;
                self.put_quietly(p, arr)?;
            }
            None => {
                let frame = self.scratch(4)?;
                self.emit(op::ITERCLOSE, iter, frame, 0);
            }
        }
        if exhausted.is_empty() {
            return Ok(());
        }
        self.jump(end);
        for (item, done) in items.iter().zip(exhausted) {
            self.bind(done);
            let Some(p) = *item else { continue };
            if let Some(r) = self.plain_local(p) {
                self.load(r, value::UNDEFINED);
            } else {
                self.load(v, value::UNDEFINED);
                self.put_quietly(p, v)?;
            }
        }
        if let Some(p) = rest {
            self.emit(op::NEWARR, v, v, 0);
            self.put_quietly(p, v)?;
        }
        self.bind(end);
        Ok(())
    }

    /// The next value to iter + 2, or to `done`.
    fn next_value(&mut self, iter: u8, done: super::func::Label) -> Res {
        let got = self.label();
        let frame = self.scratch(4)?;
        self.branch_next(iter, frame, got, done);
        self.branch(op::ITERRES, iter, frame, 0, done);
        self.bind(got);
        Ok(())
    }

    /// All further values as an array in a fresh temporary.
    fn collect_rest(&mut self, iter: u8) -> Res<u8> {
        let arr = self.alloc()?;
        self.emit(op::NEWARR, arr, arr, 0);
        self.collect_into(iter, arr)?;
        Ok(arr)
    }

    fn collect_into(&mut self, iter: u8, arr: u8) -> Res {
        let (more, got, done) = (self.label(), self.label(), self.label());
        let frame = self.scratch(4)?;
        self.jump(more);
        let entered = self.is_used(more);
        self.loop_top(got, entered);
        self.emit(op::PUSH, arr, iter + 2, 0);
        self.bind(more);
        self.branch_next(iter, frame, got, done);
        self.branch(op::ITERRES, iter, frame, 0, done);
        self.jump(got);
        self.bind(done);
        Ok(())
    }

    /// The general case: parts may throw, so a handler closes the iterator.
    fn careful_items(&mut self, pat: PatId, items: &[Option<PatId>], rest: Option<PatId>, iter: u8) -> Res {
        let done = self.alloc()?;
        let it = Items { iter, done };
        self.load(done, value::FALSE);
        let mut region = Region::open(self.here());
        for (i, item) in items.iter().enumerate() {
            match *item {
                Some(p) => {
                    let mut step = |g: &mut Self| g.step(it, i > 0, &mut region);
                    self.part(p, Fetch::Here(iter + 2), &mut step)?;
                }
                None => self.step(it, i > 0, &mut region)?,
            }
        }
        if let Some(p) = rest {
            let arr = self.alloc()?;
            let mut step = |g: &mut Self| g.rest_step(it, !items.is_empty(), arr, &mut region);
            self.part(p, Fetch::Here(arr), &mut step)?;
        }
        region.close(self.here());
        self.mark(self.tree.pat_spans[pat.index()]);
        let (end, thrown) = (self.label(), self.label());
        let frame = self.scratch(4)?;
        self.branch(op::JT, done, 0, 0, end);
        self.emit(op::ITERCLOSE, iter, frame, 0);
        self.jump(end);
        let x = iter + 2;
        if self.handle(region, x) {
            self.branch(op::JT, done, 0, 0, thrown);
            self.emit(op::ITERCLOSE, iter, frame, 1);
            self.bind(thrown);
            self.emit(op::THROW, x, 0, 0);
        }
        self.bind(end);
        Ok(())
    }

    /// The next value, or undefined when exhausted, to iter + 2. What `next` throws is no reason to close.
    fn step(&mut self, it: Items, after_first: bool, region: &mut Region) -> Res {
        region.close(self.here());
        let (got, out, undefined) = (self.label(), self.label(), self.label());
        let frame = self.scratch(4)?;
        if after_first {
            self.branch(op::JT, it.done, 0, 0, undefined);
        }
        self.branch_next(it.iter, frame, got, out);
        self.branch(op::ITERRES, it.iter, frame, 0, out);
        self.jump(got);
        self.bind(out);
        self.load(it.done, value::TRUE);
        self.bind(undefined);
        self.load(it.iter + 2, value::UNDEFINED);
        self.bind(got);
        region.reopen(self.here());
        Ok(())
    }

    fn rest_step(&mut self, it: Items, after_first: bool, arr: u8, region: &mut Region) -> Res {
        region.close(self.here());
        let end = self.label();
        self.emit(op::NEWARR, arr, arr, 0);
        if after_first {
            self.branch(op::JT, it.done, 0, 0, end);
        }
        self.collect_into(it.iter, arr)?;
        self.load(it.done, value::TRUE);
        self.bind(end);
        region.reopen(self.here());
        Ok(())
    }
}
