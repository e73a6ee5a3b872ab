// expect: JS-112@6
export const f = (a, b, i) => {
  const o = {};
  o.p = 1;
  harden(o);
  o.q = 2;
  return o;
};
