//! Data to text.
use super::{Form, MAX_BODY_BYTES, MAX_DEPTH, Marshalled, QCLASS, Unfit, is_special, unfit};
use crate::syrup::integer;
use crate::{Data, Item, Reader, Ref, Text};
use std::fmt::Write as _;

struct Marshal<'a> {
    form: Form,
    data: &'a Data,
    /// Where each container that may occur again begins.
    begun: Vec<Reader<'a>>,
    /// Within something that occurs again, whose parts are counted already.
    again: usize,
    iface: &'a mut dyn FnMut(Ref) -> Option<String>,
    slots: Vec<Ref>,
    out: String,
}

pub(super) fn write(form: Form, data: &Data, iface: &mut dyn FnMut(Ref) -> Option<String>) -> Result<Marshalled, Unfit> {
    let mut m = Marshal { form, data, begun: Vec::new(), again: 0, iface, slots: Vec::new(), out: String::new() };
    if form == Form::Smallcaps {
        m.out.push('#');
    }
    m.value(&mut Reader::new(&data.body), 0)?;
    Ok(Marshalled { body: m.out, slots: m.slots })
}

fn malformed<T>(_: T) -> Unfit {
    Unfit("malformed data".to_owned())
}

impl<'a> Marshal<'a> {
    fn value(&mut self, r: &mut Reader<'a>, depth: usize) -> Result<(), Unfit> {
        if depth > MAX_DEPTH {
            return unfit("it nests too deeply");
        }
        if self.out.len() > MAX_BODY_BYTES {
            return unfit("it is too long");
        }
        let start = r.clone();
        let item = r.item().map_err(malformed)?;
        if self.again == 0 && matches!(item, Item::Array(_) | Item::Record(_) | Item::Settled { .. }) {
            self.begun.push(start);
        }
        match item {
            Item::Undefined => self.constant("undefined"),
            Item::Null => self.out.push_str("null"),
            Item::Boolean(b) => self.out.push_str(if b { "true" } else { "false" }),
            Item::Integer(i) => self.number(f64::from(i)),
            Item::Number(n) => self.number(n),
            Item::String(t) => self.string(&t.units()),
            Item::BigInt { negative, limbs } => self.bigint(negative, limbs),
            Item::Registered(t) => self.symbol(t, ""),
            Item::WellKnown(t) => self.symbol(t, "@@"),
            Item::Array(n) => {
                self.out.push('[');
                for i in 0..n {
                    self.comma(i);
                    self.value(r, depth + 1)?;
                }
                self.out.push(']');
            }
            Item::Record(n) => self.record(r, n, depth)?,
            Item::Error { name, message } => self.error(&name.units(), &message.units()),
            Item::Slot(i) => {
                let slot = *self.data.slots.get(i).ok_or_else(|| malformed(()))?;
                self.slot(slot)?;
            }
            Item::Again(i) => {
                let mut at = self.begun.get(i).cloned().ok_or_else(|| malformed(()))?;
                self.again += 1;
                // one that contains itself ends at the limit of depth
                self.value(&mut at, depth + 1)?;
                self.again -= 1;
            }
            Item::Settled { .. } => return unfit("a promise that is settled: wait for it and send its value"),
        }
        Ok(())
    }

    fn comma(&mut self, i: usize) {
        if i > 0 {
            self.out.push(',');
        }
    }

    fn constant(&mut self, name: &str) {
        let _ = match self.form {
            Form::Smallcaps => write!(self.out, "\"#{name}\""),
            Form::CapData => write!(self.out, "{{\"{QCLASS}\":\"{name}\"}}"),
        };
    }

    fn number(&mut self, n: f64) {
        match n {
            n if n.is_nan() => self.constant("NaN"),
            f64::INFINITY => self.constant("Infinity"),
            f64::NEG_INFINITY => self.constant("-Infinity"),
            // the forms know no minus zero
            n => self.out.push_str(ryu_js::Buffer::new().format(n + 0.0)),
        }
    }

