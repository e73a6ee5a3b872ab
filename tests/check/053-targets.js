// expect: none
export const f = (a, b, i) => {
  let x = a;
  x = b;
  a.p = 1;
  a.p.q += 1;
  a[+i] = 2;
  a[0] *= 3;
  x += 1;
  return x;
};
