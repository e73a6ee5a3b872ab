export default () => {
  const times = new Map();
  let total = 0;
  return Far('counter', {
    count: n => {
      times.set(n, (times.get(n) ?? 0) + 1);
      total += 1;
      return total;
    },
    total: () => total,
    seen: () => harden([...times.entries()]),
  });
};
