// expect: JS-050@3
export const f = (a, b, i) => {
  return import('x');
};
