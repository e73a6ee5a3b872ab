// args[0] counter vats, each with args[1] bytes of numbers in its heap, which may take args[2] bytes
export default async ({ console, vats, args }) => {
  const n = Number(args[0]);
  const bytes = Number(args[1]);
  const limits = args.length > 2 ? { maxHeap: Number(args[2]) } : {};
  const all = [];
  for (let i = 0; i < n; i += 1) {
    all.push(await vats.make('./counter.js', {}, limits));
  }
  if (bytes > 0) {
    for (const c of all) await (c ~. fill(bytes));
  }
  return Far('counters', {
    count: () => all.length,
    // a thousand calls, each to what the one before answers
    chain: () => {
      let at = all[0];
      for (let i = 0; i < 1000; i += 1) at = at ~. itself();
      return E.when(at, () => 1);
    },
  });
};
