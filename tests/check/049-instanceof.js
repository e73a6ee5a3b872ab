// expect: JS-049@3
export const f = (a, b, i) => {
  return a instanceof b;
};
