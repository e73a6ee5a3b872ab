//! Markdown text → the examples in it, in order.

use anyhow::{Result, bail};

/// The file that a program or script of the book is in.
pub const PROGRAM: &str = "example.js";

/// One thing to run, and what must come of it.
#[derive(Debug, PartialEq)]
pub struct Example {
    pub file: String,
    /// The line of the code or the command, counted from 1.
    pub line: usize,
    pub kind: Kind,
    /// The program text; empty for a command.
    pub code: String,
    /// Files that lie beside the program: name and text.
    pub files: Vec<(String, String)>,
    /// What must be printed, without the exit line.
    pub output: Vec<String>,
    pub exit: i32,
}

#[derive(Debug, PartialEq)]
pub enum Kind {
    /// A script, with options for `drses run`.
    Script(Vec<String>),
    /// A module whose default export gets powers, with options for `drses run`.
    Program(Vec<String>),
    Accept,
    /// The code that the diagnostics must name; empty for any.
    Reject(String),
    /// The words after `drses`.
    Command(Vec<String>),
    /// Commands in one folder of their own, with at most one of them in the background.
    Session(Vec<Step>),
}

/// One command of a session.
#[derive(Debug, PartialEq)]
pub struct Step {
    pub line: usize,
    pub action: Action,
    /// What it prints: a command until it ends, one in the background until the next step.
    pub output: Vec<String>,
    pub exit: i32,
}

#[derive(Debug, PartialEq)]
pub enum Action {
    /// `drses ARGS`
    Run(Vec<String>),
    /// `drses ARGS &`
    Start(Vec<String>),
    /// `cp FROM TO`, in the session's folder.
    Copy(String, String),
    /// `kill -9 %1`, `kill %1`: what is in the background ends by this signal.
    Kill(&'static str),
}

/// A fenced block: the line of its fence, what the fence says, and what stands inside.
struct Block {
    line: usize,
    info: String,
    body: Vec<String>,
}

/// All examples of one file. A block whose fence cannot be understood is an error, so that no test is skipped by a slip.
pub fn examples(file: &str, text: &str) -> Result<Vec<Example>> {
    let blocks = blocks(file, text)?;
    let mut found = Vec::new();
    let mut beside = Vec::new();
    let mut at = 0;
    while at < blocks.len() {
        let Block { line, info, body } = &blocks[at];
        let code = body.join("\n") + "\n";
        let make = |kind, output, exit| Example {
            file: file.to_owned(),
            line: line + 1,
            kind,
            code: code.clone(),
            files: Vec::new(),
            output,
            exit,
        };
        let words: Vec<&str> = info.split_whitespace().collect();
        match words[..] {
            ["js", word] if word.starts_with("file=") => beside.push((file_name(file, *line, word)?, code)),
            ["js", kind @ ("run" | "program"), ref options @ ..] => {
                let Some(next) = blocks.get(at + 1).filter(|next| next.info == "text output") else {
                    bail!("{file}:{line}: a `js {kind}` block needs a `text output` block after it");
                };
                let (output, exit) = expected(&next.body);
                let options = options.iter().map(|word| (*word).to_owned()).collect();
                let kind = if kind == "run" { Kind::Script(options) } else { Kind::Program(options) };
                let files = std::mem::take(&mut beside);
                found.push(Example { files, ..make(kind, output, exit) });
                at += 1;
            }
            ["js", "jessie"] => found.push(make(Kind::Accept, Vec::new(), 0)),
            ["js", "jessie", "reject"] => found.push(make(Kind::Reject(String::new()), Vec::new(), 1)),
            ["js", "jessie", "reject", code] => found.push(make(Kind::Reject(code.to_owned()), Vec::new(), 1)),
            ["console", "session"] => {
                let (kind, files) = (Kind::Session(session(file, *line, body)?), std::mem::take(&mut beside));
                found.push(Example { files, ..make(kind, Vec::new(), 0) });
            }
            ["console"] => found.extend(commands(file, *line, body)?),
            ["text", "output"] => bail!("{file}:{line}: an output block needs a `js run` or `js program` block before it"),
            ["js", ..] if words.len() > 1 => bail!("{file}:{line}: no such kind of example: `{info}`"),
            _ => {}
        }
        at += 1;
    }
    if let Some((name, _)) = beside.first() {
        bail!("{file}: no `js program` or `console session` block comes after the file `{name}`");
    }
    Ok(found)
}

/// The name in `file=bob.js`: one of a file in the program's own folder, and not the program's.
fn file_name(file: &str, line: usize, word: &str) -> Result<String> {
    let name = word.trim_start_matches("file=");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name == PROGRAM || name.starts_with('.') || !name.chars().all(plain) {
        bail!("{file}:{line}: `{name}` is no name for a file beside the program (which is `{PROGRAM}`)");
    }
    Ok(name.to_owned())
}

fn blocks(file: &str, text: &str) -> Result<Vec<Block>> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (open, fence) {
            (false, Some(info)) => {
                found.push(Block { line: index + 1, info: info.trim().to_owned(), body: Vec::new() });
                open = true;
            }
            (true, Some("")) => open = false,
            (true, _) => found.last_mut().expect("a block is open").body.push(line.to_owned()),
            (false, None) => {}
        }
    }
    if open {
        bail!("{file}: a fenced block is never closed");
    }
    Ok(found)
}

