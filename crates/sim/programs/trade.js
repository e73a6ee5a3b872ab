// Money is neither made nor lost: traders in vats of their own pay each other with purses of a bank.
export default async ({ console, vats }) => {
  const bank = await vats.make('./trade-bank.js', {});
  const traders = [];
  for (let i = 0; i < 3; i += 1) {
    const purse = bank ~. issue(100);
    traders.push(await vats.make('./trade-trader.js', { bank, purse, seed: i + 1 }));
  }
  const ends = traders.map((t, i) => t ~. trade(traders[(i + 1) % 3], 6));
  const done = await Promise.all(ends);
  const total = await (bank ~. total());
  if (total !== 300) throw Error(`the purses hold ${total} of 300`);
  let held = 0;
  for (const t of traders) held += await (t ~. balance());
  if (held !== 300) throw Error(`the traders hold ${held} of 300`);
  const paid = done.reduce((a, b) => a + b, 0);
  if (paid !== 18) throw Error(`${paid} payments of 18`);
  console.log('ok');
};
