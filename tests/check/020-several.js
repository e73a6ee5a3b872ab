// expect: JS-020@3 JS-020@4
export const f = (a, b, i) => {
  let x = 1
  x = 2
  return x;
};
