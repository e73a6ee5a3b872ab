#![forbid(unsafe_code)]
//! Code units as bytes: every program of the repository comes back as it was, damaged bytes never do harm.
use engine::code::bytes::BadUnit;
use engine::code::{Cell, CodeUnit, Const, op};
use engine::compile::verify;
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Quota, compile_source};
use std::path::Path;
use std::sync::Arc;
use syntax::ast::Goal;
use syntax::diagnostic::Level;

/// Blocks of the chapters, and the files of the examples.
fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    let mut dirs = vec![root.join("tests/lang"), root.join("examples")];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
            if path.is_dir() {
                dirs.push(path);
            } else if extension == "js" {
                found.push(std::fs::read_to_string(path).unwrap());
            } else if extension == "md" {
                found.extend(blocks(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn blocks(chapter: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = chapter.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|l| *l != "```").collect();
            if info.starts_with("js") {
                found.push(body.join("\n"));
            }
        }
    }
    found
}

fn units() -> Vec<CodeUnit> {
    let compiled = |s: &String| {
        let ways = [(Goal::Script, Level::Ses), (Goal::Module, Level::Ses), (Goal::Module, Level::Jessie)];
        ways.map(|(goal, level)| compile_source(s, "a name", goal, level, goal == Goal::Script)).into_iter().flatten().collect()
    };
    sources().iter().flat_map(|s| -> Vec<CodeUnit> { compiled(s) }).collect()
}

#[test]
fn every_program_comes_back_as_it_was() {
    let all = units();
    assert!(all.len() > 1000, "{} units", all.len());
    for unit in &all {
        let bytes = unit.to_bytes();
        let back = CodeUnit::from_bytes(&bytes).unwrap_or_else(|e| panic!("{e}\n{}", unit.source));
        assert!(back == *unit, "{}", unit.source);
        assert!(back.to_bytes() == bytes && back.hash() == unit.hash());
    }
    let some = |f: &dyn Fn(&CodeUnit) -> bool| all.iter().any(f);
    assert!(some(&|u| u.module.cells.iter().any(|c| matches!(c, Cell::Namespace { .. }))));
    assert!(some(&|u| u.consts.iter().any(|c| matches!(c, Const::Template { .. }))));
    assert!(some(&|u| u.consts.iter().any(|c| matches!(c, Const::BigInt(_)))));
    assert!(some(&|u| !u.module.indirect.is_empty()) && some(&|u| !u.module.stars.is_empty()));
    assert!(some(&|u| u.module.has_top_level_await));
}

#[test]
fn units_of_the_base_come_back_as_they_were() {
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    for u in base.units() {
        assert!(CodeUnit::from_bytes(&u.unit.to_bytes()).unwrap() == u.unit, "{}", u.unit.name);
    }
}

const GOLDEN_HASH: &str = "24cf4843cb3eb4ed329d38f98b35cabc3ea751f5707daa9e401ad024010656d9";

fn small() -> CodeUnit {
    let source = "const f = (a, ...b) => { try { for (const x of a) if (x < 3) f(x); } finally { f`t${a}`; } return { a, b, c: 12n, d: 0.5 }; };\n\
        export let n = 0; export const g = async o => { n += 1; await o.p; const { q, ...r } = o; return () => [f, q, r]; };\n\
        import h, { i as j } from './h.js'; import * as k from './k.js'; export * from './l.js'; export { m as z } from './l.js'; h(j, k);";
    compile_source(source, "small.js", Goal::Module, Level::Ses, false).unwrap()
}

