// expect: none
export const f = (a, b, i) => {
  const o = { ...a };
  o.p = 1;
  o.q = b;
  const list = [1];
  list[+i] = 2;
  const n = o.p + list[0];
  o.n = n;
  const { p } = o;
  harden(list);
  return harden({ ...o, p });
};
