// expect: JS-049|JS-087@3
export const f = (a, b, i) => {
  return class {};
};
