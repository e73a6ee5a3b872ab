// Delays end once each, in the order in which they are due, those of one vat by their order when due together.
export default async ({ console, timer, vats }) => {
  const other = await vats.make('./timers-vat.js', { timer });
  const chain = other ~. chain(4);
  for (let round = 0; round < 3; round += 1) {
    const fired = [];
    const from = await (timer ~. now());
    const waits = [['d', 30], ['a', 10], ['c', 20], ['e', 400], ['b', 10]].map(async ([name, ms]) => {
      await (timer ~. delay(ms));
      fired.push(name);
      const late = (await (timer ~. now())) - from;
      if (late < ms) throw Error(`${name} is ${ms - late} ms early`);
    });
    await Promise.all(waits);
    if (fired.join('') !== 'abcde') throw Error(`fired were ${fired.join('')}`);
    console.log(`round ${round}`);
  }
  const n = await chain;
  if (n !== 4) throw Error(`the chain has ${n} links`);
  console.log('ok');
};
