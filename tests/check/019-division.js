// expect: none
export const f = (a, b, i) => {
  const g = 2;
  return a / b / g;
};
