// expect: JS-110@3
export const f = (a, b, i) => {
  return a ~. m({ b });
};
