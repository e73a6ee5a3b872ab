// expect: JS-081@4
export const f = (a, b, i) => {
  let x = 0;
  for (x of a) {
  }
  return x;
};
