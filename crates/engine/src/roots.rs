//! The root object: what everything stored of a vat hangs on. It is the first object of old space and never moves,
//! so that a root is read from a constant address.
//! Length: a table.
//!
//! The numbers are a durable format: append-only.
use crate::cx::{Cx, Value};
use cage::Mem;
use cage::layout::{FRAMES, OLD, STACK};

macro_rules! roots { ($($name:ident = $n:literal, $what:literal;)*) => {
    $(#[doc = $what] pub const $name: u16 = $n;)*
    /// (number, name, what it is)
    pub const NAMES: &[(u16, &str, &str)] = &[$(($n, stringify!($name), $what)),*];
} }

/// Words of the root object after its header.
pub const COUNT: u32 = 400;

roots! {
    R_INTERN = 1, "weak table of interned strings";
    R_INTERN_USED = 2, "entries of it that are not holes";
    R_EMPTY = 3, "the empty string";
    R_CHARS = 4, "the 256 one-unit Latin-1 strings";
    R_HASH_KEY = 5, "key of string hashes (a double's bits)";
    R_NEXT_HASH = 6, "next identity hash (int)";
    R_ID = 7, "internal symbol under which an object's identity hash stands";
    R_GLOBAL = 8, "global object of the start compartment";
    R_UNITS = 9, "array of the loaded code units: [hash string, constants] each";
    R_SYMBOLS = 11, "registry of Symbol.for (a Map)";
    R_TABLE_SALT = 12, "reserved";
    R_UNLOCKED = 13, "true in an unlocked realm";
    R_REALM = 15, "internal object with what shipped script code looks up by name";

    R_GRAPH = 17, "while a graph of modules is evaluated: programs, namespace, promise";

    R_MAIN = 18, "promise of what the program's start returned";

    R_SHAPE_OBJECT = 20, "shape of {} with 4 inline slots";
    R_SHAPE_ARRAY = 21, "shape of arrays";
    R_SHAPE_ARROW = 22, "shape of closures that are no constructors: length, name virtual";
    R_SHAPE_FUNCTION = 23, "shape of closures that are constructors: length, name, prototype virtual";
    R_SHAPE_NATIVE = 24, "shape of builtin functions: length, name virtual";
    R_SHAPE_BOUND = 25, "shape of bound functions";
    R_SHAPE_MAP = 26, "shape of Map instances";
    R_SHAPE_SET = 27, "shape of Set instances";
    R_SHAPE_WEAKMAP = 28, "shape of WeakMap instances";
    R_SHAPE_WEAKSET = 29, "shape of WeakSet instances";
    R_SHAPE_PROMISE = 30, "shape of promises";
    R_SHAPE_ERROR = 31, "shape of errors with own message: first of eight, one for each ErrorKind";
    R_SHAPE_ARGS = 39, "shape of arguments objects";
    R_SHAPE_ITER = 40, "shapes of builtin iterators: first of eight (array, map, set, string, …)";
    R_SHAPE_ITER_RESULT = 48, "shape of { value, done }";
    R_SHAPE_NULL_PROTO = 49, "shape of an object without prototype";
    R_SHAPE_WRAPPER = 50, "shapes of wrappers: Boolean, Number, String, Symbol, BigInt";
    R_SHAPE_COMPARTMENT = 55, "shape of compartments";
    R_SHAPE_DESC = 56, "shape of { value, writable, enumerable, configurable }";
    R_SHAPE_KIT = 57, "shape of { promise, resolve, reject }";
    R_SHAPE_ASYNC_FUNCTION = 58, "shape of async closures";
    R_SHAPE_NAMESPACE = 59, "shape of module namespaces";

    R_OBJECT_PROTO = 80, "%Object.prototype%";
    R_FUNCTION_PROTO = 81, "%Function.prototype%";
    R_ARRAY_PROTO = 82, "%Array.prototype%";
    R_STRING_PROTO = 83, "%String.prototype%";
    R_NUMBER_PROTO = 84, "%Number.prototype%";
    R_BOOLEAN_PROTO = 85, "%Boolean.prototype%";
    R_SYMBOL_PROTO = 86, "%Symbol.prototype%";
    R_BIGINT_PROTO = 87, "%BigInt.prototype%";
    R_ERROR_PROTO = 88, "first of eight prototypes of errors, one for each ErrorKind";
    R_MAP_PROTO = 96, "%Map.prototype%";
    R_SET_PROTO = 97, "%Set.prototype%";
    R_WEAKMAP_PROTO = 98, "%WeakMap.prototype%";
    R_WEAKSET_PROTO = 99, "%WeakSet.prototype%";
    R_PROMISE_PROTO = 100, "%Promise.prototype%";
    R_PROMISE = 101, "%Promise%";
    R_ITERATOR_PROTO = 102, "%Iterator.prototype%";
    R_ITER_PROTO = 103, "prototypes of builtin iterators: first of eight (array, map, set, string, …)";
    R_ASYNC_ITERATOR_PROTO = 111, "%AsyncIteratorPrototype%";
    R_ASYNC_FUNCTION_PROTO = 112, "%AsyncFunction.prototype%";
    R_ARRAY_VALUES = 113, "%Array.prototype.values%";
    R_ARRAY = 114, "%Array%";
    R_OBJECT = 115, "%Object%";
    R_THROW_TYPE_ERROR = 116, "%ThrowTypeError%";
    R_COMPARTMENT_PROTO = 117, "%Compartment.prototype%";
    R_PROMISE_THEN = 118, "%Promise.prototype.then%";
    R_PROMISE_RESOLVE = 119, "%Promise.resolve%";
    R_ITER_NEXT = 120, "`next` of the builtin iterators: first of eight (array, map, set, string, …)";
    R_MAP_ENTRIES = 128, "%Map.prototype.entries%";
    R_SET_VALUES = 129, "%Set.prototype.values%";
    R_SYNC_TO_ASYNC = 130, "makes an async iterator of a sync one";

    R_SYM_ITERATOR = 150, "@@iterator";
    R_SYM_ASYNC_ITERATOR = 151, "@@asyncIterator";
    R_SYM_HAS_INSTANCE = 152, "@@hasInstance";
    R_SYM_TO_PRIMITIVE = 153, "@@toPrimitive";
    R_SYM_TO_STRING_TAG = 154, "@@toStringTag";
    R_SYM_SPECIES = 155, "@@species";
    R_SYM_IS_CONCAT_SPREADABLE = 156, "@@isConcatSpreadable";
    R_SYM_UNSCOPABLES = 157, "@@unscopables";
    R_SYM_MATCH = 158, "@@match";
    R_SYM_MATCH_ALL = 159, "@@matchAll";
    R_SYM_REPLACE = 160, "@@replace";
    R_SYM_SEARCH = 161, "@@search";
    R_SYM_SPLIT = 162, "@@split";

    R_STR_LENGTH = 180, "length";
    R_STR_NAME = 181, "name";
    R_STR_PROTOTYPE = 182, "prototype";
    R_STR_CONSTRUCTOR = 183, "constructor";
    R_STR_MESSAGE = 184, "message";
    R_STR_VALUE = 185, "value";
    R_STR_DONE = 186, "done";
    R_STR_NEXT = 187, "next";
    R_STR_RETURN = 188, "return";
    R_STR_THEN = 189, "then";
    R_STR_TO_STRING = 190, "toString";
    R_STR_VALUE_OF = 191, "valueOf";
    R_STR_GET = 192, "get";
    R_STR_SET = 193, "set";
    R_STR_WRITABLE = 194, "writable";
    R_STR_ENUMERABLE = 195, "enumerable";
    R_STR_CONFIGURABLE = 196, "configurable";
    R_STR_DEFAULT = 197, "default";
    R_STR_NUMBER = 198, "number";
    R_STR_STRING = 199, "string";
    R_STR_OBJECT = 200, "object";
    R_STR_FUNCTION = 201, "function";
    R_STR_UNDEFINED = 202, "undefined";
    R_STR_BOOLEAN = 203, "boolean";
    R_STR_SYMBOL = 204, "symbol";
    R_STR_BIGINT = 205, "bigint";
    R_STR_CAUSE = 206, "cause";
    R_STR_ERRORS = 207, "errors";
    R_STR_TO_JSON = 208, "toJSON";
    R_STR_NULL = 209, "null";
    R_STR_TRUE = 210, "true";
    R_STR_FALSE = 211, "false";
    R_STR_RAW = 212, "raw";
    R_STR_INDEX = 213, "index";
    R_STR_PROTO = 214, "__proto__";
    R_STR_CALLEE = 215, "callee";
    R_STR_STACK = 216, "stack";

    R_FAR = 301, "internal symbol under which the interface name of a Far object stands";
    R_DETAILS = 302, "internal symbol under which assert keeps what a details or quoted object stands for";
    R_SHAPE_SENDER = 303, "shape of what E(x) gives";
    R_SHARED_GLOBALS = 304, "array of names and values that the global object of every compartment has";
    R_LOCKDOWN = 305, "true once lockdown was called";
    R_DETAILS_PROTO = 306, "prototype of details";
    R_QUOTE_PROTO = 307, "prototype of quoted values";
    R_PRESENCES = 308, "reserved";
    R_SHAPE_ASYNC_FROM_SYNC = 311, "shape of async iterators over sync ones";
    R_ASYNC_FROM_SYNC_PROTO = 312, "%AsyncFromSyncIteratorPrototype%";
    R_NOTES = 309, "weak map from errors to the notes assert attached";

    R_SHAPE_PRESENCE = 313, "shape of presences";
    R_SELF = 314, "number of this vat (a number value)";
    R_NEXT_EXPORT = 315, "next number of an export";
    R_NEXT_PROMISE = 316, "next number of a promise that this vat names";
    R_EXPORTS = 317, "Map from numbers to exported objects";
    R_EXPORT_NUMBERS = 318, "weak map from objects and promises to their numbers";
    R_KNOWN = 319, "weak table of the objects and promises that stand for references";
    R_KNOWN_REFS = 320, "elements beside it: the reference's TUPLE of each";
    R_KNOWN_USED = 321, "places of it that are not holes (int)";
    R_POWERS = 322, "array of the objects of powers, by number";
    R_HASH_KEY2 = 323, "the second half of the key of string hashes (a double's bits)";
    R_INTERN_BASE = 324, "weak table of the strings that the base interned, hashed without a key";
    R_PROGRAM_GLOBAL = 325, "what the global objects of programs begin as";

    R_FREE = 250, "first of the roots that builtin modules give out by name (see builtins)";
}

// Roots that are empty between turns: words below the frames of the stack. Nothing of them is stored, so they need no barrier.
/// Job queue.
pub const T_JOBS: u16 = 0;
/// The job that runs.
pub const T_JOB: u16 = 1;
/// Ring of what leaves the vat in this turn (see `send`): the last of it.
pub const T_OUTGOING: u16 = 2;
/// Rejected promises nobody handles yet.
pub const T_UNHANDLED: u16 = 3;
/// How many there are in it (int).
pub const T_COUNT: u16 = 4;

const _: () = assert!(STACK + 8 * T_COUNT as u32 <= FRAMES - 8);

/// A root of the turn that runs; zero, which is no reference, if there is nothing.
#[inline(always)]
pub fn of_turn(m: Mem, n: u16) -> Value {
    m.r64(STACK, 8 * n)
}
#[inline(always)]
pub fn set_of_turn(m: Mem, n: u16, v: Value) {
    debug_assert!(n <= T_COUNT);
    m.w64(STACK, 8 * n, v);
}

/// Address of root `n`.
pub const fn at(n: u16) -> u32 {
    OLD + 8 * n as u32
}
#[inline(always)]
pub fn get(m: Mem, n: u16) -> Value {
    m.r64(OLD, 8 * n)
}
pub fn set(cx: &mut Cx, m: Mem, n: u16, v: Value) {
    assert!(n >= 1 && (n as u32) <= COUNT, "no such root");
    cx.heap.write(m, at(n), v);
}
