// expect: none
export const f = (a, b, i) => {
  return Far('thing', { m: () => 1 });
};
