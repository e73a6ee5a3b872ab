// expect: JS-112@4
export const f = (a, b, i) => {
  const list = harden([1]);
  list[0] = 2;
  return list;
};
