//! Values as text, for people: what `console.log` and the REPL show.
//!
//! In: a value. Out: a string.
//!
//! Invariants
//! - no program code runs: getters are shown, not called; names come from data properties alone;
//! - the depth shown is bounded, so is the recursion; the meter is charged for every part;
//! - the text is bounded too: once `MAX_TEXT` bytes are shown, what is left is counted. So what is laid out at one go, between two looks
//!   at the meter, is no more than that.
use super::layout::{self, Block, MAX_ITEMS, key, quote, quote_long};
use crate::aside::Aside;
use crate::cx::{Cx, Res, Value};
use crate::kinds::*;
use crate::object::{self, Prop};
use crate::roots::{self, *};
use crate::{array, convert, function, pass, promise, string, table};
use cage::Mem;
use cage::value::*;

/// Levels shown below the outermost, as `console.log` does it.
pub const DEPTH: usize = 2;

/// Bytes of text after which no more entries are shown; one value more may go beyond it.
const MAX_TEXT: usize = 1 << 18;
/// What an entry counts for beside its text.
const ENTRY: usize = 8;

struct Show {
    depth: usize,
    /// Bytes of text that may still be shown.
    left: usize,
    indent: usize,
    /// The deepest level met in what was shown last.
    current: usize,
    /// Objects being shown.
    seen: Vec<Value>,
    /// Those that were met within themselves.
    circular: Vec<Value>,
}

/// Shows `v`, `depth` levels deep.
pub fn inspect(cx: &mut Cx, m: Mem, v: Value, depth: usize) -> Res<String> {
    let mut show = Show { depth: depth.min(8), left: MAX_TEXT, indent: 0, current: 0, seen: Vec::new(), circular: Vec::new() };
    show.value(cx, m, v, 0)
}

/// A data property of `o` or its prototypes; undefined for accessors.
fn peek(cx: &mut Cx, m: Mem, o: Value, key: Value) -> Res {
    let mut at = o;
    while is_obj(at) {
        cx.charge(1)?;
        if object::kind(m, at) != NAMESPACE && !is_sender(m, at) {
            match object::get_own(cx, m, at, key)? {
                Some(Prop::Data { value, .. }) => return Ok(value),
                Some(Prop::Accessor { .. }) => return Ok(UNDEF),
                None => {}
            }
        }
        at = object::proto_of(m, at);
    }
    Ok(UNDEF)
}

fn is_sender(m: Mem, o: Value) -> bool {
    crate::shape::meta(m, crate::shape::of(m, o)) & crate::shape::SENDER != 0
}

fn text(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    if is_str(v) { string::to_short(cx, m, v, convert::MAX_SHOWN) } else { Ok(String::new()) }
}

/// A primitive, strings quoted.
fn primitive(cx: &mut Cx, m: Mem, v: Value, indent: usize) -> Res<String> {
    if is_str(v) {
        let s = string::to_short(cx, m, v, convert::MAX_SHOWN)?;
        return Ok(quote_long(&s, indent));
    }
    if is_sym(v) {
        return object::key_text(cx, m, v);
    }
    if is_double(v) && f64::from_bits(v) == 0.0 && f64::from_bits(v).is_sign_negative() {
        return Ok("-0".to_owned());
    }
    let s = convert::to_shown(cx, m, v)?;
    Ok(if is_big(v) { s + "n" } else { s })
}

