//! At opt-level 0 rustc makes no tail calls, so there the interpreter takes its `match` loop. Profile overrides do not
//! reach those who embed the crate; what it is really built with does.
fn main() {
    println!("cargo::rustc-check-cfg=cfg(drses_match_loop)");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("OPT_LEVEL").as_deref() == Ok("0") {
        println!("cargo::rustc-cfg=drses_match_loop");
    }
}
