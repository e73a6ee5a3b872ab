//! Byte offsets in, lines and columns out, as editors count them.
//!
//! Invariant: lines and columns begin at 1; columns count UTF-16 code units; `\n`, `\r`, `\r\n`, U+2028 and U+2029 end lines.

/// A place as a person names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: u32,
    /// In UTF-16 code units.
    pub column: u32,
}

#[derive(Debug)]
pub struct LineIndex<'s> {
    source: &'s str,
    /// The offset at which each line begins.
    starts: Vec<u32>,
}

impl<'s> LineIndex<'s> {
    pub fn new(source: &'s str) -> Self {
        let bytes = source.as_bytes();
        let mut starts = vec![0];
        for (i, &byte) in bytes.iter().enumerate() {
            let ends = match byte {
                b'\n' => true,
                b'\r' => bytes.get(i + 1) != Some(&b'\n'),
                0xa8 | 0xa9 => i >= 2 && bytes[i - 2..i] == [0xe2, 0x80],
                _ => false,
            };
            if ends {
                starts.push(i as u32 + 1);
            }
        }
        LineIndex { source, starts }
    }

    /// The place of a byte offset; one beyond the text or within a character is taken back to the next before.
    pub fn place(&self, offset: u32) -> Place {
        let mut offset = (offset as usize).min(self.source.len());
        while !self.source.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|&s| s as usize <= offset);
        let start = self.starts[line - 1] as usize;
        let column = self.source[start..offset].encode_utf16().count() + 1;
        Place { line: line as u32, column: column as u32 }
    }

    /// The lines that hold two offsets, whole: where they begin and end.
    pub fn lines_around(&self, start: u32, end: u32) -> (usize, usize) {
        let line = |offset: u32| self.starts.partition_point(|&s| s <= offset);
        let from = self.starts[line(start).max(1) - 1] as usize;
        let to = self.starts.get(line(end.max(start))).map_or(self.source.len(), |&s| s as usize);
        (from.min(to), to)
    }

    /// How many lines the text has.
    pub fn lines(&self) -> usize {
        self.starts.len()
    }
}