/// The same on every machine: what a release wrote, the next one must read.
#[test]
fn the_hash_is_that_of_the_bytes() {
    let unit = compile_source("1;", "n", Goal::Script, Level::Ses, false).unwrap();
    let bytes = unit.to_bytes();
    assert_eq!(&bytes[..16], b"drsescod\x01\0\0\0\0\0\0\0");
    assert_eq!(&bytes[16..27], b"\x01\0\0\0n\x02\0\0\x001;");
    let engine = Engine::new().unwrap();
    let loaded = engine.load(CodeUnit::from_bytes(&bytes).unwrap()).unwrap();
    assert_eq!(*loaded.hash(), unit.hash());
    let mut other = unit.clone();
    other.functions[0].lines.push((2, 0));
    assert_ne!(other.hash(), unit.hash());
    assert!(!Arc::ptr_eq(&engine.load(other).unwrap(), &loaded), "units are shared only if all of them is the same");
    assert!(Arc::ptr_eq(&engine.load(unit).unwrap(), &loaded));
}

/// xorshift64*
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as usize % n
    }
}

/// Bits, bytes and words changed, pieces taken out, doubled or exchanged; most of it behind the source.
fn damage(bytes: &mut Vec<u8>, code: usize, rng: &mut Rng) {
    for _ in 0..1 + rng.below(3) {
        let from = if rng.below(8) == 0 { 0 } else { code };
        let at = from + rng.below(bytes.len() - from);
        let word = (at & !3).min(bytes.len() - 4);
        match rng.below(9) {
            0 => bytes[at] = rng.below(256) as u8,
            1 => bytes[at] = bytes[at].wrapping_add(1),
            2 => bytes[at] = rng.below(6) as u8,
            3 => {
                let n = [0, 1, 7, 0xFFFF, u32::MAX, u32::MAX - 1, 1 << 31][rng.below(7)];
                bytes[word..word + 4].copy_from_slice(&n.to_le_bytes());
            }
            4 => {
                let other = (code + rng.below(bytes.len() - code)).min(bytes.len() - 4);
                let copy: [u8; 4] = bytes[other..other + 4].try_into().unwrap();
                bytes[at.min(other)..][..4].copy_from_slice(&copy);
            }
            5 if rng.below(8) == 0 => drop(bytes.drain(at..(at + 1 + rng.below(8)).min(bytes.len()))),
            6 if rng.below(8) == 0 => bytes.insert(at, 0),
            _ => bytes[at] ^= 1 << rng.below(8),
        }
        if bytes.len() < code + 8 {
            return;
        }
    }
}

#[test]
fn damaged_bytes_are_refused_or_sound() {
    let unit = small();
    let good = unit.to_bytes();
    let code = 16 + 4 + unit.name.len() + 4 + unit.source.len();
    let mut rng = Rng(0x9E37_79B9_7F4A_7C15);
    let (mut refused, mut malformed, mut sound) = (0, 0, 0);
    for _ in 0..100_000 {
        let mut bytes = good.clone();
        damage(&mut bytes, code, &mut rng);
        match CodeUnit::from_bytes(&bytes) {
            Ok(u) => {
                sound += 1;
                assert!(verify(&u).is_ok() && u.to_bytes() == bytes);
            }
            Err(BadUnit::Refused(_)) => refused += 1,
            Err(e) => {
                malformed += 1;
                assert!(e.to_string().starts_with(e.code()) && !e.remedy().is_empty());
            }
        }
    }
    assert!(refused > 10_000 && malformed > 1_000 && sound > 1_000, "{refused} {malformed} {sound}");
}

