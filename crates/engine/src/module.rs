//! Modules: linking a graph of compiled modules, namespaces, evaluation (ECMA-262 16.2.1).
//!
//! In: compiled modules with their requests resolved to one another. Out: the first module's namespace.
//!
//! ```text
//! NAMESPACE  2 names (ELEMS, sorted by code units), 3 boxes (ELEMS, in the same order)
//! ```
//! Invariants
//! - a binding is one box, shared by its module and all that import it;
//! - importing grants nothing: a module sees its imports and the global object it is given;
//! - modules are evaluated each once, requests before requesters.
//!
//! Must never know: files, how specifiers are resolved.
use crate::array;
use crate::aside::Aside;
use crate::code::Cell;
use crate::cx::{Abort, Cx, ErrorKind, Res, Value};
use crate::engine::LoadedUnit;
use crate::interp;
use crate::kinds::{BOX, NAMESPACE, NONEXT};
use crate::object::{self, Desc, Prop};
use crate::promise;
use crate::roots::{self, R_GRAPH, R_SHAPE_NAMESPACE, R_STR_DEFAULT, R_SYM_TO_STRING_TAG};
use crate::shape::{E, W};
use crate::string;
use cage::Mem;
use cage::layout::{H_X, header};
use cage::value::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use syntax::ast::{Goal, ImportEntry, Span};
use syntax::diagnostic::{Diagnostic, Severity};

/// One module of a graph; `requests[i]` is the index of the module that its request `i` names.
#[derive(Clone, Debug)]
pub struct ModuleIn {
    pub unit: Arc<LoadedUnit>,
    pub requests: Vec<usize>,
}

/// Where an exported name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Export {
    Cell(usize, u32),
    Namespace(usize),
    Ambiguous,
    Absent,
}

/// What one module says of a name.
enum Says {
    Found(Export),
    /// It is what another module exports.
    Goes(Named),
    /// Whatever the modules say that it exports all of.
    Stars,
}

struct Linker<'g> {
    graph: &'g [ModuleIn],
    /// Boxes of each module's cells, once made; 0 until then.
    cells: Vec<Vec<Value>>,
    namespaces: Vec<Value>,
    /// Namespaces that are made and not filled yet.
    unfilled: Vec<usize>,
    /// What names were found to lead to.
    known: BTreeMap<Named, Export>,
}

/// A name as a module exports it.
type Named = (usize, Arc<[u16]>);

/// Names that are imported (or exported again) and that no module provides, or two: module and diagnostic, with its place
/// in the module's source.
pub fn missing_names(graph: &[ModuleIn]) -> Vec<(usize, Diagnostic)> {
    let mut linker = Linker { graph, cells: Vec::new(), namespaces: Vec::new(), unfilled: Vec::new(), known: BTreeMap::new() };
    let mut found = Vec::new();
    for (i, module) in graph.iter().enumerate() {
        let table = &module.unit.unit.module;
        let imports = table.cells.iter().filter_map(|c| match c {
            Cell::Import { request, name } => Some((*request, name)),
            _ => None,
        });
        let again = table.indirect.iter().filter_map(|(_, request, name)| name.as_ref().map(|name| (*request, name)));
        for (request, name) in imports.chain(again) {
            let Some(&target) = module.requests.get(request as usize) else { continue };
            let export = linker.resolve(target, name);
            if matches!(export, Export::Absent | Export::Ambiguous) {
                found.push((i, missing_name(&linker, i, request, name, export)));
            }
        }
    }
    found
}

#[cold]
fn missing_name(linker: &Linker, i: usize, request: u32, name: &[u16], export: Export) -> Diagnostic {
    let module = &linker.graph[i];
    let specifier = &module.unit.unit.module.requests[request as usize];
    let shown = String::from_utf16_lossy(name);
    let (message, help) = if export == Export::Ambiguous {
        let message = format!("two modules that '{specifier}' exports all of provide `{shown}`");
        (message, "import it from the one that is meant".to_owned())
    } else {
        let names = linker.names(module.requests[request as usize]);
        let names: Vec<String> = names.iter().take(12).map(|n| format!("`{}`", String::from_utf16_lossy(n))).collect();
        let there = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
        (format!("the module '{specifier}' exports no `{shown}`"), format!("it exports {there}"))
    };
    let span = place_of(&module.unit.unit.source, request, name);
    Diagnostic { severity: Severity::Error, code: "E-EXPORT", message, span, help: Some(help) }
}

