//! `import` declarations.
use super::{Halt, Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::Note;
use crate::lexer::token::Tok;
use std::collections::HashSet;

impl Parser<'_> {
    pub fn module_item(&mut self) -> Parse<StmtId> {
        if self.at(Tok::Export) {
            return self.export_declaration();
        }
        if matches!(self.peek().kind, Tok::LParen | Tok::Dot) {
            return self.expression_statement();
        }
        self.import_declaration()
    }

    fn import_declaration(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        if self.at(Tok::String) {
            self.note(Note::OddImport, self.tok.span);
            self.module_specifier()?;
            return Ok(self.add_stmt(Stmt::Import, start));
        }
        // The request's number is known only behind the names.
        let first = self.tree.module.imports.len();
        let default = !matches!(self.tok.kind, Tok::LBrace | Tok::Star);
        if default {
            self.import_binding(Some(w::DEFAULT))?;
        }
        if !default || self.eat(Tok::Comma) {
            if self.eat(Tok::Star) {
                if !self.eat_word(w::AS) {
                    return self.unexpected("`as`");
                }
                self.import_binding(None)?;
            } else {
                self.expect(Tok::LBrace, "`{` or `*`")?;
                self.named_imports()?;
            }
        }
        if !self.eat_word(w::FROM) {
            return self.unexpected("`from`");
        }
        let request = self.module_specifier()?;
        for import in &mut self.tree.module.imports[first..] {
            import.request = request;
        }
        Ok(self.add_stmt(Stmt::Import, start))
    }

    fn named_imports(&mut self) -> Parse<()> {
        while !self.at(Tok::RBrace) {
            let token = self.tok;
            let name = self.module_export_name()?;
            if self.eat_word(w::AS) {
                self.import_binding(Some(name))?;
            } else {
                if token.kind != Tok::Ident {
                    let help = "write `name as other`";
                    self.error_help("E-RESERVED", token.span, "this import needs a name that can be declared", help);
                }
                self.add_import(Some(name), name, token.span);
            }
            if !self.at(Tok::RBrace) {
                self.expect(Tok::Comma, "`,` or `}`")?;
            }
        }
        self.bump();
        Ok(())
    }

    fn import_binding(&mut self, name: Option<NameId>) -> Parse<()> {
        let (local, span) = self.binding_name()?;
        self.add_import(name, local, span);
        Ok(())
    }

    fn add_import(&mut self, name: Option<NameId>, local: NameId, span: Span) {
        let index = self.tree.module.imports.len() as u32;
        let binding = self.declare(local, span, BindingKind::Import(index));
        self.tree.module.imports.push(ImportEntry { request: 0, name, binding });
    }

    /// `"module" with { … };` of an import or export: the number of its request.
    pub fn module_specifier(&mut self) -> Parse<u32> {
        let token = self.tok;
        self.expect(Tok::String, "the name of a module in quotes")?;
        if self.eat(Tok::With) {
            self.note(Note::OddImport, self.since(token.span.start));
            self.attributes()?;
        }
        self.semicolon()?;
        let next = self.tree.module.requests.len() as u32;
        let request = *self.requests.entry(token.name).or_insert(next);
        if request == next {
            self.tree.module.requests.push((token.name, token.span));
        }
        Ok(request)
    }

    fn attributes(&mut self) -> Parse<()> {
        self.expect(Tok::LBrace, "`{`")?;
        // determinism: looked up only, never iterated.
        let mut seen = HashSet::new();
        while !self.at(Tok::RBrace) {
            let token = self.tok;
            if token.kind == Tok::String {
                self.bump();
            } else {
                self.property_word()?;
            }
            if !seen.insert(token.name) {
                self.error("E-DUPLICATE", token.span, "this attribute is given twice");
            }
            self.expect(Tok::Colon, "`:`")?;
            self.expect(Tok::String, "a string")?;
            if !self.at(Tok::RBrace) {
                self.expect(Tok::Comma, "`,` or `}`")?;
            }
        }
        self.bump();
        Ok(())
    }

    /// A word or a string as the name of an export.
    pub fn module_export_name(&mut self) -> Parse<NameId> {
        let token = self.tok;
        if token.kind == Tok::String {
            self.note(Note::OddImport, token.span);
            self.bump();
            let units = &self.lexer.names.list[token.name.index()];
            if char::decode_utf16(units.iter().copied()).any(|c| c.is_err()) {
                self.error("E-MODULE", token.span, "the name of an export is well-formed Unicode");
            }
            return Ok(token.name);
        }
        if token.is_word() {
            self.bump();
            return Ok(token.name);
        }
        self.unexpected("a name").map_err(|Halt| Halt)
    }
}
