// expect: JS-087|JS-049@3
export const f = (a, b, i) => {
  class X {}
  return X;
};
