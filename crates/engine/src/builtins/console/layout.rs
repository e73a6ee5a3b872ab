//! How the parts of a shown value are laid out in lines: the rules people know from Node's `util.inspect`.
//!
//! In: texts of entries. Out: one text.

/// Columns a line may take.
pub const WIDTH: usize = 80;
/// Levels that are put on one line if they fit.
pub const COMPACT: usize = 3;
/// Elements of an array or collection that are shown.
pub const MAX_ITEMS: usize = 100;

pub fn width(s: &str) -> usize {
    s.chars().count()
}

/// Entries with what stands round them.
pub struct Block {
    pub entries: Vec<String>,
    /// Before the brace, with a space between, if not empty.
    pub base: String,
    pub open: String,
    pub close: &'static str,
    pub is_array: bool,
    /// Array elements are numbers: right-aligned in columns.
    pub numbers: bool,
    /// The last entry says how many are not shown.
    pub more: bool,
    pub indent: usize,
    /// Levels below this one.
    pub below: usize,
}

/// On one line if it fits and is not too deep, else one entry (or row of short elements) a line.
pub fn join(mut b: Block) -> String {
    let count = b.entries.len();
    let entries = if b.is_array && count > 6 { columns(&b) } else { std::mem::take(&mut b.entries) };
    let base = if b.base.is_empty() { String::new() } else { format!("{} ", b.base) };
    if b.below < COMPACT && entries.len() == count {
        let start = count + b.indent + width(&b.open) + width(&b.base) + 10;
        let total = count + start + entries.iter().map(|e| width(e)).sum::<usize>();
        let fits = total <= WIDTH && 2 * count + start <= WIDTH;
        if fits && !b.base.contains('\n') && !entries.iter().any(|e| e.contains('\n')) {
            return format!("{base}{} {} {}", b.open, entries.join(", "), b.close);
        }
    }
    let pad = format!("\n{}", " ".repeat(b.indent));
    format!("{base}{}{pad}  {}{pad}{}", b.open, entries.join(&format!(",{pad}  ")), b.close)
}

/// Rows of short elements, aligned; the entries as they are where that would not look well.
fn columns(b: &Block) -> Vec<String> {
    let all = &b.entries;
    let shown = all.len() - b.more as usize;
    let lens: Vec<usize> = all[..shown].iter().map(|e| width(e)).collect();
    let longest = lens.iter().copied().max().unwrap_or(0);
    let total: usize = lens.iter().map(|l| l + 2).sum();
    let cell = longest + 2;
    let even = total as f64 / cell as f64 > 5.0 || longest <= 6;
    if cell * 3 + b.indent >= WIDTH || !even {
        return all.clone();
    }
    // about a square, a character being two and a half times as high as wide
    let bias = (cell as f64 - total as f64 / all.len() as f64).max(0.0).sqrt();
    let biased = (cell as f64 - 3.0 - bias).max(1.0);
    let square = (2.5 * biased * shown as f64).sqrt() / biased;
    let n = ((square + 0.5).floor() as usize).min((WIDTH - b.indent) / cell).min(COMPACT * 4).min(15);
    if n <= 1 {
        return all.clone();
    }
    let column = |i: usize| lens.iter().skip(i).step_by(n).copied().max().unwrap_or(0) + 2;
    let widths: Vec<usize> = (0..n).map(column).collect();
    let mut rows = Vec::new();
    for (r, row) in all[..shown].chunks(n).enumerate() {
        let mut line = String::new();
        for (j, e) in row.iter().enumerate() {
            let last = j + 1 == row.len();
            let text = if last { e.clone() } else { format!("{e}, ") };
            let want = widths[j] - if last { 2 } else { 0 };
            let have = lens[r * n + j] + if last { 0 } else { 2 };
            let gap = " ".repeat(want.saturating_sub(have));
            if b.numbers {
                line += &gap;
                line += &text;
            } else {
                line += &text;
                if !last {
                    line += &gap;
                }
            }
        }
        rows.push(line);
    }
    rows.extend(all[shown..].iter().cloned());
    rows
}

/// A string in quotes: single ones, or those it does not contain.
pub fn quote(s: &str) -> String {
    let q = if !s.contains('\'') {
        '\''
    } else if !s.contains('"') {
        '"'
    } else if !s.contains('`') && !s.contains("${") {
        '`'
    } else {
        '\''
    };
    let mut out = String::with_capacity(s.len() + 2);
    out.push(q);
    for c in s.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            '\\' => out.push_str("\\\\"),
            c if c == q => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 32 || (127..160).contains(&(c as u32)) => out.push_str(&format!("\\x{:02X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(q);
    out
}

/// A string within another value: cut at line ends if it is long.
pub fn quote_long(s: &str, indent: usize) -> String {
    let n = width(s);
    if n <= 16 || n + indent + 4 <= WIDTH {
        return quote(s);
    }
    let lines: Vec<String> = s.split_inclusive('\n').map(quote).collect();
    lines.join(&format!(" +\n{}", " ".repeat(indent + 2)))
}

/// A property name as it is written.
pub fn key(s: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if s == "__proto__" {
        "['__proto__']".to_owned()
    } else if !s.is_empty() && s.chars().all(word) && !s.starts_with(|c: char| c.is_ascii_digit()) {
        s.to_owned()
    } else {
        quote(s)
    }
}