    fn bigint(&mut self, negative: bool, limbs: &[u8]) {
        let limbs: Vec<u64> = limbs.chunks_exact(8).map(|l| l.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b))).collect();
        let digits = String::from_utf8(integer::digits(&limbs)).unwrap_or_default();
        let negative = negative && digits != "0";
        let _ = match self.form {
            Form::Smallcaps => write!(self.out, "\"{}{digits}\"", if negative { '-' } else { '+' }),
            Form::CapData => {
                write!(self.out, "{{\"{QCLASS}\":\"bigint\",\"digits\":\"{}{digits}\"}}", if negative { "-" } else { "" })
            }
        };
    }

    fn symbol(&mut self, name: Text<'_>, before: &str) {
        let mut units: Vec<u16> = before.encode_utf16().collect();
        // of a registered symbol that begins like a well-known one
        if before.is_empty() && name.units().starts_with(&[u16::from(b'@'), u16::from(b'@')]) {
            units.extend("@@".encode_utf16());
        }
        units.extend(name.units());
        match self.form {
            Form::Smallcaps => {
                units.insert(0, u16::from(b'%'));
                self.quoted(&units);
            }
            Form::CapData => {
                let _ = write!(self.out, "{{\"{QCLASS}\":\"symbol\",\"name\":");
                self.quoted(&units);
                self.out.push('}');
            }
        }
    }

    /// A string as a value, or as a key.
    fn string(&mut self, units: &[u16]) {
        if self.form == Form::Smallcaps && is_special(units.first().copied()) {
            let escaped: Vec<u16> = std::iter::once(u16::from(b'!')).chain(units.iter().copied()).collect();
            return self.quoted(&escaped);
        }
        self.quoted(units);
    }

    /// As `JSON.stringify` does.
    fn quoted(&mut self, units: &[u16]) {
        self.out.push('"');
        for c in char::decode_utf16(units.iter().copied()) {
            match c {
                Ok('"') => self.out.push_str("\\\""),
                Ok('\\') => self.out.push_str("\\\\"),
                Ok('\n') => self.out.push_str("\\n"),
                Ok('\r') => self.out.push_str("\\r"),
                Ok('\t') => self.out.push_str("\\t"),
                Ok('\u{8}') => self.out.push_str("\\b"),
                Ok('\u{c}') => self.out.push_str("\\f"),
                Ok(c) if c < ' ' => drop(write!(self.out, "\\u{:04x}", c as u32)),
                Ok(c) => self.out.push(c),
                Err(half) => drop(write!(self.out, "\\u{:04x}", half.unpaired_surrogate())),
            }
        }
        self.out.push('"');
    }

    fn error(&mut self, name: &[u16], message: &[u16]) {
        match self.form {
            Form::Smallcaps => self.out.push_str("{\"#error\":"),
            Form::CapData => drop(write!(self.out, "{{\"{QCLASS}\":\"error\",\"message\":")),
        }
        self.string(message);
        self.out.push_str(",\"name\":");
        self.string(name);
        self.out.push('}');
    }

    fn slot(&mut self, slot: Ref) -> Result<(), Unfit> {
        let known = self.slots.iter().position(|s| *s == slot);
        let index = known.unwrap_or(self.slots.len());
        let iface = match slot {
            Ref::Power(_) => return unfit("a power, which stays on its host"),
            Ref::Object(_) if known.is_none() => (self.iface)(slot),
            _ => None,
        };
        if known.is_none() {
            self.slots.push(slot);
        }
        let iface = iface.map(|i| i.encode_utf16().collect::<Vec<u16>>());
        match self.form {
            Form::Smallcaps => {
                let head = format!("{}{index}", if matches!(slot, Ref::Promise(_)) { '&' } else { '$' });
                let mut text: Vec<u16> = head.encode_utf16().collect();
                if let Some(iface) = iface {
                    text.push(u16::from(b'.'));
                    text.extend(iface);
                }
                self.quoted(&text);
            }
            Form::CapData => {
                let _ = write!(self.out, "{{\"{QCLASS}\":\"slot\",");
                if let Some(iface) = iface {
                    self.out.push_str("\"iface\":");
                    self.quoted(&iface);
                    self.out.push(',');
                }
                let _ = write!(self.out, "\"index\":{index}}}");
            }
        }
        Ok(())
    }

    fn record(&mut self, r: &mut Reader<'a>, n: usize, depth: usize) -> Result<(), Unfit> {
        // parts are written in the order of their keys, and numbered in the order in which they stand
        let mut parts: Vec<(Vec<u16>, String)> = Vec::with_capacity(n.min(1024));
        for _ in 0..n {
            let key = r.text().map_err(malformed)?.units();
            let before = std::mem::take(&mut self.out);
            let written = self.value(r, depth + 1);
            let part = std::mem::replace(&mut self.out, before);
            written?;
            parts.push((key, part));
        }
        let hash = u16::from(b'#');
        let tag: Vec<u16> = "#tag".encode_utf16().collect();
        let payload: Vec<u16> = "payload".encode_utf16().collect();
        if let [(a, tag_text), (b, value)] = &parts[..]
            && *a == tag
            && *b == payload
        {
            if !tag_text.starts_with('"') || self.form == Form::Smallcaps && tag_text.starts_with("\"%") {
                return unfit("a tag that is no string");
            }
            let head = if self.form == Form::Smallcaps {
                "{\"#tag\":".to_owned()
            } else {
                format!("{{\"{QCLASS}\":\"tagged\",\"tag\":")
            };
            let _ = write!(self.out, "{head}{tag_text},\"payload\":{value}}}");
            return Ok(());
        }
        for (key, _) in &mut parts {
            if key.first() == Some(&hash) {
                if key.get(1) != Some(&hash) {
                    return unfit(format!("a key that has a meaning of its own: {}", String::from_utf16_lossy(key)));
                }
                key.remove(0);
            }
        }
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        self.parts(parts);
        Ok(())
    }

    fn parts(&mut self, mut parts: Vec<(Vec<u16>, String)>) {
        let qclass: Vec<u16> = QCLASS.encode_utf16().collect();
        let own = parts.iter().position(|p| p.0 == qclass).filter(|_| self.form == Form::CapData);
        if let Some(at) = own {
            let (_, original) = parts.remove(at);
            let _ = write!(self.out, "{{\"{QCLASS}\":\"hilbert\",\"original\":{original}");
            if !parts.is_empty() {
                self.out.push_str(",\"rest\":");
                self.parts(parts);
            }
            self.out.push('}');
            return;
        }
        self.out.push('{');
        for (i, (key, value)) in parts.into_iter().enumerate() {
            self.comma(i);
            self.string(&key);
            self.out.push(':');
            self.out.push_str(&value);
        }
        self.out.push('}');
    }
}
