//! try, catch, finally; leaving statements early.
//!
//! Invariants
//! - `control` lists what an exit passes, outermost first; an exit closes iterators and enters finalizers on its way, the
//!   rest of its way is made behind the finalizer;
//! - a handler never covers what an exit does after it has left the handled statement: regions have gaps there;
//! - handlers are listed innermost first, since a statement lists its own when it ends.
use super::func::{Label, value};
use super::regs::Kind;
use super::scope::Loc;
use super::{Gen, Res};
use crate::code::{Handler, op};
use syntax::ast::{Catch, NameId, Pat, StmtId};

/// Code that a handler covers.
#[derive(Debug)]
pub(super) struct Region {
    open: Option<u32>,
    pieces: Vec<(u32, u32)>,
}

impl Region {
    pub(super) fn open(at: u32) -> Self {
        Region { open: Some(at), pieces: Vec::new() }
    }
    pub(super) fn close(&mut self, at: u32) {
        if let Some(start) = self.open.take()
            && start < at
        {
            self.pieces.push((start, at));
        }
    }
    pub(super) fn reopen(&mut self, at: u32) {
        debug_assert!(self.open.is_none());
        self.open = Some(at);
    }
}

/// How control leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// To a label, out of all control entries from `depth` on.
    Jump {
        label: Label,
        depth: usize,
    },
    Return,
}

pub(super) enum Control {
    /// What `break` and `continue` name. `plain`: also without a label.
    Target {
        labels: Vec<NameId>,
        brk: Option<Label>,
        cont: Option<Label>,
        plain: bool,
    },
    /// An iterator to close.
    Iterator {
        iter: u8,
        is_async: bool,
        region: Region,
    },
    Catch {
        region: Region,
    },
    Finally {
        region: Region,
        entry: Label,
        kind: u8,
        value: u8,
        exits: Vec<Exit>,
    },
}

impl Control {
    fn region(&mut self) -> Option<&mut Region> {
        match self {
            Control::Target { .. } => None,
            Control::Iterator { region, .. } | Control::Catch { region } | Control::Finally { region, .. } => Some(region),
        }
    }
}

/// Completion kinds; exits are numbered from `FIRST_EXIT`.
const NORMAL: i16 = 0;
const THROWN: i16 = 1;
const FIRST_EXIT: i16 = 2;

