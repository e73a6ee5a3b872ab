export default () => {
  const compartment = new Compartment();
  let count = 0;
  const kept = [];
  const add = o => o.x + o.y + o.z;
  return Far('victim', {
    // new shapes, new code and a changed count, all undone
    spin: i => {
      count += 100;
      const f = compartment.evaluate(`(n => n + ${i} + 1000)`);
      kept.push(f(1));
      for (let n = 0; ; n += 1) {
        const o = { [`lost ${i} ${n % 50}`]: n, z: 1, y: 2, x: 3 };
        kept.push(add(o));
      }
    },
    wait: async (other, i) => {
      try {
        await (other ~. echo(i));
        count += 100;
        for (;;) kept.push(i);
      } catch (e) {
        return e.message.slice(0, 6);
      }
    },
    work: i => {
      count += 1;
      const f = compartment.evaluate(`(n => n + ${i})`);
      const o = { [`kept ${i}`]: 0, x: f(1), y: f(1), z: f(1) };
      const p = { x: i, z: i, [`other ${i}`]: 5, y: i };
      if (kept.length !== i * 2) throw Error(`${kept.length} are kept`);
      kept.push(o, p);
      return add(o) + add(p);
    },
    count: () => count,
  });
};
