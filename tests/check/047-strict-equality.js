// expect: none
export const f = (a, b, i) => {
  return a === b || a !== null;
};
