// expect: JS-021|JS-020@4
export const f = (a, b, i) => {
  l: while (a) {
    break
    l;
  }
  return b;
};
