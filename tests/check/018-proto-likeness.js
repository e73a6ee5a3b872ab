// expect: none
export const f = (a, b, i) => {
  return a.__proto__2 + a.proto;
};
