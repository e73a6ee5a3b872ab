//! Runs scripts (temporary driver).
use engine::engine::Engine;
use engine::machine::{Base, Machine, Outcome, Quota};
use std::sync::Arc;
fn main() {
    let engine = Arc::new(Engine::new().unwrap());
    let base = Base::build(&engine, false).unwrap();
    let mut mach = Machine::new(&engine, &base, Quota::default()).unwrap();
    for f in std::env::args().skip(1) {
        if f == "--stress" { mach.set_stress(true); continue; }
        let t = mach.run_script(&std::fs::read_to_string(&f).unwrap(), &f);
        for l in t.output { println!("{}", l.text); }
        match t.outcome { Outcome::Done(_) => {}, Outcome::Threw(e) => println!("! {e}"), Outcome::Aborted(a) => println!("! abort {a:?}"), _ => {} }
        for u in t.unhandled { println!("unhandled {u}"); }
    }
}
