//! Builtin functions: the table of natives and what installs them in a realm.
//!
//! In: nothing. Out: `native(number)`, `TABLES`, `install`.
//!
//! Invariants
//! - a builtin's number is a durable format: append-only, one block of numbers a module (see `TABLES`);
//! - natives are `leaf` (call no program code) or `reentrant` (may, through `interp::call`, which bounds the nesting);
//!   what calls back in a loop is `script`: JavaScript that we ship (see `script/`), compiled into the base;
//! - a native charges the meter before it works, at least every 10 ms of work.
pub mod array;
pub mod array_more;
mod array_parts;
pub mod assert;
pub mod async_iter;
pub mod bigint;
pub mod boolean;
pub mod compartment;
pub mod console;
pub mod error;
pub mod eventual;
pub mod function;
pub mod globals;
pub mod iterate;
pub mod iterator;
pub mod json;
pub mod json_parse;
mod later;
pub mod makers;
pub mod map_set;
pub mod math;
pub mod normalize;
pub mod number;
pub mod object;
pub mod object_proto;
pub mod power;
pub mod promise;
pub mod reflect;
pub mod script;
pub mod ses;
pub mod set_ops;
pub mod sort;
pub mod string;
pub mod string_case;
pub mod string_more;
pub mod symbol;
#[cfg(test)]
mod tests;
pub mod text;
pub mod unlocked;
pub mod weak;

use crate::cx::{Cx, NativeFn, Res};
use crate::realm::Realm;
use cage::Mem;

pub use array::PUSH as ARRAY_PUSH;
pub use function::{APPLY as FUNCTION_APPLY, CALL as FUNCTION_CALL};
pub use string::CHAR_CODE_AT;

/// One builtin.
pub struct Native {
    pub number: u16,
    /// The `name` property.
    pub name: &'static str,
    /// The `length` property.
    pub length: u8,
    /// May be the target of `new` (then `Args::new_target` says so).
    pub constructor: bool,
    pub run: NativeFn,
}

/// A row of a module's table.
pub const fn f(number: u16, name: &'static str, length: u8, run: NativeFn) -> Native {
    Native { number, name, length, constructor: false, run }
}
/// A row for a constructor.
pub const fn ctor(number: u16, name: &'static str, length: u8, run: NativeFn) -> Native {
    Native { number, name, length, constructor: true, run }
}

/// Blocks of numbers: error 0x010, object 0x040, function 0x0A0, array 0x0C0, string 0x140, number 0x1C0, math 0x200,
/// symbol 0x240, bigint 0x260, boolean 0x280, reflect 0x290, json 0x2B0, map and set 0x2C0, weak collections 0x300,
/// iterators 0x320, promise 0x340, eventual send 0x380, harden, assert and other SES 0x3C0, compartment 0x420, console 0x460,
/// helpers for script code 0x480, globals (parseInt …) 0x4C0, unlocked realms 0x4E0,
/// powers 0x500.
const TABLES: &[&[Native]] = &[
    error::TABLE,
    unlocked::TABLE,
    object::TABLE,
    object_proto::TABLE,
    function::TABLE,
    number::TABLE,
    math::TABLE,
    symbol::TABLE,
    bigint::TABLE,
    boolean::TABLE,
    reflect::TABLE,
    globals::TABLE,
    array::TABLE,
    array_more::TABLE,
    iterator::TABLE,
    string::TABLE,
    string_more::TABLE,
    string_case::TABLE,
    json::TABLE,
    script::TABLE,
    map_set::TABLE,
    set_ops::TABLE,
    console::TABLE,
    weak::TABLE,
    promise::TABLE,
    async_iter::TABLE,
    eventual::TABLE,
    ses::TABLE,
    makers::TABLE,
    assert::TABLE,
    compartment::TABLE,
    power::TABLE,
];

/// Numbers below this.
pub const MAX: usize = 0x600;

static BY_NUMBER: std::sync::LazyLock<[Option<&'static Native>; MAX]> = std::sync::LazyLock::new(|| {
    let mut t = [None; MAX];
    for n in TABLES.iter().flat_map(|t| t.iter()) {
        let slot = &mut t[n.number as usize];
        assert!(slot.is_none(), "builtin number {:#x} given twice", n.number);
        *slot = Some(n);
    }
    t
});

/// The builtin with this number.
#[inline]
pub fn native(number: u16) -> Option<&'static Native> {
    BY_NUMBER.get(number as usize).copied().flatten()
}

type Install = fn(&mut Cx, Mem, &Realm) -> Res<()>;

/// These need one another in no order.
const ANY_ORDER: &[Install] = &[
    globals::install,
    error::install,
    symbol::install,
    boolean::install,
    number::install,
    bigint::install,
    math::install,
    reflect::install,
];
/// These do.
const IN_ORDER: &[Install] = &[
    iterator::install,
    script::install_helpers,
    array::install,
    string::install,
    json::install,
    console::install,
    map_set::install,
    set_ops::install,
    weak::install,
    promise::install,
    async_iter::install,
    eventual::install,
    ses::install,
    makers::install,
    assert::install,
    unlocked::install,
];

/// Fills a realm, in an order that never changes.
pub fn install(cx: &mut Cx, m: Mem, realm: &Realm) -> Res<()> {
    crate::send::prepare(cx, m)?;
    object::install(cx, m, realm)?;
    function::install(cx, m, realm)?;
    for part in realm.arrangement.order(ANY_ORDER).chain(IN_ORDER) {
        part(cx, m, realm)?;
        crate::realm::pad(cx, m, realm.arrangement, 2)?;
    }
    if realm.arrangement.is_moved() {
        later::install(cx, m, realm)?;
    }
    // the last one: it notes what all compartments share
    compartment::install(cx, m, realm)
}
