//! Data of messages as JSON, for operators.
//!
//! ```text
//! what JSON has no word for: { "@undefined": true }, { "@bigint": "7" }, { "@number": "NaN" }, { "@error": "Name: message" },
//! { "@ref": "object 3.1" }, { "@symbol": "name" }
//! ```
//! Invariants
//! - explicit nesting limit: deeper data is shown as `{ "@deep": true }`.
use passable::{Data, Item, Reader, Ref, Writer};
use serde_json::{Map, Value, json};

/// How deep values are shown and read.
const MAX_DEPTH: usize = 100;

/// As JSON.
pub fn of_data(d: &Data) -> Value {
    let mut r = Reader::new(&d.body);
    value(&mut r, d, 0).unwrap_or_else(|| json!({ "@malformed": true }))
}

fn number(n: f64) -> Value {
    serde_json::Number::from_f64(n).map_or_else(|| json!({ "@number": n.to_string() }), Value::Number)
}

fn value(r: &mut Reader<'_>, d: &Data, depth: usize) -> Option<Value> {
    let item = r.item().ok()?;
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match item {
        Item::Undefined => json!({ "@undefined": true }),
        Item::Null => Value::Null,
        Item::Boolean(b) => Value::Bool(b),
        Item::Integer(i) => json!(i),
        Item::Number(n) => number(n),
        Item::String(t) => Value::String(t.to_rust()),
        Item::BigInt { negative, limbs } => {
            let digits: String = limbs.chunks(8).rev().flat_map(|l| l.iter().rev()).map(|b| format!("{b:02x}")).collect();
            json!({ "@bigint": format!("{}0x{}", if negative { "-" } else { "" }, digits.trim_start_matches('0')) })
        }
        Item::Registered(t) | Item::WellKnown(t) => json!({ "@symbol": t.to_rust() }),
        Item::Array(n) => {
            let mut list = Vec::new();
            for _ in 0..n {
                list.push(value(r, d, depth + 1)?);
            }
            Value::Array(list)
        }
        Item::Record(n) => {
            let mut map = Map::new();
            for _ in 0..n {
                let key = r.text().ok()?.to_rust();
                map.insert(key, value(r, d, depth + 1)?);
            }
            Value::Object(map)
        }
        Item::Error { name, message } => json!({ "@error": format!("{}: {}", name.to_rust(), message.to_rust()) }),
        Item::Slot(i) => json!({ "@ref": match d.slots.get(i)? {
            Ref::Object(o) => format!("object {}.{}", o.vat.0, o.n),
            Ref::Promise(p) => format!("promise {}.{}", p.vat.0, p.n),
            Ref::Power(p) => format!("power {}", p.name()),
        } }),
        Item::Again(i) => json!({ "@again": i }),
        Item::Settled { rejected } => {
            let v = value(r, d, depth + 1)?;
            if rejected { json!({ "@rejected": v }) } else { json!({ "@fulfilled": v }) }
        }
    })
}

/// Writes a JSON value; false: it nests too deeply.
pub fn write(w: &mut Writer, v: &Value, depth: usize) -> bool {
    if depth > MAX_DEPTH {
        return false;
    }
    match v {
        Value::Null => w.null(),
        Value::Bool(b) => w.boolean(*b),
        Value::Number(n) => w.number(n.as_f64().unwrap_or(f64::NAN)),
        Value::String(s) => w.string(s),
        Value::Array(list) => {
            w.array(list.len());
            return list.iter().all(|v| write(w, v, depth + 1));
        }
        Value::Object(map) => {
            w.record(map.len());
            return map.iter().all(|(k, v)| {
                w.string(k);
                write(w, v, depth + 1)
            });
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_in_and_comes_out() {
        let v = json!({ "a": [1, -2.5, "käse", null, true], "b": {} });
        let mut w = Writer::new();
        assert!(write(&mut w, &v, 0));
        assert_eq!(of_data(&w.done()), v);
        assert_eq!(of_data(&Data::error("RangeError", "no")), json!({ "@error": "RangeError: no" }));
    }
}