/// Where a module's source imports the name: what it is called there, else the specifier.
fn place_of(source: &str, request: u32, name: &[u16]) -> Span {
    let options = syntax::Options { goal: Goal::Module, ..syntax::Options::default() };
    let tree = syntax::parse(source, &options).tree;
    let info = &tree.module;
    let here = |e: &&ImportEntry| e.request == request && e.name.is_some_and(|n| tree.name(n) == name);
    match info.imports.iter().find(here) {
        Some(entry) => tree.binding(entry.binding).span,
        None => info.requests.get(request as usize).map_or(Span::default(), |r| r.1),
    }
}

/// Links and evaluates the graph; module 0 is the entry. Gives its namespace.
pub fn run_graph(cx: &mut Cx, m: Mem, graph: &[ModuleIn], global: Value) -> Res {
    let n = graph.len();
    let (unfilled, known) = (Vec::new(), BTreeMap::new());
    let mut l = Linker { graph, cells: vec![Vec::new(); n], namespaces: vec![UNDEF; n], unfilled, known };
    for i in 0..n {
        l.make_cells(cx, m, i)?;
    }
    for i in 0..n {
        l.bind_imports(cx, m, i)?;
    }
    let entry = l.namespace(cx, m, 0)?;
    while let Some(i) = l.unfilled.pop() {
        l.fill(cx, m, i)?;
    }
    let cells = std::mem::take(&mut l.cells);
    let plan = plan(graph);
    let mut programs = Vec::with_capacity(n);
    for step in &plan {
        let number = interp::add_unit(cx, m, graph[step.module].unit.clone())?;
        programs.push(interp::program_closure(cx, m, number, global, &cells[step.module])?);
    }
    let list = array::from_slice(cx, m, &programs)?;
    array::push(cx, m, list, entry)?;
    roots::set(cx, m, R_GRAPH, list);
    evaluate(cx, m, &plan)?;
    let entry = listed(m, plan.len());
    roots::set(cx, m, R_GRAPH, UNDEF);
    Ok(entry)
}

/// What must survive collections while programs run stands at root R_GRAPH: a program for each step of the plan (once
/// it has made its functions, its coroutine), then the entry's namespace.
fn listed(m: Mem, i: usize) -> Value {
    array::element(m, roots::get(m, R_GRAPH), i as u32)
}

/// One module's evaluation.
struct Step {
    module: usize,
    /// It awaits at top level.
    waits: bool,
    /// Steps that must be over before.
    after: Vec<usize>,
}

/// Lets all programs make their functions, then evaluates each as soon as what it requests is evaluated. Jobs run while
/// a module's top-level await is waited for.
fn evaluate(cx: &mut Cx, m: Mem, plan: &[Step]) -> Res<()> {
    for i in 0..plan.len() {
        let coroutine = interp::call_rooted(cx, m, listed(m, i), UNDEF, &[], &mut [])?;
        array::set_existing(cx, m, roots::get(m, R_GRAPH), i as u32, coroutine)?;
    }
    let (mut begun, mut over) = (vec![false; plan.len()], vec![false; plan.len()]);
    let mut waiting: Vec<usize> = Vec::new();
    loop {
        for (i, step) in plan.iter().enumerate() {
            if begun[i] || !step.after.iter().all(|&r| over[r]) {
                continue;
            }
            begun[i] = true;
            if step.waits {
                promise::mark_handled(cx, m, promise_of(m, listed(m, i)));
                waiting.push(i);
            } else {
                over[i] = true;
            }
            let coroutine = listed(m, i);
            interp::resume(cx, m, coroutine, coroutine, false)?;
        }
        if waiting.is_empty() {
            return Ok(());
        }
        wait(cx, m, &mut waiting, &mut over)?;
    }
}

/// Runs jobs until one of the modules is evaluated.
fn wait(cx: &mut Cx, m: Mem, waiting: &mut Vec<usize>, over: &mut [bool]) -> Res<()> {
    let before = waiting.len();
    loop {
        let more = promise::run_one_job(cx, m)?;
        let mut rejected = None;
        waiting.retain(|&i| {
            let p = promise_of(m, listed(m, i));
            match promise::state(m, p) {
                1 => over[i] = true,
                2 => rejected = rejected.or(Some(promise::result(m, p))),
                _ => return true,
            }
            false
        });
        if let Some(reason) = rejected {
            return Err(cx.throw(reason));
        }
        if waiting.len() < before {
            return Ok(());
        }
        if !more {
            // nothing else could settle it
            return Err(cx.error(m, ErrorKind::Error, "a module's top-level await never settled"));
        }
    }
}

