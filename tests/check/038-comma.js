// expect: JS-038@3
export const f = (a, b, i) => {
  return (a, b);
};
