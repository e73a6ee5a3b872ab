//! The objects that stand for the host's powers in this vat.
//!
//! Invariants
//! - one object for a power in a vat: it is passed to other vats as the power, and arrives as their object for it;
//! - what a power does is requested by entries of `engine::send`; `console` alone acts within the turn.
use engine::builtins::power;
use engine::cage::value::*;
use engine::cx::{Cx, Res};
use engine::roots::{self, R_GLOBAL, R_POWERS};
use engine::{array, cage::Mem, harden, object};
use passable::Power;

/// The object of a power.
pub fn object(cx: &mut Cx, m: Mem, p: Power) -> Res {
    let mut all = roots::get(m, R_POWERS);
    if !is_obj(all) {
        all = array::from_slice(cx, m, &[UNDEF; Power::ALL.len()])?;
        roots::set(cx, m, R_POWERS, all);
    }
    // an older heap may know fewer powers
    for _ in array::dense_len(m, all)..=p as u32 {
        array::push(cx, m, all, UNDEF)?;
    }
    let v = array::element(m, all, p as u32);
    if is_obj(v) {
        return Ok(v);
    }
    let v = match p {
        Power::Console => {
            let global = roots::get(m, R_GLOBAL);
            let console = object::get_str(cx, m, global, "console")?;
            harden::harden(cx, m, console)?
        }
        Power::Timer => power::object(cx, m, power::TIMER)?,
        Power::Vats => power::object(cx, m, power::VATS)?,
        Power::Random => power::object(cx, m, power::RANDOM)?,
        Power::Net => power::object(cx, m, power::NET)?,
        Power::Names => power::object(cx, m, power::NAMES)?,
    };
    array::set_existing(cx, m, all, p as u32, v)?;
    Ok(v)
}