/// The constructor's name found along the prototypes, and the tag if it says something else.
fn names(cx: &mut Cx, m: Mem, o: Value) -> Res<(Option<String>, String)> {
    let c = roots::get(m, R_STR_CONSTRUCTOR);
    let (mut at, mut ctor) = (o, None);
    while is_obj(at) && object::kind(m, at) != NAMESPACE {
        cx.charge(1)?;
        if let Some(Prop::Data { value, .. }) = object::get_own(cx, m, at, c)?
            && object::is_callable(m, value)
        {
            let n = peek(cx, m, value, roots::get(m, R_STR_NAME))?;
            let n = text(cx, m, n)?;
            if !n.is_empty() {
                ctor = Some(n);
                break;
            }
        }
        at = object::proto_of(m, at);
    }
    let tag = peek(cx, m, o, roots::get(m, R_SYM_TO_STRING_TAG))?;
    let mut tag = text(cx, m, tag)?;
    let far = pass::interface_of(m, o);
    if is_str(far) {
        tag = format!("Alleged: {}", text(cx, m, far)?);
    }
    if ctor.as_deref() == Some(&tag) {
        tag.clear();
    }
    Ok((ctor, tag))
}

fn prefix(ctor: &Option<String>, tag: &str, fallback: &str, size: Option<u32>) -> String {
    let size = size.map_or(String::new(), |n| format!("({n})"));
    let tag = if tag.is_empty() { String::new() } else { format!("[{tag}] ") };
    match ctor {
        Some(c) => format!("{c}{size} {tag}"),
        None => format!("[{fallback}{size}: null prototype] {tag}"),
    }
}

/// What stands before the braces and within them, gathered by kind.
struct Parts {
    base: String,
    open: String,
    close: &'static str,
    entries: Vec<String>,
    more: bool,
    is_array: bool,
    numbers: bool,
}

impl Show {
    fn value(&mut self, cx: &mut Cx, m: Mem, v: Value, level: usize) -> Res<String> {
        cx.charge(20)?;
        if !is_obj(v) {
            let shown = primitive(cx, m, v, self.indent)?;
            self.count(shown.len());
            return Ok(shown);
        }
        self.count(0);
        if self.seen.contains(&v) {
            let i = match self.circular.iter().position(|c| *c == v) {
                Some(i) => i,
                None => {
                    self.circular.push(v);
                    self.circular.len() - 1
                }
            };
            return Ok(format!("[Circular *{}]", i + 1));
        }
        self.object(cx, m, v, level)
    }

