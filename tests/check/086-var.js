// expect: JS-086@3
export const f = (a, b, i) => {
  var x = 1;
  return x;
};
