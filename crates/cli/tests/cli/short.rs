//! Turns that a peer's message begins: short ones run on the thread that read it, long ones do not hold up the connection.
use crate::kit::Folder;
use std::time::{Duration, Instant};

const MAIN: &str = "export default async ({ vats }) => {
  const busy = await vats.make('./busy.js', {}, { maxInstructions: 1e11 });
  let calls = 0;
  return Far('root', {
    // more than a short turn has
    count: () => {
      calls += 1;
      for (let i = 0; i < 300000; i += 1);
      return calls;
    },
    busy: () => busy,
    quick: n => n,
  });
};
";
const BUSY: &str = "export default () => Far('busy', { spin: () => { for (;;); } });
";
const CLIENT: &str = "export default async ({ console, refs: { root } }) => {
  const counts = [];
  for (let i = 0; i < 20; i += 1) counts.push(await (root ~. count()));
  console.log(counts.join(' '));
  (root ~. busy() ~. spin()).catch(_ => undefined);
  let sum = 0;
  for (let i = 0; i < 100; i += 1) sum += await (root ~. quick(1));
  console.log(sum);
  throw Error('enough');
};
";

#[test]
fn a_long_turn_is_begun_anew_elsewhere_and_done_once() {
    for state in [true, false] {
        let f = Folder::new(&[("main.js", MAIN), ("busy.js", BUSY), ("client.js", CLIENT)]);
        let listen = ["--listen", "tcp-testing-only://127.0.0.1:0"];
        f.write(
            "stays.js",
            b"import main from './main.js';\nexport default powers => { powers.timer.delay(1e9); return main(powers); };\n",
        );
        let mut host = match state {
            true => f.serve(&[&["serve", "--state", "st"], &listen[..], &["main.js"]].concat()),
            false => f.start(&[&["run"], &listen[..], &["stays.js"]].concat()),
        };
        let uri = host.line(|l| l.starts_with("ocapn://"));
        let begun = Instant::now();
        let ran = f.run(&["run", "--ref", &format!("root={uri}"), "client.js"]);
        let all: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
        assert_eq!((ran.code, ran.out), (Some(1), format!("{}\n100\n", all.join(" "))), "{}", ran.err);
        assert!(begun.elapsed() < Duration::from_secs(40), "a vat that spins held up the connection");
        host.kill9();
    }
}