/// The output lines, and the exit status of a last line `[exit N]`.
fn expected(lines: &[String]) -> (Vec<String>, i32) {
    let exit = |line: &String| line.strip_prefix("[exit ")?.strip_suffix(']')?.parse().ok();
    match lines.split_last().and_then(|(last, rest)| Some((rest, exit(last)?))) {
        Some((rest, status)) => (rest.to_vec(), status),
        None => (lines.to_vec(), 0),
    }
}

/// A console block: commands and below each what it prints. A block with any other command is for reading only.
fn commands(file: &str, fence: usize, body: &[String]) -> Result<Vec<Example>> {
    let starts: Vec<usize> = (0..body.len()).filter(|at| body[*at].starts_with("$ ")).collect();
    let mut found = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let Some(words) = program_arguments(&body[*start][2..]) else { return Ok(Vec::new()) };
        let end = starts.get(index + 1).copied().unwrap_or(body.len());
        let (output, exit) = expected(&body[start + 1..end]);
        let line = fence + 1 + start;
        let (file, kind) = (file.to_owned(), Kind::Command(words));
        found.push(Example { file, line, kind, code: String::new(), files: Vec::new(), output, exit });
    }
    if starts.is_empty() {
        bail!("{file}:{fence}: a console block needs a line that begins with `$ `");
    }
    Ok(found)
}

/// The steps of a session. In it each command must be one that can be run.
fn session(file: &str, fence: usize, body: &[String]) -> Result<Vec<Step>> {
    let starts: Vec<usize> = (0..body.len()).filter(|at| body[*at].starts_with("$ ")).collect();
    let mut steps = Vec::new();
    let mut started = false;
    for (index, start) in starts.iter().enumerate() {
        let (text, line) = (&body[*start][2..], fence + 1 + start);
        let action = match (text, text.strip_suffix(" &")) {
            ("kill -9 %1", _) if started => Action::Kill("-KILL"),
            ("kill %1", _) if started => Action::Kill("-TERM"),
            (copy, None) if copy.starts_with("cp ") => match copy.split(' ').collect::<Vec<_>>()[..] {
                ["cp", from, to] => {
                    let name = |n: &str| file_name(file, line, &format!("file={n}"));
                    Action::Copy(name(from)?, name(to)?)
                }
                _ => Action::Kill(""),
            },
            (_, Some(command)) if !started => program_arguments(command).map(Action::Start).unwrap_or(Action::Kill("")),
            _ => program_arguments(text).map(Action::Run).unwrap_or(Action::Kill("")),
        };
        if action == Action::Kill("") {
            bail!(
                "{file}:{line}: a session has `drses …`, one `drses … &` at a time, `kill -9 %1`, `kill %1`, `cp FILE FILE`, not `{text}`"
            );
        }
        started = matches!(action, Action::Start(_)) || (started && !matches!(action, Action::Kill(_)));
        let end = starts.get(index + 1).copied().unwrap_or(body.len());
        let (output, exit) = expected(&body[start + 1..end]);
        steps.push(Step { line, action, output, exit });
    }
    if starts.first() != Some(&0) || started {
        bail!("{file}:{fence}: a session begins with a command, and kills what it leaves in the background");
    }
    Ok(steps)
}

/// The arguments of `drses`, for `drses ARGS` and `cargo run … -- ARGS`. Words may stand in single or double quotes.
fn program_arguments(command: &str) -> Option<Vec<String>> {
    let words = shell_words(command)?;
    let names: Vec<&str> = words.iter().map(String::as_str).collect();
    match names[..] {
        ["drses", ..] => Some(words[1..].to_vec()),
        ["cargo", "run", ..] if names.contains(&"drses") => {
            let dashes = names.iter().position(|word| *word == "--")?;
            Some(words[dashes + 1..].to_vec())
        }
        _ => None,
    }
}

