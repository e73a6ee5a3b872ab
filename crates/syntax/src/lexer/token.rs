//! The kinds of token. Keywords have kinds of their own; contextual words (`async`, `of`, `get`, …) are `Ident`.
use crate::ast::{NameId, Span};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[rustfmt::skip]
pub(crate) enum Tok {
    Eof,
    /// Already reported by the lexer.
    Invalid,
    Ident,
    /// A reserved word spelled with an escape: a property name at most.
    EscapedKeyword,
    Private, Number, BigInt, String,
    /// From the backquote to the end of the first piece.
    Template,
    LBrace, RBrace, LParen, RParen, LBracket, RBracket, Dot, Ellipsis, Semi, Comma, Lt, Gt, Le, Ge, EqEq, NotEq, EqEqEq, NotEqEq,
    Plus, Minus, Star, Slash, Percent, StarStar, PlusPlus, MinusMinus, Shl, Shr, UShr, Amp, Bar, Caret, Bang, Tilde,
    AmpAmp, BarBar, QuestionQuestion, Question, QuestionDot, Colon, Arrow, TildeDot,
    Assign, PlusAssign, MinusAssign, StarAssign, SlashAssign, PercentAssign, StarStarAssign, ShlAssign, ShrAssign, UShrAssign,
    AmpAssign, BarAssign, CaretAssign, AmpAmpAssign, BarBarAssign, QuestionQuestionAssign,
    Break, Case, Catch, Class, Const, Continue, Debugger, Default, Delete, Do, Else, Enum, Export, Extends, False, Finally, For,
    Function, If, Import, In, InstanceOf, New, Null, Return, Super, Switch, This, Throw, True, Try, TypeOf, Var, Void, While, With,
    /// Reserved in strict code.
    Let, Static, Yield, Reserved,
    /// Reserved in modules, async functions and static blocks.
    Await,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub kind: Tok,
    /// A line terminator stands before it.
    pub newline: bool,
    /// An identifier with an escape in it: no contextual keyword. A string or number: a legacy form was used.
    pub escaped: bool,
    /// Of words, private names, strings and BigInts.
    pub name: NameId,
    pub number: f64,
    pub span: Span,
}

impl Token {
    pub fn is_word(&self) -> bool {
        matches!(self.kind, Tok::Ident | Tok::EscapedKeyword) || self.kind as u8 >= Tok::Break as u8
    }
}
