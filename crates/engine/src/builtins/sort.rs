//! Sorting without a comparison function, and what `script/sort.js` needs around its own.
//!
//! In: dense arrays that no program sees. Out: the same arrays, in order.
//!
//! Invariants
//! - stable; at most n log n comparisons, charged in slices;
//! - nothing here runs a program, but `collect` (getters).
use super::array::{self as arrays, get_at, has_at, place, plain_len};
use crate::aside::Aside;
use crate::convert::{to_string, truthy};
use crate::cx::{Args, Cx, Res, Value};
use crate::{array, string};
use cage::Mem;
use cage::value::*;
use std::cmp::Ordering;

/// Items sorted at one go.
const RUN: usize = 256;
/// Steps of a merge between two looks at the meter.
const SLICE: usize = 4096;

/// `[values, number of undefined]` of `(o, len, skip holes)`; holes that are not skipped count as undefined.
pub fn collect(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, len, skip) = (a.get(m, 0), num(a.get(m, 1)), truthy(m, a.get(m, 2)));
    let plain = plain_len(m, o).filter(|n| *n as f64 == len);
    let list = array::with_capacity(cx, m, plain.unwrap_or(0))?;
    let mut undefined = 0.0;
    let mut k = 0.0;
    while k < len {
        cx.charge(1)?;
        let here = if plain_len(m, o).is_some_and(|n| k < n as f64) { array::element(m, o, k as u32) } else { HOLE };
        let v = if here != HOLE {
            here
        } else if skip && !has_at(cx, m, o, k)? {
            k += 1.0;
            continue;
        } else {
            get_at(cx, m, o, k)?
        };
        if v == UNDEF {
            undefined += 1.0;
        } else {
            array::push(cx, m, list, v)?;
        }
        k += 1.0;
    }
    array::from_slice(cx, m, &[list, from_num(undefined)])
}

/// Writes `(o, values, number of undefined, len)` back if `o` is a plain array of that length; tells whether it did.
pub fn write_back(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let (o, list, undefined, len) = (a.get(m, 0), a.get(m, 1), num(a.get(m, 2)), num(a.get(m, 3)));
    let Some(n) = plain_len(m, o).filter(|n| *n as f64 == len) else { return Ok(FALSE) };
    let k = array::dense_len(m, list);
    arrays::move_elems(cx, m, array::elems(m, list), 0, array::elems(m, o), 0, k)?;
    for i in k..n {
        if i % 4096 == 0 {
            cx.charge(512)?;
        }
        let v = if (i as f64) < k as f64 + undefined { UNDEF } else { HOLE };
        cx.heap.write(m, place(array::elems(m, o), i), v);
    }
    Ok(TRUE)
}

/// Sorts an array of primitives by their strings; false, and nothing done, if some are no primitives or symbols.
pub fn sort_primitive(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let list = a.get(m, 0);
    let values = array::values(cx, m, list)?;
    let mut ints = true;
    for slice in values.chunks(SLICE) {
        cx.charge(slice.len() as u64 / 8)?;
        if slice.iter().any(|v| is_obj(*v) || is_sym(*v)) {
            return Ok(FALSE);
        }
        ints &= slice.iter().all(|v| is_int(*v));
    }
    if ints {
        let mut items = Aside::with_capacity(values.len());
        for slice in values.chunks(SLICE) {
            cx.charge(slice.len() as u64 / 2)?;
            items.extend(slice.iter().map(|v| (digits(*v), *v)));
        }
        merge_sort(cx, &mut items, |_, x, y| Ok(x.0.cmp(&y.0)))?;
        return store(cx, m, list, items.into_iter().map(|x| x.1)).map(|()| TRUE);
    }
    let mut items = Aside::with_capacity(values.len());
    for v in values {
        let s = to_string(cx, m, v)?;
        items.push(item(cx, m, s, v)?);
    }
    sort_items(cx, m, list, items).map(|()| TRUE)
}

