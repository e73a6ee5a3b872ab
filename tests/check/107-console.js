// expect: JS-107@3 JS-107@4
export const f = (a, b, i) => {
  console.log('x');
  return process;
};