    /// One entry or name of so many bytes is shown.
    fn count(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes + ENTRY);
    }

    fn object(&mut self, cx: &mut Cx, m: Mem, o: Value, level: usize) -> Res<String> {
        let (ctor, tag) = names(cx, m, o)?;
        let keys = self.keys(cx, m, o)?;
        let mut p = head(cx, m, o, &ctor, &tag)?;
        let is_container = p.is_array || matches!(object::kind(m, o), MAP | SET | PROMISE | WEAKMAP | WEAKSET);
        if keys.is_empty() {
            if !p.base.is_empty() && !is_container {
                return Ok(p.base);
            }
            if size(m, o) == Some(0) || (!is_container && p.base.is_empty()) {
                return Ok(format!("{}{}", p.open, p.close));
            }
        }
        if level > self.depth {
            let what = ctor.unwrap_or_else(|| "Object: null prototype".to_owned());
            return Ok(format!("[{}]", if p.is_array { "Array" } else { &what }));
        }
        self.seen.push(o);
        self.current = level;
        self.contents(cx, m, o, level, &mut p)?;
        for (i, k) in (&keys).into_iter().enumerate() {
            if self.left == 0 {
                p.more = true;
                p.entries.push(remaining(keys.len() - i, "propert", ["y", "ies"]));
                break;
            }
            let e = self.property(cx, m, o, k, level)?;
            p.entries.push(e);
        }
        self.seen.pop();
        if let Some(i) = self.circular.iter().position(|c| *c == o) {
            p.base = if p.base.is_empty() { format!("<ref *{}>", i + 1) } else { format!("<ref *{}> {}", i + 1, p.base) };
        }
        Ok(layout::join(Block {
            entries: p.entries,
            base: p.base,
            open: p.open,
            close: p.close,
            is_array: p.is_array,
            numbers: p.numbers,
            more: p.more,
            indent: self.indent,
            below: self.current - level,
        }))
    }

    /// Named own enumerable properties, and an error's cause and errors.
    fn keys(&self, cx: &mut Cx, m: Mem, o: Value) -> Res<Aside<Value>> {
        if is_sender(m, o) {
            return Ok(Aside::new());
        }
        let k = object::kind(m, o);
        let mut keys = Aside::new();
        for key in object::own_keys(cx, m, o)? {
            cx.charge(1)?;
            if is_int(key) && (k == ARR || k == WRAPPER || k == ARGS) {
                continue;
            }
            let shown = k == ERROR && (key == roots::get(m, R_STR_CAUSE) || key == roots::get(m, R_STR_ERRORS));
            if shown || object::get_own(cx, m, o, key)?.is_some_and(|p| p.enumerable()) {
                keys.push(key);
            }
        }
        Ok(keys)
    }

    fn inner(&mut self, cx: &mut Cx, m: Mem, v: Value, level: usize) -> Res<String> {
        self.indent += 2;
        let s = self.value(cx, m, v, level + 1);
        self.indent -= 2;
        s
    }

    fn property(&mut self, cx: &mut Cx, m: Mem, o: Value, k: Value, level: usize) -> Res<String> {
        let prop = object::get_own(cx, m, o, k)?;
        let (shown, enumerable) = match prop {
            Some(Prop::Data { value, attrs }) => (self.inner(cx, m, value, level)?, attrs & crate::shape::E != 0),
            Some(Prop::Accessor { get, set, attrs }) => {
                let what = match (get != UNDEF, set != UNDEF) {
                    (true, true) => "[Getter/Setter]",
                    (true, false) => "[Getter]",
                    (false, true) => "[Setter]",
                    _ => "undefined",
                };
                (what.to_owned(), attrs & crate::shape::E != 0)
            }
            None => ("undefined".to_owned(), true),
        };
        let name = object::key_text(cx, m, k)?;
        self.count(name.len());
        let name = if is_sym(k) || !enumerable { format!("[{name}]") } else { key(&name) };
        Ok(format!("{name}: {shown}"))
    }

    /// Elements and entries.
    fn contents(&mut self, cx: &mut Cx, m: Mem, o: Value, level: usize, p: &mut Parts) -> Res<()> {
        match object::kind(m, o) {
            ARR => self.elements(cx, m, o, level, p),
            MAP | SET => {
                let is_map = object::kind(m, o) == MAP;
                let mut c = table::cursor(cx, m, o)?;
                while let Some((k, v)) = table::next(cx, m, &mut c)? {
                    if p.entries.len() == MAX_ITEMS || self.left == 0 {
                        p.entries.push(items(table::size(m, o) as usize - p.entries.len()));
                        break;
                    }
                    let mut e = self.inner(cx, m, k, level)?;
                    if is_map {
                        e = format!("{e} => {}", self.inner(cx, m, v, level)?);
                    }
                    p.entries.push(e);
                }
                Ok(())
            }
            PROMISE => {
                let e = match promise::state(m, o) {
                    promise::PENDING => "<pending>".to_owned(),
                    promise::FULFILLED => self.inner(cx, m, promise::result(m, o), level)?,
                    _ => format!("<rejected> {}", self.inner(cx, m, promise::result(m, o), level)?),
                };
                p.entries.push(e);
                Ok(())
            }
            WEAKMAP | WEAKSET => {
                p.entries.push("<items unknown>".to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn elements(&mut self, cx: &mut Cx, m: Mem, o: Value, level: usize, p: &mut Parts) -> Res<()> {
        let len = array::length(m, o) as u64;
        let dense = array::dense_len(m, o) as u64;
        let mut i = 0u64;
        let own = |cx: &mut Cx, i: u64| -> Res<Option<Value>> {
            if i < dense && array::element(m, o, i as u32) != HOLE {
                return Ok(Some(array::element(m, o, i as u32)));
            }
            if object::flags(m, o) & SPARSE == 0 || i > i32::MAX as u64 {
                return Ok(None);
            }
            Ok(match object::get_own(cx, m, o, int(i as i32))? {
                Some(Prop::Data { value, .. }) => Some(value),
                Some(_) => Some(UNDEF),
                None => None,
            })
        };
        p.numbers = true;
        while i < len && p.entries.len() < MAX_ITEMS && self.left > 0 {
            cx.charge(2)?;
            if let Some(v) = own(cx, i)? {
                p.numbers &= is_number(v) || is_big(v);
                let e = self.inner(cx, m, v, level)?;
                p.entries.push(e);
                i += 1;
                continue;
            }
            p.numbers = false;
            let from = i;
            // beyond the dense part of an array that is not sparse there is nothing
            if i >= dense && object::flags(m, o) & SPARSE == 0 {
                i = len;
            }
            while i < len && own(cx, i)?.is_none() {
                cx.charge(1)?;
                i += 1;
            }
            let n = i - from;
            p.entries.push(format!("<{n} empty item{}>", if n == 1 { "" } else { "s" }));
        }
        if i < len {
            p.more = true;
            p.entries.push(items((len - i) as usize));
        }
        Ok(())
    }
}

/// `what` with its ending for one and for more.
fn remaining(n: usize, what: &str, endings: [&str; 2]) -> String {
    format!("... {n} more {what}{}", endings[(n != 1) as usize])
}

fn items(n: usize) -> String {
    remaining(n, "item", ["", "s"])
}

/// How many elements a container has.
fn size(m: Mem, o: Value) -> Option<u32> {
    match object::kind(m, o) {
        ARR => Some((array::length(m, o) as u64).min(u32::MAX as u64) as u32),
        MAP | SET => Some(table::size(m, o)),
        _ => None,
    }
}

/// Base and braces of an object.
fn head(cx: &mut Cx, m: Mem, o: Value, ctor: &Option<String>, tag: &str) -> Res<Parts> {
    let mut p = Parts {
        base: String::new(),
        open: "{".to_owned(),
        close: "}",
        entries: Vec::new(),
        more: false,
        is_array: false,
        numbers: false,
    };
    match object::kind(m, o) {
        ARR => {
            p.is_array = true;
            p.close = "]";
            let plain = ctor.as_deref() == Some("Array") && tag.is_empty();
            p.open = if plain { "[".to_owned() } else { prefix(ctor, tag, "Array", size(m, o)) + "[" };
        }
        MAP => p.open = prefix(ctor, tag, "Map", size(m, o)) + "{",
        SET => p.open = prefix(ctor, tag, "Set", size(m, o)) + "{",
        PROMISE => p.open = prefix(ctor, tag, "Promise", None) + "{",
        WEAKMAP => p.open = prefix(ctor, tag, "WeakMap", None) + "{",
        WEAKSET => p.open = prefix(ctor, tag, "WeakSet", None) + "{",
        FN | NATIVE | BOUND => p.base = function_head(cx, m, o, tag)?,
        ERROR => p.base = error_text(cx, m, o)?,
        WRAPPER => {
            let v = m.r64(o as u32, 16);
            let t = convert::type_of(m, v);
            let t = text(cx, m, t)?;
            let (a, b) = t.split_at(1);
            let shown = primitive(cx, m, v, 0)?;
            let kind = if t == "bigint" { "BigInt".to_owned() } else { a.to_uppercase() + b };
            p.base = format!("[{kind}: {shown}]");
        }
        NAMESPACE => p.open = "[Module: null prototype] {".to_owned(),
        _ => {
            if ctor.as_deref() != Some("Object") || !tag.is_empty() {
                p.open = prefix(ctor, tag, "Object", None) + "{";
            }
        }
    }
    Ok(p)
}

fn function_head(cx: &mut Cx, m: Mem, f: Value, tag: &str) -> Res<String> {
    let kind = if tag.is_empty() { "Function" } else { tag };
    if is_sender(m, f) {
        return Ok("[Function: E(…)]".to_owned());
    }
    let name = peek(cx, m, f, roots::get(m, R_STR_NAME))?;
    let name = text(cx, m, name)?;
    let source = if object::kind(m, f) == FN { function::source_text(cx, m, f)? } else { string::empty(m) };
    let is_class = string::len(m, source) > 5
        && (0..5).all(|i| {
            let s = string::flat(cx, m, source).unwrap_or(source);
            string::unit(m, s, i) == b"class"[i as usize] as u16
        });
    if is_class {
        return Ok(if name.is_empty() { "[class (anonymous)]".to_owned() } else { format!("[class {name}]") });
    }
    Ok(if name.is_empty() { format!("[{kind} (anonymous)]") } else { format!("[{kind}: {name}]") })
}

/// `Name: message` from data properties.
pub fn error_text(cx: &mut Cx, m: Mem, e: Value) -> Res<String> {
    let name = peek(cx, m, e, roots::get(m, R_STR_NAME))?;
    let message = peek(cx, m, e, roots::get(m, R_STR_MESSAGE))?;
    let (name, message) = (text(cx, m, name)?, text(cx, m, message)?);
    Ok(match (name.is_empty(), message.is_empty()) {
        (true, true) => "Error".to_owned(),
        (true, false) => message,
        (false, true) => name,
        _ => format!("{name}: {message}"),
    })
}

/// Levels of what `%j` and assert's `quote` show.
const JSON_DEPTH: usize = 30;

/// JSON of plain data; what JSON cannot say stands in brackets. Calls nothing.
pub fn json_like(cx: &mut Cx, m: Mem, v: Value) -> Res<String> {
    let mut out = String::new();
    json(cx, m, v, &mut Vec::new(), &mut out)?;
    Ok(out)
}

fn json_string(s: &str, out: &mut String) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 32 => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

fn json(cx: &mut Cx, m: Mem, v: Value, seen: &mut Vec<Value>, out: &mut String) -> Res<()> {
    cx.charge(10)?;
    let plain = is_bool(v) || v == NULL || (is_number(v) && num(v).is_finite());
    if plain {
        *out += &convert::to_rust_string(cx, m, v)?;
        return Ok(());
    }
    if is_str(v) {
        let s = string::to_short(cx, m, v, convert::MAX_SHOWN)?;
        json_string(&s, out);
        return Ok(());
    }
    let kind = if is_obj(v) { object::kind(m, v) } else { 0 };
    if kind != RECORD && kind != ARR {
        let s = if is_obj(v) { inspect(cx, m, v, 0)? } else { primitive(cx, m, v, 0)? };
        let s = s.trim_matches(['[', ']']);
        json_string(&format!("[{s}]"), out);
        return Ok(());
    }
    if seen.contains(&v) || seen.len() >= JSON_DEPTH {
        json_string("[Seen]", out);
        return Ok(());
    }
    seen.push(v);
    let (open, close) = if kind == ARR { ('[', ']') } else { ('{', '}') };
    out.push(open);
    let mut first = true;
    for key in object::own_keys(cx, m, v)? {
        cx.charge(1)?;
        if out.len() >= MAX_TEXT {
            out.push('…');
            break;
        }
        let Some(Prop::Data { value, attrs }) = object::get_own(cx, m, v, key)? else { continue };
        if attrs & crate::shape::E == 0 || is_sym(key) {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        if kind != ARR {
            let k = object::key_text(cx, m, key)?;
            json_string(&k, out);
            out.push(':');
        }
        json(cx, m, value, seen, out)?;
    }
    out.push(close);
    seen.pop();
    Ok(())
}

/// A string as it stands within other values.
pub fn quoted(s: &str) -> String {
    quote(s)
}
