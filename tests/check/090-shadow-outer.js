// expect: none
export const f = (a, b, i) => {
  const g = a => {
    const b = a;
    return b;
  };
  return g(a);
};
