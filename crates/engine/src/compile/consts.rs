//! The constants of a unit, each once.
use crate::code::Const;
use std::collections::BTreeMap;
use syntax::ast::{NameId, Tree};

pub(super) struct Consts {
    list: Vec<Const>,
    /// By `NameId`: the index of the string, plus one.
    names: Vec<u32>,
    strings: BTreeMap<Box<[u16]>, u32>,
    bigints: BTreeMap<String, u32>,
    shapes: BTreeMap<Vec<u32>, u32>,
}

impl Consts {
    pub(super) fn new(tree: &Tree) -> Self {
        Consts {
            list: Vec::new(),
            names: vec![0; tree.names.len()],
            strings: BTreeMap::new(),
            bigints: BTreeMap::new(),
            shapes: BTreeMap::new(),
        }
    }

    fn push(&mut self, c: Const) -> u32 {
        self.list.push(c);
        (self.list.len() - 1) as u32
    }

    pub(super) fn name(&mut self, tree: &Tree, id: NameId) -> u32 {
        match self.names[id.index()] {
            0 => {
                let k = self.string(tree.name(id));
                self.names[id.index()] = k + 1;
                k
            }
            k => k - 1,
        }
    }

    pub(super) fn string(&mut self, text: &[u16]) -> u32 {
        if let Some(&k) = self.strings.get(text) {
            return k;
        }
        let k = self.push(Const::String(text.into()));
        self.strings.insert(text.into(), k);
        k
    }

    pub(super) fn bigint(&mut self, digits: String) -> u32 {
        if let Some(&k) = self.bigints.get(&digits) {
            return k;
        }
        let k = self.push(Const::BigInt(digits.clone()));
        self.bigints.insert(digits, k);
        k
    }

    pub(super) fn shape(&mut self, keys: Vec<u32>) -> u32 {
        if let Some(&k) = self.shapes.get(&keys) {
            return k;
        }
        let k = self.push(Const::Shape(keys.clone()));
        self.shapes.insert(keys, k);
        k
    }

    /// Every template literal is a constant of its own: its identity is observable.
    pub(super) fn template(&mut self, cooked: Vec<Option<Box<[u16]>>>, raw: Vec<Box<[u16]>>) -> u32 {
        self.push(Const::Template { cooked, raw })
    }

    pub(super) fn finish(self) -> Vec<Const> {
        self.list
    }
}
