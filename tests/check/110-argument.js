// expect: JS-110@3
export const f = (a, b, i) => {
  b([1, 2]);
  return a;
};
