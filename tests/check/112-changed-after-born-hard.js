// expect: JS-112@4
export const f = (a, b, i) => {
  const o = harden({ p: 1 });
  o.p = 2;
  return o;
};
