//! The first turn of a vat: its program is evaluated and started.
//!
//! Invariants
//! - what the program throws while it is evaluated or started rejects the answer; nothing else of it is seen outside;
//! - a program sees the shared globals and its powers, nothing of the vat that asked for it.
use crate::program::Shared;
use crate::{decode, edge};
use engine::builtins::error;
use engine::cage::value::{UNDEF, is_obj};
use engine::cx::{Cx, ErrorKind, Res, Value};
use engine::module::{self, ModuleIn};
use engine::{cage::Mem, interp, promise, send};
use passable::{Data, Ending, PromiseId, Ref};

/// Runs a linked program.
pub fn program(cx: &mut Cx, m: Mem, graph: &[ModuleIn], powers: &Data, answer: PromiseId, recent: &mut Vec<Ref>) -> Res<Ending> {
    let powers = decode::value(cx, m, &mut decode::In::new(powers), recent)?;
    // while modules run the powers hang on the answer: a collection may move them
    let answer = edge::answer(cx, m, answer)?;
    let kept = promise::tuple(cx, m, [powers, answer])?;
    engine::roots::set(cx, m, engine::roots::R_MAIN, kept);
    let r = begin(cx, m, graph);
    let kept = engine::roots::get(m, engine::roots::R_MAIN);
    engine::roots::set(cx, m, engine::roots::R_MAIN, UNDEF);
    let answer = m.r64(kept as u32, 16);
    match promise::caught(cx, r)? {
        Ok(Some(v)) => send::answer_with(cx, m, answer, v).map(|()| Ending::Done),
        Ok(None) => {
            let why =
                "the module exports no function to start: make its `default` export (or, if it has none, `start`) a function";
            let e = error::make(cx, m, ErrorKind::Type, why)?;
            send::answer_out(cx, m, answer, promise::REJECTED, e).map(|()| Ending::NoStart)
        }
        Err(e) => send::answer_out(cx, m, answer, promise::REJECTED, e).map(|()| Ending::Done),
    }
}

/// Evaluates the modules and calls their start. `None`: there is none.
fn begin(cx: &mut Cx, m: Mem, graph: &[ModuleIn]) -> Res<Option<Value>> {
    let global = engine::realm::program_global(cx, m)?;
    let ns = module::run_graph(cx, m, graph, global)?;
    let f = module::start_of(cx, m, ns)?;
    if !is_obj(f) {
        return Ok(None);
    }
    let powers = m.r64(engine::roots::get(m, engine::roots::R_MAIN) as u32, 8);
    interp::call_rooted(cx, m, f, UNDEF, &[powers], &mut []).map(Some)
}

/// Compiles and runs the text of a module that imports nothing.
pub fn text(
    cx: &mut Cx,
    m: Mem,
    shared: &Shared,
    source: &str,
    powers: &Data,
    answer: PromiseId,
    recent: &mut Vec<Ref>,
) -> Res<Ending> {
    cx.charge(2000 + 40 * source.len() as u64)?;
    match shared.module_of_text(source) {
        Ok(graph) => program(cx, m, &graph, powers, answer, recent),
        Err(why) => {
            let e = error::make(cx, m, ErrorKind::Syntax, &why)?;
            let answer = edge::answer(cx, m, answer)?;
            send::answer_out(cx, m, answer, promise::REJECTED, e).map(|()| Ending::Done)
        }
    }
}
