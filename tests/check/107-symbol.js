// expect: JS-107@3
export const f = (a, b, i) => {
  return Symbol('x');
};
