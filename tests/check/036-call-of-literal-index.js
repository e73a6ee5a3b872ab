// expect: JS-036@3
export const f = (a, b, i) => {
  return a[0](b);
};
