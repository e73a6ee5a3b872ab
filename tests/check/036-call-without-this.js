// expect: none
export const f = (a, b, i) => {
  return (1, a[+i])(b);
};
