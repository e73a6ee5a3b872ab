//! What scope analysis says about bindings, uses and functions.
use syntax::ast::*;
use syntax::diagnostic::Level;
use syntax::{Options, parse};

fn read(source: &str, goal: Goal) -> Tree {
    let parsed = parse(source, &Options { goal, level: Level::Strict, dialect_2013: false });
    assert!(parsed.diagnostics.is_empty(), "{source}: {:?}", parsed.diagnostics);
    parsed.tree
}

/// The flags of each binding, in order: `name:` and of c(aptured) r(eassigned) t(dz) b(oxed) those that hold.
fn bindings(source: &str) -> String {
    let tree = read(source, Goal::Script);
    let flags = |b: &Binding| {
        let all = [(b.captured, 'c'), (b.reassigned, 'r'), (b.tdz, 't'), (b.boxed, 'b')];
        all.iter().filter(|f| f.0).map(|f| f.1).collect::<String>()
    };
    tree.bindings.iter().map(|b| format!("{}:{}", tree.name_text(b.name), flags(b))).collect::<Vec<_>>().join(" ")
}

/// The uses that check, by name and column.
fn checks(source: &str) -> String {
    let tree = read(source, Goal::Script);
    let list = tree.refs.iter().filter(|r| r.check);
    list.map(|r| format!("{}@{}", tree.name_text(r.name), r.span.start)).collect::<Vec<_>>().join(" ")
}

/// What each function captures.
fn captures(source: &str) -> Vec<String> {
    let tree = read(source, Goal::Script);
    let names = |f: &Function| f.captures.iter().map(|b| tree.name_text(tree.binding(*b).name)).collect::<Vec<_>>().join(" ");
    tree.functions.iter().map(names).collect()
}

#[test]
fn what_is_boxed() {
    for (source, expected) in [
        ("const a = 1; () => a;", "a:c"),
        ("let a = 1; a = 2; a;", "a:r"),
        ("let a = 1; () => { a = 2; };", "a:crb"),
        ("const f = () => f();", "f:cb"),
        ("const f = harden(() => f());", "f:ctb"),
        ("function f() { return f(); }", "f:cb"),
        ("function f() { return g(); } function g() {}", "f: g:cb"),
        ("function f() {} function g() { return f(); }", "f:c g:"),
        ("function f() { return a; } let a = 1;", "f: a:ctb"),
        ("for (let i = 0; i < 1; i++) { () => i; }", "i:crb"),
        ("for (const i of []) { () => i; }", "i:c"),
        ("var a = 1; () => a;", "a:crb"),
        ("(a, b = () => a) => b;", "a:c b:"),
        ("(a = () => b, b) => a;", "a: b:cb"),
        ("(a) => { function g() { return a; } };", "a:c g:"),
        ("switch (1) { case 0: let a = 1; default: () => a; }", "a:ctb"),
        ("class C { m() { return C; } }", "C: C:cb"),
        ("const f = function g() { return g; };", "f: g:"),
        ("const f = function g() { return () => g; };", "f: g:c"),
        ("function f(a) { var a = 1; return a; }", "f: a:r"),
        ("try {} catch (e) { () => e; }", "e:c"),
        ("function f() { return () => arguments; }", "f: arguments:c"),
    ] {
        assert_eq!(bindings(source), expected, "{source}");
    }
}

#[test]
fn which_uses_check() {
    for (source, expected) in [
        ("let a = 1; a;", ""),
        ("a; let a = 1;", "a@0"),
        ("let a = a;", "a@8"),
        ("let {a} = a;", "a@10"),
        ("let a = 1, b = a;", ""),
        ("() => a; let a = 1;", "a@6"),
        ("let a = 1; () => a; ({ m() { a; } });", ""),
        ("let a = 1; function f() { a; }", "a@26"),
        ("let a = 1; { function f() { a; } }", ""),
        ("switch (1) { case 0: let a = 1; a; case 1: a; }", "a@32 a@43"),
        ("for (let a of a) {}", "a@14"),
        ("for (let a of [1]) { a; () => a; }", ""),
        ("for (let i = 0; i < 1; i++) i;", ""),
        ("class C extends C {}", "C@16"),
        ("class C { static x = C; [C] = 1; m() { C; } }", "C@25"),
        ("class C {} C;", ""),
        ("f(); function f() {} var a; a;", ""),
        ("while (1) { b; let b = 1; }", "b@12"),
    ] {
        assert_eq!(checks(source), expected, "{source}");
    }
}

