// expect: JS-080@4
export const f = (a, b, i) => {
  let n = 3;
  while (n > 0) n -= 1;
  return n;
};
