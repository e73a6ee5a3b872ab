// expect: JS-050|JS-049@3
export const f = (a, b, i) => {
  return import.meta;
};
