// expect: JS-062@3
export const f = (a, b, i) => {
  a ~. p = 1;
};
