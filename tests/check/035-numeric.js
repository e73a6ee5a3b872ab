// expect: none
export const f = (a, b, i) => {
  return a[0] + a[+i] + a[-1] + a[+(i + 1)] + a[+a[+i]];
};
