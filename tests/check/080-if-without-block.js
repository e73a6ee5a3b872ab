// expect: JS-080@3
export const f = (a, b, i) => {
  if (a) return b;
  return i;
};
