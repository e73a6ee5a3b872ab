// expect: none
export const f = (a, b, i) => {
  return /* on the same line */ a;
};