impl Gen<'_> {
    /// Lists the handlers of a region and starts the handler's code; false if it covers nothing.
    pub(super) fn handle(&mut self, region: Region, reg: u8) -> bool {
        let target = self.bind_handler(!region.pieces.is_empty());
        for &(start, end) in &region.pieces {
            self.f.handlers.push(Handler { start, end, target, reg });
        }
        !region.pieces.is_empty()
    }

    /// Lists the handlers of a region whose handler was written before it.
    pub(super) fn handlers_at(&mut self, region: Region, target: u32, reg: u8) {
        for &(start, end) in &region.pieces {
            self.f.handlers.push(Handler { start, end, target, reg });
        }
    }

    /// Where `break` or `continue` goes.
    pub(super) fn find_target(&self, label: Option<NameId>, is_continue: bool) -> Option<Exit> {
        self.f.control.iter().enumerate().rev().find_map(|(depth, c)| {
            let Control::Target { labels, brk, cont, plain } = c else { return None };
            let named = label.map_or(*plain, |l| labels.contains(&l));
            let to = if is_continue { *cont } else { *brk };
            to.filter(|_| named).map(|label| Exit::Jump { label, depth: depth + 1 })
        })
    }

    /// Whether an exit is a jump and nothing else.
    pub(super) fn is_bare(&self, exit: Exit) -> bool {
        let depth = if let Exit::Jump { depth, .. } = exit { depth } else { 0 };
        self.f.control[depth..].iter().all(|c| matches!(c, Control::Target { .. } | Control::Catch { .. }))
    }

    /// Leaves; a returned value is in `v`.
    pub(super) fn exit(&mut self, exit: Exit, v: u8) -> Res {
        let depth = if let Exit::Jump { depth, .. } = exit { depth } else { 0 };
        let top = self.f.control.len();
        let mut i = top;
        let mut diverted = false;
        while i > depth && !diverted {
            i -= 1;
            let here = self.here();
            if let Some(region) = self.f.control[i].region() {
                region.close(here);
            }
            diverted = self.pass(i, exit, v)?;
        }
        if !diverted {
            match exit {
                Exit::Jump { label, .. } => self.jump(label),
                Exit::Return => self.emit_return(v),
            }
        }
        let here = self.here();
        for c in &mut self.f.control[i..top] {
            if let Some(region) = c.region() {
                region.reopen(here);
            }
        }
        Ok(())
    }

    /// Passes one control entry; true if the exit goes on elsewhere.
    fn pass(&mut self, i: usize, exit: Exit, v: u8) -> Res<bool> {
        match &mut self.f.control[i] {
            Control::Target { .. } | Control::Catch { .. } => Ok(false),
            Control::Iterator { iter, is_async, .. } => {
                let (iter, is_async) = (*iter, *is_async);
                self.close_iterator(iter, is_async)?;
                Ok(false)
            }
            Control::Finally { entry, kind, value, exits, .. } => {
                let n = exits.iter().position(|&e| e == exit).unwrap_or_else(|| {
                    exits.push(exit);
                    exits.len() - 1
                });
                let (entry, kind, value) = (*entry, *kind, *value);
                if exit == Exit::Return {
                    self.mov(value, v);
                }
                self.move_imm(kind, FIRST_EXIT + n as i16);
                self.jump(entry);
                Ok(true)
            }
        }
    }

    pub(super) fn emit_return(&mut self, v: u8) {
        match self.f.coroutine {
            Some(c) => self.emit(op::RETASYNC, v, c, 0),
            None => self.emit(op::RET, v, 0, 0),
        }
    }

    pub(super) fn try_statement(&mut self, block: StmtId, handler: Option<Catch>, finalizer: Option<StmtId>) -> Res {
        self.reset_completion();
        match finalizer {
            None => self.try_catch(block, handler),
            Some(f) => self.try_finally(block, handler, f),
        }
    }

    fn try_catch(&mut self, block: StmtId, handler: Option<Catch>) -> Res {
        let Some(catch) = handler else { return self.statement(block) };
        let end = self.label();
        let region = Region::open(self.here());
        self.f.control.push(Control::Catch { region });
        self.statement(block)?;
        let Some(Control::Catch { mut region }) = self.f.control.pop() else { return Ok(()) };
        region.close(self.here());
        self.jump(end);
        let mark = self.f.next;
        let x = self.alloc()?;
        if self.handle(region, x) {
            self.reset_completion();
        }
        self.catch_clause(catch, x)?;
        self.release(mark);
        self.bind(end);
        Ok(())
    }

    fn catch_clause(&mut self, catch: Catch, x: u8) -> Res {
        if let Some(param) = catch.param {
            if let Pat::Binding(b) = *self.tree.pat(param)
                && !self.is_boxed(b)
                && self.locs[b.index()].is_none()
                && self.spills[b.index()].is_none()
                && !self.tree.binding(b).tdz
            {
                self.locs[b.index()] = Some(Loc::Reg(x));
                self.f.kind[x as usize] = self.local_kind(b);
                self.enter_scope(catch.scope)?;
            } else {
                self.f.kind[x as usize] = Kind::Fixed;
                self.enter_scope(catch.scope)?;
                self.predeclare(param)?;
                self.pattern(param, x)?;
            }
        }
        self.statement(catch.body)
    }

    fn try_finally(&mut self, block: StmtId, handler: Option<Catch>, finalizer: StmtId) -> Res {
        let mark = self.f.next;
        let kind = self.alloc()?;
        let held = self.alloc()?;
        let entry = self.label();
        // A value must stand in the register whichever way the finalizer is entered.
        self.load(held, value::UNDEFINED);
        let region = Region::open(self.here());
        self.f.control.push(Control::Finally { region, entry, kind, value: held, exits: Vec::new() });
        self.try_catch(block, handler)?;
        let Some(Control::Finally { mut region, exits, .. }) = self.f.control.pop() else { return Ok(()) };
        region.close(self.here());
        self.move_imm(kind, NORMAL);
        self.jump(entry);
        if self.handle(region, held) {
            self.move_imm(kind, THROWN);
        }
        self.bind(entry);
        // the finalizer's value counts only where it does not come to its end
        let kept = match self.f.completion {
            Some(r) => {
                let t = self.alloc()?;
                self.mov(t, r);
                Some((r, t))
            }
            None => None,
        };
        self.reset_completion();
        self.statement(finalizer)?;
        if let Some((r, t)) = kept {
            self.mov(r, t);
        }
        self.after_finally(kind, held, &exits)?;
        self.release(mark);
        Ok(())
    }

    /// Goes on as the completion kind says.
    fn after_finally(&mut self, kind: u8, held: u8, exits: &[Exit]) -> Res {
        let end = self.label();
        self.branch_imm(op::JSEQI, kind, NORMAL, end);
        for (n, &exit) in exits.iter().enumerate() {
            let other = self.label();
            self.branch_imm(op::JSNEI, kind, FIRST_EXIT + n as i16, other);
            self.exit(exit, held)?;
            self.bind(other);
        }
        self.emit(op::THROW, held, 0, 0);
        self.bind(end);
        Ok(())
    }

    /// Statements that may have no value have the value undefined.
    pub(super) fn reset_completion(&mut self) {
        if let Some(r) = self.f.completion {
            self.load(r, value::UNDEFINED);
        }
    }
}
