// expect: none
export const f = (a, b, i) => {
  let n = 0;
  for (const x of a) {
    n += x;
  }
  for (const [k, v] of b) {
    n += k * v;
  }
  for (let j = 0; j < i; j += 1) {
    n += j;
  }
  return n;
};
