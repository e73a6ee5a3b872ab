//! The opcodes: one table, read by the compiler, the machine, the disassembler and the tests.
//! Length: a table.
//!
//! An instruction is a word `op : 8 | a : 8 | b : 8 | c : 8`, followed by `extra` words (`w1`, `w2`, …).
//! `rN` is register N of the frame; `r[a]` the register that field a names. In the operand strings:
//! `A B C` registers, `i` a signed and `u` an unsigned 8-bit immediate, `I` a signed 16-bit immediate in b, c (`b | c << 8`),
//! `J` a signed 24-bit jump in a, b, c, `j` an extra word that is a signed jump, `#` an extra word that is the plain index of a constant,
//! `@` an extra word that is a constant slot, `~` an extra word that is an inline cache, `f` an extra word that is a function's index,
//! `w` any other extra word, `n` a plain number in that field, `-` an unused field (0).
//! Jumps count in words from the end of the jumping instruction (its extra words included).
//!
//! The frame: r0 the closure, r1 the return word, r2 `this`, r3 … the parameters, then locals and temporaries.
//! A call at `a` lays the callee's frame over the caller's registers from `a` on: r[a] callee, r[a+1] nothing, r[a+2] `this`,
//! r[a+3] … arguments; the result comes to r[a], and **everything from r[a] up is lost**: nothing live may stand above.
//! A function with `F_ASYNC` begins with ASYNC; AWAIT saves and restores the whole frame.

