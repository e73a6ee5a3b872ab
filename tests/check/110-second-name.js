// expect: JS-110|JS-111@4
export const f = (a, b, i) => {
  const o = {};
  const p = o;
  harden(o);
  return p;
};
