// expect: JS-018@3
export const f = (a, b, i) => {
  return a.__proto__;
};