#[test]
fn cut_and_lengthened_bytes_are_refused() {
    let good = small().to_bytes();
    for len in 0..good.len() {
        assert!(CodeUnit::from_bytes(&good[..len]).is_err(), "{len}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(CodeUnit::from_bytes(&longer).unwrap_err(), BadUnit::Length { at: good.len() });
    let mut newer = good.clone();
    newer[8] = 2;
    assert_eq!(CodeUnit::from_bytes(&newer).unwrap_err(), BadUnit::Version { found: 2 });
    assert_eq!(CodeUnit::from_bytes(b"drsescage").unwrap_err(), BadUnit::Magic);
}

/// One hostile unit for each promise of the check.
#[test]
fn hostile_units_are_refused() {
    let good = small();
    let refused = |what: &str, change: &dyn Fn(&mut CodeUnit)| {
        let mut unit = good.clone();
        change(&mut unit);
        match CodeUnit::from_bytes(&unit.to_bytes()) {
            Err(BadUnit::Refused(_)) => {}
            other => panic!("{what}: {other:?}"),
        }
    };
    let find = |o: u8| {
        let mut starts = good.functions.iter().flat_map(|f| {
            let (mut at, end) = ((f.at + 2) as usize, (f.at + 2 + f.len) as usize);
            let mut all = Vec::new();
            while at < end {
                all.push(at);
                let [op, _, b, _] = good.words[at].to_le_bytes();
                let sources = if op == op::CLOSURE { usize::from(b).div_ceil(2) } else { 0 };
                at += 1 + op::extra(op).unwrap() as usize + sources;
            }
            all
        });
        starts.find(|at| good.words[*at] as u8 == o).unwrap()
    };
    let shape = good.consts.iter().position(|c| matches!(c, Const::Shape(_))).unwrap();
    refused("a shape of itself", &|u| u.consts[shape] = Const::Shape(vec![shape as u32]));
    refused("a shape with a key twice", &|u| {
        let Const::Shape(keys) = &mut u.consts[shape] else { unreachable!() };
        keys[0] = keys[1];
    });
    refused("a string twice", &|u| u.consts.push(u.consts.iter().find(|c| matches!(c, Const::String(_))).unwrap().clone()));
    refused("a shape with another number of keys than values", &|u| {
        let Const::Shape(keys) = &mut u.consts[shape] else { unreachable!() };
        keys.pop();
    });
    refused("an index as a key", &|u| {
        let Const::Shape(keys) = &u.consts[shape] else { unreachable!() };
        let key = keys[0] as usize;
        u.consts[key] = Const::String("7".encode_utf16().collect());
    });
    refused("a number that is a reference", &|u| u.words[find(op::LDD) + 2] = 0xFFFA_0000);
    refused("a capture that is not there", &|u| u.words[find(op::GETCAPB)] |= 0x00FF_0000);
    refused("too few captures", &|u| {
        let f = u.functions.iter_mut().skip(1).find(|f| !f.capture_names.is_empty()).unwrap();
        f.capture_names.pop();
    });
    refused("a huge rest", &|u| u.words[find(op::OBJREST) + 1] = u32::MAX);
    refused("a cache on an instruction", &|u| u.ics[0] -= 1);
    refused("one cache more", &|u| u.ics.push(u.const_slots[0]));
    refused("a slot twice", &|u| u.const_slots.push(u.const_slots[0]));
    refused("a cache beyond the code", &|u| u.ics[0] = u32::MAX);
    refused("a function beyond the code", &|u| u.functions[1].len = u32::MAX - 1);
    refused("no function", &|u| {
        u.functions.clear();
        u.words.clear();
    });
    refused("a line beyond the source", &|u| u.functions[1].lines[0].1 = u.source.len() as u32 + 1);
    refused("lines that go back", &|u| u.functions[1].lines.reverse());
    refused("a span beyond the source", &|u| u.functions[1].source.end = u.source.len() as u32 + 1);
    refused("a handler of another register", &|u| u.functions[1].handlers[0].reg = 255);
    refused("a request that is not there", &|u| u.module.stars[0] = 9);
    refused("a cell that is not there", &|u| u.module.locals[0].1 = 9);
    refused("one cell more", &|u| u.module.cells.push(Cell::Namespace { request: 0 }));
    refused("a script with imports", &|u| u.is_module = false);
}

#[test]
fn a_machine_wakes_from_an_image_its_deltas_and_the_bytes_of_its_units() {
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let mut machine = Machine::new(&engine, &base, Quota::default()).unwrap();
    machine.set_record(true);
    let mut image = machine.save().image;
    let run = |machine: &mut Machine, source: &str| {
        let turn = machine.run_script(source, "a turn");
        (matches!(turn.outcome, Outcome::Done(())), turn.output.into_iter().map(|l| l.text).collect::<Vec<_>>(), turn.delta)
    };
    for source in ["globalThis.n = 0; globalThis.f = x => (n += x);", "f(3);", "f(4); globalThis.g = () => f(10);"] {
        let (done, _, delta) = run(&mut machine, source);
        assert!(done && !delta.is_empty());
        let len = engine::cage::image_len(&delta).map_or(image.len(), |n| n as usize);
        image.resize(len, 0);
        engine::cage::image_patches(&delta, |at, bytes| image[at as usize..][..bytes.len()].copy_from_slice(bytes)).unwrap();
    }
    engine::cage::heap::seal(&mut image);
    assert!(image == machine.save().image);
    let before = Machine::base_units(&base);
    assert_eq!(machine.unit_count(), before + 3);
    let stored: Vec<Vec<u8>> = machine.units()[before..].iter().map(|u| u.unit.to_bytes()).collect();
    drop(machine);

    // another process
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let load = |b: &Vec<u8>| engine.load(CodeUnit::from_bytes(b).unwrap()).unwrap();
    let units: Vec<_> = stored.iter().map(load).collect();
    assert!(Machine::wake(&engine, &base, &image, units[1..].to_vec(), Quota::default()).is_err(), "a unit is missing");
    let mut machine = Machine::wake(&engine, &base, &image, units, Quota::default()).unwrap();
    let (done, output, delta) = run(&mut machine, "print(g());");
    assert!(done && output == ["17"] && delta.is_empty(), "{output:?}");
}

#[test]
fn an_aborted_turn_has_no_delta() {
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let quota = Quota { instructions: 1_000_000, ..Quota::default() };
    let mut machine = Machine::new(&engine, &base, quota).unwrap();
    machine.set_record(true);
    let before = machine.save().image;
    let turn = machine.run_script("globalThis.n = 1; for (;;) n += 1;", "a turn");
    assert!(matches!(turn.outcome, Outcome::Aborted(_)) && turn.delta.is_empty());
    assert!(machine.save().image == before);
}

/// Written by version 1 of the format; every later build reads it. Never made again: a new version has a file of its own.
#[test]
fn the_unit_of_version_1_is_read() {
    let bytes = include_bytes!("golden/unit-v1.bin");
    let unit = CodeUnit::from_bytes(bytes).unwrap();
    assert!(unit.name == "small.js" && unit.source.contains("finally") && unit.module.requests.len() == 3);
    let hex: String = unit.hash().iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, GOLDEN_HASH);
}

/// What passed the check may do odd things, but only to its own heap, and within its limits.
#[test]
fn damaged_units_that_pass_harm_nobody() {
    let source = "let n = 0; const f = (a, ...b) => { try { for (const x of a) { if (x < 3) n += x; } } finally { n -= 1; } \n\
        const { q, ...r } = { q: 1, a, b, get w() { return n; } }; return { a, b, c: 12n, d: 0.5, r, e: () => [n, q] }; };\n\
        print(`${f([1, 2, 5], 6).e()}`, (async () => { await f([n], 1); return 'x'.repeat(n); })());";
    let good = compile_source(source, "small", Goal::Script, Level::Ses, false).unwrap().to_bytes();
    let code = 16 + 4 + 5 + 4 + source.len();
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let quota = Quota { instructions: 300_000, heap_bytes: 8 << 20 };
    let mut rng = Rng(77);
    let (mut ran, mut done) = (0, 0);
    while ran < 1500 {
        let mut bytes = good.clone();
        damage(&mut bytes, code, &mut rng);
        let Ok(unit) = CodeUnit::from_bytes(&bytes) else { continue };
        let mut machine = Machine::new(&engine, &base, quota).unwrap();
        let turn = machine.run_unit(unit);
        done += usize::from(matches!(turn.outcome, Outcome::Done(())));
        ran += 1;
    }
    assert!(done > 300, "{done} of {ran}");
}
