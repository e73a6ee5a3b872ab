// expect: JS-023|JS-020@3
export const f = (a, b, i) => {
  let x = a
  ++
  x;
  return x;
};
