//! `drses run` with several vats: what their makers see.
use crate::kit::Folder;

fn printed(main: &str, other: &str) -> (Option<i32>, String, String) {
    let ran = Folder::new(&[("main.js", main), ("other.js", other)]).run(&["run", "main.js"]);
    (ran.code, ran.out, ran.err)
}

#[test]
fn functions_among_the_powers_do_not_make_an_object_of_them() {
    let main = "export default async ({ console, vats }) => {
        const log = line => console.log(line);
        const other = vats.make('./other.js', { log, name: 'other', nested: { log }, later: Promise.resolve(3) });
        console.log(await (other ~. hello()));
    };";
    let other = "export default ({ log, name, nested, later }) => Far('other', {
        hello: async () => { await (log ~. (name)); return `${typeof log} ${typeof nested.log} ${await later}`; },
    });";
    assert_eq!(printed(main, other), (Some(0), "other\nobject undefined 3\n".to_owned(), String::new()));
}

#[test]
fn powers_that_cannot_pass_are_refused_by_their_path() {
    let main = "export default async ({ console, vats }) => {
        const tell = powers => vats.make('./other.js', powers).catch(e => console.log(`${e}`));
        await tell({ log: () => 0, books: new Map() });
        await tell({ log: () => 0, a: [1, { b: Symbol('s') }] });
        await tell({ a: new Set() });
    };";
    let told = "TypeError: powers.books cannot be passed: a Map
TypeError: powers.a[1].b cannot be passed: a symbol that is not registered
TypeError: powers.a cannot be passed: a Set
";
    assert_eq!(printed(main, "export default () => 0;"), (Some(0), told.to_owned(), String::new()));
}

#[test]
fn a_rejected_promise_that_is_passed_on_is_for_its_receiver_to_handle() {
    let main = "export default async ({ console, vats }) => {
        const other = vats.make('./other.js', {});
        console.log(await (other ~. take(Promise.reject('a'))));
        console.log(await (other ~. take({ in: [Promise.reject('b')] })));
        console.log(await (await other ~. take(Promise.reject('c'))));
    };";
    let other = "export default () => Far('other', { take: async p => {
        try { return await (p.in ? p.in[0] : p); } catch (e) { return `rejected: ${e}`; }
    } });";
    assert_eq!(printed(main, other), (Some(0), "rejected: a\nrejected: b\nrejected: c\n".to_owned(), String::new()));
}

#[test]
fn a_trace_leads_from_each_receipt_to_its_sending() {
    let f = Folder::new(&[
        ("main.js", "export default async ({ vats }) => { const v = await vats.make('./v.js', {}); await (v ~. double(4)); };"),
        ("v.js", "export default () => Far('v', { double: n => n * 2 });"),
    ]);
    assert_eq!(f.run(&["run", "--trace", "trace.jsonl", "main.js"]).code, Some(0));
    let text = f.read("trace.jsonl").expect("a trace");
    let number = |line: &str| line.split("\"message\":\"").nth(1).and_then(|r| r.split('"').next()).map(str::to_owned);
    let of = |class: &str| text.lines().filter(|l| l.contains(&format!("log.{class}\""))).collect::<Vec<_>>();
    let got: Vec<String> = of("Got").into_iter().filter(|l| l.contains("double()")).filter_map(number).collect();
    assert_eq!(got.len(), 1, "{text}");
    let sent: Vec<String> = of("Sent").into_iter().filter(|l| l.contains("double()")).filter_map(number).collect();
    assert_eq!(sent, got, "{text}");
    // the vat that asked hears of the answer by the number of its resolution
    let heard: Vec<String> = of("Got").into_iter().filter(|l| l.contains("fulfilled")).filter_map(number).collect();
    let resolved: Vec<String> = of("Fulfilled").into_iter().filter_map(number).collect();
    assert!(!heard.is_empty() && heard.iter().all(|n| resolved.contains(n)), "{text}");
}

#[test]
fn a_vat_that_filled_its_heap_can_still_let_go() {
    let main = "export default async ({ console, vats }) => {
        const other = await vats.make('./other.js', {}, { maxHeap: 4 * 2 ** 20 });
        const fill = async () => { for (;;) await (other ~. keep(1000)); };
        await fill().catch(e => console.log(`${e}`));
        console.log(await (other ~. forget()));
        console.log(await (other ~. keep(1000)));
    };";
    let other = "export default () => {
        let all = null; // a list, since an array that doubles leaps over four fifths
        return Far('other', {
            keep: n => { for (let i = 0; i < n; i += 1) all = { i, all }; return true; },
            forget: () => { all = null; return 'light again'; },
        });
    };";
    let told = "RangeError: limit: heap bytes\nlight again\ntrue\n";
    let (code, out, err) = printed(main, other);
    assert_eq!((code, out.as_str()), (Some(0), told), "{err}");
    // the operator was told before the limit was reached, and once
    assert_eq!(err.matches("warning[W-HEAP]: vat 2 ").count(), 1, "{err}");
    assert_eq!(err.lines().count(), 2, "{err}");
}

#[test]
fn messages_of_one_turn_are_limited() {
    let program = |n: u32| format!("export default ({{ timer }}) => {{ for (let i = 0; i < {n}; i += 1) timer ~. now(); }};");
    let (code, out, err) = printed(&program(131_073), "");
    assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
    assert!(err.contains("RangeError: limit: messages per turn"), "{err}");
    assert_eq!(printed(&program(1000), ""), (Some(0), String::new(), String::new()));
}
