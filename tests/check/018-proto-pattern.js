// expect: JS-018@3
export const f = (a, b, i) => {
  const { __proto__: p } = a;
  return p;
};
