//! Code units as bytes: how a store keeps them, and the hash that names them.
//!
//! In: units; bytes of anyone. Out: bytes; units that passed `verify`, or why they are none.
//!
//! ## Bytes
//! Numbers are little-endian `u32`s unless said. A *list* is its count, then its items; *text* is a list of UTF-8 bytes, *units* a
//! list of `u16`s; *maybe X* is a byte 0, or a byte 1 and X.
//! ```text
//! unit        "drsescod" | version | is module 0 or 1 | name text | source text | code | constants | functions | module
//! code        words list of u32 | ics list of u32 | const_slots list of u32
//! constants   list of: u8 0, units                            a string
//!                      u8 1, text                             a BigInt
//!                      u8 2, list of u32                      a shape
//!                      u8 3, list of maybe units, list of units   a template: cooked, raw
//! functions   list of: at | len | nregs u8 | nparams u8 | flags u16 | name units | length | source start, end
//!                      | captures list of units | handlers list of (start, end, target, reg u8) | lines list of (word, byte)
//! module      requests list of text | cells | locals list of (units, cell) | indirect list of (units, request, maybe units)
//!             | stars list of u32 | has top-level await u8 0 or 1 | makes list of text
//! cells       list of: u8 0, units   own | u8 1, request, units   import | u8 2, request   namespace
//! ```
//!
//! Invariants
//! - a unit has one spelling: bytes that are accepted are those its `to_bytes` gives, so equal hashes are equal units;
//! - no bytes panic, or take more memory than a small multiple of their length;
//! - a unit that comes out passed `verify`: the machine may run it.
//!
//! Must never know: heaps, values, files.
use super::{Cell, CodeUnit, Const, FuncInfo, Handler, ModuleTable, verify::verify};
use sha2::{Digest, Sha256};
use std::fmt;
use syntax::ast::Span;

const MAGIC: &[u8; 8] = b"drsescod";
const VERSION: u32 = 1;

const STRING: u8 = 0;
const BIGINT: u8 = 1;
const SHAPE: u8 = 2;
const TEMPLATE: u8 = 3;

const OWN: u8 = 0;
const IMPORT: u8 = 1;
const NAMESPACE: u8 = 2;

/// Why bytes are no code unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BadUnit {
    /// They do not begin as a unit does.
    Magic,
    Version {
        found: u32,
    },
    /// They end where more is expected, or go on behind the end.
    Length {
        at: usize,
    },
    /// What stands at `at` is not what the format says.
    Malformed {
        at: usize,
        what: &'static str,
    },
    /// The verifier found code that no compiler emits.
    Refused(String),
}

impl BadUnit {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            BadUnit::Magic => "UNIT-001",
            BadUnit::Version { .. } => "UNIT-002",
            BadUnit::Length { .. } => "UNIT-003",
            BadUnit::Malformed { .. } => "UNIT-004",
            BadUnit::Refused(_) => "UNIT-005",
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            BadUnit::Magic => "name bytes that hold a code unit",
            BadUnit::Version { .. } => "open them with the release that wrote them, or a newer one",
            _ => "restore them from a backup; a unit that nobody damaged is a bug of drses to report",
        }
    }
}

impl fmt::Display for BadUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.code())?;
        match self {
            BadUnit::Magic => write!(f, "these bytes are no code unit")?,
            BadUnit::Version { found } => write!(f, "the code unit has version {found}, this program reads {VERSION}")?,
            BadUnit::Length { at } => write!(f, "the code unit does not end where it should, at byte {at}")?,
            BadUnit::Malformed { at, what } => write!(f, "the code unit is malformed at byte {at}: {what}")?,
            BadUnit::Refused(why) => write!(f, "the code unit was refused: {why}")?,
        }
        write!(f, "; {}", self.remedy())
    }
}

impl std::error::Error for BadUnit {}