/// Split at spaces outside quotes; nothing if the line needs a real shell.
fn shell_words(command: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut quote = None;
    let mut in_word = false;
    for c in command.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                words.extend((!in_word).then(String::new));
                in_word = true;
            }
            (None, ' ') => in_word = false,
            (None, '|' | '<' | '>' | ';' | '&' | '$' | '`' | '#') => return None,
            _ => {
                words.extend((!in_word).then(String::new));
                in_word = true;
                words.last_mut()?.push(c);
            }
        }
    }
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(Kind, Vec<String>, i32)> {
        examples("a.md", text)
            .expect("examples")
            .into_iter()
            .map(|example| (example.kind, example.output, example.exit))
            .collect()
    }

    #[test]
    fn scripts_take_the_output_block_after_them() {
        let text = "x\n```js run\nprint(1);\n```\nprints\n```text output\n1\n[exit 1]\n```\n```js\nnot run\n```\n";
        assert_eq!(kinds(text), [(Kind::Script(vec![]), vec!["1".to_owned()], 1)]);
        let found = examples("a.md", text).expect("examples");
        assert_eq!((found[0].line, found[0].code.as_str()), (3, "print(1);\n"));
    }

    #[test]
    fn options_follow_the_kind() {
        let text = "```js program --max-heap 1MiB\n```\n```text output\n```\n";
        assert_eq!(kinds(text), [(Kind::Program(vec!["--max-heap".to_owned(), "1MiB".to_owned()]), vec![], 0)]);
    }

    #[test]
    fn files_lie_beside_the_program_that_comes_after_them() {
        let text = "```js file=b.js\n1\n```\n```js program\n2\n```\n```text output\n```\n```js run\n```\n```text output\n```\n";
        let found = examples("a.md", text).expect("examples");
        assert_eq!(found[0].files, [("b.js".to_owned(), "1\n".to_owned())]);
        assert_eq!((found.len(), found[0].code.as_str(), found[1].files.len()), (2, "2\n", 0));
        for name in ["", "../b.js", "example.js", ".b", "x/b.js"] {
            let text = format!("```js file={name}\n```\n```js program\n```\n```text output\n```\n");
            assert!(examples("a.md", &text).is_err(), "{name:?}");
        }
        assert!(examples("a.md", "```js file=b.js\n```\n").is_err());
    }

    #[test]
    fn a_slip_in_a_fence_is_an_error() {
        for text in ["```js run\n1\n```\n", "```text output\n1\n```\n", "```js rnu\n1\n```\n", "```console\nls\n```\n", "```js\n"]
        {
            assert!(examples("a.md", text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_session_starts_kills_and_runs() {
        let text = "```js file=a.js\n1\n```\n```console session\n$ drses run a.js &\nhi\n$ kill -9 %1\n$ drses run a.js\n[exit 2]\n```\n";
        let found = examples("a.md", text).expect("examples");
        assert_eq!((found.len(), found[0].files[0].0.as_str()), (1, "a.js"));
        let words = vec!["run".to_owned(), "a.js".to_owned()];
        let step = |line, action, output: &[&str], exit| Step {
            line,
            action,
            output: output.iter().map(|s| (*s).to_owned()).collect(),
            exit,
        };
        let wanted = vec![
            step(5, Action::Start(words.clone()), &["hi"], 0),
            step(7, Action::Kill("-KILL"), &[], 0),
            step(8, Action::Run(words), &[], 2),
        ];
        assert_eq!(found[0].kind, Kind::Session(wanted));
        for body in ["$ kill -9 %1", "$ drses run a.js &", "$ ls", "text", "$ drses a &\n$ drses b &\n$ kill %1"] {
            assert!(examples("a.md", &format!("```console session\n{body}\n```\n")).is_err(), "{body:?}");
        }
    }

    #[test]
    fn jessie_blocks_are_accepted_or_rejected_by_name() {
        let text = "```js jessie\n```\n```js jessie reject JS-035\n```\n";
        assert_eq!(kinds(text), [(Kind::Accept, vec![], 0), (Kind::Reject("JS-035".to_owned()), vec![], 1)]);
    }

    #[test]
    fn commands_of_other_programs_are_for_reading() {
        let words = |list: &[&str]| Kind::Command(list.iter().map(|word| (*word).to_owned()).collect());
        let text = "```console\n$ drses run 'a b.js' \"\"\nhello\n$ cargo run --release -p drses -- check x.js\n[exit 1]\n```\n";
        assert_eq!(
            kinds(text),
            [(words(&["run", "a b.js", ""]), vec!["hello".to_owned()], 0), (words(&["check", "x.js"]), vec![], 1)]
        );
        assert_eq!(kinds("```console\n$ drses run a.js\n$ ls\n```\n"), []);
        assert_eq!(kinds("```console\n$ drses run a.js | wc\n```\n"), []);
    }
}
