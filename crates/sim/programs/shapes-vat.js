export default () => {
  const kept = [];
  // a property of its own first: so each object's shapes are new
  const make = (own, a, b, c, values) => {
    const o = { [own]: 0 };
    o[a] = values[0];
    o[b] = values[1];
    o[c] = values[2];
    return o;
  };
  const read = o => o.x * 100 + o.y * 10 + o.z;
  return Far('victim', {
    spin: i => {
      const o = make(`own ${i}`, 'z', 'y', 'x', [3, 2, 1]);
      kept.push(o);
      for (;;) read(o);
    },
    work: i => {
      const o = make(`own ${i}`, 'x', 'y', 'z', [1, 2, 3]);
      kept.push(o);
      if (kept.length !== i + 1) throw Error(`${kept.length} are kept`);
      return read(o);
    },
  });
};
