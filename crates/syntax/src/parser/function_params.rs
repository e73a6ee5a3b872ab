//! Parameter lists.
use super::{Parse, Parser};
use crate::ast::*;
use crate::lexer::token::Tok;

impl Parser<'_> {
    /// `( … )` of a function that is no arrow.
    pub fn formal_params(&mut self, func: FuncId) -> Parse<()> {
        self.expect(Tok::LParen, "`(`")?;
        let (mut params, mut rest) = (Vec::new(), None);
        while !self.at(Tok::RParen) {
            if self.eat(Tok::Ellipsis) {
                rest = Some(self.binding_target(BindingKind::Param)?);
                break;
            }
            params.push(self.binding_element(BindingKind::Param)?);
            if !self.at(Tok::RParen) {
                self.expect(Tok::Comma, "`,` or `)`")?;
            }
        }
        self.expect(Tok::RParen, "`)`")?;
        self.set_params(func, params, rest);
        Ok(())
    }

    pub fn set_params(&mut self, func: FuncId, params: Vec<PatId>, rest: Option<PatId>) {
        let plain = |p: &PatId| matches!(self.tree.pat(*p), Pat::Binding(_));
        let simple = rest.is_none() && params.iter().all(plain);
        let has_default = |p: &PatId| matches!(self.tree.pat(*p), Pat::Default { .. });
        let length = params.iter().position(has_default).unwrap_or(params.len()) as u32;
        let f = &mut self.tree.functions[func.index()];
        f.params = params;
        f.rest = rest;
        f.length = length;
        f.simple_params = simple;
    }
}