impl CodeUnit {
    /// The unit as a store keeps it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer { out: Vec::with_capacity(self.source.len() + 8 * self.words.len() + 256) };
        w.out.extend_from_slice(MAGIC);
        w.u32(VERSION);
        w.u32(self.is_module.into());
        w.text(&self.name);
        w.text(&self.source);
        for words in [&self.words, &self.ics, &self.const_slots] {
            w.list(words, |w, x| w.u32(*x));
        }
        w.list(&self.consts, Writer::constant);
        w.list(&self.functions, Writer::function);
        w.module(&self.module);
        w.out
    }

    /// The unit that bytes hold, if they hold one that may be run.
    pub fn from_bytes(bytes: &[u8]) -> Result<CodeUnit, BadUnit> {
        let mut r = Reader { bytes, at: 0 };
        if r.take(MAGIC.len()).map_err(|_| BadUnit::Magic)? != MAGIC {
            return Err(BadUnit::Magic);
        }
        let found = r.u32()?;
        if found != VERSION {
            return Err(BadUnit::Version { found });
        }
        let is_module = match r.u32()? {
            0 => false,
            1 => true,
            _ => return Err(r.malformed("neither a script nor a module")),
        };
        let unit = CodeUnit {
            is_module,
            name: r.text()?.to_owned(),
            source: r.text()?.into(),
            words: r.list(4, Reader::u32)?,
            ics: r.list(4, Reader::u32)?,
            const_slots: r.list(4, Reader::u32)?,
            consts: r.list(5, Reader::constant)?,
            functions: r.list(FUNCTION_BYTES, Reader::function)?,
            module: r.module()?,
        };
        if r.at != bytes.len() {
            return Err(BadUnit::Length { at: r.at });
        }
        verify(&unit).map_err(BadUnit::Refused)?;
        Ok(unit)
    }

    /// The unit's name: SHA-256 of its bytes.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// Bytes of a function at least.
const FUNCTION_BYTES: usize = 8 + 4 + 4 + 4 + 8 + 3 * 4;

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn u32(&mut self, n: u32) {
        self.out.extend_from_slice(&n.to_le_bytes());
    }

    fn count(&mut self, n: usize) {
        debug_assert!(u32::try_from(n).is_ok(), "sources have 32-bit positions");
        self.u32(n as u32);
    }

    fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Writer, &T)) {
        self.count(items.len());
        items.iter().for_each(|x| item(self, x));
    }

    fn text(&mut self, s: &str) {
        self.count(s.len());
        self.out.extend_from_slice(s.as_bytes());
    }

    fn units(&mut self, s: &[u16]) {
        self.list(s, |w, u| w.out.extend_from_slice(&u.to_le_bytes()));
    }

    fn maybe_units(&mut self, s: &Option<Box<[u16]>>) {
        self.out.push(s.is_some().into());
        if let Some(s) = s {
            self.units(s);
        }
    }

    fn constant(&mut self, c: &Const) {
        match c {
            Const::String(s) => {
                self.out.push(STRING);
                self.units(s);
            }
            Const::BigInt(digits) => {
                self.out.push(BIGINT);
                self.text(digits);
            }
            Const::Shape(keys) => {
                self.out.push(SHAPE);
                self.list(keys, |w, k| w.u32(*k));
            }
            Const::Template { cooked, raw } => {
                self.out.push(TEMPLATE);
                self.list(cooked, Writer::maybe_units);
                self.list(raw, |w, s| w.units(s));
            }
        }
    }

    fn function(&mut self, f: &FuncInfo) {
        self.u32(f.at);
        self.u32(f.len);
        self.out.extend_from_slice(&[f.nregs, f.nparams]);
        self.out.extend_from_slice(&f.flags.to_le_bytes());
        self.units(&f.name);
        for n in [f.length, f.source.start, f.source.end] {
            self.u32(n);
        }
        self.list(&f.capture_names, |w, s| w.units(s));
        self.list(&f.handlers, |w, h| {
            for n in [h.start, h.end, h.target] {
                w.u32(n);
            }
            w.out.push(h.reg);
        });
        self.list(&f.lines, |w, (word, byte)| {
            w.u32(*word);
            w.u32(*byte);
        });
    }

    fn module(&mut self, m: &ModuleTable) {
        self.list(&m.requests, |w, s| w.text(s));
        self.list(&m.cells, |w, c| match c {
            Cell::Own { name } => {
                w.out.push(OWN);
                w.units(name);
            }
            Cell::Import { request, name } => {
                w.out.push(IMPORT);
                w.u32(*request);
                w.units(name);
            }
            Cell::Namespace { request } => {
                w.out.push(NAMESPACE);
                w.u32(*request);
            }
        });
        self.list(&m.locals, |w, (name, cell)| {
            w.units(name);
            w.u32(*cell);
        });
        self.list(&m.indirect, |w, (name, request, imported)| {
            w.units(name);
            w.u32(*request);
            w.maybe_units(imported);
        });
        self.list(&m.stars, |w, s| w.u32(*s));
        self.out.push(m.has_top_level_await.into());
        self.list(&m.makes, |w, s| w.text(s));
    }
}

struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    fn malformed(&self, what: &'static str) -> BadUnit {
        BadUnit::Malformed { at: self.at, what }
    }

    fn take(&mut self, n: usize) -> Result<&'b [u8], BadUnit> {
        let end = self.at.checked_add(n);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(BadUnit::Length { at: self.bytes.len() })?;
        self.at += n;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, BadUnit> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<u16, BadUnit> {
        let b = self.take(2)?;
        Ok(u16::from_le_bytes([b[0], b[1]]))
    }

    fn u32(&mut self) -> Result<u32, BadUnit> {
        let b = self.take(4)?;
        Ok(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn bool(&mut self) -> Result<bool, BadUnit> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("neither yes nor no")),
        }
    }

    /// A list whose items take at least `least` bytes each, so that a count cannot ask for more memory than bytes can fill.
    fn list<T>(&mut self, least: usize, mut item: impl FnMut(&mut Reader<'b>) -> Result<T, BadUnit>) -> Result<Vec<T>, BadUnit> {
        let n = self.u32()? as usize;
        if n > (self.bytes.len() - self.at) / least {
            return Err(BadUnit::Length { at: self.bytes.len() });
        }
        let mut items = Vec::with_capacity(n);
        for _ in 0..n {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn text(&mut self) -> Result<&'b str, BadUnit> {
        let n = self.u32()? as usize;
        std::str::from_utf8(self.take(n)?).map_err(|_| self.malformed("text that is not UTF-8"))
    }

    fn string(&mut self) -> Result<String, BadUnit> {
        Ok(self.text()?.to_owned())
    }

    fn units(&mut self) -> Result<Box<[u16]>, BadUnit> {
        Ok(self.list(2, Reader::u16)?.into())
    }

    fn maybe_units(&mut self) -> Result<Option<Box<[u16]>>, BadUnit> {
        Ok(if self.bool()? { Some(self.units()?) } else { None })
    }

    fn constant(&mut self) -> Result<Const, BadUnit> {
        Ok(match self.u8()? {
            STRING => Const::String(self.units()?),
            BIGINT => Const::BigInt(self.string()?),
            SHAPE => Const::Shape(self.list(4, Reader::u32)?),
            TEMPLATE => Const::Template { cooked: self.list(1, Reader::maybe_units)?, raw: self.list(4, Reader::units)? },
            _ => return Err(self.malformed("a constant of no known kind")),
        })
    }

    fn function(&mut self) -> Result<FuncInfo, BadUnit> {
        Ok(FuncInfo {
            at: self.u32()?,
            len: self.u32()?,
            nregs: self.u8()?,
            nparams: self.u8()?,
            flags: self.u16()?,
            name: self.units()?,
            length: self.u32()?,
            source: Span { start: self.u32()?, end: self.u32()? },
            capture_names: self.list(4, Reader::units)?,
            handlers: self.list(13, |r| Ok(Handler { start: r.u32()?, end: r.u32()?, target: r.u32()?, reg: r.u8()? }))?,
            lines: self.list(8, |r| Ok((r.u32()?, r.u32()?)))?,
        })
    }

    fn module(&mut self) -> Result<ModuleTable, BadUnit> {
        Ok(ModuleTable {
            requests: self.list(4, Reader::string)?,
            cells: self.list(5, |r| {
                Ok(match r.u8()? {
                    OWN => Cell::Own { name: r.units()? },
                    IMPORT => Cell::Import { request: r.u32()?, name: r.units()? },
                    NAMESPACE => Cell::Namespace { request: r.u32()? },
                    _ => return Err(r.malformed("a cell of no known kind")),
                })
            })?,
            locals: self.list(8, |r| Ok((r.units()?, r.u32()?)))?,
            indirect: self.list(9, |r| Ok((r.units()?, r.u32()?, r.maybe_units()?)))?,
            stars: self.list(4, Reader::u32)?,
            has_top_level_await: self.bool()?,
            makes: self.list(4, Reader::string)?,
        })
    }
}
