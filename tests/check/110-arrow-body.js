// expect: JS-110@3
export const f = (a, b, i) => {
  const g = () => ({});
  return g;
};
