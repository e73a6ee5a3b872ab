// expect: JS-080@4
export const f = (a, b, i) => {
  let n = 0;
  for (const x of a) n += x;
  return n;
};
