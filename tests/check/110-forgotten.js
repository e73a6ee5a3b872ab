// expect: JS-110|JS-111@5
export const f = (a, b, i) => {
  const o = {};
  o.p = 1;
  return o;
};
