//! Every bound of the front end: a name, a unit, and the code of the diagnostic that reports it.
//!
//! Invariant: reaching a limit is a diagnostic, never a panic and never an unbounded wait.

/// `E-SIZE`: the longest source text that is read.
pub const MAX_SOURCE_BYTES: usize = 64 * 1024 * 1024;

/// `E-NESTING`: how deep expressions, statements, patterns and functions may stand in each other. A bracket, a block, a
/// unary operator, a branch of `?:` count one each; a function counts what its statements and expressions count.
/// Chosen so that an unoptimised build survives on a thread of 2 MiB.
pub const MAX_NESTING: u32 = 1024;

/// After this many diagnostics the rest of the text is not looked at.
pub const MAX_DIAGNOSTICS: usize = 100;

/// `E-LIMIT`: how many bindings of enclosing functions one function may use (the lists are transitive, so without a
/// bound a short program could ask for much memory).
pub const MAX_CAPTURES: usize = 65_535;

/// `E-LIMIT`: digits of a BigInt written in hexadecimal, octal or binary and used as a property key.
pub const MAX_BIGINT_KEY_DIGITS: usize = 4096;

/// `E-LIMIT`: expressions, and as many statements and patterns, of one text: a bound on the memory of its tree.
pub const MAX_NODES: usize = 16_000_000;

/// `E-LIMIT`: functions (methods and field initialisers too) of one text.
pub const MAX_FUNCTIONS: usize = 1_000_000;
