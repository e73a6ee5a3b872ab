// expect: JS-012@3
export const f = (a, b, i) => {
  const async = 1;
  return async;
};
