// expect: JS-042|JS-049@3
export const f = (a, b, i) => {
  delete a.b;
};
