// expect: JS-065@3
export const f = (a, b, i) => {
  a ~. p++;
};
