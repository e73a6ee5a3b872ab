// expect: JS-047@3 JS-047@4
export const f = (a, b, i) => {
  const x = a == b;
  return x || a != null;
};
