// expect: none
export const f = (a, b, i) => {
  if (a) {
    function g() {
      return b;
    }
    return g();
  }
  return i;
};
