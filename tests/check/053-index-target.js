// expect: JS-053|JS-035@3
export const f = (a, b, i) => {
  a[i] = 1;
};
