// expect: JS-082@4
export const f = (a, b, i) => {
  let n = 0;
  do {
    n += 1;
  } while (n < 3);
  return n;
};
