//! Text to data.
use super::{Form, MAX_BODY_BYTES, MAX_DEPTH, MAX_DIGITS, QCLASS, Unfit, is_special, unfit};
use crate::syrup::integer;
use crate::{Data, Ref, Writer};
use serde_json::{Map, Value};

struct Unmarshal<'a> {
    form: Form,
    slots: &'a [Ref],
    w: Writer,
}

pub(super) fn read(form: Form, body: &str, slots: &[Ref]) -> Result<Data, Unfit> {
    if body.len() > MAX_BODY_BYTES {
        return unfit("the body is too long");
    }
    let json = match form {
        Form::CapData => body,
        Form::Smallcaps => body.strip_prefix('#').ok_or_else(|| Unfit("a smallcaps body begins with #".to_owned()))?,
    };
    let value: Value = serde_json::from_str(json).map_err(|e| Unfit(format!("not JSON: {e}")))?;
    let mut u = Unmarshal { form, slots, w: Writer::new() };
    u.value(&value, 0)?;
    Ok(u.w.done())
}

/// What a string of smallcaps stands for.
enum Special<'a> {
    Plain(&'a str),
    Symbol(&'a str),
    Constant(&'a str),
    BigInt(&'a str),
    Object(&'a str),
    Promise(&'a str),
}

fn special(text: &str) -> Result<Special<'_>, Unfit> {
    let first = text.encode_utf16().next();
    if !is_special(first) {
        return Ok(Special::Plain(text));
    }
    let rest = &text[1..];
    match text.as_bytes()[0] {
        b'!' => Ok(Special::Plain(rest)),
        b'%' => Ok(Special::Symbol(rest)),
        b'#' => Ok(Special::Constant(rest)),
        b'+' | b'-' => Ok(Special::BigInt(text)),
        b'$' => Ok(Special::Object(rest)),
        b'&' => Ok(Special::Promise(rest)),
        c => unfit(format!("strings that begin with {:?} are reserved", c as char)),
    }
}

impl Unmarshal<'_> {
    fn value(&mut self, v: &Value, depth: usize) -> Result<(), Unfit> {
        if depth > MAX_DEPTH {
            return unfit("it nests too deeply");
        }
        match v {
            Value::Null => self.w.null(),
            Value::Bool(b) => self.w.boolean(*b),
            Value::Number(n) => self.w.number(n.as_f64().unwrap_or(f64::NAN)),
            Value::String(s) if self.form == Form::CapData => self.w.string(s),
            Value::String(s) => match special(s)? {
                Special::Plain(s) => self.w.string(s),
                Special::Symbol(name) => self.symbol(name),
                Special::Constant(name) => self.constant(name)?,
                Special::BigInt(digits) => self.bigint(digits.strip_prefix('+').unwrap_or(digits))?,
                Special::Object(slot) => self.slot(slot.split_once('.').map_or(slot, |s| s.0), Some(false))?,
                Special::Promise(slot) => self.slot(slot, Some(true))?,
            },
            Value::Array(all) => {
                self.w.array(all.len());
                for v in all {
                    self.value(v, depth + 1)?;
                }
            }
            Value::Object(map) => match self.form {
                Form::Smallcaps => self.smallcaps(map, depth)?,
                Form::CapData => self.cap_data(map, depth)?,
            },
        }
        Ok(())
    }

    fn constant(&mut self, name: &str) -> Result<(), Unfit> {
        match name {
            "undefined" => self.w.undefined(),
            "NaN" => self.w.number(f64::NAN),
            "Infinity" => self.w.number(f64::INFINITY),
            "-Infinity" => self.w.number(f64::NEG_INFINITY),
            _ => return unfit(format!("#{name} is no constant")),
        }
        Ok(())
    }

    fn bigint(&mut self, text: &str) -> Result<(), Unfit> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |d| (true, d));
        let digits = digits.trim_start_matches('0');
        let fine = !text.trim_start_matches('-').is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !fine || digits.len() > MAX_DIGITS {
            return unfit("a bigint is decimal digits, 20000 at most");
        }
        let limbs = integer::limbs(digits.as_bytes());
        self.w.bigint(negative && !limbs.is_empty(), &limbs);
        Ok(())
    }

    fn symbol(&mut self, name: &str) {
        match name.strip_prefix("@@") {
            Some(known) if !known.starts_with("@@") => {
                self.w.well_known_symbol();
                self.w.string(known);
            }
            Some(registered) => {
                self.w.registered_symbol();
                self.w.string(registered);
            }
            None => {
                self.w.registered_symbol();
                self.w.string(name);
            }
        }
    }

    /// `promise`: which kind it is to be, where the form says so.
    fn slot(&mut self, index: &str, promise: Option<bool>) -> Result<(), Unfit> {
        let plain = !index.is_empty() && index.bytes().all(|b| b.is_ascii_digit()) && (index == "0" || !index.starts_with('0'));
        let slot = index.parse::<usize>().ok().filter(|_| plain).and_then(|i| self.slots.get(i)).copied();
        let Some(slot) = slot else { return unfit(format!("there is no slot {index:?}")) };
        if promise.is_some_and(|p| p != matches!(slot, Ref::Promise(_))) {
            return unfit(format!("slot {index} is of the other kind"));
        }
        self.w.reference(slot);
        Ok(())
    }

    /// A string where one has to stand: a tag, a name, a message.
    fn text<'v>(&self, v: Option<&'v Value>, what: &str) -> Result<&'v str, Unfit> {
        let Some(Value::String(s)) = v else { return unfit(format!("{what} is no string")) };
        match self.form {
            Form::CapData => Ok(s),
            Form::Smallcaps => match special(s)? {
                Special::Plain(s) => Ok(s),
                _ => unfit(format!("{what} is no string")),
            },
        }
    }

    fn error(&mut self, name: &str, message: &str) {
        self.w.error();
        self.w.string(name);
        self.w.string(message);
    }

    fn tagged(&mut self, tag: &str, payload: Option<&Value>, depth: usize) -> Result<(), Unfit> {
        let Some(payload) = payload else { return unfit("a tagged value without its payload") };
        self.w.record(2);
        self.w.string("#tag");
        self.w.string(tag);
        self.w.string("payload");
        self.value(payload, depth + 1)
    }

    /// A key that begins with `#` has one more here.
    fn key(&mut self, key: &str) {
        if key.starts_with('#') { self.w.string(&format!("#{key}")) } else { self.w.string(key) }
    }

    fn smallcaps(&mut self, map: &Map<String, Value>, depth: usize) -> Result<(), Unfit> {
        if let Some(tag) = map.get("#tag") {
            if map.len() != 2 {
                return unfit("a tagged value has a tag and a payload");
            }
            let tag = self.text(Some(tag), "a tag")?;
            return self.tagged(tag, map.get("payload"), depth);
        }
        if let Some(message) = map.get("#error") {
            let (message, name) = (self.text(Some(message), "a message")?, self.text(map.get("name"), "an error's name")?);
            self.error(name, message);
            return Ok(());
        }
        let mut parts = Vec::with_capacity(map.len());
        for (key, value) in map {
            match special(key)? {
                Special::Plain(key) => parts.push((key, value)),
                _ => return unfit(format!("{key:?} is no key of a record")),
            }
        }
        self.parts(parts, depth)
    }

    fn parts(&mut self, mut parts: Vec<(&str, &Value)>, depth: usize) -> Result<(), Unfit> {
        parts.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
        self.w.record(parts.len());
        for (key, value) in parts {
            self.key(key);
            self.value(value, depth + 1)?;
        }
        Ok(())
    }

    fn cap_data(&mut self, map: &Map<String, Value>, depth: usize) -> Result<(), Unfit> {
        let Some(class) = map.get(QCLASS) else {
            return self.parts(map.iter().map(|(k, v)| (k.as_str(), v)).collect(), depth);
        };
        let text = |name: &str| self.text(map.get(name), name);
        match class.as_str().unwrap_or("") {
            name @ ("undefined" | "NaN" | "Infinity" | "-Infinity") => self.constant(name),
            "bigint" => {
                let digits = text("digits")?.to_owned();
                self.bigint(&digits)
            }
            "symbol" => {
                let name = text("name")?.to_owned();
                self.symbol(&name);
                Ok(())
            }
            "@@asyncIterator" => {
                self.symbol(class.as_str().unwrap_or(""));
                Ok(())
            }
            "error" => {
                let (name, message) = (text("name")?.to_owned(), text("message")?.to_owned());
                self.error(&name, &message);
                Ok(())
            }
            "tagged" => {
                let tag = text("tag")?.to_owned();
                self.tagged(&tag, map.get("payload"), depth)
            }
            "slot" => match map.get("index").and_then(Value::as_u64) {
                Some(index) => self.slot(&index.to_string(), None),
                None => unfit("a slot without an index"),
            },
            "hilbert" => {
                let Some(original) = map.get("original") else { return unfit("a record without its @qclass") };
                let mut parts = vec![(QCLASS, original)];
                match map.get("rest") {
                    None => {}
                    Some(Value::Object(rest)) if !rest.is_empty() && !rest.contains_key(QCLASS) => {
                        parts.extend(rest.iter().map(|(k, v)| (k.as_str(), v)));
                    }
                    Some(_) => return unfit("the rest of a record is a record without @qclass"),
                }
                self.parts(parts, depth)
            }
            other => unfit(format!("{other:?} is no @qclass")),
        }
    }
}