/// The promise of an async program.
fn promise_of(m: Mem, coroutine: Value) -> Value {
    m.r64(coroutine as u32, 8)
}

/// The order of evaluation: depth first, requests in order; explicit stack. Modules that request one another in a circle
/// (found as Tarjan does) are waited for, from outside, by the first of them that was reached.
fn plan(graph: &[ModuleIn]) -> Vec<Step> {
    const NONE: usize = usize::MAX;
    let n = graph.len();
    let (mut low, mut place, mut root) = (vec![NONE; n], vec![NONE; n], vec![NONE; n]);
    let (mut order, mut circle, mut found) = (Vec::with_capacity(n), Vec::new(), 0);
    let mut stack = vec![(0usize, 0usize)];
    while let Some((i, next)) = stack.pop() {
        if next == 0 && i < n {
            low[i] = found;
            circle.push((i, found));
            found += 1;
        }
        let Some(module) = graph.get(i) else { break };
        if let Some(&r) = module.requests.get(next) {
            stack.push((i, next + 1));
            if low[r] == NONE {
                stack.push((r, 0));
            }
            continue;
        }
        place[i] = order.len();
        order.push(i);
        let own = circle.iter().rev().find(|c| c.0 == i).map_or(0, |c| c.1);
        low[i] = module.requests.iter().filter(|&&r| root[r] == NONE).map(|&r| low[r]).fold(own, usize::min);
        if low[i] == own {
            while let Some((j, at)) = circle.pop_if(|c| c.1 >= own) {
                debug_assert!(at >= own);
                root[j] = i;
            }
        }
    }
    let after = |i: usize| {
        let earlier = |&r: &usize| match root[r] == root[i] {
            true => (place[r] < place[i]).then_some(place[r]),
            false => Some(place[root[r]]),
        };
        graph[i].requests.iter().filter_map(earlier).collect()
    };
    order.iter().map(|&i| Step { module: i, waits: graph[i].unit.unit.module.has_top_level_await, after: after(i) }).collect()
}

fn new_box(cx: &mut Cx, m: Mem, v: Value) -> Res {
    let at = cx.alloc(m, 16)?;
    m.w64(at, 0, header(BOX, 0, 0, 0));
    m.w64(at, 8, v);
    Ok(CELL | at as u64)
}

