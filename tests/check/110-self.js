// expect: none
export const f = (a, b, i) => {
  const self = harden({ m: () => self });
  return self;
};
