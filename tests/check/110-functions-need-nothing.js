// expect: none
export const f = (a, b, i) => {
  const g = x => x;
  b(x => x * 2);
  return x => g(x);
};