#[test]
fn captures_are_transitive_and_in_order_of_use() {
    assert_eq!(captures("let a = 1, b = 2; () => { () => { b; a; } ; };"), ["", "b a", "b a"]);
    assert_eq!(captures("(x) => { (y) => { x; y; } ; };"), ["", "", "x"]);
    // A function within the parameters of an arrow belongs to the arrow.
    assert_eq!(captures("(x, f = () => x) => f;"), ["", "x", ""]);
    assert_eq!(captures("let a = 1; (x, f = () => a) => f;"), ["", "a", "a"]);
}

#[test]
fn functions_know_their_parents() {
    let tree = read("(x, f = () => x, c = class { m() { return x; } }) => f;", Goal::Script);
    for (i, f) in tree.functions.iter().enumerate().skip(1) {
        let outer = if f.span.start == 0 { 0 } else { f.parent.index() };
        assert_eq!(f.parent.index(), outer, "{i}");
        assert_eq!(tree.scope(f.param_scope).func.index(), i);
        assert_eq!(tree.scope(f.body_scope).parent, Some(f.param_scope));
        if f.span.start != 0 {
            assert_eq!(tree.func(f.parent).span.start, 0);
            assert_ne!(f.parent, FuncId(0));
        }
    }
}

#[test]
fn this_goes_through_arrows_and_no_further() {
    let tree = read(
        "function f() { () => { () => this; }; function g() {} } () => new.target;".replace(" () => new.target;", "").as_str(),
        Goal::Script,
    );
    let flags: Vec<(bool, bool)> = tree.functions.iter().map(|f| (f.uses_this, f.captures_this)).collect();
    assert_eq!(flags, [(false, false), (true, false), (true, true), (true, true), (false, false)]);
}

#[test]
fn globals_mark_every_function_on_the_way() {
    let tree = read("() => { () => foo; }; () => 1;", Goal::Script);
    let flags: Vec<bool> = tree.functions.iter().map(|f| f.uses_globals).collect();
    assert_eq!(flags.iter().filter(|f| **f).count(), 3);
}

#[test]
fn modules_resolve_their_exports() {
    let tree = read(
        "import d, {a as b} from 'm'; import * as ns from 'n'; export {b as c, ns, x}; let x = 1; export * from 'm'; \
         export * as q from 'o'; export default function () {}",
        Goal::Module,
    );
    let texts: Vec<String> = tree.module.requests.iter().map(|r| tree.name_text(r.0)).collect();
    assert_eq!(texts, ["m", "n", "o"]);
    let shown = tree.module.exports.iter().map(|e| match e {
        ExportEntry::Local { name, binding } => {
            format!("{}={}", tree.name_text(*name), tree.name_text(tree.binding(*binding).name))
        }
        ExportEntry::Indirect { name, request, import } => {
            format!("{}<{request}.{}", tree.name_text(*name), import.map_or("*".into(), |i| tree.name_text(i)))
        }
        ExportEntry::Star { request } => format!("*<{request}"),
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    assert_eq!(shown, ["*<0", "c<0.a", "default=*default*", "ns=ns", "q<2.*", "x=x"]);
    let boxed: Vec<String> = tree.bindings.iter().filter(|b| b.boxed).map(|b| tree.name_text(b.name)).collect();
    assert_eq!(boxed, ["d", "b", "ns", "x", "*default*"]);
}

#[test]
fn every_use_is_resolved() {
    let tree = read("const f = ({a = b, ...c}, [d] = [a]) => { l: for (;;) { break l; } return c + d + e; };", Goal::Script);
    let open: Vec<String> = tree.refs.iter().filter(|r| r.to == Resolution::Unresolved).map(|r| tree.name_text(r.name)).collect();
    // Only the label, which was read as an expression and belongs to no node.
    assert_eq!(open, ["l"]);
}

#[test]
fn sends_whose_value_is_dropped() {
    let only = |source: &str| {
        let tree = read(source, Goal::Module);
        tree.exprs
            .iter()
            .filter_map(|e| if let Expr::Send { send_only, .. } = e { Some(*send_only) } else { None })
            .collect::<Vec<_>>()
    };
    assert_eq!(only("x ~. a();"), [true]);
    assert_eq!(only("(x ~. a());"), [true]);
    assert_eq!(only("void x ~. a();"), [true]);
    assert_eq!(only("y = (x ~. a(), x ~. b());"), [true, false]);
    assert_eq!(only("y = x ~. a;"), [false]);
    assert_eq!(only("x ~. a() ~. b();"), [false, true]);
    assert_eq!(only("() => x ~. a();"), [false]);
    assert_eq!(only("for (x ~. a(); ; x ~. b());"), [true, true]);
    // The value of a script is that of its last statement.
    let tree = read("x ~. a(); x ~. b();", Goal::Script);
    let flags: Vec<bool> =
        tree.exprs.iter().filter_map(|e| if let Expr::Send { send_only, .. } = e { Some(*send_only) } else { None }).collect();
    assert_eq!(flags, [true, false]);
}
