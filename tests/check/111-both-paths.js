// expect: none
export const f = (a, b, i) => {
  const o = {};
  if (a) {
    o.p = 1;
    harden(o);
  } else {
    o.p = 2;
    harden(o);
  }
  return o;
};
