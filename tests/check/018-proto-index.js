// expect: JS-018|JS-035@3
export const f = (a, b, i) => {
  return a['__proto__'];
};