macro_rules! table { ($($(#[$only:meta])* $name:ident = $num:literal, $operands:literal, $doc:literal;)*) => {
    $($(#[$only])* #[doc = $doc] pub const $name: u8 = $num;)*
    /// (number, name, operands, meaning)
    pub const OPS: &[(u8, &str, &str, &str)] = &[$($(#[$only])* ($num, stringify!($name), $operands, $doc)),*];
} }

table! {
    LDI = 1, "A I", "r[a] = imm";
    LDV = 2, "A n", "r[a] = constant value b: 0 undefined, 1 null, 2 false, 3 true, 4 uninitialised (TDZ), 5 hole";
    LDK = 3, "A - - @", "r[a] = constant (string, bigint, template; a shape is a CELL)";
    LDD = 4, "A - - w w", "r[a] = the double with bits w1 | w2 << 32";
    MOV = 5, "A B", "r[a] = r[b]";
    GETCAP = 6, "A n", "r[a] = capture b of the closure";
    GETCAPB = 7, "A n - #", "r[a] = value of the box that is capture b; ReferenceError naming #w1 if uninitialised";
    SETCAPB = 8, "A n - #", "value of the box that is capture b = r[a]; ReferenceError if it was uninitialised";
    NEWBOX = 9, "A B", "r[a] = new box holding r[b]";
    GETBOX = 10, "A B - #", "r[a] = value of box r[b]; ReferenceError if uninitialised";
    SETBOX = 11, "A B - #", "value of box r[a] = r[b]; ReferenceError if it was uninitialised";
    INITBOX = 12, "A B", "value of box r[a] = r[b], unchecked (initialisation)";
    CHECK = 13, "A - - #", "ReferenceError naming #w1 if r[a] is uninitialised (TDZ)";
    CLOSURE = 14, "A n n f", "r[a] = closure of function w1 with b captures, in (b+1)/2 further words of two 16-bit sources each, low half first: register number, or 0x8000 | number of own capture. c is 0";
    NEWENV = 15, "A - - w", "r[a] = new environment of w1 slots, all uninitialised (for functions with more variables than registers)";
    GETENV = 16, "A B - w #", "r[a] = slot w1 of environment r[b]; ReferenceError naming #w2 if uninitialised";
    SETENV = 17, "A B n w #", "slot w1 of environment r[a] = r[b]; ReferenceError if it was uninitialised unless c is 1 (initialisation)";

    GETP = 20, "A B - ~ #", "r[a] = r[b].key, key = #w2";
    GETM = 21, "A B - ~ #", "r[a] = r[b].key and r[a+2] = r[b] (a may not be b, nor a+2 hold anything needed)";
    SETP = 22, "A B - ~ #", "r[a].key = r[b] (Set, strict)";
    DEFP = 23, "A B - ~ #", "CreateDataPropertyOrThrow(r[a], key, r[b])";
    GETE = 24, "A B C", "r[a] = r[b][r[c]]";
    GETEM = 25, "A B C", "r[a] = r[b][r[c]] and r[a+2] = r[b]";
    SETE = 26, "A B C", "r[a][r[b]] = r[c] (Set, strict)";
    DEFE = 27, "A B C", "CreateDataPropertyOrThrow(r[a], r[b] (a property key, see TOKEY), r[c])";
    DEFACC = 28, "A B C w", "define accessor on r[a] under key r[b] (see TOKEY) with function r[c]; w1 is 0 getter, 1 setter; enumerable, configurable";
    DELE = 29, "A B C", "r[a] = delete r[b][r[c]] (strict: TypeError if refused)";
    GETG = 30, "A n n ~ #", "r[a] = global #w2 of the global object in capture b; absent: ReferenceError, or undefined if c is 1 (typeof)";
    SETG = 31, "A n C ~ #", "global #w2 = r[a] (capture b is the global object); ReferenceError if absent, or if c is not 0 and r[c] false";
    GETLEN = 32, "A B - ~ #", "as GETP for the key `length`";
    NEWREC = 33, "A B n @", "r[a] = new object with the c values r[b] … in the shape that constant @w1 is (c >= 1)";
    NEWOBJ = 34, "A", "r[a] = new empty object";
    NEWARR = 35, "A B n", "r[a] = new array of the c values r[b] …";
    PUSH = 36, "A B", "append r[b] to array r[a] (literals: r[b] may be a hole)";
    APPEND = 37, "A B", "append all that iterating r[b] gives to array r[a] (spread)";
    SETPROTO = 38, "A B", "the prototype of r[a] = r[b] if that is an object or null (literal __proto__: v)";
    COPYDATA = 39, "A B", "CopyDataProperties(r[a], r[b], []) (object spread; nullish copies nothing)";
    OBJREST = 40, "A B C w", "r[a] = object of the own enumerable properties of r[b] except the w1 keys r[c] … (see TOKEY)";
    TOKEY = 41, "A B C", "r[a] = ToPropertyKey(r[b]); TypeError before if r[c] is null or undefined (r0 never is)";
    HASG = 42, "A n - ~ #", "r[a] = whether the global object in capture b has #w2";
    IN = 43, "A B C", "r[a] = r[b] in r[c]";
    INSTANCEOF = 44, "A B C", "r[a] = r[b] instanceof r[c]";
    SETNAME = 45, "A B n", "SetFunctionName of the fresh closure r[a] to the key r[b]; c: 0 none, 1 prefix `get`, 2 prefix `set`";
    OBJCHECK = 46, "A", "TypeError if r[a] is null or undefined (RequireObjectCoercible before destructuring)";

    ADD = 50, "A B C", "r[a] = r[b] + r[c]";
    SUB = 51, "A B C", "r[a] = r[b] - r[c]";
    MUL = 52, "A B C", "r[a] = r[b] * r[c]";
    DIV = 53, "A B C", "r[a] = r[b] / r[c]";
    MOD = 54, "A B C", "r[a] = r[b] % r[c]";
    EXP = 55, "A B C", "r[a] = r[b] ** r[c]";
    BAND = 56, "A B C", "r[a] = r[b] & r[c]";
    BOR = 57, "A B C", "r[a] = r[b] | r[c]";
    BXOR = 58, "A B C", "r[a] = r[b] ^ r[c]";
    SHL = 59, "A B C", "r[a] = r[b] << r[c]";
    SHR = 60, "A B C", "r[a] = r[b] >> r[c]";
    USHR = 61, "A B C", "r[a] = r[b] >>> r[c]";
    ADDI = 62, "A B i", "r[a] = r[b] + c (also for - with the negated immediate: then r[b] is a number or bigint only in the ADDI sense; use SUBI)";
    SUBI = 63, "A B i", "r[a] = r[b] - c";
    MULI = 64, "A B i", "r[a] = r[b] * c";
    MODI = 65, "A B u", "r[a] = r[b] % c";
    BANDI = 66, "A B u", "r[a] = r[b] & c";
    BORI = 67, "A B u", "r[a] = r[b] | c";
    SHLI = 68, "A B u", "r[a] = r[b] << c";
    SHRI = 69, "A B u", "r[a] = r[b] >> c";
    USHRI = 70, "A B u", "r[a] = r[b] >>> c";
    NEG = 71, "A B", "r[a] = -r[b]";
    PLUS = 72, "A B", "r[a] = +r[b]";
    BNOT = 73, "A B", "r[a] = ~r[b]";
    NOT = 74, "A B", "r[a] = !r[b]";
    TYPEOF = 75, "A B", "r[a] = typeof r[b]";
    TONUM = 76, "A B", "r[a] = ToNumeric(r[b]) (postfix ++ and --)";
    INC = 77, "A B", "r[a] = ToNumeric(r[b]) + 1";
    DEC = 78, "A B", "r[a] = ToNumeric(r[b]) - 1";
    LT = 79, "A B C", "r[a] = r[b] < r[c]";
    LE = 80, "A B C", "r[a] = r[b] <= r[c]";
    GT = 81, "A B C", "r[a] = r[b] > r[c]";
    GE = 82, "A B C", "r[a] = r[b] >= r[c]";
    SEQ = 83, "A B C", "r[a] = r[b] === r[c]";
    SNE = 84, "A B C", "r[a] = r[b] !== r[c]";
    EQ = 85, "A B C", "r[a] = r[b] == r[c]";
    NE = 86, "A B C", "r[a] = r[b] != r[c]";
    TOSTR = 87, "A B", "r[a] = ToString(r[b]) (template substitution)";
    CONCAT = 88, "A B n", "r[a] = the c strings r[b] … joined";

    JMP = 100, "J", "jump";
    JT = 101, "A - - j", "jump if ToBoolean(r[a])";
    JF = 102, "A - - j", "jump if not ToBoolean(r[a])";
    JNULL = 103, "A - - j", "jump if r[a] is null or undefined";
    JNNULL = 104, "A - - j", "jump if r[a] is neither null nor undefined";
    JUNDEF = 105, "A - - j", "jump if r[a] is undefined";
    JNUNDEF = 106, "A - - j", "jump if r[a] is not undefined";
    JLT = 107, "A B n j", "jump if r[a] < r[b]; c = 1: r[b] is converted first (for a swapped >)";
    JNLT = 108, "A B n j", "jump if not r[a] < r[b]; c likewise";
    JLE = 109, "A B n j", "jump if r[a] <= r[b]; c likewise (for a swapped >=)";
    JNLE = 110, "A B n j", "jump if not r[a] <= r[b]; c likewise";
    JSEQ = 111, "A B - j", "jump if r[a] === r[b]";
    JSNE = 112, "A B - j", "jump if r[a] !== r[b]";
    JEQ = 113, "A B - j", "jump if r[a] == r[b]";
    JNE = 114, "A B - j", "jump if r[a] != r[b]";
    JLTI = 115, "A I j", "jump if r[a] < imm";
    JNLTI = 116, "A I j", "jump if not r[a] < imm";
    JLEI = 117, "A I j", "jump if r[a] <= imm";
    JNLEI = 118, "A I j", "jump if not r[a] <= imm";
    JGTI = 119, "A I j", "jump if r[a] > imm";
    JNGTI = 120, "A I j", "jump if not r[a] > imm";
    JGEI = 121, "A I j", "jump if r[a] >= imm";
    JNGEI = 122, "A I j", "jump if not r[a] >= imm";
    JSEQI = 123, "A I j", "jump if r[a] === imm";
    JSNEI = 124, "A I j", "jump if r[a] !== imm";
    JTABLE = 125, "A B - w j", "reserved";

    CALL = 130, "A n", "call r[a] with this undefined and b arguments; result to r[a]";
    CALLM = 131, "A n", "call r[a] with this r[a+2] and b arguments; result to r[a]";
    CALLV = 132, "A", "call r[a] with this r[a+2] and the elements of array r[a+3]; result to r[a] (for no this, set r[a+2] to undefined)";
    NEW = 133, "A n", "r[a] = Construct(r[a], b arguments r[a+3] …), new.target r[a]";
    NEWV = 134, "A", "r[a] = Construct(r[a], elements of array r[a+3])";
    RET = 135, "A", "return r[a]";
    RETU = 136, "", "return undefined";
    REST = 137, "A", "r[a] = array of the arguments beyond the parameters (first instruction, before any register above the parameters is written)";
    ARGS = 138, "A", "r[a] = the arguments object, unmapped (first instruction, as REST; in a function that has both, ARGS comes first and REST takes from it: c is then unused)";
    SEND = 139, "A n n", "eventual send: target r[a], key or method name r[a+1], arguments r[a+2] …; b is the form: 0 get, 1 method, 2 apply (r[a+1] unused), plus 4 if the result is unused; c arguments; result promise (or undefined) to r[a]";
    SENDV = 140, "A n", "as SEND; the arguments are the elements of array r[a+2]";
    THROW = 141, "A", "throw r[a]";
    THROWC = 142, "A - - #", "throw a TypeError: assignment to constant #w1";
    NEWTARGET = 143, "A", "r[a] = new.target";

    ITER = 150, "A B", "begin iterating r[b] (sync): iterator state in r[a], r[a+1]; r[a+2] is for the value";
    NEXT = 151, "A B - j j", "advance the iterator at r[a]: if the machine can at once, the value goes to r[a+2] and it jumps by w1, or, if exhausted, by w2; else it calls `next` with its frame at r[b] and goes on behind, where ITERRES must stand";
    ITERRES = 152, "A B - j", "r[b] is what `next` gave: TypeError unless an object; if done jump by w1, else r[a+2] = its value (w1 counts from the end of this instruction)";
    ITERCLOSE = 153, "A B n", "IteratorClose of the iterator at r[a]; r[b] … are free registers; c = 1: after a throw, errors of `return` are dropped";
    AITER = 154, "A B", "begin async iteration of r[b] (Symbol.asyncIterator, else from the sync iterator): state in r[a], r[a+1]";
    FORIN = 155, "A B", "r[a] = array of the enumerable string keys of r[b] and its prototypes (for-in; nullish gives the empty array)";
    FORINCHECK = 156, "A B C", "r[a] = whether string key r[c] is still a property of r[b]";

    ASYNC = 160, "A", "first instruction of an async function: r[a] = its coroutine";
    AWAIT = 161, "A B C", "suspend coroutine r[c] until r[b] is settled; then r[a] = its value, or the reason is thrown here";
    RETASYNC = 162, "A B", "resolve the promise of coroutine r[b] with r[a], return the promise";
    REJASYNC = 163, "A B", "reject the promise of coroutine r[b] with r[a], return the promise";
    LINKED = 164, "A", "of a module's program, its functions made: suspend coroutine r[a], give it to the linker; resumed with it to evaluate the module";
    NOP = 170, "", "nothing";
    HARDEN = 171, "A", "harden r[a] (Jessie: literals that need it)";
    THIS = 172, "A", "r[a] = this of the frame, for arrows the captured one (the compiler captures it; reserved)";
    IMPORTMETA = 173, "A", "reserved";
    PAY = 174, "n", "take a units of fuel, for instructions before it that no backward jump, call or return has paid for";
    #[cfg(feature = "moved-base")]
    LATER = 252, "A", "r[a] = undefined: what a build with the feature `moved-base` has and others have not";
    EXIT = 253, "", "back to Rust (the machine's own; not emitted)";
    GETRET = 254, "", "a call made for an instruction came back: its result goes to the register noted above the frame (the machine's own)";
    NEWRET = 255, "", "likewise for a constructor (the machine's own)";
}

/// Words after the first of the instruction `op`, CLOSURE's sources not counted. `None`: no such opcode.
pub const fn extra(op: u8) -> Option<u32> {
    let mut i = 0;
    while i < OPS.len() {
        if OPS[i].0 == op {
            let s = OPS[i].2.as_bytes();
            let (mut k, mut n) = (0, 0);
            while k < s.len() {
                if matches!(s[k], b'j' | b'#' | b'@' | b'~' | b'f' | b'w') {
                    n += 1;
                }
                k += 1;
            }
            return Some(n);
        }
        i += 1;
    }
    None
}

/// Puts an instruction's first word together.
pub const fn word(op: u8, a: u8, b: u8, c: u8) -> u32 {
    u32::from_le_bytes([op, a, b, c])
}
