//! Code units: what the compiler gives and the machine runs.
//!
//! In: nothing. Out: the types of bytecode, its opcodes (`op`), constants and side tables; units as bytes (`bytes`), the check
//! of a unit (`verify`), its text (`disasm`).
//!
//! Invariants
//! - bytecode is a durable format: opcode numbers and meanings are append-only;
//! - a unit holds no address: the loader (`load`) links inline caches and constant slots;
//! - one unit stands for one source text under one goal; its hash names it.
//!
//! Must never know: heaps, values.
pub mod bytes;
pub(crate) mod disasm;
mod effects_of;
pub mod op;
mod tables;
pub(crate) mod verify;

use std::sync::Arc;
use syntax::ast::Span;

/// A compiled source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeUnit {
    /// Named in error reports: a path or a made-up name.
    pub name: String,
    pub source: Arc<str>,
    pub is_module: bool,
    /// All functions' code, each beginning with its two header words (see `FuncInfo`).
    pub words: Vec<u32>,
    /// Positions in `words` that hold 0 and want the address of a fresh inline cache of `IC_BYTES`.
    pub ics: Vec<u32>,
    /// Positions in `words` that hold the index of a constant and want the address of its slot.
    pub const_slots: Vec<u32>,
    pub consts: Vec<Const>,
    /// 0 is the program.
    pub functions: Vec<FuncInfo>,
    /// Empty for scripts.
    pub module: ModuleTable,
}

/// Bytes of one inline cache.
pub const IC_BYTES: u32 = 32;

/// A constant, materialised once per vat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Const {
    /// An interned string; also names property keys. A canonical array index ("0", "17") is a key as well; the machine converts.
    String(Box<[u16]>),
    /// Digits, maybe with `0x`, `0o`, `0b`.
    BigInt(String),
    /// The shape of an object literal: the keys (indices of `String` constants), in order, all plain data, no duplicates,
    /// none a canonical array index, at most `MAX_LITERAL_KEYS`.
    Shape(Vec<u32>),
    /// The frozen array of a tagged template: cooked (`None`: undefined) and raw strings.
    Template { cooked: Vec<Option<Box<[u16]>>>, raw: Vec<Box<[u16]>> },
}

/// Keys of one `NEWREC`.
pub const MAX_LITERAL_KEYS: usize = 60;

/// Header words of a function in `words` at `at`: `nregs : 8 | nparams : 8 | flags : 16`, then the function's index. Code follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FuncInfo {
    pub at: u32,
    /// Words of code after the two header words.
    pub len: u32,
    pub nregs: u8,
    /// Registers 3 .. 3 + nparams are filled from the arguments (missing ones with undefined).
    pub nparams: u8,
    pub flags: u16,
    /// The `name` property.
    pub name: Box<[u16]>,
    /// The `length` property.
    pub length: u32,
    pub source: Span,
    /// What each capture is called, for messages.
    pub capture_names: Vec<Box<[u16]>>,
    /// Innermost first.
    pub handlers: Vec<Handler>,
    /// (word offset from `at`, source byte) at which an instruction can throw or call; ascending.
    pub lines: Vec<(u32, u32)>,
}

pub const F_ASYNC: u16 = 1;
pub const F_GENERATOR: u16 = 2;
pub const F_ARROW: u16 = 4;
/// May be the target of `new`.
pub const F_CONSTRUCTOR: u16 = 8;
/// Method, getter or setter.
pub const F_METHOD: u16 = 16;
/// Compiled from the JavaScript we ship: `toString` shows `[native code]`, frames appear in no trace.
pub const F_BUILTIN: u16 = 32;
/// Born hardened (function literals of Jessie code).
pub const F_HARDENED: u16 = 64;

/// While the program counter is in `[start, end)` (word offsets from the function's `at`) an exception goes to `target`
/// (likewise) with its value in `reg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handler {
    pub start: u32,
    pub end: u32,
    pub target: u32,
    pub reg: u8,
}

/// Exported name, request, imported name; `None` is the namespace.
pub type Indirect = (Box<[u16]>, u32, Option<Box<[u16]>>);

/// What linking a module needs. A module's program function takes, as capture 0, the global object; then one box for
/// each entry of `cells`, in order: the module's imports and exports. Names are constants of the unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleTable {
    /// Specifiers requested, in order.
    pub requests: Vec<String>,
    pub cells: Vec<Cell>,
    /// (exported name, index into `cells`)
    pub locals: Vec<(Box<[u16]>, u32)>,
    pub indirect: Vec<Indirect>,
    /// Requests of `export *`.
    pub stars: Vec<u32>,
    pub has_top_level_await: bool,
    /// What calls and sends of a method `make` name by a literal relative path as their first argument, in order: a
    /// bundler captures these.
    pub makes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A binding of this module that is exported: the linker makes the box, uninitialised. (A function declaration is
    /// initialised by the program itself, first thing.)
    Own { name: Box<[u16]> },
    /// The box of another module's export.
    Import { request: u32, name: Box<[u16]> },
    /// A box that holds the namespace object of a request.
    Namespace { request: u32 },
}

impl FuncInfo {
    /// The innermost handler that covers word offset `pc` (from the function's `at`).
    pub fn handler(&self, pc: u32) -> Option<Handler> {
        self.handlers.iter().copied().find(|h| h.start <= pc && pc < h.end)
    }
    /// The source byte of word offset `pc`.
    pub fn byte_at(&self, pc: u32) -> Option<u32> {
        let i = self.lines.partition_point(|&(w, _)| w <= pc);
        i.checked_sub(1).map(|i| self.lines[i].1)
    }
}
