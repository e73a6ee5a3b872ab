// expect: JS-020@3
export const f = (a, b, i) => {
  const x = 1
  return x;
};
