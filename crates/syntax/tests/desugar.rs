//! `~.` rewritten as calls of `E`: every form, nested, with the text around it untouched.
use syntax::ast::{Expr, Goal};
use syntax::desugar::desugar;
use syntax::diagnostic::Level;
use syntax::{Options, parse};

fn options(goal: Goal) -> Options {
    Options { goal, level: Level::Ses, dialect_2013: false }
}

fn plain(source: &str) -> String {
    let out = desugar(source, &options(Goal::Module)).unwrap_or_else(|e| panic!("{source}: {e:?}"));
    let again = parse(&out, &options(Goal::Module));
    assert!(!again.has_errors(), "{out}: {:?}", again.diagnostics);
    assert!(!again.tree.exprs.iter().any(|e| matches!(e, Expr::Send { .. })), "{out} still sends");
    out
}

/// Each line: what is written, and what comes of it.
const FORMS: &[(&str, &str)] = &[
    ("const a = x ~. m(1, 2);", "const a = E(x).m(1, 2);"),
    ("const a = x ~. (1);", "const a = E(x)(1);"),
    ("const a = x ~. p;", "const a = E.get(x).p;"),
    ("const a = x ~. [i];", "const a = E.get(x)[i];"),
    ("const a = x ~. [i](1);", "const a = E(x)[i](1);"),
    ("const a = x~.m();", "const a = E(x).m();"),
    ("const a = x ~. class(...all,);", "const a = E(x).class(...all,);"),
    // nobody wants the answer
    ("x ~. m(1);", "E.sendOnly(x).m(1);"),
    ("x ~. (1);", "E.sendOnly(x)(1);"),
    ("x ~. p;", "E.get(x).p;"),
    ("(1, x ~. m());", "(1, E.sendOnly(x).m());"),
    ("const f = () => { x ~. m(); return x ~. n(); };", "const f = () => { E.sendOnly(x).m(); return E(x).n(); };"),
    // chains and nesting
    ("const a = x ~. a() ~. b(y ~. c()) ~. d;", "const a = E.get(E(E(x).a()).b(E(y).c())).d;"),
    ("x ~. a() ~. b();", "E.sendOnly(E(x).a()).b();"),
    ("const a = x ~. [y ~. i](z ~. (w ~. v));", "const a = E(x)[E.get(y).i](E(z)(E.get(w).v));"),
    ("const a = (x ~. p)(1);", "const a = (E.get(x).p)(1);"),
    ("const a = x ~. p.q;", "const a = E.get(x).p.q;"),
    ("const a = x.y[0](z) ~. m().n;", "const a = E(x.y[0](z)).m().n;"),
    ("const a = x?.y ~. m()?.z;", "const a = E(x?.y).m()?.z;"),
    ("const a = `${x ~. m(`${y ~. n}`)}~.`;", "const a = `${E(x).m(`${E.get(y).n}`)}~.`;"),
    ("const a = `t` ~. m();", "const a = E(`t`).m();"),
    // precedence
    ("const a = -x ~. m() ** 2;", ""),
    ("const a = !x ~. m() && y ~. n() + 1;", "const a = !E(x).m() && E(y).n() + 1;"),
    ("const a = (b, c) ~. m();", "const a = E((b, c)).m();"),
    ("const a = (b ? c : d) ~. m();", "const a = E((b ? c : d)).m();"),
    ("const a = new X(1) ~. m();", "const a = E(new X(1)).m();"),
    ("const a = { b: 1 } ~. m();", "const a = E({ b: 1 }).m();"),
    ("const a = (() => 1) ~. ();", "const a = E((() => 1))();"),
    ("const a = function () {} ~. ();", "const a = E(function () {})();"),
    ("const a = async ({ b = x ~. m() }) => await x ~. n(b);", "const a = async ({ b = E(x).m() }) => await E(x).n(b);"),
    ("const a = async (b = x ~. m()) => b;", "const a = async (b = E(x).m()) => b;"),
    // a word that stands before must not grow
    ("const a = async () => await(x)~.m();", "const a = async () => await E((x)).m();"),
    ("const a = () => { return[x]~.m(); };", "const a = () => { return E([x]).m(); };"),
    ("const a = typeof(x)~.p;", "const a = typeof E.get((x)).p;"),
    // layout and comments stay
    ("const a = x\n  ~. m(1)\n  ~. n(2);", "const a = E(E(x)\n  .m(1))\n  .n(2);"),
    ("const a = x // why\n  ~. m();", "const a = E(x) // why\n  .m();"),
    ("const a = x /* b */ ~. /* c */ m( 1 ,2 );", "const a = E(x) /* b */ . /* c */ m( 1 ,2 );"),
    ("const a = x ~.\n  (1);", "const a = E(x)\n  (1);"),
    ("const s = '~. m()'; // x ~. m()\n", "const s = '~. m()'; // x ~. m()\n"),
    ("const a = 'é' ~. m('ß') ;", "const a = E('é').m('ß') ;"),
];

