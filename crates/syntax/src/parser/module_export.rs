//! `export` declarations.
use super::{Parse, Parser, well_known as w};
use crate::ast::*;
use crate::lexer::token::{Tok, Token};

impl Parser<'_> {
    pub fn export_declaration(&mut self) -> Parse<StmtId> {
        let start = self.start();
        self.bump();
        match self.tok.kind {
            Tok::Star => self.export_star(start),
            Tok::LBrace => self.export_list(start),
            Tok::Default => self.export_default(start),
            _ => self.export_declared(start),
        }
    }

    fn add_export_name(&mut self, name: NameId, span: Span) {
        if !self.exported.insert(name) {
            let message = format!("`{}` is exported twice", self.show(name));
            self.error("E-DUPLICATE", span, message);
        }
    }

    fn export_local(&mut self, name: NameId, binding: BindingId, span: Span) {
        self.add_export_name(name, span);
        self.tree.bindings[binding.index()].boxed = true;
        self.tree.module.exports.push(ExportEntry::Local { name, binding });
    }

    fn export_star(&mut self, start: u32) -> Parse<StmtId> {
        self.bump();
        let mut name = None;
        if self.eat_word(w::AS) {
            let span = self.tok.span;
            let exported = self.module_export_name()?;
            self.add_export_name(exported, span);
            name = Some(exported);
        }
        if !self.eat_word(w::FROM) {
            return self.unexpected("`from`");
        }
        let request = self.module_specifier()?;
        self.tree.module.exports.push(match name {
            Some(name) => ExportEntry::Indirect { name, request, import: None },
            None => ExportEntry::Star { request },
        });
        Ok(self.add_stmt(Stmt::ExportList, start))
    }

    fn export_list(&mut self, start: u32) -> Parse<StmtId> {
        self.bump();
        let mut list: Vec<(Token, NameId, Span)> = Vec::new();
        while !self.at(Tok::RBrace) {
            let local = self.tok;
            let mut exported = self.module_export_name()?;
            let mut span = local.span;
            if self.eat_word(w::AS) {
                span = self.tok.span;
                exported = self.module_export_name()?;
            }
            list.push((local, exported, span));
            if !self.at(Tok::RBrace) {
                self.expect(Tok::Comma, "`,` or `}`")?;
            }
        }
        self.bump();
        if self.eat_word(w::FROM) {
            let request = self.module_specifier()?;
            for (local, name, span) in list {
                self.add_export_name(name, span);
                self.tree.module.exports.push(ExportEntry::Indirect { name, request, import: Some(local.name) });
            }
        } else {
            self.semicolon()?;
            for (local, name, span) in list {
                if local.kind != Tok::Ident {
                    self.error("E-RESERVED", local.span, "this cannot be the name of a variable");
                    continue;
                }
                self.add_export_name(name, span);
                self.local_exports.push((local.name, name, local.span));
            }
        }
        Ok(self.add_stmt(Stmt::ExportList, start))
    }

    fn export_default(&mut self, start: u32) -> Parse<StmtId> {
        let word = self.bump().span;
        let inner = self.start();
        if self.at(Tok::Function) || self.at_async_function() {
            let (is_async, is_generator) = self.function_words();
            let named = if self.at(Tok::LParen) { None } else { Some(self.binding_name()?) };
            let (name, span) = named.unwrap_or((w::STAR_DEFAULT, word));
            let stmt = self.declared_function(inner, is_async, is_generator, name, span, named.map(|n| n.0))?;
            if let Stmt::Function { binding, .. } = *self.tree.stmt(stmt) {
                self.export_local(w::DEFAULT, binding, word);
            }
            return Ok(self.add_stmt(Stmt::ExportDecl(stmt), start));
        }
        if self.eat(Tok::Class) {
            let unnamed = matches!(self.tok.kind, Tok::LBrace | Tok::Extends);
            let named = if unnamed { None } else { Some(self.binding_name()?) };
            let (name, span) = named.unwrap_or((w::STAR_DEFAULT, word));
            let binding = self.declare(name, span, BindingKind::Class);
            self.export_local(w::DEFAULT, binding, word);
            let class = self.class_tail(inner, named)?;
            let stmt = self.add_stmt(Stmt::Class { binding, class }, inner);
            return Ok(self.add_stmt(Stmt::ExportDecl(stmt), start));
        }
        let binding = self.declare(w::STAR_DEFAULT, word, BindingKind::Default);
        self.export_local(w::DEFAULT, binding, word);
        let value = self.assign()?;
        self.semicolon()?;
        Ok(self.add_stmt(Stmt::ExportDefault { binding, value }, start))
    }

    fn export_declared(&mut self, start: u32) -> Parse<StmtId> {
        let async_function = self.at_async_function();
        let stmt = match self.tok.kind {
            Tok::Var => self.var_statement(VarKind::Var)?,
            Tok::Let | Tok::Const => self.lexical_declaration()?,
            Tok::Function => self.function_declaration()?,
            Tok::Class => self.class_declaration()?,
            Tok::Ident if async_function => self.function_declaration()?,
            _ => return self.unexpected("a declaration, `{`, `*` or `default`"),
        };
        let mut found = Vec::new();
        match self.tree.stmt(stmt) {
            Stmt::Function { binding, .. } | Stmt::Class { binding, .. } => found.push(*binding),
            Stmt::Var { decls, .. } => decls.iter().for_each(|d| pattern_bindings(&self.tree, d.target, &mut found)),
            _ => {}
        }
        for binding in found {
            let (name, span) = (self.tree.binding(binding).name, self.tree.binding(binding).span);
            self.export_local(name, binding, span);
        }
        Ok(self.add_stmt(Stmt::ExportDecl(stmt), start))
    }

    /// Resolves `export { … }` once all declarations are known.
    pub fn finish_exports(&mut self) {
        let scope = self.tree.functions[0].body_scope;
        for (local, name, span) in std::mem::take(&mut self.local_exports) {
            let Some(&binding) = self.declared.get(&(scope, local)) else {
                let message = format!("`{}` is exported but nowhere declared", self.show(local));
                self.error("E-EXPORT", span, message);
                continue;
            };
            if let BindingKind::Import(index) = self.tree.binding(binding).kind {
                let import = self.tree.module.imports[index as usize];
                if import.name.is_some() {
                    let entry = ExportEntry::Indirect { name, request: import.request, import: import.name };
                    self.tree.module.exports.push(entry);
                    continue;
                }
            }
            self.tree.bindings[binding.index()].boxed = true;
            self.tree.module.exports.push(ExportEntry::Local { name, binding });
        }
    }
}

/// The bindings a declaration's pattern makes; recursion is bounded by the nesting of patterns.
pub(crate) fn pattern_bindings(tree: &Tree, pat: PatId, found: &mut Vec<BindingId>) {
    match tree.pat(pat) {
        Pat::Binding(binding) => found.push(*binding),
        Pat::Default { pat, .. } => pattern_bindings(tree, *pat, found),
        Pat::Array { items, rest } => {
            items.iter().flatten().chain(rest).for_each(|&p| pattern_bindings(tree, p, found));
        }
        Pat::Object { props, rest } => {
            props.iter().map(|p| &p.value).chain(rest).for_each(|&p| pattern_bindings(tree, p, found));
        }
        Pat::Error | Pat::Target(_) => {}
    }
}
