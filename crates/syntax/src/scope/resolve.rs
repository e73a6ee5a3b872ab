//! Entering scopes, and what a use of a name means there.
use super::Walk;
use crate::ast::*;
use crate::lexer::names as w;
use crate::limits::MAX_CAPTURES;

impl Walk<'_> {
    pub(super) fn current(&self) -> FuncId {
        self.frames[self.frames.len() - 1].func
    }

    /// Makes a scope's names visible while `body` runs.
    pub(super) fn within(&mut self, scope: ScopeId, start: u32, body: impl FnOnce(&mut Self)) {
        let func = self.current();
        let outer = std::mem::replace(&mut self.scope, scope);
        self.scope_start[scope.index()] = start;
        let s = &mut self.scopes[scope.index()];
        s.func = func;
        // A scope within an arrow's parameters was read before its function was known.
        s.parent = if func.0 == 0 && s.kind == ScopeKind::Params { None } else { Some(outer) };
        let count = s.bindings.len();
        for i in 0..count {
            let id = self.scopes[scope.index()].bindings[i];
            let binding = &mut self.bindings[id.index()];
            binding.func = func;
            let place = &mut self.env[binding.name.index()];
            self.shadows[id.index()] = *place;
            *place = id.0 + 1;
        }
        body(self);
        for i in (0..count).rev() {
            let id = self.scopes[scope.index()].bindings[i];
            let name = self.bindings[id.index()].name;
            self.env[name.index()] = self.shadows[id.index()];
        }
        self.scope = outer;
    }

    pub(super) fn reference(&mut self, r: RefId, write: bool) {
        let name = self.refs[r.0 as usize].name;
        self.refs[r.0 as usize].scope = self.scope;
        let found = match self.env[name.index()] {
            0 if name == w::ARGUMENTS => self.implicit_arguments(),
            0 => None,
            id => Some(BindingId(id - 1)),
        };
        let Some(binding) = found else {
            self.refs[r.0 as usize].to = Resolution::Global;
            self.mark_globals();
            return;
        };
        self.refs[r.0 as usize].to = Resolution::Local(binding);
        let (kind, func) = (self.bindings[binding.index()].kind, self.bindings[binding.index()].func);
        if kind == BindingKind::SelfName {
            self.used_self.insert(binding);
        }
        let early = self.capture(binding, kind, func);
        let check = self.needs_check(binding, kind, early);
        self.refs[r.0 as usize].check = check;
        let b = &mut self.bindings[binding.index()];
        b.tdz |= check && !matches!(kind, BindingKind::Import(_));
        if write && !matches!(kind, BindingKind::Const | BindingKind::SelfName | BindingKind::Import(_)) {
            b.reassigned = true;
        }
    }

    /// Says whether the use stands in a function within the binding's own that may come into being before the binding is
    /// initialised; notes the capture.
    fn capture(&mut self, binding: BindingId, kind: BindingKind, func: FuncId) -> Option<bool> {
        if func == self.current() {
            return None;
        }
        let level = self.level[func.index()] as usize;
        let frame = &self.frames[level + 1];
        let early = match kind {
            BindingKind::Var | BindingKind::Arguments | BindingKind::SelfName | BindingKind::Import(_) => false,
            BindingKind::Function => {
                let b = &self.bindings[binding.index()];
                frame.hoisted_in == Some(b.scope) && frame.start <= b.span.start
            }
            // A closure of a later `case` may come into being though the declaration was skipped.
            BindingKind::Let | BindingKind::Const | BindingKind::Class if self.in_switch(binding) => true,
            _ => frame.created < self.ready[binding.index()],
        };
        // Methods come into being before the name within a class does.
        let in_class = kind == BindingKind::Class && self.is_class_inner(binding);
        let b = &mut self.bindings[binding.index()];
        b.captured = true;
        b.boxed |= early || in_class;
        for i in (level + 1..self.frames.len()).rev() {
            let f = self.frames[i].func;
            if !self.captured.insert((f, binding)) {
                break;
            }
            let captures = &mut self.functions[f.index()].captures;
            captures.push(binding);
            if captures.len() == MAX_CAPTURES {
                let span = self.functions[f.index()].span;
                let message = format!("one function uses {MAX_CAPTURES} variables of the functions around it");
                self.sink.error("E-LIMIT", Span { start: span.start, end: span.start }, message);
                self.sink.stopped = true;
            }
            if captures_full(self.functions[f.index()].captures.len()) {
                break;
            }
        }
        Some(early)
    }

    fn in_switch(&self, binding: BindingId) -> bool {
        self.scopes[self.bindings[binding.index()].scope.index()].kind == ScopeKind::Switch
    }

    fn is_class_inner(&self, binding: BindingId) -> bool {
        self.scopes[self.bindings[binding.index()].scope.index()].kind == ScopeKind::Class
    }

    fn needs_check(&self, binding: BindingId, kind: BindingKind, early: Option<bool>) -> bool {
        match kind {
            BindingKind::Import(_) => return true,
            BindingKind::Let | BindingKind::Const | BindingKind::Class | BindingKind::Default => {}
            // A function within a block is initialised at its entry.
            _ => return false,
        }
        if self.in_switch(binding) {
            return true;
        }
        if early.is_some() && self.own_literal.contains(&binding) {
            return false;
        }
        early.unwrap_or(self.ready[binding.index()] == u32::MAX)
    }

    /// `arguments` of the nearest function that is no arrow.
    fn implicit_arguments(&mut self) -> Option<BindingId> {
        let func = self.frames.iter().rev().find(|f| !f.arrow)?.func;
        let f = &self.functions[func.index()];
        if matches!(f.kind, FuncKind::Program | FuncKind::ClassInit) {
            return None;
        }
        if let Some(binding) = f.arguments {
            return Some(binding);
        }
        let (scope, span) = (f.param_scope, f.span);
        let id = BindingId(self.bindings.len() as u32);
        self.bindings.push(Binding {
            name: w::ARGUMENTS,
            kind: BindingKind::Arguments,
            span: Span { start: span.start, end: span.start },
            scope,
            func,
            captured: false,
            reassigned: false,
            tdz: false,
            boxed: false,
        });
        self.shadows.push(0);
        self.ready.push(0);
        self.functions[func.index()].arguments = Some(id);
        Some(id)
    }

    pub(super) fn mark_globals(&mut self) {
        for frame in self.frames.iter().rev() {
            let f = &mut self.functions[frame.func.index()];
            if std::mem::replace(&mut f.uses_globals, true) {
                return;
            }
        }
    }

    pub(super) fn mark_this(&mut self) {
        for frame in self.frames.iter().rev() {
            let f = &mut self.functions[frame.func.index()];
            let known = std::mem::replace(&mut f.uses_this, true);
            f.captures_this |= frame.arrow;
            if known || !frame.arrow {
                return;
            }
        }
    }

    /// A `var` whose name a block around it declares as well.
    pub(super) fn check_var(&mut self, binding: BindingId) {
        let name = self.bindings[binding.index()].name;
        let mut found = self.env[name.index()];
        while found != 0 && found - 1 != binding.0 {
            let other = BindingId(found - 1);
            if !self.simple_catch.contains(&other) {
                let span = self.bindings[binding.index()].span;
                let message = "this `var` meets a declaration of the same name in a block around it";
                self.sink.error_help("E-DUPLICATE", span, message, "use `let`, or give one of the two another name");
                return;
            }
            found = self.shadows[other.index()];
        }
    }

    /// Ends the analysis: what is boxed, which self names are used, where `arguments` belongs.
    pub(super) fn finish(&mut self) {
        for binding in self.bindings.iter_mut() {
            binding.boxed |= matches!(binding.kind, BindingKind::Import(_)) || binding.captured && binding.reassigned;
        }
        for func in self.functions.iter_mut() {
            func.self_binding = func.self_binding.filter(|b| self.used_self.contains(b));
            if let Some(arguments) = func.arguments {
                self.scopes[func.param_scope.index()].bindings.push(arguments);
            }
        }
    }
}

fn captures_full(count: usize) -> bool {
    count >= MAX_CAPTURES
}
