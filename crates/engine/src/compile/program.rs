//! Whole functions: prologue, body, epilogue.
//!
//! Order of a prologue: ARGS or REST, ASYNC (nothing before them writes a register above the parameters:
//! there stand the arguments that have none), the
//! environment, boxes and defaults of the parameters in order, the body's scope.
use super::func::{FuncState, value};
use super::regs::Kind;
use super::scope::{Capture, Loc};
use super::tryfinally::Region;
use super::{Gen, Job, Res};
use crate::code::{self, FuncInfo, op};
use std::collections::BTreeMap;
use syntax::ast::{BindingId, BindingKind, Body, FuncId, FuncKind, Function, Goal, NameId, Pat, PatId};

impl Gen<'_> {
    pub(super) fn function(&mut self, job: &Job) -> Res {
        let tree = self.tree;
        let func = tree.func(job.id);
        if func.is_generator {
            return self.not_yet("a generator function", func.span);
        }
        if matches!(func.kind, FuncKind::Constructor { .. } | FuncKind::ClassInit) {
            return self.not_yet("`class`", func.span);
        }
        let is_program = job.id == FuncId(0);
        let mut flags = job.flags;
        if is_program {
            flags |= self.flags_of(job.id);
            if tree.module.has_top_level_await {
                flags |= code::F_ASYNC;
            }
        }
        self.f = FuncState::new(job.id, flags);
        self.mark(func.span);
        let capture_names = if is_program { self.open_cells()? } else { self.open_named_captures(func)? };
        let start = self.prologue(func)?;
        self.body(func, is_program)?;
        self.epilogue();
        if let (Some(start), Some(coroutine)) = (start, self.f.coroutine) {
            self.f.next = u32::from(coroutine) + 1;
            let x = self.alloc()?;
            let mut region = Region::open(start);
            region.close(self.here());
            if self.handle(region, x) {
                self.emit(op::REJASYNC, x, coroutine, 0);
            }
        }
        self.seal(FuncInfo {
            at: 0,
            len: 0,
            nregs: 0,
            nparams: func.params.len() as u8,
            flags: 0,
            name: job.name.clone(),
            length: func.length,
            source: func.span,
            capture_names,
            handlers: Vec::new(),
            lines: Vec::new(),
        })
    }

    fn is_module_program(&self) -> bool {
        self.f.id == FuncId(0) && self.tree.goal == Goal::Module
    }

    fn open_named_captures(&mut self, func: &Function) -> Res<Vec<Box<[u16]>>> {
        let tree = self.tree;
        let layout = self.open_captures(func.span)?;
        let plain = |s: &str| s.encode_utf16().collect();
        let name = |c: &Capture| match *c {
            Capture::Global => plain("globalThis"),
            Capture::This => plain("this"),
            Capture::NewTarget => plain("new.target"),
            Capture::Binding(b) => tree.name(tree.binding(b).name).into(),
            Capture::Env(_) => plain("(variables)"),
        };
        Ok(layout.iter().map(name).collect())
    }

    /// Everything before the body; where the part begins that may reject an async function's promise.
    fn prologue(&mut self, func: &Function) -> Res<Option<u32>> {
        self.f.kind[..3].fill(Kind::Fixed);
        let first = self.alloc_n(func.params.len() as u32)?;
        let arguments = match func.arguments {
            Some(b) => {
                let r = self.alloc()?;
                self.emit(op::ARGS, r, 0, 0);
                Some((b, r))
            }
            None => None,
        };
        let rest = match func.rest {
            Some(p) => {
                let r = self.alloc()?;
                match arguments {
                    // ARGS has written where REST would read.
                    Some((_, all)) => self.rest_of(all, func.params.len() as u32, r)?,
                    None => self.emit(op::REST, r, 0, 0),
                }
                Some((p, r))
            }
            None => None,
        };
        let mut start = None;
        let is_async = self.f.flags & code::F_ASYNC != 0;
        if is_async || self.is_module_program() {
            let r = self.alloc()?;
            self.emit(op::ASYNC, r, 0, 0);
            self.f.kind[r as usize] = Kind::Fixed;
            self.f.program = Some(r);
            if is_async {
                self.f.coroutine = Some(r);
                start = Some(self.here());
            }
        }
        let slots = self.env_sizes[self.f.id.index()];
        if slots > 0 {
            let r = self.alloc()?;
            self.emit_words(op::NEWENV, r, 0, 0, &[slots]);
            self.f.kind[r as usize] = Kind::Fixed;
            self.f.env = Some(r);
        }
        if let Some(b) = func.self_binding {
            self.locs[b.index()] = Some(Loc::Reg(0));
            if self.is_boxed(b) {
                let r = self.alloc()?;
                self.emit(op::NEWBOX, r, 0, 0);
                self.f.kind[r as usize] = Kind::Fixed;
                self.locs[b.index()] = Some(Loc::Box(r));
            }
        }
        if let Some((b, r)) = arguments {
            let boxed = self.is_boxed(b);
            if boxed {
                self.emit(op::NEWBOX, r, r, 0);
            }
            self.locs[b.index()] = Some(if boxed { Loc::Box(r) } else { Loc::Reg(r) });
            self.f.kind[r as usize] = if boxed { Kind::Fixed } else { self.local_kind(b) };
        }
        let mut params: Vec<(PatId, u8)> = func.params.iter().enumerate().map(|(i, &p)| (p, first + i as u8)).collect();
        params.extend(rest);
        self.parameters(&params)?;
        self.enter_scope(func.param_scope)?;
        Ok(start)
    }

    /// `dst` = array of the elements of the arguments object `all` from `from` on.
    fn rest_of(&mut self, all: u8, from: u32, dst: u8) -> Res {
        let mark = self.f.next;
        let (i, n, v) = (self.alloc()?, self.alloc()?, self.alloc()?);
        let (top, check) = (self.label(), self.label());
        let length = self.consts.string(&"length".encode_utf16().collect::<Vec<_>>());
        self.emit(op::NEWARR, dst, dst, 0);
        self.move_imm(i, from as i16);
        self.emit_ic(op::GETLEN, n, all, 0, length);
        self.jump(check);
        let entered = self.is_used(check);
        self.loop_top(top, entered);
        self.emit(op::GETE, v, all, i);
        self.emit(op::PUSH, dst, v, 0);
        self.emit(op::ADDI, i, i, 1);
        self.bind(check);
        self.branch(op::JLT, i, n, 0, top);
        self.release(mark);
        Ok(())
    }

    fn parameters(&mut self, params: &[(PatId, u8)]) -> Res {
        for &(p, _) in params {
            if self.parameter_in_place(p).is_none() {
                self.predeclare(p)?;
            }
        }
        for &(p, r) in params {
            let tree = self.tree;
            let Some((b, default)) = self.parameter_in_place(p) else {
                self.f.kind[r as usize] = if matches!(tree.pat(p), Pat::Default { .. }) { Kind::Temp } else { Kind::Fixed };
                self.pattern(p, r)?;
                continue;
            };
            if let Some(e) = default {
                let have = self.label();
                self.branch(op::JNUNDEF, r, 0, 0, have);
                self.named_to(e, r, tree.name(tree.binding(b).name))?;
                self.bind(have);
            }
            if self.is_boxed(b) {
                self.emit(op::NEWBOX, r, r, 0);
                self.locs[b.index()] = Some(Loc::Box(r));
                self.f.kind[r as usize] = Kind::Fixed;
            } else {
                self.locs[b.index()] = Some(Loc::Reg(r));
                self.f.kind[r as usize] = self.local_kind(b);
            }
        }
        Ok(())
    }

    /// A parameter that is a name, maybe with a default, and may live where the argument came.
    fn parameter_in_place(&self, p: PatId) -> Option<(BindingId, Option<syntax::ast::ExprId>)> {
        let (inner, default) = match *self.tree.pat(p) {
            Pat::Default { pat, value } => (pat, Some(value)),
            _ => (p, None),
        };
        match *self.tree.pat(inner) {
            Pat::Binding(b) => {
                // A default may make a closure that holds the box of a later parameter.
                let early_box = self.is_boxed(b) && !self.tree.func(self.f.id).simple_params;
                let movable = self.tree.binding(b).tdz || self.spills[b.index()].is_some();
                (!early_box && !movable).then_some((b, default))
            }
            _ => None,
        }
    }

    fn body(&mut self, func: &Function, is_program: bool) -> Res {
        if is_program && (self.options.script_completion || self.tree.goal == Goal::Expression) && self.tree.goal != Goal::Module
        {
            let r = self.alloc()?;
            self.load(r, value::UNDEFINED);
            self.f.completion = Some(r);
        }
        self.enter_scope(func.body_scope)?;
        if let (true, Some(coroutine)) = (self.is_module_program(), self.f.program) {
            self.emit(op::LINKED, coroutine, 0, 0);
        }
        if !func.simple_params {
            self.copy_parameters(func)?;
        }
        match &func.body {
            Body::Block(list) => self.statements(list),
            Body::Expr(e) => self.return_value(*e),
        }
    }

    /// `var x` in a function whose parameters are not simple begins with the value of the parameter x.
    fn copy_parameters(&mut self, func: &Function) -> Res {
        let tree = self.tree;
        let params = &tree.scope(func.param_scope).bindings;
        let by_name: BTreeMap<NameId, BindingId> = params.iter().map(|&p| (tree.binding(p).name, p)).collect();
        for &b in &tree.scope(func.body_scope).bindings {
            if tree.binding(b).kind == BindingKind::Var
                && let Some(&p) = by_name.get(&tree.binding(b).name)
            {
                let mark = self.f.next;
                let t = self.alloc()?;
                self.read_own(p, t)?;
                self.initialise(b, t)?;
                self.release(mark);
            }
        }
        Ok(())
    }

    fn epilogue(&mut self) {
        if !self.f.reachable {
            return;
        }
        match (self.f.completion, self.f.coroutine) {
            (Some(r), _) => self.emit_return(r),
            (None, None) => self.emit(op::RETU, 0, 0, 0),
            (None, Some(coroutine)) => {
                let r = coroutine + 1;
                self.f.max = self.f.max.max(u32::from(r) + 1);
                self.load(r, value::UNDEFINED);
                self.emit(op::RETASYNC, r, coroutine, 0);
            }
        }
    }
}
