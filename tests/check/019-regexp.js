// expect: JS-019@3
export const f = (a, b, i) => {
  return /ab/;
};