impl Linker<'_> {
    fn make_cells(&mut self, cx: &mut Cx, m: Mem, i: usize) -> Res<()> {
        for c in &self.graph[i].unit.unit.module.cells {
            let b = match c {
                Cell::Own { .. } => new_box(cx, m, TDZ)?,
                _ => UNDEF,
            };
            self.cells[i].push(b);
        }
        Ok(())
    }

    fn bind_imports(&mut self, cx: &mut Cx, m: Mem, i: usize) -> Res<()> {
        let graph = self.graph;
        for (k, c) in graph[i].unit.unit.module.cells.iter().enumerate() {
            self.cells[i][k] = match c {
                Cell::Own { .. } => continue,
                Cell::Namespace { request } => {
                    let ns = self.namespace(cx, m, graph[i].requests[*request as usize])?;
                    new_box(cx, m, ns)?
                }
                Cell::Import { request, name } => self.import(cx, m, i, *request, name)?,
            };
        }
        // what is only exported again must be there as well
        for (_, request, name) in &graph[i].unit.unit.module.indirect {
            if let Some(name) = name {
                self.import(cx, m, i, *request, name)?;
            }
        }
        Ok(())
    }

    fn import(&mut self, cx: &mut Cx, m: Mem, i: usize, request: u32, name: &[u16]) -> Res {
        let target = self.graph[i].requests[request as usize];
        match self.resolve(target, name) {
            Export::Cell(j, c) => self.cell(cx, j, c),
            Export::Namespace(j) => {
                let ns = self.namespace(cx, m, j)?;
                new_box(cx, m, ns)
            }
            missing => {
                let specifier = self.graph[i].unit.unit.module.requests.get(request as usize).cloned().unwrap_or_default();
                let name = String::from_utf16_lossy(name);
                let what = if missing == Export::Ambiguous { "ambiguously" } else { "no" };
                let from = &self.graph[i].unit.unit.name;
                let text = format!("{from}: the module '{specifier}' provides {what} export named '{name}'");
                Err(cx.error(m, ErrorKind::Syntax, &text))
            }
        }
    }

    /// The box of a cell of the module's own.
    fn cell(&mut self, cx: &mut Cx, j: usize, c: u32) -> Res {
        self.cells[j].get(c as usize).copied().filter(|v| is_cell(*v)).ok_or_else(|| cx.stop(Abort::Corrupt))
    }

    /// ResolveExport; explicit stack.
    fn resolve(&mut self, i: usize, name: &[u16]) -> Export {
        let mut seen: BTreeSet<Named> = BTreeSet::new();
        // modules whose stars are looked through: the next star, and what was found
        let mut open: Vec<(Named, usize, Export)> = Vec::new();
        // those that surely lead where the first leads
        let mut alike: Vec<Named> = Vec::new();
        let mut at: Named = (i, name.into());
        let last = 'all: loop {
            let mut found = loop {
                if let Some(e) = self.known.get(&at) {
                    break *e;
                }
                if !seen.insert(at.clone()) {
                    break Export::Absent;
                }
                if open.is_empty() {
                    alike.push(at.clone());
                }
                match self.step(&at) {
                    Says::Found(e) => break e,
                    Says::Goes(next) => at = next,
                    Says::Stars => {
                        open.push((at.clone(), 0, Export::Absent));
                        break Export::Absent;
                    }
                }
            };
            loop {
                let Some((from, next, so_far)) = open.last_mut() else { break 'all found };
                match found {
                    Export::Absent => {}
                    Export::Ambiguous => break 'all found,
                    e if *so_far == Export::Absent || *so_far == e => *so_far = e,
                    _ => break 'all Export::Ambiguous,
                }
                let stars = &self.graph[from.0].unit.unit.module.stars;
                if let Some(request) = stars.get(*next) {
                    *next += 1;
                    at = (self.graph[from.0].requests[*request as usize], from.1.clone());
                    break;
                }
                found = *so_far;
                open.pop();
            }
        };
        self.known.extend(alike.into_iter().map(|n| (n, last)));
        last
    }

    /// What one module's own tables say of a name.
    fn step(&self, (i, name): &Named) -> Says {
        let module = &self.graph[*i];
        let t = &module.unit.unit.module;
        let target = |request: &u32| module.requests[*request as usize];
        if let Some((_, c)) = t.locals.iter().find(|(n, _)| **n == **name) {
            return match t.cells.get(*c as usize) {
                Some(Cell::Namespace { request }) => Says::Found(Export::Namespace(target(request))),
                Some(Cell::Import { request, name }) => Says::Goes((target(request), (&**name).into())),
                _ => Says::Found(Export::Cell(*i, *c)),
            };
        }
        if let Some((_, request, import)) = t.indirect.iter().find(|(n, _, _)| **n == **name) {
            return match import {
                Some(import) => Says::Goes((target(request), (&**import).into())),
                None => Says::Found(Export::Namespace(target(request))),
            };
        }
        if name.iter().copied().eq("default".encode_utf16()) { Says::Found(Export::Absent) } else { Says::Stars }
    }

    /// GetExportedNames; explicit stack.
    fn names(&self, i: usize) -> Vec<Box<[u16]>> {
        let mut names = BTreeMap::new();
        let mut seen = vec![false; self.graph.len()];
        let mut todo = vec![(i, true)];
        while let Some((j, own)) = todo.pop() {
            if std::mem::replace(&mut seen[j], true) {
                continue;
            }
            let t = &self.graph[j].unit.unit.module;
            let listed = t.locals.iter().map(|x| &x.0).chain(t.indirect.iter().map(|x| &x.0));
            for n in listed {
                if own || !n.iter().copied().eq("default".encode_utf16()) {
                    names.insert(n.clone(), ());
                }
            }
            todo.extend(t.stars.iter().map(|r| (self.graph[j].requests[*r as usize], false)));
        }
        names.into_keys().collect()
    }

    /// GetModuleNamespace; its names come later, so that namespaces may name one another in any depth.
    fn namespace(&mut self, cx: &mut Cx, m: Mem, i: usize) -> Res {
        if self.namespaces[i] != UNDEF {
            return Ok(self.namespaces[i]);
        }
        let s = roots::get(m, R_SHAPE_NAMESPACE) as u32;
        let ns = object::exotic(cx, m, NAMESPACE, s, &[UNDEF, UNDEF, UNDEF])?;
        self.namespaces[i] = ns;
        self.unfilled.push(i);
        Ok(ns)
    }

    /// Gives a namespace its names.
    fn fill(&mut self, cx: &mut Cx, m: Mem, i: usize) -> Res<()> {
        let ns = self.namespaces[i];
        let mut names = Vec::new();
        let mut boxes = Vec::new();
        for n in self.names(i) {
            let b = match self.resolve(i, &n) {
                Export::Cell(j, c) => self.cell(cx, j, c)?,
                Export::Namespace(j) => {
                    let inner = self.namespace(cx, m, j)?;
                    new_box(cx, m, inner)?
                }
                Export::Ambiguous | Export::Absent => continue,
            };
            let s = string::from_units(cx, m, &n)?;
            names.push(string::intern(cx, m, s)?);
            boxes.push(b);
        }
        for (word, items) in [(16, names), (24, boxes)] {
            let e = object::new_elems(cx, m, items.len() as u32, false, UNDEF)?;
            for (k, v) in items.iter().enumerate() {
                cx.heap.write(m, e + 8 + k as u32 * 8, *v);
            }
            cx.heap.write(m, (ns as u32) + word, CELL | e as u64);
        }
        let tag = cx.str(m, "Module")?;
        let key = roots::get(m, R_SYM_TO_STRING_TAG);
        object::add_property(cx, m, ns, key, 0, tag)?;
        object::add_flags(cx, m, ns, NONEXT);
        Ok(())
    }
}

