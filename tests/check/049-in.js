// expect: JS-049@3
export const f = (a, b, i) => {
  return "x" in a;
};
