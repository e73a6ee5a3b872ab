// Exactly once: each numbered message is counted once, directly and by way of a vat that passes it on, answered or not.
export default async ({ console, vats }) => {
  const N = 10;
  const a = await vats.make('./once-counter.js', {});
  const b = await vats.make('./once-counter.js', {});
  const relay = await vats.make('./once-relay.js', {});
  const answers = [];
  for (let i = 0; i < N; i += 1) {
    answers.push(a ~. count(i));
    answers.push(relay ~. pass(b, i));
    relay ~. pass(a, N + i);
    console.log(`sent ${i}`);
    if (i % 4 === 3) await (b ~. total());
  }
  const got = await Promise.all(answers);
  await (relay ~. flush());
  for (const [name, counter, want] of [['a', a, 2 * N], ['b', b, N]]) {
    const seen = await (counter ~. seen());
    if (seen.length !== want) throw Error(`${name} has seen ${seen.length} messages of ${want}`);
    for (const [n, times] of seen) {
      if (times !== 1) throw Error(`${name} has counted ${n} ${times} times`);
    }
    const total = await (counter ~. total());
    if (total !== want) throw Error(`${name} counts ${total} of ${want}`);
  }
  if (got.length !== 2 * N) throw Error('an answer is missing');
  console.log('ok');
};
