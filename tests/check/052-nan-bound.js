// expect: JS-052@3
export const f = (a, b, i) => {
  const NaN = 0;
  return NaN;
};
