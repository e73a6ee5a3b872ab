// expect: JS-053|JS-088@6
export const f = (a, b, i) => {
  let x = 1;
  let y = 2;
  x = 1;
  [x, y] = a;
  return x + y;
};
