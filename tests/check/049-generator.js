// expect: JS-049|JS-070@3
export const f = (a, b, i) => {
  const g = function* () {};
  return g;
};
