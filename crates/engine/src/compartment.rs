//! Compartments: global objects of their own over shared primordials, and the evaluation of source texts in them.
//!
//! ```text
//! COMPARTMENT  2 global object; 3 name; 4 undefined
//! R_SHARED_GLOBALS  array: key, value, attributes of each property that every global object begins with
//! ```
//! Invariants
//! - a new compartment holds only what is shared (frozen, powerless), its own `globalThis`, `eval`, `Function` and
//!   `Compartment`, and what it was given;
//! - a source is parsed whole, for one goal: no text is glued to it that could change what it means, and the parts of a
//!   function made from text must each parse by themselves;
//! - program code that evaluation runs counts as called from native code.
use crate::cx::{Cx, ErrorKind, Res, Value};
use crate::engine::{Engine, LoadedUnit};
use crate::kinds::*;
use crate::object;
use crate::roots::{self, *};
use crate::shape::{WC, WEC};
use crate::{array, elsewhere, function, harden, interp, machine, string};
use cage::Mem;
use cage::value::*;
use std::sync::Arc;
use syntax::ast::{Body, Expr, Goal};
use syntax::diagnostic::{Diagnostic, Level};

/// Names of the start compartment that others do not get.
const START_ONLY: &[&str] = &[
    "print",
    "console",
    "globalThis",
    "eval",
    "Function",
    "Compartment",
    "WeakRef",
    "FinalizationRegistry",
    "gc",
    "performance",
    "$262",
];

/// Units of work charged for parsing and compiling a source: some, and so many for a byte.
const COMPILE_BASE: u64 = 2000;
const COMPILE_BYTE: u64 = 40;
/// Bytes of a source that is compiled at one go, within a few milliseconds.
const LONG_SOURCE: usize = 16 << 10;

/// What a source is evaluated as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A strict script; its completion value.
    Script,
    /// One expression.
    Expression,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            What::Script => "<evaluate>",
            What::Expression => "<expression>",
        }
    }
}

fn level(m: Mem) -> Level {
    if roots::get(m, R_UNLOCKED) == TRUE { Level::Strict } else { Level::Ses }
}

/// Evaluates `source` with `global` as global object; a SyntaxError says `line:column: message`.
pub fn evaluate(cx: &mut Cx, m: Mem, source: String, global: Value, what: What) -> Res {
    let known = known_unit(cx, &source, what)?;
    let n = match known {
        Some(n) => n,
        None => {
            cx.charge(COMPILE_BASE + COMPILE_BYTE * source.len() as u64)?;
            let (engine, level) = (cx.engine.clone(), level(m));
            match if_long(cx, source.len(), move || compile(&engine, source, what, level))? {
                Made::Unit(loaded) => interp::add_unit(cx, m, loaded)?,
                Made::Wrong(text) => return Err(cx.error(m, ErrorKind::Syntax, &text)),
                Made::NoRoom => return Err(cx.range_error(m, "limit: code of the process")),
            }
        }
    };
    let f = interp::program_closure(cx, m, n, global, &[])?;
    interp::call(cx, m, f, global, &[])
}

/// Bytes of a source looked at between two looks at the meter.
const SLICE_BYTES: usize = 1 << 18;

/// What became of a source.
enum Made {
    Unit(Arc<LoadedUnit>),
    /// What is wrong with it.
    Wrong(String),
    /// The process has no room for more code.
    NoRoom,
}

fn compile(engine: &Engine, source: String, what: What, level: Level) -> Made {
    let goal = if what == What::Script { Goal::Script } else { Goal::Expression };
    match machine::compile_source(&source, what.name(), goal, level, true) {
        Ok(unit) => engine.load(unit).map_or(Made::NoRoom, Made::Unit),
        Err(errors) => Made::Wrong(first_error(&source, &errors)),
    }
}

/// A job on a text of so many bytes: elsewhere if it may take long.
fn if_long<T: Send + 'static>(cx: &mut Cx, bytes: usize, job: impl FnOnce() -> T + Send + 'static) -> Res<T> {
    if bytes > LONG_SOURCE { elsewhere::run(cx, job) } else { Ok(job()) }
}

/// A unit made of the same text before. (One with a template is not used again: its template objects have identity.)
fn known_unit(cx: &mut Cx, source: &str, what: What) -> Res<Option<u32>> {
    for slice in source.as_bytes().chunks(SLICE_BYTES) {
        cx.charge(slice.len() as u64 / 32)?;
        if slice.contains(&b'`') {
            return Ok(None);
        }
    }
    for n in 0..cx.units.len() {
        if cx.units[n].unit.source.len() == source.len() && cx.units[n].unit.name == what.name() {
            let unit = cx.units[n].clone();
            if alike(cx, &unit.unit.source, source)? {
                return Ok(Some(n as u32));
            }
        }
    }
    Ok(None)
}

