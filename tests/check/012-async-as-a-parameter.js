// expect: JS-012@3
export const f = (a, b, i) => {
  const g = async => 1;
  return g;
};