#[test]
fn each_form_becomes_a_call_of_e() {
    for (source, wanted) in FORMS {
        if wanted.is_empty() {
            assert!(desugar(source, &options(Goal::Module)).is_err(), "{source}");
        } else {
            assert_eq!(plain(source), *wanted, "{source}");
            assert_eq!(plain(wanted), *wanted, "what has no sends stays as it is");
        }
    }
}

#[test]
fn the_last_value_of_a_script_is_used() {
    let script = options(Goal::Script);
    assert_eq!(desugar("x ~. m();\nx ~. n();", &script).expect("a script"), "E.sendOnly(x).m();\nE(x).n();");
    let old = Options { dialect_2013: true, ..script };
    assert_eq!(desugar("const a = x ! m(y ! p);", &old).expect("a script"), "const a = E(x).m(E.get(y).p);");
}

#[test]
fn a_text_with_faults_or_an_e_of_its_own_is_refused() {
    let code = |source: &str| desugar(source, &options(Goal::Module)).expect_err(source)[0].code;
    assert_eq!(code("const E = 1; const a = x ~. m();"), "E-DESUGAR");
    assert_eq!(code("const f = E => x ~. m(E);"), "E-DESUGAR");
    assert!(!code("const a = x ~. ;").is_empty());
    assert_eq!(plain("const E = 1;"), "const E = 1;");
    assert_eq!(plain("import { E } from 'e'; const a = x ~. m();"), "import { E } from 'e'; const a = E(x).m();");
}

#[test]
fn depth_costs_no_stack() {
    let deep = 20_000;
    let source = format!("const a = x{};", " ~. m()".repeat(deep));
    let wanted = format!("const a = {}x{};", "E(".repeat(deep), ").m()".repeat(deep));
    assert_eq!(desugar(&source, &options(Goal::Module)).expect("a chain"), wanted);
}

/// How many sends a text has, and how many calls or properties of `E`.
fn counts(source: &str) -> (usize, usize) {
    let tree = parse(source, &options(Goal::Module)).tree;
    let is_e = |id: &syntax::ast::ExprId| match tree.expr(*id) {
        Expr::Ident(r) => tree.name_text(tree.reference(*r).name) == "E",
        _ => false,
    };
    let sends = tree.exprs.iter().filter(|e| matches!(e, Expr::Send { .. })).count();
    let calls = |e: &&Expr| match e {
        Expr::Call { callee, .. } => is_e(callee),
        Expr::Member { object, name, .. } => is_e(object) && matches!(tree.name_text(*name).as_str(), "get" | "sendOnly"),
        _ => false,
    };
    (sends, tree.exprs.iter().filter(calls).count())
}

#[test]
fn each_send_of_the_examples_becomes_one_call_of_e() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut sends = 0;
    for folder in std::fs::read_dir(examples).expect("examples").flatten().filter(|e| e.path().is_dir()) {
        for file in std::fs::read_dir(folder.path()).expect("an example").flatten() {
            if file.path().extension().is_some_and(|e| e == "js") {
                let source = std::fs::read_to_string(file.path()).expect("a text");
                let before = counts(&source);
                assert_eq!(counts(&plain(&source)), (0, before.0 + before.1), "{}", file.path().display());
                sends += before.0;
            }
        }
    }
    assert!(sends > 50, "the examples send");
}
