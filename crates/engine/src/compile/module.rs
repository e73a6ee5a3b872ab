//! Module tables: what the linker needs, and the program's captures.
use super::scope::Loc;
use super::{Gen, Res};
use crate::code::{Cell, ModuleTable};
use std::collections::BTreeMap;
use syntax::ast::{BindingId, Element, ExportEntry, Expr, SendForm, Span, Tree};

/// Captures of a program: the global object and at most this many cells.
const MAX_CELLS: usize = 254;

/// See `ModuleTable::makes`.
fn literal_makes(tree: &Tree) -> Vec<String> {
    let is_make = |n| tree.name(n).iter().copied().eq("make".encode_utf16());
    let mut found = Vec::new();
    for e in &tree.exprs {
        let args = match e {
            Expr::Call { callee, args, .. } => match tree.expr(*callee) {
                Expr::Member { name, .. } if is_make(*name) => args,
                _ => continue,
            },
            Expr::Send { form: SendForm::Method(name), args, .. } if is_make(*name) => args,
            _ => continue,
        };
        if let Some(Element::Item(first)) = args.first()
            && let Expr::String(n) = tree.expr(*first)
        {
            let text = tree.name_text(*n);
            if (text.starts_with("./") || text.starts_with("../")) && !found.contains(&text) {
                found.push(text);
            }
        }
    }
    found
}

impl Gen<'_> {
    /// Fills the module table; gives the program's cells their places and all its captures their names.
    pub(super) fn open_cells(&mut self) -> Res<Vec<Box<[u16]>>> {
        let tree = self.tree;
        let text = |n| -> Box<[u16]> { tree.name(n).into() };
        let mut names: Vec<Box<[u16]>> = vec!["globalThis".encode_utf16().collect()];
        let mut cells: BTreeMap<BindingId, u32> = BTreeMap::new();
        let info = &tree.module;
        self.module = ModuleTable::default();
        self.module.has_top_level_await = info.has_top_level_await;
        self.module.requests = info.requests.iter().map(|&(n, _)| tree.name_text(n)).collect();
        self.module.makes = literal_makes(tree);
        for i in &info.imports {
            let cell = match i.name {
                Some(name) => Cell::Import { request: i.request, name: text(name) },
                None => Cell::Namespace { request: i.request },
            };
            self.add_cell(i.binding, cell, &mut cells, &mut names);
        }
        for e in &info.exports {
            match *e {
                ExportEntry::Local { name, binding } => {
                    let cell = Cell::Own { name: text(tree.binding(binding).name) };
                    let at = self.add_cell(binding, cell, &mut cells, &mut names);
                    self.module.locals.push((text(name), at));
                }
                ExportEntry::Indirect { name, request, import } => {
                    self.module.indirect.push((text(name), request, import.map(text)));
                }
                ExportEntry::Star { request } => self.module.stars.push(request),
            }
        }
        if self.module.cells.len() > MAX_CELLS {
            let span = info.requests.first().map_or(Span::default(), |r| r.1);
            return self.too_large("this module imports and exports more than 254 names", span);
        }
        Ok(names)
    }

    /// The index of a binding's cell.
    fn add_cell(&mut self, b: BindingId, cell: Cell, cells: &mut BTreeMap<BindingId, u32>, names: &mut Vec<Box<[u16]>>) -> u32 {
        if let Some(&at) = cells.get(&b) {
            return at;
        }
        let at = self.module.cells.len() as u32;
        self.module.cells.push(cell);
        cells.insert(b, at);
        names.push(self.tree.name(self.tree.binding(b).name).into());
        self.locs[b.index()] = Some(Loc::CaptureBox((at + 1).min(255) as u8));
        at
    }
}
