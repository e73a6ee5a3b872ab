// expect: JS-035@3
export const f = (a, b, i) => {
  return a[i + 1];
};
