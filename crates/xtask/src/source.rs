//! A Rust source file as the checks of `tidy` read it.
//!
//! Invariant: `code` has exactly as many lines as `raw`, and each of its lines as many characters; everything inside comments,
//! strings and character literals is blanked, so a word found in `code` is a word of the program. The scanner knows no more of
//! Rust than that; it never fails, and on text that is not Rust it may blank too much.

/// One source file: as written, and with comments and literals blanked.
pub struct Source {
    pub path: String,
    pub raw: Vec<String>,
    pub code: Vec<String>,
    /// For each line: does it lie in code that is compiled for tests alone?
    pub test: Vec<bool>,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        let raw: Vec<String> = text.lines().map(str::to_owned).collect();
        let masked = mask(text);
        let mut code: Vec<String> = masked.lines().map(str::to_owned).collect();
        code.resize(raw.len(), String::new());
        let test = test_lines(path, &code);
        Source { path: path.to_owned(), raw, code, test }
    }

    /// The room (crate folder) this file belongs to: `crates/cage/src/lib.rs` is in `cage`.
    pub fn room(&self) -> Option<&str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Is this file part of the crate proper, not of its tests, examples or build script?
    pub fn is_core(&self) -> bool {
        self.path.split('/').nth(2) == Some("src")
    }

    /// The comment and attribute lines directly above line `at` (an index), nearest first.
    pub fn notes_above(&self, at: usize) -> impl Iterator<Item = &str> {
        let above = self.raw[..at].iter().rev().map(|line| line.trim());
        above.take_while(|line| line.starts_with("//") || line.starts_with("#[") || line.starts_with("#!["))
    }
}

/// Where `word` stands in `line` as a whole word.
pub fn find_word(line: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut from = 0;
    while let Some(found) = line[from..].find(word) {
        let start = from + found;
        let end = start + word.len();
        let clear_before = !line[..start].chars().next_back().is_some_and(is_part);
        let clear_after = !line[end..].chars().next().is_some_and(is_part) || !word.ends_with(is_part);
        if clear_before && clear_after {
            return Some(start);
        }
        from = end;
    }
    None
}

enum State {
    Code,
    Line,
    Block(u32),
    Text { hashes: Option<usize> },
}

/// Blank comments, strings and character literals, keeping every line break.
fn mask(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut state = State::Code;
    let mut at = 0;
    while at < chars.len() {
        let (next, taken) = step(&chars, at, &state);
        let visible = matches!(state, State::Code) && matches!(next, State::Code) && !is_char_literal(&chars, at);
        for &c in &chars[at..at + taken] {
            out.push(if c == '\n' || visible { c } else { ' ' });
        }
        state = next;
        at += taken;
    }
    out
}

fn starts(chars: &[char], at: usize, what: &str) -> bool {
    what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c))
}

/// The state after the characters at `at`, and how many of them were read (at least one).
fn step(chars: &[char], at: usize, state: &State) -> (State, usize) {
    match *state {
        State::Code => step_code(chars, at),
        State::Line if chars[at] == '\n' => (State::Code, 1),
        State::Line => (State::Line, 1),
        State::Block(depth) if starts(chars, at, "/*") => (State::Block(depth + 1), 2),
        State::Block(1) if starts(chars, at, "*/") => (State::Code, 2),
        State::Block(depth) if starts(chars, at, "*/") => (State::Block(depth - 1), 2),
        State::Block(depth) => (State::Block(depth), 1),
        State::Text { hashes: None } if chars[at] == '\\' => (State::Text { hashes: None }, 2.min(chars.len() - at)),
        State::Text { hashes: None } if chars[at] == '"' => (State::Code, 1),
        State::Text { hashes: Some(n) } if chars[at] == '"' && (1..=n).all(|i| chars.get(at + i) == Some(&'#')) => {
            (State::Code, 1 + n)
        }
        State::Text { hashes } => (State::Text { hashes }, 1),
    }
}

fn step_code(chars: &[char], at: usize) -> (State, usize) {
    if starts(chars, at, "//") {
        return (State::Line, 2);
    }
    if starts(chars, at, "/*") {
        return (State::Block(1), 2);
    }
    if chars[at] == '"' {
        return (State::Text { hashes: None }, 1);
    }
    let part_of_name = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if !part_of_name && let Some(hashes) = raw_string(chars, at) {
        return (State::Text { hashes: Some(hashes.0) }, hashes.1);
    }
    (State::Code, char_literal(chars, at).unwrap_or(1))
}

