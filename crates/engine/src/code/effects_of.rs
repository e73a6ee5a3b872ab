//! What each instruction reads, writes and loses, for the verifier.
use super::verify::length;
use crate::code::op;

#[derive(Default)]
pub(super) struct Effects {
    pub reads: Vec<u32>,
    pub writes: Vec<u32>,
    /// Everything from this register on is lost, before the writes.
    pub lost: Option<u32>,
    /// Targets, with a register written on the way.
    pub jumps: Vec<(usize, Option<u32>)>,
    pub falls: bool,
    pub writes_on_fall: Option<u32>,
}

impl Effects {
    /// All registers it reads or writes.
    pub(super) fn registers(&self) -> impl Iterator<Item = u32> {
        let jumped = self.jumps.iter().filter_map(|j| j.1);
        self.reads.iter().chain(&self.writes).copied().chain(jumped).chain(self.writes_on_fall)
    }
}

/// `at` begins an instruction of `words`, which was found whole.
// long: one table
pub(super) fn effects(words: &[u32], at: usize) -> Effects {
    let [o, a, b, c] = words[at].to_le_bytes();
    let (a, b, c) = (u32::from(a), u32::from(b), u32::from(c));
    let mut e = Effects { falls: true, ..Effects::default() };
    match o {
        op::LDI..=op::LDD
        | op::GETCAP
        | op::GETCAPB
        | op::NEWENV
        | op::GETG
        | op::HASG
        | op::NEWOBJ
        | op::NEWTARGET
        | op::REST => {
            e.writes.push(a);
        }
        #[cfg(feature = "moved-base")]
        op::LATER => e.writes.push(a),
        op::ARGS | op::ASYNC => e.writes.push(a),
        op::SETG => {
            e.reads.push(a);
            e.reads.extend((c != 0).then_some(c));
        }
        op::SETCAPB | op::CHECK | op::LINKED | op::OBJCHECK | op::HARDEN => e.reads.push(a),
        op::SETBOX | op::INITBOX | op::SETENV | op::SETP | op::DEFP | op::PUSH | op::APPEND | op::SETPROTO | op::COPYDATA => {
            e.reads.extend([a, b]);
        }
        op::SETNAME => e.reads.extend([a, b]),
        op::SETE | op::DEFE | op::DEFACC => e.reads.extend([a, b, c]),
        op::CLOSURE => {
            for k in 0..b as usize {
                let source = words[at + 2 + k / 2] >> (16 * (k % 2)) & 0xffff;
                if source & 0x8000 == 0 {
                    e.reads.push(source);
                }
            }
            e.writes.push(a);
        }
        op::GETM => (e.reads, e.writes) = (vec![b], vec![a, a + 2]),
        op::GETEM => (e.reads, e.writes) = (vec![b, c], vec![a, a + 2]),
        op::NEWREC | op::NEWARR | op::CONCAT => {
            e.reads.extend(b..b + c);
            e.writes.push(a);
        }
        op::OBJREST => {
            e.reads.push(b);
            e.reads.extend(c..c + words[at + 1]);
            e.writes.push(a);
        }
        op::GETE | op::DELE | op::IN | op::INSTANCEOF | op::FORINCHECK | op::ADD..=op::USHR | op::LT..=op::NE => {
            e.reads.extend([b, c]);
            e.writes.push(a);
        }
        op::AWAIT | op::TOKEY => (e.reads, e.writes) = (vec![b, c], vec![a]),
        op::JMP..=op::JSNEI | op::NEXT | op::ITERRES => jumps(&mut e, words, at),
        op::CALL..=op::NEWV | op::SEND | op::SENDV => calls(&mut e, o, a, b, c),
        op::RET | op::THROW => (e.reads, e.falls) = (vec![a], false),
        op::RETASYNC | op::REJASYNC => (e.reads, e.falls) = (vec![a, b], false),
        op::RETU | op::THROWC => e.falls = false,
        op::ITER | op::AITER => (e.reads, e.writes) = (vec![b], vec![a, a + 1]),
        op::ITERCLOSE => {
            e.reads.extend([a, a + 1]);
            e.lost = Some(b);
        }
        op::NOP | op::PAY => {}
        // One operand in, one value out.
        _ => (e.reads, e.writes) = (vec![b], vec![a]),
    }
    e
}

fn jumps(e: &mut Effects, words: &[u32], at: usize) {
    let [o, a, b, _] = words[at].to_le_bytes();
    let (a, b) = (u32::from(a), u32::from(b));
    let next = at + length(words[at]).unwrap_or(1);
    let target = |k: usize| (next as i64 + i64::from(words[at + k] as i32)) as usize;
    match o {
        op::JMP => {
            e.jumps.push(((next as i64 + i64::from(words[at] as i32 >> 8)) as usize, None));
            e.falls = false;
        }
        op::JT..=op::JNUNDEF | op::JLTI..=op::JSNEI => {
            e.reads.push(a);
            e.jumps.push((target(1), None));
        }
        op::JLT..=op::JNE => {
            e.reads.extend([a, b]);
            e.jumps.push((target(1), None));
        }
        op::NEXT => {
            e.reads.extend([a, a + 1]);
            e.lost = Some(b);
            e.jumps.extend([(target(1), Some(a + 2)), (target(2), None)]);
            e.writes_on_fall = Some(b);
        }
        op::ITERRES => {
            e.reads.push(b);
            e.jumps.push((target(1), None));
            e.writes_on_fall = Some(a + 2);
        }
        _ => {}
    }
}

fn calls(e: &mut Effects, o: u8, a: u32, b: u32, c: u32) {
    e.reads.push(a);
    match o {
        op::CALL | op::NEW => e.reads.extend(a + 3..a + 3 + b),
        op::CALLM => e.reads.extend(a + 2..a + 3 + b),
        op::CALLV => e.reads.extend([a + 2, a + 3]),
        op::NEWV => e.reads.push(a + 3),
        op::SEND => {
            e.reads.push(a + 1);
            e.reads.extend(a + 2..a + 2 + c);
        }
        _ => e.reads.extend([a + 1, a + 2]),
    }
    e.lost = Some(a);
    e.writes.push(a);
}