/// Sorts `(values, their strings)` by the strings.
pub fn sort_by_keys(cx: &mut Cx, m: Mem, a: Args) -> Res {
    let list = a.get(m, 0);
    let (values, keys) = (array::values(cx, m, list)?, array::values(cx, m, a.get(m, 1))?);
    let mut items = Aside::with_capacity(values.len());
    for (v, k) in values.into_iter().zip(keys) {
        items.push(item(cx, m, k, v)?);
    }
    sort_items(cx, m, list, items).map(|()| UNDEF)
}

fn store(cx: &mut Cx, m: Mem, list: Value, values: impl Iterator<Item = Value>) -> Res<()> {
    let e = array::elems(m, list);
    for (i, v) in values.enumerate() {
        if i % SLICE == 0 {
            cx.charge(SLICE as u64 / 8)?;
        }
        cx.heap.write(m, place(e, i as u32), v);
    }
    Ok(())
}

/// The decimal digits of an int as they sort: left in their field, zeros behind (which are below all digits).
fn digits(v: Value) -> [u8; 11] {
    let (mut b, mut to) = ([0; 11], [0; 11]);
    let text = super::array_more::decimal(&mut b, as_int(v));
    to[..text.len()].copy_from_slice(text);
    to
}

/// What is sorted: the first four units of the string in one number, the string, the value.
#[derive(Clone, Copy)]
struct Item {
    head: u64,
    text: Value,
    value: Value,
}

fn item(cx: &mut Cx, m: Mem, text: Value, value: Value) -> Res<Item> {
    // strings lie anywhere
    cx.charge(8)?;
    let text = string::flat(cx, m, text)?;
    let head = (0..4).fold(0, |h, i| h << 16 | string::unit(m, text, i) as u64);
    Ok(Item { head, text, value })
}

fn sort_items(cx: &mut Cx, m: Mem, list: Value, mut items: Aside<Item>) -> Res<()> {
    merge_sort(cx, &mut items, |cx, x, y| match x.head.cmp(&y.head) {
        Ordering::Equal => string::compare(cx, m, x.text, y.text),
        other => Ok(other),
    })?;
    store(cx, m, list, items.into_iter().map(|x| x.value))
}

/// A stable merge sort that looks at the meter.
pub(crate) fn merge_sort<T: Copy + 'static>(
    cx: &mut Cx,
    items: &mut Aside<T>,
    mut order: impl FnMut(&mut Cx, &T, &T) -> Res<Ordering>,
) -> Res<()> {
    for run in items.chunks_mut(RUN) {
        // comparisons of strings that lie far apart
        cx.charge(run.len() as u64 * 16)?;
        let mut stopped = None;
        run.sort_by(|x, y| {
            order(cx, x, y).unwrap_or_else(|s| {
                stopped = Some(s);
                Ordering::Equal
            })
        });
        if let Some(s) = stopped {
            return Err(s);
        }
    }
    let n = items.len();
    let mut width = RUN;
    while width < n {
        let mut out = Aside::with_capacity(n);
        for start in (0..n).step_by(2 * width) {
            let (middle, end) = ((start + width).min(n), (start + 2 * width).min(n));
            let (mut i, mut j) = (start, middle);
            while i < middle && j < end {
                if out.len() % SLICE == 0 {
                    cx.charge(SLICE as u64 * 2)?;
                }
                if order(cx, &items[i], &items[j])? == Ordering::Greater {
                    out.push(items[j]);
                    j += 1;
                } else {
                    out.push(items[i]);
                    i += 1;
                }
            }
            for slice in items[i..middle].chunks(SLICE).chain(items[j..end].chunks(SLICE)) {
                cx.charge(slice.len() as u64 / 8)?;
                out.extend_from_slice(slice);
            }
        }
        *items = out;
        width *= 2;
    }
    Ok(())
}
