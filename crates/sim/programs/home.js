// O1 where a promise becomes an object of the vat that sends on it: what was sent before the vat heard of that goes out and comes back,
// what is sent afterwards stays within the vat; the order is kept all the same.
export default async ({ console, vats }) => {
  const decider = await vats.make('./home-decider.js', {});
  const pace = await vats.make('./home-decider.js', {});
  const one = async turns => {
    const got = [];
    const own = Far('own', { note: n => void got.push(n) });
    const p = decider ~. give(own, pace, turns);
    let heard = false;
    let n = 0;
    const send = () => {
      p ~. note(n);
      n += 1;
    };
    E.when(p, () => {
      heard = true;
      send();
    });
    // some sends before the decision, some after it and before the news, some after the news
    // (bounded: a process that dies at each attempt to deliver the news gives them up)
    for (let after = 0, all = 0; after < 3 && all < 60; after += heard ? 1 : 0, all += 1) {
      send();
      await (pace ~. ping());
      send();
    }
    await (p ~. note(n));
    got.forEach((m, i) => {
      if (m !== i) throw Error(`${m} in place ${i} of ${got.join(' ')}`);
    });
    if (got.length !== n + 1) throw Error(`${got.length} of ${n + 1}`);
  };
  for (const turns of [0, 1, 2, 4]) await one(turns);
  await Promise.all([one(1), one(3)]);
  console.log('ok');
};
