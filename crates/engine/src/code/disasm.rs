//! Disassembly, from the table of opcodes.
//!
//! One instruction a line: its offset from the function's header, its name, its operands as the table describes them:
//! registers `r3`, numbers, jump targets `→12`, constants in quotes, functions `f2`.
use crate::code::{CodeUnit, Const, FuncInfo, op};
use std::fmt::Write;

/// A whole unit as text.
pub fn disassemble(unit: &CodeUnit) -> String {
    let mut out = String::new();
    for (i, f) in unit.functions.iter().enumerate() {
        function(&mut out, unit, i, f);
    }
    out
}

fn function(out: &mut String, unit: &CodeUnit, index: usize, f: &FuncInfo) {
    let name = String::from_utf16_lossy(&f.name);
    let _ = writeln!(out, "f{index} {name:?} params {} registers {} flags {}", f.nparams, f.nregs, f.flags);
    if !f.capture_names.is_empty() && (index > 0 || f.capture_names.len() > 1) {
        let names: Vec<String> = f.capture_names.iter().map(|n| String::from_utf16_lossy(n)).collect();
        let _ = writeln!(out, "  captures {}", names.join(", "));
    }
    let words = &unit.words[f.at as usize..(f.at + f.len + 2) as usize];
    let mut at = 2;
    while at < words.len() {
        let (text, next) = instruction(unit, words, at);
        let _ = writeln!(out, "  {at:>4} {}", text.trim_end());
        at = next;
    }
    for h in &f.handlers {
        let _ = writeln!(out, "  [{}, {}) throws to {} in r{}", h.start, h.end, h.target, h.reg);
    }
}

/// The text of the instruction at `at`, and where the next one begins.
pub(super) fn instruction(unit: &CodeUnit, words: &[u32], at: usize) -> (String, usize) {
    let [o, a, b, c] = words[at].to_le_bytes();
    let Some((_, name, operands, _)) = op::OPS.iter().find(|e| e.0 == o) else {
        return (format!("?{o}"), at + 1);
    };
    let extra = op::extra(o).unwrap_or(0) as usize;
    let closure_words = if o == op::CLOSURE { usize::from(b).div_ceil(2) } else { 0 };
    let next = at + 1 + extra + closure_words;
    if next > words.len() {
        return (format!("{name} (cut off)"), words.len());
    }
    let mut parts = Vec::new();
    let mut fields = [a, b, c].into_iter();
    let mut extras = words[at + 1..=at + extra].iter().copied();
    for sort in operands.split_ascii_whitespace() {
        match sort {
            "A" | "B" | "C" => parts.push(format!("r{}", fields.next().unwrap_or(0))),
            "i" => parts.push((fields.next().unwrap_or(0) as i8).to_string()),
            "u" | "n" => parts.push(fields.next().unwrap_or(0).to_string()),
            "I" => parts.push(i16::from_le_bytes([b, c]).to_string()),
            "J" => parts.push(format!("→{}", next as i64 + i64::from(words[at] as i32 >> 8))),
            "j" => parts.push(format!("→{}", next as i64 + i64::from(extras.next().unwrap_or(0) as i32))),
            "#" | "@" => parts.push(constant(unit, extras.next().unwrap_or(0))),
            "~" => drop(extras.next()),
            "f" => parts.push(format!("f{}", extras.next().unwrap_or(0))),
            "w" => parts.push(extras.next().unwrap_or(0).to_string()),
            _ => drop(fields.next()),
        }
    }
    for k in 0..if o == op::CLOSURE { usize::from(b) } else { 0 } {
        let w = words[at + 1 + extra + k / 2];
        let source = (w >> (16 * (k % 2))) as u16;
        parts.push(if source & 0x8000 == 0 { format!("r{source}") } else { format!("c{}", source & 0x7fff) });
    }
    (format!("{name} {}", parts.join(" ")), next)
}

fn constant(unit: &CodeUnit, index: u32) -> String {
    match unit.consts.get(index as usize) {
        Some(Const::String(s)) => format!("{:?}", String::from_utf16_lossy(s)),
        Some(Const::BigInt(d)) => format!("{d}n"),
        Some(Const::Shape(keys)) => {
            let keys: Vec<String> = keys.iter().map(|&k| constant(unit, k).trim_matches('"').to_owned()).collect();
            format!("{{{}}}", keys.join(" "))
        }
        Some(Const::Template { raw, .. }) => format!("template of {}", raw.len()),
        None => format!("?{index}"),
    }
}
