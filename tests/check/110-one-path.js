// expect: JS-110|JS-111@7
export const f = (a, b, i) => {
  const o = { n: 0 };
  if (a) {
    harden(o);
  }
  return o;
};
