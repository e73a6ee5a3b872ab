// Counters in three vats, asked in turn: each answer is one more than the one before, and is printed with what all of them
// hold together.
export default async ({ console, timer, vats }) => {
  const counters = [];
  for (let i = 0; i < 3; i += 1) counters.push(await vats.make('./count-vat.js', {}));
  const weak = new WeakMap();
  counters.forEach((c, i) => weak.set(c, i));
  for (let n = 1; n <= 120; n += 1) {
    const counter = counters[n % 3];
    const answers = [counter ~. add(1), counter ~. add(1), counter ~. add(0)];
    const [a, b, c] = await Promise.all(answers);
    let sum = 0;
    for (const other of counters) sum += await (other ~. add(0));
    if (n % 40 === 0) await (timer ~. delay(20));
    console.log(`${n}: counter ${weak.get(counter)} says ${a} ${b} ${c}; together ${sum}`);
    if (sum !== 2 * n || b !== a + 1 || c !== b) throw Error('a count is wrong');
  }
  console.log('ok');
};
