// Vats come and go: made of texts, failing at their start, dropped.
export default async ({ console, vats }) => {
  let sum = 0;
  for (let i = 0; i < 5; i += 1) {
    const good = vats.makeFromSource(
      `export default () => Far('v', { add: n => n + ${i}, eval: s => new Compartment().evaluate(s) });`,
      {},
    );
    const why = vats.makeFromSource(`export default () => { throw Error('start ${i}'); };`, {}).then(
      () => 'no',
      e => e.message,
    );
    sum += await (good ~. add(1));
    sum += await (good ~. eval(`1 + ${i}`));
    if ((await why) !== `start ${i}`) throw Error(`a start that fails came to ${await why}`);
  }
  if (sum !== 30) throw Error(`the sum is ${sum}`);
  console.log('ok');
};
