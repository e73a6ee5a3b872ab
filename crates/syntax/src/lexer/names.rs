//! Interned strings: text comes in, a [`NameId`] goes out, equal text always the same one.
//!
//! Invariant: the words of [`WELL_KNOWN`] have the numbers of their places, so that a keyword is known by its number.
//! The tables use the keyed hash of the standard library: source text is hostile.
use super::token::Tok;
use crate::ast::NameId;
use std::collections::HashMap;

macro_rules! well_known { ($(($c:ident, $t:literal, $k:ident)),* $(,)?) => {
    pub(crate) const WELL_KNOWN: &[(&str, Tok)] = &[$(($t, Tok::$k)),*];
    #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
    #[derive(Clone, Copy)]
    enum Place { $($c),* }
    $(#[allow(dead_code)] pub(crate) const $c: NameId = NameId(Place::$c as u32);)*
} }

#[rustfmt::skip]
well_known! {
    (EMPTY, "", Ident), (BREAK, "break", Break), (CASE, "case", Case), (CATCH, "catch", Catch), (CLASS, "class", Class), (CONST, "const", Const),
    (CONTINUE, "continue", Continue), (DEBUGGER, "debugger", Debugger), (DEFAULT, "default", Default), (DELETE, "delete", Delete),
    (DO, "do", Do), (ELSE, "else", Else), (ENUM, "enum", Enum), (EXPORT, "export", Export), (EXTENDS, "extends", Extends),
    (FALSE, "false", False), (FINALLY, "finally", Finally), (FOR, "for", For), (FUNCTION, "function", Function), (IF, "if", If),
    (IMPORT, "import", Import), (IN, "in", In), (INSTANCEOF, "instanceof", InstanceOf), (NEW, "new", New), (NULL, "null", Null),
    (RETURN, "return", Return), (SUPER, "super", Super), (SWITCH, "switch", Switch), (THIS, "this", This), (THROW, "throw", Throw),
    (TRUE, "true", True), (TRY, "try", Try), (TYPEOF, "typeof", TypeOf), (VAR, "var", Var), (VOID, "void", Void), (WHILE, "while", While),
    (WITH, "with", With), (LET, "let", Let), (STATIC, "static", Static), (YIELD, "yield", Yield), (IMPLEMENTS, "implements", Reserved),
    (INTERFACE, "interface", Reserved), (PACKAGE, "package", Reserved), (PRIVATE, "private", Reserved),
    (PROTECTED, "protected", Reserved), (PUBLIC, "public", Reserved), (AWAIT, "await", Await),
    // Words without a kind of their own from here on.
    (ASYNC, "async", Ident), (OF, "of", Ident), (GET, "get", Ident), (SET, "set", Ident), (AS, "as", Ident), (FROM, "from", Ident),
    (META, "meta", Ident), (TARGET, "target", Ident), (EVAL, "eval", Ident), (ARGUMENTS, "arguments", Ident),
    (CONSTRUCTOR, "constructor", Ident), (PROTOTYPE, "prototype", Ident), (PROTO, "__proto__", Ident), (STAR_DEFAULT, "*default*", Ident),
    (UNDEFINED, "undefined", Ident), (HARDEN, "harden", Ident), (USE_STRICT, "use strict", Ident),
}

pub(crate) struct Names<'s> {
    pub list: Vec<Box<[u16]>>,
    /// Words and plain strings as they stand in the source.
    by_text: HashMap<&'s str, NameId>,
    by_units: HashMap<Box<[u16]>, NameId>,
}

impl<'s> Names<'s> {
    pub fn new() -> Self {
        // determinism: looked up only, never iterated.
        let mut names = Names { list: Vec::new(), by_text: HashMap::new(), by_units: HashMap::new() };
        for (text, _) in WELL_KNOWN {
            names.text(text);
        }
        names
    }

    pub fn text(&mut self, text: &'s str) -> NameId {
        if let Some(&id) = self.by_text.get(text) {
            return id;
        }
        let id = self.owned(text);
        self.by_text.insert(text, id);
        id
    }

    pub fn owned(&mut self, text: &str) -> NameId {
        let units: Vec<u16> = text.encode_utf16().collect();
        self.units(&units)
    }

    pub fn units(&mut self, units: &[u16]) -> NameId {
        if let Some(&id) = self.by_units.get(units) {
            return id;
        }
        let id = NameId(self.list.len() as u32);
        self.list.push(units.into());
        self.by_units.insert(units.into(), id);
        id
    }

    pub fn show(&self, id: NameId) -> String {
        String::from_utf16_lossy(&self.list[id.index()])
    }
}

/// What a word is, by its number.
pub(crate) fn keyword(id: NameId) -> Tok {
    if id.0 <= AWAIT.0 && id != EMPTY { WELL_KNOWN[id.index()].1 } else { Tok::Ident }
}
