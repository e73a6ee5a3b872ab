//! Punctuators, longest first, and the refusal of what old scripts read as HTML comments.
use super::token::Tok::{self, *};
use super::{Lexer, span};

/// The punctuators that begin with one byte, longest first.
#[rustfmt::skip]
fn table(byte: u8) -> &'static [(&'static str, Tok)] {
    match byte {
        b'{' => &[("{", LBrace)], b'}' => &[("}", RBrace)], b'(' => &[("(", LParen)], b')' => &[(")", RParen)],
        b'[' => &[("[", LBracket)], b']' => &[("]", RBracket)], b';' => &[(";", Semi)], b',' => &[(",", Comma)], b':' => &[(":", Colon)],
        b'.' => &[("...", Ellipsis), (".", Dot)],
        b'<' => &[("<<=", ShlAssign), ("<<", Shl), ("<=", Le), ("<", Lt)],
        b'>' => &[(">>>=", UShrAssign), (">>>", UShr), (">>=", ShrAssign), (">>", Shr), (">=", Ge), (">", Gt)],
        b'=' => &[("===", EqEqEq), ("==", EqEq), ("=>", Arrow), ("=", Assign)],
        b'!' => &[("!==", NotEqEq), ("!=", NotEq), ("!", Bang)],
        b'+' => &[("++", PlusPlus), ("+=", PlusAssign), ("+", Plus)],
        b'-' => &[("--", MinusMinus), ("-=", MinusAssign), ("-", Minus)],
        b'*' => &[("**=", StarStarAssign), ("**", StarStar), ("*=", StarAssign), ("*", Star)],
        b'/' => &[("/=", SlashAssign), ("/", Slash)],
        b'%' => &[("%=", PercentAssign), ("%", Percent)],
        b'&' => &[("&&=", AmpAmpAssign), ("&&", AmpAmp), ("&=", AmpAssign), ("&", Amp)],
        b'|' => &[("||=", BarBarAssign), ("||", BarBar), ("|=", BarAssign), ("|", Bar)],
        b'^' => &[("^=", CaretAssign), ("^", Caret)],
        b'?' => &[("??=", QuestionQuestionAssign), ("??", QuestionQuestion), ("?.", QuestionDot), ("?", Question)],
        b'~' => &[("~.", TildeDot), ("~", Tilde)],
        _ => &[],
    }
}

impl Lexer<'_> {
    /// `line_start`: only white space and comments stand before it on its line.
    pub(super) fn punctuator(&mut self, byte: u8, line_start: bool) -> Tok {
        let rest = &self.bytes[self.pos..];
        let html = rest.starts_with(b"<!--") || line_start && rest.starts_with(b"-->");
        if html {
            let end = self.pos + if byte == b'<' { 4 } else { 3 };
            self.sink.error_help(
                "E-HTML-COMMENT",
                span(self.pos, end),
                "an old script could read this as a comment",
                "put spaces between the signs",
            );
        }
        for &(text, kind) in table(byte) {
            if !rest.starts_with(text.as_bytes()) {
                continue;
            }
            // `a?.5:b` is a conditional, `x~.5` no send.
            let digit = rest.get(text.len()).is_some_and(u8::is_ascii_digit);
            if digit && matches!(kind, QuestionDot | TildeDot) {
                continue;
            }
            self.pos += text.len();
            return kind;
        }
        let start = self.pos;
        self.pos += 1;
        let message = match byte {
            b'@' => "decorators are no part of the language".to_string(),
            _ => format!("the character U+{byte:04X} cannot stand here"),
        };
        self.sink.error("E-CHARACTER", span(start, self.pos), message);
        Invalid
    }
}
