//! The compiler: a resolved tree in, a code unit out.
//!
//! In: `syntax::ast::Tree` without errors. Out: `CodeUnit`, its disassembly (`disasm`) and a check of it (`verify`).
//!
//! Invariants
//! - linear time and deterministic: tables are indexed by ids or ordered maps, no order follows a hash;
//! - functions are compiled one after the other from a queue, never inside one another;
//! - chains (`a + b + c …`, `a.b.c …`, `a && b …`, `else if …`) are walked, not recursed into; the rest recurses no deeper
//!   than the parser allows nesting;
//! - a register is a local's for the whole life of its scope, or a temporary above all locals (stack discipline);
//! - nothing live stands above the base of a call.
//!
//! Must never know: heaps, values, levels.
mod access;
mod assign;
mod binary;
mod bind;
mod call;
mod cond;
mod consts;
mod effects;
mod expr;
mod func;
mod literals;
mod loops;
mod module;
mod object;
mod pattern;
mod program;
mod regs;
mod scope;
mod stmt;
mod tryfinally;

use crate::code::{CodeUnit, FuncInfo, ModuleTable};
use consts::Consts;
use func::FuncState;
use literals::Literals;
use scope::Loc;
use std::collections::VecDeque;
use std::sync::Arc;
use syntax::ast::{BindingId, FuncId, Span, Tree};

pub use crate::code::disasm::disassemble;
pub use crate::code::verify::verify;

#[derive(Clone, Copy, Debug, Default)]
pub struct CompileOptions {
    /// All functions are `F_BUILTIN`.
    pub builtin: bool,
    /// All functions are `F_HARDENED` (Jessie and below).
    pub hardened_functions: bool,
    /// The program returns its completion value (compartment.evaluate, REPL).
    pub script_completion: bool,
}

/// Why a tree that parsed has no code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompileError {
    /// `E-NOT-YET`, `E-REGISTERS`, `E-TOO-LARGE`, `E-INTERNAL`.
    pub code: &'static str,
    pub message: String,
    pub span: Span,
    pub help: Option<String>,
}

/// Boxed, so that results stay one word wide on the way up.
type Res<T = ()> = Result<T, Box<CompileError>>;

/// Compiles a whole source.
pub fn compile(tree: &Tree, source: Arc<str>, name: &str, options: &CompileOptions) -> Result<CodeUnit, CompileError> {
    let mut gen_ = Gen::new(tree, *options);
    gen_.run().map_err(|e| *e)?;
    Ok(gen_.finish(source, name))
}

/// One compilation.
struct Gen<'t> {
    tree: &'t Tree,
    options: CompileOptions,
    consts: Consts,
    /// Finished functions, in the order of their indices.
    functions: Vec<FuncInfo>,
    words: Vec<u32>,
    ics: Vec<u32>,
    const_slots: Vec<u32>,
    module: ModuleTable,
    /// Functions a CLOSURE names, waiting; their indices follow their order of arrival.
    queue: VecDeque<Job>,
    queued: u32,
    /// Where the bindings of the current function are; `None` before their scope is entered.
    locs: Vec<Option<Loc>>,
    /// Bindings of each function; empty before it is needed.
    by_func: Vec<Vec<BindingId>>,
    /// Environment slots of bindings that have no register (see `scope`).
    spills: Vec<Option<u32>>,
    /// Slots of each function's environment; 0: it has none.
    env_sizes: Vec<u32>,
    /// Arrows that need the `new.target` of the function around them.
    wants_new_target: Vec<bool>,
    /// By binding: a module's export.
    exported: Vec<bool>,
    literals: Literals,
    f: FuncState,
}

/// A function to compile.
struct Job {
    id: FuncId,
    /// The `name` property.
    name: Box<[u16]>,
    flags: u16,
}

impl<'t> Gen<'t> {
    fn new(tree: &'t Tree, options: CompileOptions) -> Self {
        Gen {
            tree,
            options,
            consts: Consts::new(tree),
            functions: Vec::new(),
            words: Vec::new(),
            ics: Vec::new(),
            const_slots: Vec::new(),
            module: ModuleTable::default(),
            queue: VecDeque::new(),
            queued: 0,
            locs: vec![None; tree.bindings.len()],
            by_func: Vec::new(),
            spills: vec![None; tree.bindings.len()],
            env_sizes: vec![0; tree.functions.len()],
            wants_new_target: vec![false; tree.functions.len()],
            exported: Vec::new(),
            literals: Literals::default(),
            f: FuncState::new(FuncId(0), 0),
        }
    }

    fn run(&mut self) -> Res {
        self.plan_exports();
        self.literals = Literals::new(self.tree, &self.exported);
        self.plan_new_target();
        self.plan_spills();
        self.enqueue(Job { id: FuncId(0), name: Box::default(), flags: 0 });
        while let Some(job) = self.queue.pop_front() {
            let (length, queued) = (self.queue.len(), self.queued);
            match self.function(&job) {
                // Again, with some of its locals in an environment.
                Err(e) if e.code == "E-REGISTERS" && self.spill_locals(job.id) => {
                    self.queue.truncate(length);
                    self.queued = queued;
                    self.function(&job)?;
                }
                other => other?,
            }
        }
        debug_assert_eq!(self.functions.len(), self.queued as usize);
        Ok(())
    }

    /// Gives the function its index in the unit.
    fn enqueue(&mut self, job: Job) -> u32 {
        self.queue.push_back(job);
        self.queued += 1;
        self.queued - 1
    }

    fn finish(self, source: Arc<str>, name: &str) -> CodeUnit {
        CodeUnit {
            name: name.to_owned(),
            source,
            is_module: self.tree.goal == syntax::ast::Goal::Module,
            words: self.words,
            ics: self.ics,
            const_slots: self.const_slots,
            consts: self.consts.finish(),
            functions: self.functions,
            module: self.module,
        }
    }

    /// A language feature that has no code yet.
    fn not_yet<T>(&self, what: &str, span: Span) -> Res<T> {
        let help = Some(format!("write the program without {what} for now"));
        Err(Box::new(CompileError { code: "E-NOT-YET", message: format!("{what}: not supported yet"), span, help }))
    }

    fn too_large<T>(&self, message: &str, span: Span) -> Res<T> {
        let help = Some("divide the source into several modules or functions".to_owned());
        Err(Box::new(CompileError { code: "E-TOO-LARGE", message: message.to_owned(), span, help }))
    }

    /// The tree breaks one of its promises.
    fn internal<T>(&self, message: &str, span: Span) -> Res<T> {
        let help = Some("this is a bug of drses: please report the source".to_owned());
        Err(Box::new(CompileError { code: "E-INTERNAL", message: message.to_owned(), span, help }))
    }
}
