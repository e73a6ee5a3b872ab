//! The check of what stands beside a unit's code: constants, places in the source, the module table.
//!
//! - no string is there twice, and a constant can be made from those before it: a shape names strings, each once, none an array
//!   index;
//! - every span and every line lies within the source, between two characters;
//! - what linking looks up by number is there.
use super::{Cell, F_ARROW, F_ASYNC, F_BUILTIN, F_CONSTRUCTOR, F_GENERATOR, F_HARDENED, F_METHOD};
use super::{CodeUnit, Const, FuncInfo, MAX_LITERAL_KEYS, ModuleTable};
use std::collections::BTreeSet;

const ALL_FLAGS: u16 = F_ASYNC | F_GENERATOR | F_ARROW | F_CONSTRUCTOR | F_METHOD | F_BUILTIN | F_HARDENED;

pub(super) fn constants(unit: &CodeUnit) -> Result<(), String> {
    let mut strings = BTreeSet::new();
    for (i, c) in unit.consts.iter().enumerate() {
        let ok = match c {
            Const::String(s) => strings.insert(s),
            Const::BigInt(text) => is_bigint(text),
            Const::Shape(keys) => is_shape(&unit.consts[..i], keys),
            Const::Template { cooked, raw } => cooked.len() == raw.len() && !raw.is_empty(),
        };
        if !ok {
            return Err(format!("constant {i} cannot be made: a bad {}", kind_name(c)));
        }
    }
    Ok(())
}

fn kind_name(c: &Const) -> &'static str {
    match c {
        Const::String(_) => "string",
        Const::BigInt(_) => "bigint",
        Const::Shape(_) => "shape",
        Const::Template { .. } => "template",
    }
}

fn is_bigint(text: &str) -> bool {
    let (radix, digits) = match text.get(..2) {
        Some("0x" | "0X") => (16, &text[2..]),
        Some("0o" | "0O") => (8, &text[2..]),
        Some("0b" | "0B") => (2, &text[2..]),
        _ => (10, text),
    };
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
}

fn is_shape(before: &[Const], keys: &[u32]) -> bool {
    let mut seen = BTreeSet::new();
    let fits = |k: &u32| match before.get(*k as usize) {
        Some(Const::String(s)) => !is_index(s) && seen.insert(*k),
        _ => false,
    };
    (1..=MAX_LITERAL_KEYS).contains(&keys.len()) && keys.iter().all(fits)
}

/// A canonical array index: 0 to 2^32 - 2.
fn is_index(s: &[u16]) -> bool {
    let digit = |u: &u16| (0x30..=0x39).contains(u);
    if s.is_empty() || s.len() > 10 || !s.iter().all(digit) || (s[0] == 0x30 && s.len() > 1) {
        return false;
    }
    s.iter().fold(0, |n, u| n * 10 + u64::from(u - 0x30)) < u64::from(u32::MAX)
}

/// What a function says of itself, its code aside.
pub(super) fn function(unit: &CodeUnit, f: &FuncInfo) -> Result<(), String> {
    let text = &*unit.source;
    let place = |byte: u32| text.is_char_boundary(byte as usize);
    if u32::from(f.nregs) < 3 + u32::from(f.nparams) {
        return Err("fewer registers than its frame begins with".to_owned());
    }
    if f.flags & !ALL_FLAGS != 0 {
        return Err("unknown flags".to_owned());
    }
    if f.source.start > f.source.end || !place(f.source.start) || !place(f.source.end) {
        return Err("its text is not in the source".to_owned());
    }
    let ascending = f.lines.windows(2).all(|w| w[0].0 <= w[1].0);
    let within = |&(word, byte): &(u32, u32)| (2..f.len + 2).contains(&word) && place(byte);
    if !ascending || !f.lines.iter().all(within) {
        return Err("its table of lines names places that are not there".to_owned());
    }
    Ok(())
}

/// The module table, and the captures of the program, which linking fills from it.
pub(super) fn module(unit: &CodeUnit) -> Result<(), String> {
    let ModuleTable { requests, cells, locals, indirect, stars, has_top_level_await, makes: _ } = &unit.module;
    let captures = unit.functions.first().map_or(0, |f| f.capture_names.len());
    if captures != 1 + cells.len() {
        return Err("the program captures something else than the global object and the module's cells".to_owned());
    }
    if !unit.is_module && (*has_top_level_await || [requests.len(), cells.len(), indirect.len(), stars.len()] != [0; 4]) {
        return Err("a script with a table of imports and exports".to_owned());
    }
    let requested = |r: &u32| (*r as usize) < requests.len();
    let cell = |c: &Cell| match c {
        Cell::Own { .. } => true,
        Cell::Import { request, .. } | Cell::Namespace { request } => requested(request),
    };
    let whole = cells.iter().all(cell)
        && locals.iter().all(|(_, c)| (*c as usize) < cells.len())
        && indirect.iter().all(|(_, r, _)| requested(r))
        && stars.iter().all(requested);
    if whole { Ok(()) } else { Err("the module's table names what is not there".to_owned()) }
}
