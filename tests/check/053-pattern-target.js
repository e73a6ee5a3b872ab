// expect: JS-053@4
export const f = (a, b, i) => {
  let x = 1;
  ({ x } = a);
  return x;
};
