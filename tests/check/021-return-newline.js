// expect: JS-021|JS-020@3
export const f = (a, b, i) => {
  return
    a;
};