/// `r"`, `r#"`, `br##"`: the number of hashes and of characters up to and with the quote.
fn raw_string(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let mut here = at;
    if matches!(chars.get(here), Some('b' | 'c')) {
        here += 1;
    }
    if chars.get(here) != Some(&'r') {
        return None;
    }
    here += 1;
    let first_hash = here;
    while chars.get(here) == Some(&'#') {
        here += 1;
    }
    (chars.get(here) == Some(&'"')).then_some((here - first_hash, here + 1 - at))
}

/// The length of the character literal at `at`; a lifetime is none.
fn char_literal(chars: &[char], at: usize) -> Option<usize> {
    if chars[at] != '\'' {
        return None;
    }
    if chars.get(at + 1) == Some(&'\\') {
        let close = (at + 3..chars.len().min(at + 14)).find(|&i| chars[i] == '\'')?;
        return Some(close + 1 - at);
    }
    (chars.get(at + 1) != Some(&'\n') && chars.get(at + 2) == Some(&'\'')).then_some(3)
}

fn is_char_literal(chars: &[char], at: usize) -> bool {
    char_literal(chars, at).is_some()
}

/// Which lines are compiled for tests alone: all of `tests/` and `benches/`, files named after tests, and items under `#[cfg(test)]`.
fn test_lines(path: &str, code: &[String]) -> Vec<bool> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folders = path.split('/').any(|part| part == "tests" || part == "benches");
    if folders || name == "tests.rs" || name.ends_with("_tests.rs") || name.ends_with("_test.rs") {
        return vec![true; code.len()];
    }
    let mut test = vec![false; code.len()];
    for start in 0..code.len() {
        let line = code[start].trim();
        if line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(all(test") {
            let end = item_end(code, start, 0).unwrap_or(start);
            test[start..=end].fill(true);
        }
    }
    test
}

/// The line on which the item that begins at (`line`, `column`) ends: its matching brace, or its semicolon if that comes first.
pub fn item_end(code: &[String], line: usize, column: usize) -> Option<usize> {
    let mut braces = 0i32;
    let mut nested = 0i32;
    for (at, text) in code.iter().enumerate().skip(line) {
        let skip = if at == line { column } else { 0 };
        for c in text.chars().skip(skip) {
            match c {
                '(' | '[' => nested += 1,
                ')' | ']' => nested -= 1,
                '{' => braces += 1,
                '}' => braces -= 1,
                ';' if braces == 0 && nested == 0 => return Some(at),
                _ => {}
            }
            if c == '}' && braces <= 0 && nested <= 0 {
                return Some(at);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_comments_are_blanked() {
        let text =
            "let a = \"unsafe\"; // unsafe\nlet b = r#\"x \" unsafe\"#; /* a /* b */ unsafe */ let c = '\"';\nlet d = \"q\";\n";
        let source = Source::new("a.rs", text);
        assert!(source.code.iter().all(|line| find_word(line, "unsafe").is_none()), "{:?}", source.code);
        assert!(source.code[1].contains("let c ="));
        assert!(source.code[2].contains("let d ="));
        assert_eq!(source.code.len(), source.raw.len());
    }

    #[test]
    fn lifetimes_are_code_and_characters_are_not() {
        let source = Source::new("a.rs", "fn f<'a>(x: &'a str) -> char { '{' }\nfn g() -> char { '\\u{7b}' }\n");
        assert_eq!(source.code[0].matches('{').count(), 1);
        assert_eq!(source.code[1].matches('{').count(), 1);
    }

    #[test]
    fn words_are_whole() {
        assert_eq!(find_word("unsafe_code unsafe", "unsafe"), Some(12));
        assert_eq!(find_word("xtodo!()", "todo!("), None);
        assert_eq!(find_word("todo!(1)", "todo!("), Some(0));
    }

    #[test]
    fn test_modules_end_where_their_brace_does() {
        let source = Source::new("a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n");
        assert_eq!(source.test, [false, true, true, true, true, false]);
        assert!(Source::new("crates/x/tests/y.rs", "fn a() {}\n").test[0]);
    }

    #[test]
    fn array_types_do_not_end_an_item() {
        let code: Vec<String> = ["fn f(a: [u8; 4]) -> [u8; 2] {", "    x;", "}"].map(str::to_owned).to_vec();
        assert_eq!(item_end(&code, 0, 0), Some(2));
    }
}
