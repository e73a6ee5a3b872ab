// expect: JS-020@4
export const f = (a, b, i) => {
  if (a) {
    return b
  }
  return a;
};
