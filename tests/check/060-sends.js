// expect: none
export const f = (a, b, i) => {
  a ~. m(b);
  const p = a ~. q;
  const r = a ~. (b);
  const s = a ~. [0];
  const t = a ~. [+i](b);
  return p ~. m(r) ~. n ~. o(s, t);
};
