// expect: JS-064|E-*@3
export const f = (a, b, i) => {
  return a ~. `t`;
};