/// Two texts of one length are the same.
fn alike(cx: &mut Cx, a: &str, b: &str) -> Res<bool> {
    for (a, b) in a.as_bytes().chunks(SLICE_BYTES).zip(b.as_bytes().chunks(SLICE_BYTES)) {
        cx.charge(1 + a.len() as u64 / 32)?;
        if a != b {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What is wrong with a source, in words.
fn first_error(source: &str, errors: &[Diagnostic]) -> String {
    let Some(first) = errors.first() else { return "invalid source".to_owned() };
    let at = syntax::LineIndex::new(source).place(first.span.start);
    format!("{}:{}: {}", at.line, at.column, first.message)
}

/// The Function constructor: `params` and `body` are texts.
pub fn make_function(cx: &mut Cx, m: Mem, params: Vec<String>, body: String, global: Value) -> Res {
    let bytes = params.iter().map(String::len).sum::<usize>() + body.len();
    cx.charge(COMPILE_BASE + 2 * COMPILE_BYTE * bytes as u64)?;
    let level = level(m);
    match if_long(cx, bytes, move || function_text(&params.join(","), &body, level))? {
        Ok(text) => evaluate(cx, m, text, global, What::Expression),
        Err(wrong) => Err(cx.error(m, ErrorKind::Syntax, &wrong)),
    }
}

/// Each part must be whole by itself, so that neither can end the function.
fn function_text(params: &str, body: &str, level: Level) -> Result<String, String> {
    for (p, b) in [(params, ""), ("", body)] {
        let text = format!("(function anonymous({p}\n) {{\n{b}\n}})");
        let parsed = syntax::parse(&text, &syntax::Options { goal: Goal::Expression, level, dialect_2013: false });
        if parsed.has_errors() {
            return Err(first_error(&text, &parsed.diagnostics));
        }
        if !is_one_function(&parsed.tree) {
            return Err("the parameters or the body of a function end it".to_owned());
        }
    }
    Ok(format!("(function anonymous({params}\n) {{\n{body}\n}})"))
}

/// Is the whole expression a function in parentheses?
fn is_one_function(tree: &syntax::ast::Tree) -> bool {
    let Some(Body::Expr(e)) = tree.functions.first().map(|f| &f.body) else { return false };
    let Some(Expr::Paren(inner)) = tree.exprs.get(e.index()) else { return false };
    matches!(tree.exprs.get(inner.index()), Some(Expr::Function(_)))
}

// ---- making ----

/// Remembers what all compartments share: the properties the start compartment has now, but for its own.
pub fn remember_shared(cx: &mut Cx, m: Mem, global: Value) -> Res<()> {
    let mut list = Vec::new();
    for key in object::own_keys(cx, m, global)? {
        let name = object::key_text(cx, m, key)?;
        if START_ONLY.contains(&name.as_str()) {
            continue;
        }
        if let Some(object::Prop::Data { value, attrs }) = object::get_own(cx, m, global, key)? {
            list.extend([key, value, int(attrs as i32)]);
        }
    }
    let list = array::from_slice(cx, m, &list)?;
    roots::set(cx, m, R_SHARED_GLOBALS, list);
    Ok(())
}

/// Gives `global` what is one per compartment.
pub fn own_globals(cx: &mut Cx, m: Mem, compartment: Value, global: Value) -> Res<()> {
    use crate::builtins::compartment as natives;
    let locked = roots::get(m, R_UNLOCKED) != TRUE;
    let pairs = [
        (natives::EVAL, "eval", 0),
        (natives::FUNCTION, "Function", R_FUNCTION_PROTO),
        (natives::COMPARTMENT, "Compartment", R_COMPARTMENT_PROTO),
    ];
    for (number, name, proto) in pairs {
        let f = function::native(cx, m, number, &[compartment])?;
        if proto != 0 {
            let key = roots::get(m, R_STR_PROTOTYPE);
            object::define_or_throw(cx, m, f, key, object::Desc::data(roots::get(m, proto), 0))?;
        }
        if locked {
            harden::mark(cx, m, f);
        }
        let key = string::intern_str(cx, m, name)?;
        object::define_or_throw(cx, m, global, key, object::Desc::data(f, WC))?;
    }
    let key = string::intern_str(cx, m, "globalThis")?;
    object::define_or_throw(cx, m, global, key, object::Desc::data(global, WC))
}

/// A compartment; its global object has what is shared.
pub fn new(cx: &mut Cx, m: Mem, s: u32, name: Value) -> Res {
    let global = object::new(cx, m)?;
    let c = object::exotic(cx, m, COMPARTMENT, s, &[global, name, UNDEF])?;
    let shared = roots::get(m, R_SHARED_GLOBALS);
    for entry in array::values(cx, m, shared)?.chunks_exact(3) {
        cx.charge(12)?;
        object::add_property(cx, m, global, entry[0], as_int(entry[2]) as u8, entry[1])?;
    }
    own_globals(cx, m, c, global)?;
    Ok(c)
}

/// Copies own enumerable properties of `from` onto a global object.
pub fn endow(cx: &mut Cx, m: Mem, global: Value, from: Value) -> Res<()> {
    for key in object::own_keys(cx, m, from)? {
        cx.charge(8)?;
        if object::get_own(cx, m, from, key)?.is_some_and(|p| p.enumerable()) {
            let v = object::get(cx, m, from, key)?;
            object::define_or_throw(cx, m, global, key, object::Desc::data(v, WEC))?;
        }
    }
    Ok(())
}

/// The global object of a compartment.
pub fn global_of(m: Mem, c: Value) -> Value {
    m.r64(c as u32, 16)
}
pub fn name_of(m: Mem, c: Value) -> Value {
    m.r64(c as u32, 24)
}

/// confine(source, endowments): one expression in an environment of its own, which is frozen.
pub fn confine(cx: &mut Cx, m: Mem, source: String, endowments: Value) -> Res {
    let s = roots::get(m, R_SHAPE_COMPARTMENT) as u32;
    let c = new(cx, m, s, string::empty(m))?;
    let global = global_of(m, c);
    if is_obj(endowments) {
        endow(cx, m, global, endowments)?;
    }
    if roots::get(m, R_UNLOCKED) != TRUE {
        harden::harden(cx, m, global)?;
    }
    evaluate(cx, m, source, global, What::Expression)
}
