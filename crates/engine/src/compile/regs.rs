//! Registers.
//!
//! Invariants
//! - `next` is the first free register: everything below is a local or a live temporary;
//! - a register that is not `Temp` may be read by code still to come: only the last instruction of an expression may
//!   write it.
use super::{CompileError, Gen, Res};
use crate::code::op;
use syntax::ast::{BindingKind, Span};

/// Registers a function may use.
pub(super) const MAX_REGISTERS: u32 = 250;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A temporary, or a local before its initialisation.
    Temp,
    /// A local that never changes.
    Fixed,
    /// A local that is assigned to.
    Changing,
}

impl Gen<'_> {
    pub(super) fn alloc(&mut self) -> Res<u8> {
        self.alloc_n(1)
    }

    /// Consecutive registers; the first.
    pub(super) fn alloc_n(&mut self, n: u32) -> Res<u8> {
        let r = self.f.next;
        if r + n > MAX_REGISTERS {
            return self.no_registers();
        }
        self.f.next = r + n;
        self.f.max = self.f.max.max(self.f.next);
        Ok(r as u8)
    }

    fn no_registers<T>(&self) -> Res<T> {
        let span = self.tree.func(self.f.id).span;
        Err(Box::new(CompileError {
            code: "E-REGISTERS",
            message: "an expression or block of this function needs more registers than there are".to_owned(),
            span: Span { start: span.start, end: span.start },
            help: Some("name parts of the expression with `const`, or move them into functions".to_owned()),
        }))
    }

    /// The frame of a call made by an instruction: the first register above all that live, `n` of them reserved.
    pub(super) fn scratch(&mut self, n: u32) -> Res<u8> {
        let mark = self.f.next;
        let r = self.alloc_n(n)?;
        self.f.next = mark;
        Ok(r)
    }

    /// Registers still free.
    pub(super) fn room(&self) -> u32 {
        MAX_REGISTERS - self.f.next
    }

    /// Frees all registers from `mark` on.
    pub(super) fn release(&mut self, mark: u32) {
        for r in mark..self.f.next {
            self.f.kind[r as usize] = Kind::Temp;
        }
        self.f.next = mark;
    }

    pub(super) fn is_temp(&self, r: u8) -> bool {
        self.f.kind[r as usize] == Kind::Temp && u32::from(r) >= 3
    }

    /// A temporary directly below the free registers: it may be the base of a call.
    pub(super) fn is_top_temp(&self, r: u8) -> bool {
        u32::from(r) + 1 == self.f.next && self.is_temp(r)
    }

    pub(super) fn move_imm(&mut self, to: u8, imm: i16) {
        self.emit_imm(op::LDI, to, imm);
    }

    pub(super) fn local_kind(&self, b: syntax::ast::BindingId) -> Kind {
        let binding = self.tree.binding(b);
        if binding.reassigned && binding.kind != BindingKind::Const { Kind::Changing } else { Kind::Fixed }
    }
}