// ---- module namespace exotic objects (10.4.6) ----

/// The box of an exported name.
fn box_of(m: Mem, ns: Value, key: Value) -> Option<u32> {
    if !is_str(key) {
        return None;
    }
    let (names, boxes) = (m.r64(ns as u32, 16) as u32, m.r64(ns as u32, 24) as u32);
    let n = m.r32(names, H_X).min(1 << 20);
    (0..n).find(|k| m.r64(names.wrapping_add(8 + k * 8), 0) == key).map(|k| m.r64(boxes.wrapping_add(8 + k * 8), 0) as u32)
}

/// [[GetOwnProperty]]
pub fn namespace_own(cx: &mut Cx, m: Mem, ns: Value, key: Value) -> Res<Option<Prop>> {
    let key = if is_int(key) { object::key_value(cx, m, key).and_then(|s| string::intern(cx, m, s))? } else { key };
    let Some(b) = box_of(m, ns, key) else { return Ok(object::own_named(m, ns, key)) };
    let value = m.r64(b, 8);
    if value == TDZ {
        let t = object::key_text(cx, m, key)?;
        return Err(cx.error(m, ErrorKind::Reference, &format!("Cannot access '{t}' before initialization")));
    }
    Ok(Some(Prop::Data { value, attrs: W | E }))
}

/// [[HasProperty]]: also of a binding that is not initialised yet.
pub fn namespace_has(cx: &mut Cx, m: Mem, ns: Value, key: Value) -> Res<bool> {
    let key = if is_int(key) { object::key_value(cx, m, key).and_then(|s| string::intern(cx, m, s))? } else { key };
    Ok(box_of(m, ns, key).is_some() || object::own_named(m, ns, key).is_some())
}

/// [[DefineOwnProperty]]: only what changes nothing.
pub fn namespace_define(cx: &mut Cx, m: Mem, ns: Value, key: Value, d: Desc) -> Res<bool> {
    if is_sym(key) {
        return object::ordinary_define(cx, m, ns, key, d);
    }
    let Some(p) = namespace_own(cx, m, ns, key)? else { return Ok(false) };
    let same = !d.is_accessor() && d.configurable != Some(true) && d.enumerable != Some(false) && d.writable != Some(false);
    match (same, d.value, p) {
        (true, Some(v), Prop::Data { value, .. }) => crate::convert::same_value(cx, m, v, value),
        (same, _, _) => Ok(same),
    }
}

/// [[OwnPropertyKeys]]
pub fn namespace_keys(cx: &mut Cx, m: Mem, ns: Value) -> Res<Aside<Value>> {
    let names = m.r64(ns as u32, 16) as u32;
    let n = m.r32(names, H_X).min(1 << 20);
    cx.charge(n as u64 / 8)?;
    let mut keys = Aside::with_capacity(n as usize + 1);
    keys.extend((0..n).map(|k| m.r64(names.wrapping_add(8 + k * 8), 0)));
    keys.push(roots::get(m, R_SYM_TO_STRING_TAG));
    Ok(keys)
}

/// The export that a program is started by: `default`, or if there is none `start`; undefined if that is no function.
pub fn start_of(cx: &mut Cx, m: Mem, ns: Value) -> Res {
    let key = roots::get(m, R_STR_DEFAULT);
    for key in [key, string::intern_str(cx, m, "start")?] {
        if let Some(Prop::Data { value, .. }) = namespace_own(cx, m, ns, key)? {
            return Ok(if object::is_callable(m, value) { value } else { UNDEF });
        }
    }
    Ok(UNDEF)
}
